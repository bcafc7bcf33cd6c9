// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AgreementRegistry} from "../src/AgreementRegistry.sol";
import {Codes} from "../src/Codes.sol";
import {IAgreementRegistry} from "../src/IAgreementRegistry.sol";
import {ICouncil} from "../src/ICouncil.sol";
import {AgreementBase} from "./AgreementRegistry.t.sol";
import {Tally} from "./Base.sol";
import {FuzzSelector} from "./MiniTest.sol";

/// @dev Agreements live through lawful moves; unlawful moves and signatures of others must be refused; and the council
///      acts.
contract AgreementHandler is AgreementBase, Tally {
    uint256 public count;
    uint256 public lastTouched;

    constructor() {
        setUp();
    }

    function theRegistry() external view returns (AgreementRegistry) {
        return registry;
    }

    function conclude(bool pending) external {
        move(bytes32(++count), Codes.ACT_CONCLUDE, pending ? Codes.PENDING : Codes.EFFECTIVE);
    }

    /// @dev Mostly acts that keep an agreement alive, now and then one that ends it.
    function live(uint256 pick, uint8 dice) external {
        if (count == 0) return idle();
        bytes32 id = bytes32(pick % count + 1);
        uint8 from = last[id].toState;
        if (from == Codes.VOID) return idle();
        bool running = from == Codes.EFFECTIVE || from == Codes.SUSPENDED;
        if (!running && from != Codes.PENDING) return move(id, Codes.ACT_VOID, Codes.VOID);
        if (dice >= 216 && !running) return move(id, Codes.ACT_TERMINATE, Codes.TERMINATED);
        if (!running) return move(id, Codes.ACT_ACTIVATE, Codes.EFFECTIVE);
        if (dice >= 248) return move(id, Codes.ACT_VOID, Codes.VOID);
        if (dice >= 240) return move(id, Codes.ACT_TERMINATE, Codes.TERMINATED);
        if (dice >= 232) return move(id, Codes.ACT_RESCIND, Codes.RESCINDED);
        if (dice >= 224) return move(id, Codes.ACT_COMPLETE, Codes.COMPLETED);
        if (dice >= 216) return move(id, Codes.ACT_EXPIRE, Codes.EXPIRED);
        if (dice >= 108) return move(id, Codes.ACT_AMEND, from);
        if (from == Codes.EFFECTIVE) return move(id, Codes.ACT_SUSPEND, Codes.SUSPENDED);
        move(id, Codes.ACT_RESUME, Codes.EFFECTIVE);
    }

    /// @dev A lawful amendment with one forged signature, with an authority's only, or a move the table does not have.
    function hostile(uint256 pick, uint8 way, uint8 code, uint8 to) external {
        if (count == 0) return idle();
        bytes32 id = bytes32(pick % count + 1);
        uint8 from = last[id].toState;
        (code, to) = (code % 11, to % 9);
        if (way % 4 != 3) (code, to) = (Codes.ACT_AMEND, from);
        else if (allowed(code, from, to)) return idle();
        IAgreementRegistry.Act memory act = nextAct(id, code, to);
        IAgreementRegistry.Signer[] memory list = signersFor(act);
        if (way % 4 == 0) list[1] = signed(act, list[1].role, list[1].signer, councilKeys[0], ++nextNonce);
        if (way % 4 == 1) list = authority(act, COURT);
        if (way % 4 == 2) list[0].signature = "";
        try registry.submit(act, list) {
            broken = true;
        } catch {
            ++unlawful;
        }
    }

    /// @dev Any council act with enough signatures: no agreement changes by it. A pause is lifted at once, after a look that it
    ///      holds; a member is replaced by one whose key we know.
    function council(uint8 code, bytes32 subject, bytes32 value) external {
        ICouncil.CouncilAct memory act = councilAct(code % 40, subject, value);
        // The court keeps its seat: `live` needs it.
        if (act.act == Codes.REMOVE_AUTHORITY) act.subject = bytes32(uint256(1));
        bytes32 before = everything();
        if (act.act == Codes.REPLACE_MEMBER) {
            if (!replaceMember(address(registry), NAME, code % 3, 0x10000 + uint256(uint128(uint256(value))))) return idle();
            ++lawful;
            if (everything() != before) broken = true;
            return;
        }
        try registry.decide(act, councilSignatures(address(registry), NAME, act, 2)) {
            ++lawful;
        } catch {
            ++unlawful;
        }
        if (registry.paused()) {
            IAgreementRegistry.Act memory next = nextAct("new", Codes.ACT_CONCLUDE, Codes.EFFECTIVE);
            IAgreementRegistry.Signer[] memory list = both(next);
            try registry.submit(next, list) {
                broken = true;
            } catch {}
            decide(address(registry), NAME, Codes.UNPAUSE, 0, 0);
        }
        if (everything() != before) broken = true;
    }

    /// @dev What the contract holds of an agreement is what the last accepted act said.
    function check(uint256 number) public view {
        IAgreementRegistry.Act storage act = last[bytes32(number)];
        IAgreementRegistry.Agreement memory stored = registry.agreement(bytes32(number));
        assertEq(stored.state, act.toState);
        assertEq(stored.revision, act.revision);
        assertEq(stored.signersHash, act.signersHash);
        assertEq(stored.termsCommitment, keccak256(abi.encode(act.termsSha256, act.termsSm3)));
        assertEq(stored.lastActCommitment, keccak256(abi.encode(act.actSha256, act.actSm3)));
    }

    function move(bytes32 id, uint8 code, uint8 to) private {
        IAgreementRegistry.Act memory act = nextAct(id, code, to);
        IAgreementRegistry.Signer[] memory list = signersFor(act);
        registry.submit(act, list);
        last[id] = act;
        lastTouched = uint256(id);
        ++lawful;
    }

    /// @dev The table of codes.json once more, by hand.
    function allowed(uint8 code, uint8 from, uint8 to) private pure returns (bool) {
        bool running = from == Codes.EFFECTIVE || from == Codes.SUSPENDED;
        if (code == Codes.ACT_ACTIVATE) return from == Codes.PENDING && to == Codes.EFFECTIVE;
        if (code == Codes.ACT_AMEND) return running && to == from;
        if (code == Codes.ACT_SUSPEND) return from == Codes.EFFECTIVE && to == Codes.SUSPENDED;
        if (code == Codes.ACT_RESUME) return from == Codes.SUSPENDED && to == Codes.EFFECTIVE;
        if (code == Codes.ACT_TERMINATE) return (running || from == Codes.PENDING) && to == Codes.TERMINATED;
        if (code == Codes.ACT_RESCIND) return running && to == Codes.RESCINDED;
        if (code == Codes.ACT_VOID) return from != Codes.VOID && to == Codes.VOID;
        if (code == Codes.ACT_COMPLETE) return running && to == Codes.COMPLETED;
        if (code == Codes.ACT_EXPIRE) return running && to == Codes.EXPIRED;
        return false;
    }

    function everything() private view returns (bytes32) {
        return keccak256(
            abi.encode(registry.agreement(bytes32(lastTouched)), registry.agreement("new"), registry.isAuthority(vm.addr(COURT)))
        );
    }
}

contract AgreementRegistryInvariants is AgreementBase {
    AgreementHandler private handler;

    function setUp() public override {
        vm.warp(START);
        handler = new AgreementHandler();
    }

    function targetContracts() public view returns (address[] memory) {
        return one(address(handler));
    }

    function excludeSelectors() public view returns (FuzzSelector[] memory) {
        return setUpOf(address(handler));
    }

    /// @dev Agreements move along the table only, under their own signatures, and the council moves none. (After a run
    ///      all of them are looked at.)
    function invariant_agreements_are_what_their_last_act_says() public view {
        assertTrue(!handler.broken(), "an act that must not pass has passed");
        uint256 count = handler.count();
        if (count == 0) return;
        handler.check(handler.lastTouched());
        handler.check(uint256(keccak256(abi.encode(handler.lawful(), handler.unlawful()))) % count + 1);
    }

    function afterInvariant() external view {
        for (uint256 i = 1; i <= handler.count(); ++i) {
            handler.check(i);
        }
        handler.sayShares();
    }
}
