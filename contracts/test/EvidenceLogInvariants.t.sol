// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Codes} from "../src/Codes.sol";
import {EvidenceLog} from "../src/EvidenceLog.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {Tally} from "./Base.sol";
import {LogBase} from "./EvidenceLog.t.sol";
import {FuzzSelector} from "./MiniTest.sol";

/// @dev Anchors growing heads and rotates the key; offers old, forked, repeated and forged heads, which must be refused;
///      and lets the council act.
contract LogHandler is LogBase, Tally {
    uint64[] public sizes;
    mapping(uint64 => bytes32) public seen;
    uint256 private key = LOG_KEY;

    constructor() {
        setUp();
    }

    function theLog() external view returns (EvidenceLog) {
        return log;
    }

    function count() external view returns (uint256) {
        return sizes.length;
    }

    function offer(uint32 step, bytes32 sha, bytes32 sm3) external {
        uint64 size = log.latestSize() + 1 + step;
        (sha, sm3) = (sha | bytes32(uint256(1)), sm3 | bytes32(uint256(1)));
        log.anchor(size, sha, sm3, START, headSignature(key, size, sha, sm3, START));
        sizes.push(size);
        seen[size] = keccak256(abi.encode(size, sha, sm3, START));
        ++lawful;
    }

    /// @dev A size that is no progress (another root at a known one is a fork), or a key that is not the log's.
    function hostile(uint64 size, bytes32 sha, bool known, bool forged) external {
        uint64 latest = log.latestSize();
        if (!forged && latest == 0) return idle();
        if (known && sizes.length != 0) size = sizes[size % sizes.length];
        else size = forged ? latest + 1 + size % 1000 : 1 + size % latest;
        sha |= bytes32(uint256(1));
        uint256 signer = forged ? councilKeys[size % 3] : key;
        bytes memory signature = headSignature(signer, size, sha, "sm3", START);
        try log.anchor(size, sha, "sm3", START, signature) {
            broken = true;
        } catch {
            ++unlawful;
        }
    }

    function rotate(uint128 seed) external {
        // Even, and those of the council odd: no key has two roles.
        uint256 newKey = 0x10000 + uint256(seed) * 2;
        if (newKey == key) return idle();
        uint256 nonce = ++nextNonce;
        bytes32 typeHash = keccak256("RotateLogKey(address newKey,uint256 nonce,uint64 deadline)");
        bytes32 hash = keccak256(abi.encode(typeHash, vm.addr(newKey), nonce, DEADLINE));
        log.rotateLogKey(vm.addr(newKey), nonce, DEADLINE, sign(key, digestOn(address(log), NAME, hash)));
        key = newKey;
        ++lawful;
    }

    /// @dev Any council act with enough signatures: no head and no key changes by it. A pause is lifted at once, after a look that it
    ///      holds; a member is replaced by one whose key we know.
    function council(uint8 code, bytes32 subject, bytes32 value) external {
        ICouncil.CouncilAct memory act = councilAct(code % 40, subject, value);
        bytes32 before = everything();
        if (act.act == Codes.REPLACE_MEMBER) {
            uint256 joining = 0x10001 + uint256(uint128(uint256(value))) * 2;
            if (!replaceMember(address(log), NAME, code % 3, joining)) return idle();
            ++lawful;
            if (everything() != before) broken = true;
            return;
        }
        try log.decide(act, councilSignatures(address(log), NAME, act, 2)) {
            ++lawful;
        } catch {
            ++unlawful;
        }
        if (log.paused()) {
            bytes memory signature = headSignature(key, log.latestSize() + 1, "a", "b", START);
            try log.anchor(log.latestSize() + 1, "a", "b", START, signature) {
                broken = true;
            } catch {}
            decide(address(log), NAME, Codes.UNPAUSE, 0, 0);
        }
        if (everything() != before) broken = true;
    }

    function everything() private view returns (bytes32) {
        return keccak256(abi.encode(log.latestSize(), log.commitmentAt(log.latestSize()), log.logKey()));
    }
}

contract EvidenceLogInvariants is LogBase {
    LogHandler private handler;

    function setUp() public override {
        vm.warp(START);
        handler = new LogHandler();
    }

    function targetContracts() public view returns (address[] memory) {
        return one(address(handler));
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory) {
        return setUpOf(address(handler));
    }

    /// @dev The last head is the latest; any head ever accepted is still committed, and follows a smaller one. (After a
    ///      run all of them are looked at.)
    function invariant_heads_only_grow_and_stay() public view {
        assertTrue(!handler.broken(), "a head that must not pass has passed");
        uint256 count = handler.count();
        if (count == 0) return assertEq(handler.theLog().latestSize(), 0);
        assertEq(handler.theLog().latestSize(), handler.sizes(count - 1));
        look(count - 1);
        look(uint256(keccak256(abi.encode(handler.lawful(), handler.unlawful()))) % count);
    }

    function afterInvariant() external view {
        for (uint256 i = 0; i < handler.count(); ++i) {
            look(i);
        }
        handler.sayShares();
    }

    function look(uint256 i) private view {
        uint64 size = handler.sizes(i);
        assertTrue(i == 0 || size > handler.sizes(i - 1), "size did not grow");
        assertEq(handler.theLog().commitmentAt(size), handler.seen(size));
    }
}
