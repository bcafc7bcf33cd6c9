// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AgreementRegistry} from "../src/AgreementRegistry.sol";
import {Codes} from "../src/Codes.sol";
import {IAgreementRegistry} from "../src/IAgreementRegistry.sol";
import {Base} from "./Base.sol";

/// @dev contracts/codes.json and the contracts say the same.
contract CodesTest is Base {
    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("contracts/codes.json");
    }

    function check(string memory key, uint8 code) private view {
        assertEq(vm.parseJsonUint(json, key), code);
    }

    function size(string memory key) private view returns (uint256) {
        return vm.parseJsonKeys(json, key).length;
    }

    function test_codes__council_acts() public view {
        check(".councilActs.PAUSE", Codes.PAUSE);
        check(".councilActs.UNPAUSE", Codes.UNPAUSE);
        check(".councilActs.NAME_SUCCESSOR", Codes.NAME_SUCCESSOR);
        check(".councilActs.REPLACE_MEMBER", Codes.REPLACE_MEMBER);
        check(".councilActs.ADD_AGENCY", Codes.ADD_AGENCY);
        check(".councilActs.SUSPEND_AGENCY", Codes.SUSPEND_AGENCY);
        check(".councilActs.RESUME_AGENCY", Codes.RESUME_AGENCY);
        check(".councilActs.ADD_AUTHORITY", Codes.ADD_AUTHORITY);
        check(".councilActs.REMOVE_AUTHORITY", Codes.REMOVE_AUTHORITY);
        check(".councilActs.ADD_OPERATOR", Codes.ADD_OPERATOR);
        check(".councilActs.REMOVE_OPERATOR", Codes.REMOVE_OPERATOR);
        check(".councilActs.ADD_AUDITOR", Codes.ADD_AUDITOR);
        check(".councilActs.REMOVE_AUDITOR", Codes.REMOVE_AUDITOR);
        assertEq(size(".councilActs"), 13);
    }

    function test_codes__certificates() public view {
        check(".certificateStatus.VALID", Codes.STATUS_VALID);
        check(".certificateStatus.RENEWAL_PENDING", Codes.STATUS_RENEWAL_PENDING);
        check(".certificateStatus.SUPERSEDED", Codes.STATUS_SUPERSEDED);
        check(".certificateStatus.TRANSFERRED", Codes.STATUS_TRANSFERRED);
        check(".certificateStatus.LAPSED", Codes.STATUS_LAPSED);
        check(".certificateStatus.CANCELLED", Codes.STATUS_CANCELLED);
        assertEq(size(".certificateStatus"), 6);
        check(".inForceCodes.UNKNOWN", Codes.UNKNOWN);
        check(".inForceCodes.IN_FORCE", Codes.IN_FORCE);
        check(".inForceCodes.NOT_IN_FORCE", Codes.NOT_IN_FORCE);
        check(".inForceCodes.IN_FORCE_LIMITED", Codes.IN_FORCE_LIMITED);
        assertEq(size(".inForceCodes"), 4);
        check(".inForceReasons.UNKNOWN_KEY", Codes.REASON_UNKNOWN_KEY);
        check(".inForceReasons.VALID", Codes.REASON_VALID);
        check(".inForceReasons.NOT_YET_VALID", Codes.REASON_NOT_YET_VALID);
        check(".inForceReasons.LAPSED", Codes.REASON_LAPSED);
        check(".inForceReasons.SUPERSEDED", Codes.REASON_SUPERSEDED);
        check(".inForceReasons.TRANSFERRED", Codes.REASON_TRANSFERRED);
        check(".inForceReasons.CANCELLED", Codes.REASON_CANCELLED);
        check(".inForceReasons.RENEWAL_PENDING", Codes.REASON_RENEWAL_PENDING);
        check(".inForceReasons.ENCUMBERED", Codes.REASON_ENCUMBERED);
        check(".inForceReasons.OBJECTION", Codes.REASON_OBJECTION);
        check(".inForceReasons.ENCUMBERED_AND_OBJECTION", Codes.REASON_ENCUMBERED_AND_OBJECTION);
        check(".inForceReasons.HISTORY", Codes.REASON_HISTORY);
        assertEq(size(".inForceReasons"), 12);
    }

    function test_codes__agreements() public view {
        check(".agreementStates.NONE", Codes.NONE);
        check(".agreementStates.PENDING", Codes.PENDING);
        check(".agreementStates.EFFECTIVE", Codes.EFFECTIVE);
        check(".agreementStates.SUSPENDED", Codes.SUSPENDED);
        check(".agreementStates.EXPIRED", Codes.EXPIRED);
        check(".agreementStates.COMPLETED", Codes.COMPLETED);
        check(".agreementStates.TERMINATED", Codes.TERMINATED);
        check(".agreementStates.RESCINDED", Codes.RESCINDED);
        check(".agreementStates.VOID", Codes.VOID);
        assertEq(size(".agreementStates"), 9);
        check(".agreementActs.CONCLUDE", Codes.ACT_CONCLUDE);
        check(".agreementActs.ACTIVATE", Codes.ACT_ACTIVATE);
        check(".agreementActs.AMEND", Codes.ACT_AMEND);
        check(".agreementActs.SUSPEND", Codes.ACT_SUSPEND);
        check(".agreementActs.RESUME", Codes.ACT_RESUME);
        check(".agreementActs.TERMINATE", Codes.ACT_TERMINATE);
        check(".agreementActs.RESCIND", Codes.ACT_RESCIND);
        check(".agreementActs.VOID", Codes.ACT_VOID);
        check(".agreementActs.COMPLETE", Codes.ACT_COMPLETE);
        check(".agreementActs.EXPIRE", Codes.ACT_EXPIRE);
        assertEq(size(".agreementActs"), 10);
        check(".agreementRoles.PROVIDER", Codes.ROLE_PROVIDER);
        check(".agreementRoles.CONSUMER", Codes.ROLE_CONSUMER);
        check(".agreementRoles.DEVELOPER", Codes.ROLE_DEVELOPER);
        check(".agreementRoles.OPERATOR", Codes.ROLE_OPERATOR);
        check(".agreementRoles.BROKER", Codes.ROLE_BROKER);
        check(".agreementRoles.SERVICE", Codes.ROLE_SERVICE);
        check(".agreementRoles.AUTHORITY", Codes.ROLE_AUTHORITY);
        assertEq(size(".agreementRoles"), 7);
    }

    /// @dev Every act from every state to every state: refused as a move exactly when the table does not list it.
    function test_moves__every_act_and_pair_of_states__as_the_table_says() public {
        AgreementRegistry registry = new AgreementRegistry(councilMembers(), 2, 1);
        string[10] memory acts = [
            "CONCLUDE", "ACTIVATE", "AMEND", "SUSPEND", "RESUME", "TERMINATE", "RESCIND", "VOID", "COMPLETE", "EXPIRE"
        ];
        string[9] memory states = [
            "NONE", "PENDING", "EFFECTIVE", "SUSPENDED", "EXPIRED", "COMPLETED", "TERMINATED", "RESCINDED", "VOID"
        ];
        IAgreementRegistry.Signer[] memory nobody = new IAgreementRegistry.Signer[](0);
        uint256 allowed = 0;
        uint256 listed = 0;
        for (uint8 act = 1; act <= 10; ++act) {
            string[] memory moves =
                vm.parseJsonStringArray(json, string.concat(".agreementMoves.", acts[act - 1], ".moves"));
            listed += moves.length;
            for (uint8 from = 0; from < 9; ++from) {
                for (uint8 to = 0; to < 9; ++to) {
                    bool expected = false;
                    for (uint256 i = 0; i < moves.length; ++i) {
                        if (keccak256(bytes(moves[i])) == keccak256(bytes(string.concat(states[from], ">", states[to]))))
                        {
                            expected = true;
                        }
                    }
                    IAgreementRegistry.Act memory offered;
                    (offered.act, offered.fromState, offered.toState) = (act, from, to);
                    (offered.agreementId, offered.negotiationId, offered.deadline) = ("a", "n", DEADLINE);
                    (offered.termsSha256, offered.termsSm3) = ("t", "t");
                    (offered.actSha256, offered.actSm3) = ("x", "x");
                    (offered.groundSha256, offered.groundSm3) = ("g", "g");
                    bytes4 selector;
                    try registry.submit(offered, nobody) {}
                    catch (bytes memory reason) {
                        selector = bytes4(reason);
                    }
                    assertTrue(selector != 0, "a move without signatures went through");
                    assertTrue((selector != IAgreementRegistry.MoveNotAllowed.selector) == expected, acts[act - 1]);
                    if (expected) ++allowed;
                }
            }
        }
        assertEq(allowed, listed);
    }
}
