// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IAgreementRegistry: what the parties to an agreement signed, in which order, and where it stands
/// @notice Each act carries the EIP-712 signatures that justify it and may be sent by anyone. A signer is a key
///         (65 bytes, low s, v 27 or 28) or a contract (ERC-1271, asked in this very block). Nobody amends for a
///         party: terms change only under the signatures of exactly the signers the agreement was concluded with.
///         Domain: name `ShuQing Agreement`, version `1`.
///
///         | act        | from -> to                                         | signed by                        |
///         |------------|----------------------------------------------------|----------------------------------|
///         | CONCLUDE   | NONE -> PENDING or EFFECTIVE, revision 1           | all signers                      |
///         | ACTIVATE   | PENDING -> EFFECTIVE                               | all signers                      |
///         | AMEND      | EFFECTIVE, SUSPENDED stay; revision + 1, new terms | all signers                      |
///         | SUSPEND    | EFFECTIVE -> SUSPENDED                             | an authority, ground = decision  |
///         | RESUME     | SUSPENDED -> EFFECTIVE                             | an authority, ground = decision  |
///         | TERMINATE  | PENDING, EFFECTIVE, SUSPENDED -> TERMINATED        | all signers                      |
///         | RESCIND    | EFFECTIVE, SUSPENDED -> RESCINDED                  | one signer, ground = notice      |
///         | VOID       | any but NONE and VOID -> VOID                      | an authority, ground = decision  |
///         | COMPLETE   | EFFECTIVE, SUSPENDED -> COMPLETED                  | all signers                      |
///         | EXPIRE     | EFFECTIVE, SUSPENDED -> EXPIRED                    | one signer; the verifier compares|
///         |            |                                                    | the date with the signed terms   |
interface IAgreementRegistry {
    /// @notice What every signature of one act shares
    /// @param agreementId Random 256-bit id, used once
    /// @param negotiationId Random 256-bit id of the negotiation the act comes from
    /// @param revision 1 when concluded, one more with each amendment
    /// @param act contracts/codes.json, agreementActs
    /// @param fromState State the signers saw (agreementStates)
    /// @param toState State they want
    /// @param signersHash keccak256(abi.encode(SignerRef[])) of the agreement's signers, sorted by (role, signer)
    /// @param termsSha256 SHA-256 of the canonical terms in force after the act
    /// @param termsSm3 SM3 of the same bytes
    /// @param actSha256 SHA-256 of the act without signatures
    /// @param actSm3 SM3 of the same bytes
    /// @param prevActSha256 `actSha256` of the act before, 0 for CONCLUDE
    /// @param prevActSm3 `actSm3` of the act before, 0 for CONCLUDE
    /// @param groundSha256 SHA-256 of the decision or notice; needed for SUSPEND, RESUME, RESCIND, VOID
    /// @param groundSm3 SM3 of the same bytes
    /// @param deadline Last second (UTC) at which the act may be sent
    struct Act {
        bytes32 agreementId;
        bytes32 negotiationId;
        uint32 revision;
        uint8 act;
        uint8 fromState;
        uint8 toState;
        bytes32 signersHash;
        bytes32 termsSha256;
        bytes32 termsSm3;
        bytes32 actSha256;
        bytes32 actSm3;
        bytes32 prevActSha256;
        bytes32 prevActSm3;
        bytes32 groundSha256;
        bytes32 groundSm3;
        uint64 deadline;
    }

    /// @notice A signer of the list, with its signature or (one-signer acts) an empty one
    struct Signer {
        uint8 role;
        address signer;
        uint256 nonce;
        bytes signature;
    }

    /// @notice A (role, signer) pair as hashed into `signersHash`
    struct SignerRef {
        uint8 role;
        address signer;
    }

    /// @notice What storage holds of an agreement; `state` NONE when there is none
    /// @param termsCommitment keccak256(abi.encode(termsSha256, termsSm3))
    /// @param lastActCommitment keccak256(abi.encode(actSha256, actSm3)) of the last act
    /// @param asOf The chain's clock when this was read
    struct Agreement {
        uint8 state;
        uint32 revision;
        bytes32 signersHash;
        bytes32 termsCommitment;
        bytes32 lastActCommitment;
        uint64 asOf;
    }

    /// @notice Thrown when the act has no such code
    error UnknownAct(uint8 act);
    /// @notice Thrown when this act never leads from one of these states to the other
    error MoveNotAllowed(uint8 act, uint8 fromState, uint8 toState);
    /// @notice Thrown when the agreement is in another state than the one the signers saw
    error StateMismatch(bytes32 agreementId, uint8 stated, uint8 actual);
    /// @notice Thrown when the act does not follow the last act of the agreement
    error PrevActMismatch(bytes32 agreementId);
    /// @notice Thrown when the revision is not the one this act must carry
    error RevisionMismatch(uint32 given, uint32 expected);
    /// @notice Thrown when an act other than AMEND carries other terms, or AMEND the same terms
    error TermsMismatch(bytes32 agreementId);
    /// @notice Thrown when the list is not the agreement's list, or its hash is not the one stated
    error SignersMismatch(bytes32 given, bytes32 expected);
    /// @notice Thrown when the list is not strictly ascending by (role, signer)
    error SignersNotSorted(uint256 position);
    /// @notice Thrown when the list has fewer than two different signers or more than `MAX_SIGNERS` places
    error SignerCount(uint256 given);
    /// @notice Thrown when a role cannot stand here: an authority among the parties, or a party as an authority
    error RoleNotAllowed(uint8 role);
    /// @notice Thrown when the key is no authority
    error NotAuthority(address signer);
    /// @notice Thrown when the key is an authority already
    error AlreadyAuthority(address signer);
    /// @notice Thrown when a one-signer act carries none or several signatures
    error OneSignatureExpected(uint256 given);
    /// @notice Thrown when an id or a digest that this act needs is zero
    error FieldMissing(string field);

    /// @notice An act has been recorded: with `act` and `signers` everything needed to check it again
    /// @param contractSigners Bit i is set when signer i was a contract and answered ERC-1271 in this block
    event ActRecorded(
        bytes32 indexed agreementId,
        uint8 indexed actCode,
        bytes32 indexed actCommitment,
        Act act,
        Signer[] signers,
        uint256 contractSigners
    );
    /// @notice The council named an authority or took it away
    event AuthoritySet(address indexed authority, bool active);

    /// @notice Records one act. EIP-712 type, one signature per signer with its own role, signer and nonce:
    ///         `AgreementAct(bytes32 agreementId,bytes32 negotiationId,uint32 revision,uint8 act,uint8 fromState,
    ///         uint8 toState,uint8 role,address signer,bytes32 signersHash,bytes32 termsSha256,bytes32 termsSm3,
    ///         bytes32 actSha256,bytes32 actSm3,bytes32 prevActSha256,bytes32 prevActSm3,bytes32 groundSha256,
    ///         bytes32 groundSm3,uint256 nonce,uint64 deadline)` (one line, no spaces after commas)
    /// @param signers All-signer acts: the whole list, all signed. One-signer acts: the whole list, one signed, the
    ///        others with an empty signature. Authority acts: the one authority with role AUTHORITY.
    function submit(Act calldata act, Signer[] calldata signers) external;

    /// @notice Where the agreement stands
    function agreement(bytes32 agreementId) external view returns (Agreement memory);
    /// @notice True when the key may sign SUSPEND, RESUME and VOID
    function isAuthority(address key) external view returns (bool);
}
