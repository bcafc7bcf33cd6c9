// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Codes
/// @notice Every act, state, role, status and reason code of the four contracts. The same numbers stand in
///         contracts/codes.json, which Python and the browser read; test/Codes.t.sol compares the two.
library Codes {
    // Council acts
    uint8 internal constant PAUSE = 1;
    uint8 internal constant UNPAUSE = 2;
    uint8 internal constant NAME_SUCCESSOR = 3;
    uint8 internal constant REPLACE_MEMBER = 4;
    uint8 internal constant ADD_AGENCY = 10;
    uint8 internal constant SUSPEND_AGENCY = 11;
    uint8 internal constant RESUME_AGENCY = 12;
    uint8 internal constant ADD_AUTHORITY = 20;
    uint8 internal constant REMOVE_AUTHORITY = 21;
    uint8 internal constant ADD_OPERATOR = 30;
    uint8 internal constant REMOVE_OPERATOR = 31;
    uint8 internal constant ADD_AUDITOR = 32;
    uint8 internal constant REMOVE_AUDITOR = 33;

    // Certificate status (0 is "no such certificate")
    uint8 internal constant STATUS_VALID = 1;
    uint8 internal constant STATUS_RENEWAL_PENDING = 2;
    uint8 internal constant STATUS_SUPERSEDED = 3;
    uint8 internal constant STATUS_TRANSFERRED = 4;
    uint8 internal constant STATUS_LAPSED = 5;
    uint8 internal constant STATUS_CANCELLED = 6;

    // Answers of inForce and inForceAt
    uint8 internal constant UNKNOWN = 0;
    uint8 internal constant IN_FORCE = 1;
    uint8 internal constant NOT_IN_FORCE = 2;
    uint8 internal constant IN_FORCE_LIMITED = 3;

    // Reasons beside the answer
    uint8 internal constant REASON_UNKNOWN_KEY = 0;
    uint8 internal constant REASON_VALID = 1;
    uint8 internal constant REASON_NOT_YET_VALID = 2;
    uint8 internal constant REASON_LAPSED = 3;
    uint8 internal constant REASON_SUPERSEDED = 4;
    uint8 internal constant REASON_TRANSFERRED = 5;
    uint8 internal constant REASON_CANCELLED = 6;
    uint8 internal constant REASON_RENEWAL_PENDING = 7;
    uint8 internal constant REASON_ENCUMBERED = 8;
    uint8 internal constant REASON_OBJECTION = 9;
    uint8 internal constant REASON_ENCUMBERED_AND_OBJECTION = 10;
    uint8 internal constant REASON_HISTORY = 11;

    // Agreement states
    uint8 internal constant NONE = 0;
    uint8 internal constant PENDING = 1;
    uint8 internal constant EFFECTIVE = 2;
    uint8 internal constant SUSPENDED = 3;
    uint8 internal constant EXPIRED = 4;
    uint8 internal constant COMPLETED = 5;
    uint8 internal constant TERMINATED = 6;
    uint8 internal constant RESCINDED = 7;
    uint8 internal constant VOID = 8;

    // Agreement acts
    uint8 internal constant ACT_CONCLUDE = 1;
    uint8 internal constant ACT_ACTIVATE = 2;
    uint8 internal constant ACT_AMEND = 3;
    uint8 internal constant ACT_SUSPEND = 4;
    uint8 internal constant ACT_RESUME = 5;
    uint8 internal constant ACT_TERMINATE = 6;
    uint8 internal constant ACT_RESCIND = 7;
    uint8 internal constant ACT_VOID = 8;
    uint8 internal constant ACT_COMPLETE = 9;
    uint8 internal constant ACT_EXPIRE = 10;

    // Agreement roles
    uint8 internal constant ROLE_PROVIDER = 1;
    uint8 internal constant ROLE_CONSUMER = 2;
    uint8 internal constant ROLE_DEVELOPER = 3;
    uint8 internal constant ROLE_OPERATOR = 4;
    uint8 internal constant ROLE_BROKER = 5;
    uint8 internal constant ROLE_SERVICE = 6;
    uint8 internal constant ROLE_AUTHORITY = 9;
}
