// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Codes} from "../src/Codes.sol";
import {EvidenceLog} from "../src/EvidenceLog.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {IEvidenceLog} from "../src/IEvidenceLog.sol";
import {Base} from "./Base.sol";

/// @dev Heads signed by the log key, and the reference tree of RFC 9162 written as its recursive definition.
abstract contract LogBase is Base {
    string internal constant NAME = "ShuQing Log";
    uint256 internal constant LOG_KEY = 0x106;
    EvidenceLog internal log;

    function setUp() public virtual override {
        super.setUp();
        log = new EvidenceLog(councilMembers(), 2, 1, vm.addr(LOG_KEY));
    }

    function headSignature(uint256 key, uint64 size, bytes32 sha, bytes32 sm3, uint64 time)
        internal
        view
        returns (bytes memory)
    {
        bytes32 typeHash = keccak256("Head(uint64 size,bytes32 sha256Root,bytes32 sm3Root,uint64 time)");
        return sign(key, digestOn(address(log), NAME, keccak256(abi.encode(typeHash, size, sha, sm3, time))));
    }

    function anchor(uint64 size, bytes32 sha, bytes32 sm3) internal {
        log.anchor(size, sha, sm3, START, headSignature(LOG_KEY, size, sha, sm3, START));
    }

    function split(uint256 size) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < size) k *= 2;
    }

    function slice(bytes32[] memory leaves, uint256 from, uint256 to) private pure returns (bytes32[] memory part) {
        part = new bytes32[](to - from);
        for (uint256 i = from; i < to; ++i) {
            part[i - from] = leaves[i];
        }
    }

    function treeRoot(bytes32[] memory leaves) internal pure returns (bytes32) {
        if (leaves.length == 1) return leaves[0];
        uint256 k = split(leaves.length);
        return sha256(
            abi.encodePacked(hex"01", treeRoot(slice(leaves, 0, k)), treeRoot(slice(leaves, k, leaves.length)))
        );
    }

    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory) {
        if (leaves.length == 1) return new bytes32[](0);
        uint256 k = split(leaves.length);
        bool left = index < k;
        bytes32[] memory below =
            left ? path(slice(leaves, 0, k), index) : path(slice(leaves, k, leaves.length), index - k);
        bytes32[] memory whole = new bytes32[](below.length + 1);
        for (uint256 i = 0; i < below.length; ++i) {
            whole[i] = below[i];
        }
        whole[below.length] = left ? treeRoot(slice(leaves, k, leaves.length)) : treeRoot(slice(leaves, 0, k));
        return whole;
    }

    function someLeaves(uint256 size) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = sha256(abi.encodePacked(hex"00", "leaf", i));
        }
    }
}

contract EvidenceLogTest is LogBase {
    function test_anchor__first_and_next() public {
        anchor(3, "a", "b");
        anchor(4, "c", "d");
        assertEq(log.latestSize(), 4);
        assertEq(log.commitmentAt(3), keccak256(abi.encode(uint64(3), bytes32("a"), bytes32("b"), START)));
        assertEq(log.commitmentAt(5), 0);
    }

    function test_anchor__again_smaller_forked() public {
        anchor(3, "a", "b");
        anchor(9, "a", "b");
        bytes memory same = headSignature(LOG_KEY, 9, "a", "b", START);
        vm.expectRevert(abi.encodeWithSelector(IEvidenceLog.AlreadyAnchored.selector, 9));
        log.anchor(9, "a", "b", START, same);
        bytes memory older = headSignature(LOG_KEY, 3, "a", "b", START);
        vm.expectRevert(abi.encodeWithSelector(IEvidenceLog.AlreadyAnchored.selector, 3));
        log.anchor(3, "a", "b", START, older);
        bytes memory smaller = headSignature(LOG_KEY, 8, "a", "b", START);
        vm.expectRevert(abi.encodeWithSelector(IEvidenceLog.SizeNotGrowing.selector, 8, 9));
        log.anchor(8, "a", "b", START, smaller);
        bytes memory fork = headSignature(LOG_KEY, 9, "a", "x", START);
        bytes32 offered = keccak256(abi.encode(uint64(9), bytes32("a"), bytes32("x"), START));
        bytes32 committed = log.commitmentAt(9);
        vm.expectRevert(abi.encodeWithSelector(IEvidenceLog.ForkedHead.selector, 9, committed, offered));
        log.anchor(9, "a", "x", START, fork);
    }

    function test_anchor__incomplete() public {
        bytes memory none = new bytes(65);
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(IEvidenceLog.HeadIncomplete.selector);
            log.anchor(
                i == 0 ? 0 : 1, i == 1 ? bytes32(0) : bytes32("a"), i == 2 ? bytes32(0) : bytes32("b"), i == 3 ? 0 : 1, none
            );
        }
    }

    function testFuzz_anchor__not_exactly_what_the_log_key_signed(uint64 size, bytes32 sha, bytes32 sm3, uint8 which)
        public
    {
        vm.assume(size > 1 && size < type(uint64).max && uint256(sha) > 1 && uint256(sm3) > 1);
        bytes memory signature = headSignature(which % 6 == 5 ? LOG_KEY + 1 : LOG_KEY, size, sha, sm3, START);
        uint64 time = START;
        if (which % 6 == 0) size ^= 1;
        if (which % 6 == 1) sha ^= bytes32(uint256(1));
        if (which % 6 == 2) sm3 ^= bytes32(uint256(1));
        if (which % 6 == 3) time += 1;
        if (which % 6 == 4) signature = abi.encodePacked(signature, hex"00");
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(LOG_KEY)));
        log.anchor(size, sha, sm3, time, signature);
    }

    function test_anchor__high_s__refused() public {
        bytes32 typeHash = keccak256("Head(uint64 size,bytes32 sha256Root,bytes32 sm3Root,uint64 time)");
        bytes32 digest = digestOn(
            address(log), NAME, keccak256(abi.encode(typeHash, uint64(1), bytes32("a"), bytes32("b"), START))
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(LOG_KEY, digest);
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes memory twin = abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(LOG_KEY)));
        log.anchor(1, "a", "b", START, twin);
        log.anchor(1, "a", "b", START, abi.encodePacked(r, s, v));
    }

    function test_anchor__signed_for_another_chain_or_log() public {
        bytes memory signature = headSignature(LOG_KEY, 1, "a", "b", START);
        EvidenceLog other = new EvidenceLog(councilMembers(), 2, 1, vm.addr(LOG_KEY));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(LOG_KEY)));
        other.anchor(1, "a", "b", START, signature);
        vm.chainId(99);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(LOG_KEY)));
        log.anchor(1, "a", "b", START, signature);
    }

    function rotation(uint256 key, address newKey, uint256 nonce) private view returns (bytes memory) {
        bytes32 typeHash = keccak256("RotateLogKey(address newKey,uint256 nonce,uint64 deadline)");
        return sign(key, digestOn(address(log), NAME, keccak256(abi.encode(typeHash, newKey, nonce, DEADLINE))));
    }

    function test_rotate__by_the_old_key_only__the_old_one_is_worth_nothing_then() public {
        address next = vm.addr(0x107);
        bytes memory signature = rotation(0x107, next, 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, vm.addr(LOG_KEY)));
        log.rotateLogKey(next, 1, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidAddress.selector, 0));
        log.rotateLogKey(address(0), 1, DEADLINE, signature);
        vm.expectRevert(abi.encodeWithSelector(IEvidenceLog.SameKey.selector, vm.addr(LOG_KEY)));
        log.rotateLogKey(vm.addr(LOG_KEY), 1, DEADLINE, signature);
        log.rotateLogKey(next, 1, DEADLINE, rotation(LOG_KEY, next, 1));
        assertEq(log.logKey(), next);
        bytes memory old = headSignature(LOG_KEY, 1, "a", "b", START);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidSignature.selector, next));
        log.anchor(1, "a", "b", START, old);
        log.anchor(1, "a", "b", START, headSignature(0x107, 1, "a", "b", START));
    }

    function test_rotate__back_and_replayed__nonce_used() public {
        address next = vm.addr(0x107);
        bytes memory first = rotation(LOG_KEY, next, 1);
        log.rotateLogKey(next, 1, DEADLINE, first);
        log.rotateLogKey(vm.addr(LOG_KEY), 2, DEADLINE, rotation(0x107, vm.addr(LOG_KEY), 2));
        vm.expectRevert(abi.encodeWithSelector(ICouncil.NonceUsed.selector, vm.addr(LOG_KEY), 1));
        log.rotateLogKey(next, 1, DEADLINE, first);
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(ICouncil.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        log.rotateLogKey(next, 1, DEADLINE, first);
    }

    function test_constructor__log_key_missing() public {
        vm.expectRevert(abi.encodeWithSelector(ICouncil.InvalidAddress.selector, 0));
        new EvidenceLog(councilMembers(), 2, 1, address(0));
    }

    // --- inclusion ---

    function test_inclusion__every_index_of_every_size_to_17() public {
        for (uint64 size = 1; size <= 17; ++size) {
            bytes32[] memory leaves = someLeaves(size);
            bytes32 root = treeRoot(leaves);
            anchor(size, root, "sm3");
            for (uint64 index = 0; index < size; ++index) {
                bytes32[] memory proof = path(leaves, index);
                assertTrue(log.verifyInclusion(leaves[index], index, size, proof, root, "sm3", START), "good proof");
                for (uint64 other = 0; other <= size; ++other) {
                    if (other == index) continue;
                    assertTrue(
                        !log.verifyInclusion(leaves[index], other, size, proof, root, "sm3", START), "wrong index"
                    );
                }
                bytes32[] memory longer = new bytes32[](proof.length + 1);
                for (uint256 i = 0; i < proof.length; ++i) {
                    longer[i] = proof[i];
                }
                assertTrue(!log.verifyInclusion(leaves[index], index, size, longer, root, "sm3", START), "longer");
                if (proof.length > 0) {
                    bytes32[] memory shorter = new bytes32[](proof.length - 1);
                    for (uint256 i = 0; i < shorter.length; ++i) {
                        shorter[i] = proof[i + 1];
                    }
                    // What an interior node would offer: itself as a leaf, with the rest of the path.
                    bytes32 inner = index & 1 == 0
                        ? sha256(abi.encodePacked(hex"01", leaves[index], proof[0]))
                        : sha256(abi.encodePacked(hex"01", proof[0], leaves[index]));
                    for (uint64 at = 0; at < size; ++at) {
                        assertTrue(
                            !log.verifyInclusion(inner, at, size, shorter, root, "sm3", START), "interior node"
                        );
                    }
                }
            }
        }
    }

    function testFuzz_inclusion__one_bit_changed(uint256 size, uint256 index, uint256 bit, uint256 where) public {
        size = 2 + size % 40;
        index %= size;
        bytes32[] memory leaves = someLeaves(size);
        bytes32 root = treeRoot(leaves);
        anchor(uint64(size), root, "sm3");
        bytes32[] memory proof = path(leaves, index);
        where %= proof.length;
        proof[where] ^= bytes32(1 << (bit & 255));
        assertTrue(
            !log.verifyInclusion(leaves[index], uint64(index), uint64(size), proof, root, "sm3", START), "flipped"
        );
    }

    function test_inclusion__head_not_committed() public {
        bytes32[] memory leaves = someLeaves(4);
        bytes32 root = treeRoot(leaves);
        bytes32[] memory proof = path(leaves, 2);
        assertTrue(!log.verifyInclusion(leaves[2], 2, 4, proof, root, "sm3", START), "no head yet");
        anchor(4, root, "sm3");
        assertTrue(log.verifyInclusion(leaves[2], 2, 4, proof, root, "sm3", START), "good");
        assertTrue(!log.verifyInclusion(leaves[2], 2, 4, proof, root, "sm4", START), "other sm3 root");
        assertTrue(!log.verifyInclusion(leaves[2], 2, 4, proof, root, "sm3", START + 1), "other time");
        assertTrue(!log.verifyInclusion(root, 0, 1, new bytes32[](0), root, "sm3", START), "root as a leaf");
    }

    // --- gas, as whole transactions on paris ---

    /// forge-config: default.isolate = true
    function test_gas__anchor__60000() public {
        bytes32 sha = keccak256("sha");
        bytes32 sm3 = keccak256("sm3");
        log.anchor(1 << 20, sha, sm3, START, headSignature(LOG_KEY, 1 << 20, sha, sm3, START));
        bytes memory signature = headSignature(LOG_KEY, (1 << 20) + 4097, sha, sm3, START);
        log.anchor((1 << 20) + 4097, sha, sm3, START, signature);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        say("gas: EvidenceLog.anchor", used);
        assertAtMost(used, 60_000);
    }

    /// forge-config: default.isolate = true
    function test_gas__verifyInclusion_at_two_to_the_20__70000() public {
        uint64 size = 1 << 20;
        uint64 index = 0xABCDE;
        bytes32 leaf = keccak256("leaf");
        bytes32[] memory proof = new bytes32[](20);
        bytes32 hash = leaf;
        for (uint256 i = 0; i < 20; ++i) {
            proof[i] = keccak256(abi.encode(i));
            hash = (index >> i) & 1 == 1
                ? sha256(abi.encodePacked(hex"01", proof[i], hash))
                : sha256(abi.encodePacked(hex"01", hash, proof[i]));
        }
        bytes32 sm3 = keccak256("sm3");
        log.anchor(size, hash, sm3, START, headSignature(LOG_KEY, size, hash, sm3, START));
        // A plain call and not a static one: only that is run as a transaction of its own.
        bytes memory data =
            abi.encodeCall(IEvidenceLog.verifyInclusion, (leaf, index, size, proof, hash, sm3, START));
        (bool done, bytes memory answer) = address(log).call(data);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        assertTrue(done && abi.decode(answer, (bool)), "proof");
        say("gas: EvidenceLog.verifyInclusion", used);
        assertAtMost(used, 70_000);
    }
}
