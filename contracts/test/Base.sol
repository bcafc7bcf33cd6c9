// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Codes} from "../src/Codes.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {FuzzSelector, MiniTest} from "./MiniTest.sol";

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

/// @dev What became of a handler's calls: lawful acts that passed, unlawful ones that were refused, and nothing (time
///      passing, or nothing there to act on).
abstract contract Tally is MiniTest {
    uint256 public lawful;
    uint256 public unlawful;
    uint256 public nothing;
    /// @dev An unlawful act passed.
    bool public broken;

    function idle() internal {
        ++nothing;
    }

    function sayShares() external view {
        uint256 all = lawful + unlawful + nothing;
        if (all == 0) return;
        say("shares: percent of acts that were lawful and passed", lawful * 100 / all);
        say("shares: percent of acts that were unlawful and refused", unlawful * 100 / all);
    }
}

/// @dev A council of three, signatures, and digests built here by hand so that they check those of the sources.
abstract contract Base is MiniTest {
    uint64 internal constant START = 1_780_000_000;
    uint64 internal constant DEADLINE = START + 10_000_000;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    uint256[3] internal councilKeys;
    // vm.addr costs as much as a signature; the invariant runs ask for these all the time.
    address[3] private councilAddresses;
    uint256 internal nextNonce;

    function setUp() public virtual {
        vm.warp(START);
        councilKeys = [uint256(0xC1), 0xC2, 0xC3];
        for (uint256 i = 0; i < 3; ++i) {
            councilAddresses[i] = vm.addr(councilKeys[i]);
        }
        sortCouncil();
    }

    /// @dev Ascending by address, as `decide` wants them.
    function sortCouncil() private {
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 j = 0; j < 2 - i; ++j) {
                if (councilAddresses[j] > councilAddresses[j + 1]) {
                    (councilKeys[j], councilKeys[j + 1]) = (councilKeys[j + 1], councilKeys[j]);
                    (councilAddresses[j], councilAddresses[j + 1]) = (councilAddresses[j + 1], councilAddresses[j]);
                }
            }
        }
    }

    /// @dev The council replaces one of its members; false when the new key is one of them already.
    function replaceMember(address target, string memory name, uint256 which, uint256 newKey) internal returns (bool) {
        for (uint256 i = 0; i < 3; ++i) {
            if (councilKeys[i] == newKey) return false;
        }
        address joining = vm.addr(newKey);
        decide(target, name, Codes.REPLACE_MEMBER, word(councilAddresses[which]), word(joining));
        (councilKeys[which], councilAddresses[which]) = (newKey, joining);
        sortCouncil();
        return true;
    }

    /// @dev For invariant tests: only this handler is called, and its setUp is not.
    function one(address handler) internal pure returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = handler;
    }

    function setUpOf(address handler) internal pure returns (FuzzSelector[] memory selectors) {
        selectors = new FuzzSelector[](1);
        (selectors[0].addr, selectors[0].selectors) = (handler, new bytes4[](1));
        selectors[0].selectors[0] = this.setUp.selector;
    }

    function councilMembers() internal view returns (address[] memory list) {
        list = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            list[i] = councilAddresses[i];
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
            list[i] = ICouncil.MemberSignature(councilAddresses[i], sign(councilKeys[i], digest));
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
