// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICouncil} from "../src/ICouncil.sol";
import {MiniTest} from "./MiniTest.sol";

/// @dev An ERC-1271 account that says yes to what its owner signed, until it is told to refuse.
contract Wallet {
    address private immutable _owner;
    bool public refusing;

    constructor(address owner) {
        _owner = owner;
    }

    function refuse() external {
        refusing = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        (bytes32 r, bytes32 s) = abi.decode(signature[:64], (bytes32, bytes32));
        bool good = !refusing && ecrecover(digest, uint8(signature[64]), r, s) == _owner;
        return good ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// @dev A council of three, signatures, and digests built here by hand so that they check those of the sources.
abstract contract Base is MiniTest {
    uint64 internal constant START = 1_780_000_000;
    uint64 internal constant DEADLINE = START + 10_000_000;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    uint256[3] internal councilKeys;
    uint256 internal nextNonce;

    function setUp() public virtual {
        vm.warp(START);
        councilKeys = [uint256(0xC1), 0xC2, 0xC3];
        // Ascending by address, as `decide` wants them.
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < 2 - i; ++j) {
                if (vm.addr(councilKeys[j]) > vm.addr(councilKeys[j + 1])) {
                    (councilKeys[j], councilKeys[j + 1]) = (councilKeys[j + 1], councilKeys[j]);
                }
            }
        }
    }

    function councilMembers() internal view returns (address[] memory list) {
        list = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            list[i] = vm.addr(councilKeys[i]);
        }
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function digestOn(address target, string memory name, bytes32 structHash) internal view returns (bytes32) {
        return digestOn(block.chainid, target, name, structHash);
    }

    function digestOn(uint256 chain, address target, string memory name, bytes32 structHash)
        internal
        pure
        returns (bytes32)
    {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256(bytes(name)), keccak256("1"), chain, target));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function councilHash(ICouncil.CouncilAct memory act) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("CouncilAct(uint8 act,bytes32 subject,bytes32 value,uint256 nonce,uint64 deadline)"),
                act.act,
                act.subject,
                act.value,
                act.nonce,
                act.deadline
            )
        );
    }

    function councilAct(uint8 act, bytes32 subject, bytes32 value)
        internal
        returns (ICouncil.CouncilAct memory)
    {
        return ICouncil.CouncilAct(act, subject, value, ++nextNonce, DEADLINE);
    }

    function councilSignatures(address target, string memory name, ICouncil.CouncilAct memory act, uint256 howMany)
        internal
        view
        returns (ICouncil.MemberSignature[] memory list)
    {
        bytes32 digest = digestOn(target, name, councilHash(act));
        list = new ICouncil.MemberSignature[](howMany);
        for (uint256 i = 0; i < howMany; ++i) {
            list[i] = ICouncil.MemberSignature(vm.addr(councilKeys[i]), sign(councilKeys[i], digest));
        }
    }

    function decide(address target, string memory name, uint8 code, bytes32 subject, bytes32 value) internal {
        ICouncil.CouncilAct memory act = councilAct(code, subject, value);
        ICouncil(target).decide(act, councilSignatures(target, name, act, 2));
    }

    /// @dev Expects the council act to revert with `why`.
    function decideRefused(
        address target,
        string memory name,
        uint8 code,
        bytes32 subject,
        bytes32 value,
        bytes memory why
    ) internal {
        ICouncil.CouncilAct memory act = councilAct(code, subject, value);
        ICouncil.MemberSignature[] memory signatures = councilSignatures(target, name, act, 2);
        vm.expectRevert(why);
        ICouncil(target).decide(act, signatures);
    }

    function word(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }
}
