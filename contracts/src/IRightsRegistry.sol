// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IRightsRegistry: which certificate an agency issued, and whether it is in force
/// @notice A certificate gets in only under the EIP-712 signature of the agency that issued it, sent by anyone.
///         Its key can never be deposited twice or overwritten. The council adds and suspends agencies and pauses
///         writes; it cannot write a certificate, and it cannot replace an agency's key: the agency does that.
///         All instants are seconds UTC and are signed. Domain: name `ShuQing Rights`, version `1`.
interface IRightsRegistry {
    /// @notice One certificate of a batch
    /// @param code The certificate code, ASCII, left-aligned and zero-padded
    /// @param paperType Kind of paper (which of the rights it evidences), numbered by the agency's scheme
    /// @param version 1, 2, 3 ... of this code; a version above 1 needs the version before it to be final
    /// @param factSha256 SHA-256 of the register-entry fact
    /// @param factSm3 SM3 of the same bytes
    /// @param validFrom First second of validity
    /// @param validUntil First second after validity
    /// @param predecessorCode Code of the certificate this one continues, or 0 (then the next three are 0 too)
    /// @param predecessorPaperType Paper type of the predecessor
    /// @param predecessorVersion Version of the predecessor
    /// @param predecessorStatus What the predecessor becomes at `validFrom`: SUPERSEDED or TRANSFERRED
    struct Entry {
        bytes32 code;
        uint8 paperType;
        uint32 version;
        bytes32 factSha256;
        bytes32 factSm3;
        uint32 validFrom;
        uint32 validUntil;
        bytes32 predecessorCode;
        uint8 predecessorPaperType;
        uint32 predecessorVersion;
        uint8 predecessorStatus;
    }

    /// @notice One certificate's new status and flags (both flags are always stated)
    /// @param effectiveAt From when: not ahead of the chain's clock; for the rest see `setStatus`
    struct StatusChange {
        bytes32 key;
        uint8 status;
        bool encumbered;
        bool objection;
        uint64 effectiveAt;
    }

    /// @notice One status, with both flags, for many certificates of one agency
    /// @param indexes `Certificate.index` of each, strictly ascending, four bytes each, big-endian
    /// @param effectiveAt From when: not ahead of the chain's clock; for the rest see `setStatus`
    struct BulkChange {
        bytes indexes;
        uint8 status;
        bool encumbered;
        bool objection;
        uint64 effectiveAt;
    }

    /// @notice What storage holds of a certificate. `status` 0: no such certificate.
    /// @param commitment First 20 bytes of the commitment; the event carries all 32
    /// @param index Names it in `setStatusByIndex`: 34 following ones share a status word, which is one agency's
    /// @param changedAt Instant of the last change, 0 when none; only a bound ("not after") when previousStatus is 0
    /// @param previousStatus Status (with its two flags) before an end made one by one, otherwise 0
    /// @param olderHistory True when there are changes that only the events tell in full
    /// @param predecessor Key of the certificate this one continues, or 0
    /// @param asOf The chain's clock when this was read
    struct Certificate {
        bytes20 commitment;
        uint32 validFrom;
        uint32 validUntil;
        uint32 index;
        uint8 status;
        bool encumbered;
        bool objection;
        uint32 changedAt;
        uint8 previousStatus;
        bool previousEncumbered;
        bool previousObjection;
        bool olderHistory;
        bytes32 predecessor;
        uint64 asOf;
    }

    /// @notice An answer about force
    /// @param code 0 UNKNOWN, 1 IN_FORCE, 2 NOT_IN_FORCE, 3 IN_FORCE_LIMITED
    /// @param reason contracts/codes.json, inForceReasons. Flags win over RENEWAL_PENDING: `certificate` tells all
    /// @param asOf The chain's clock when this was read: what is known then, not the instant asked about
    struct Answer {
        uint8 code;
        uint8 reason;
        uint64 asOf;
    }

    /// @notice Thrown when the agency is not registered here
    error UnknownAgency(bytes32 agencyId);
    /// @notice Thrown when the agency is registered already: the council never replaces a key
    error AgencyExists(bytes32 agencyId);
    /// @notice Thrown when a suspended agency tries to write, or is suspended again
    error AgencySuspended(bytes32 agencyId);
    /// @notice Thrown when an agency that is not suspended is resumed
    error AgencyNotSuspended(bytes32 agencyId);
    /// @notice Thrown when the new key is the old key
    error SameKey(address key);
    /// @notice Thrown when a batch has no entries
    error EmptyBatch();
    /// @notice Thrown when the entry at `position` lacks code, version, digest or start, names a predecessor by half, or
    ///         has a number too long for its type
    error EntryIncomplete(uint256 position);
    /// @notice Thrown when validity does not end after it starts
    error ValidityInverted(uint256 position, uint32 validFrom, uint32 validUntil);
    /// @notice Thrown when the certificate is here already, with the same content or another: nothing is overwritten
    error AlreadyDeposited(bytes32 key);
    /// @notice Thrown when the certificate is not here
    error UnknownCertificate(bytes32 key);
    /// @notice Thrown when version n is offered while version n-1 could still be in force
    error PreviousVersionInForce(bytes32 key, bytes32 previousKey);
    /// @notice Thrown when a certificate would start before the change that makes room for it
    error StartsTooEarly(bytes32 key, uint32 validFrom, uint32 earliest);
    /// @notice Thrown when a successor gives its predecessor another status than SUPERSEDED or TRANSFERRED
    error InvalidPredecessorStatus(bytes32 key, uint8 status);
    /// @notice Thrown when a status code does not exist, or is one that cannot be given in bulk
    error InvalidStatus(uint8 status);
    /// @notice Thrown when a final status (SUPERSEDED, TRANSFERRED, LAPSED, CANCELLED) would change
    error StatusIsFinal(uint32 index, uint8 status);
    /// @notice Thrown when neither status nor flags would change
    error NoChange(uint32 index);
    /// @notice Thrown when a change would take effect before what may have been said of this certificate since
    error ChangeOutOfOrder(uint32 index, uint64 effectiveAt, uint32 earliest);
    /// @notice Thrown when a change does not say from when
    error InstantMissing();
    /// @notice Thrown when the index is not one of a certificate of this agency
    error IndexNotOfAgency(uint32 index);
    /// @notice Thrown when indexes do not ascend strictly
    error IndexesNotAscending(uint32 index);
    /// @notice Thrown when the length is not a multiple of four bytes
    error IndexesNotWhole(uint256 length);
    /// @notice Thrown when the renewal mark comes at or after expiry, or LAPSED before it
    error NotAtThisTime(uint32 index, uint8 status, uint64 effectiveAt, uint32 validUntil);

    /// @notice A certificate has been deposited. Its commitment is
    ///         keccak256(abi.encode(factSha256, factSm3, key, validFrom, validUntil))
    event Deposited(
        bytes32 indexed key,
        bytes32 indexed agencyId,
        bytes32 code,
        uint8 paperType,
        uint32 version,
        uint32 index,
        bytes32 factSha256,
        bytes32 factSm3,
        uint32 validFrom,
        uint32 validUntil
    );
    /// @notice Status or flags of one certificate changed at `effectiveAt`. A successor that takes flags over tells it
    ///         with its own `validFrom`
    event StatusChanged(
        bytes32 indexed key, uint8 status, bool encumbered, bool objection, uint8 previousStatus, uint64 effectiveAt
    );
    /// @notice Status and flags of all certificates in `indexes` (ascending, four bytes each, big-endian) became these
    event StatusChangedInBulk(
        bytes32 indexed agencyId, uint8 status, bool encumbered, bool objection, uint64 effectiveAt, bytes indexes
    );
    /// @notice `successorKey` continues `predecessorKey`
    event Succeeded(bytes32 indexed predecessorKey, bytes32 indexed successorKey, uint8 predecessorStatus);
    /// @notice The council added an agency with its first key
    event AgencyAdded(bytes32 indexed agencyId, address key);
    /// @notice The council suspended or resumed an agency
    event AgencySuspensionSet(bytes32 indexed agencyId, bool suspended);
    /// @notice The agency replaced its own key
    event AgencyKeyRotated(bytes32 indexed agencyId, address oldKey, address newKey);

    /// @notice Deposits certificates under the agency's signature. EIP-712 type
    ///         `DepositBatch(bytes32 agencyId,bytes32 entriesHash,uint256 nonce,uint64 deadline)` with
    ///         entriesHash = keccak256(abi.encode(entries)). All or nothing.
    ///         An entry with a predecessor ends it at the entry's `validFrom` and takes over its two flags; entries
    ///         that share one predecessor (a partial transfer) stand next to each other and start at one instant.
    function deposit(
        bytes32 agencyId,
        Entry[] calldata entries,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external;

    /// @notice Changes status and flags, certificate by certificate, under the agency's signature. EIP-712 type
    ///         `StatusBatch(bytes32 agencyId,bytes32 changesHash,uint256 nonce,uint64 deadline)`
    ///         with changesHash = keccak256(abi.encode(changes)). All or nothing.
    ///         Moves: VALID <-> RENEWAL_PENDING (the mark only before expiry); both to SUPERSEDED, TRANSFERRED,
    ///         CANCELLED at any time and to LAPSED from expiry on. The last four are final.
    ///         A first change may be dated back. Later ones start at `changedAt` or after it, so that what has been
    ///         answered about the time before stays true.
    function setStatus(
        bytes32 agencyId,
        StatusChange[] calldata changes,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external;

    /// @notice Gives many certificates of one agency the same status and flags under its signature. EIP-712 type
    ///         `BulkStatus(bytes32 agencyId,bytes indexes,uint8 status,bool encumbered,bool objection,
    ///         uint64 effectiveAt,uint256 nonce,uint64 deadline)` (without the line break). All or nothing.
    ///         Moves and dates as in `setStatus`, but for RENEWAL_PENDING and LAPSED, which depend on each certificate's
    ///         expiry. (No one need write LAPSED: a VALID certificate past `validUntil` answers so.) A certificate whose
    ///         code will get a next version is better ended one by one: storage does not keep the instant of an end in
    ///         bulk, so the next version can only start after the latest change among its neighbours.
    function setStatusByIndex(
        bytes32 agencyId,
        BulkChange calldata change,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external;

    /// @notice Replaces the agency's key, signed by the old key. EIP-712 type
    ///         `RotateAgencyKey(bytes32 agencyId,address newKey,uint256 nonce,uint64 deadline)`
    function rotateAgencyKey(
        bytes32 agencyId,
        address newKey,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external;

    /// @notice keccak256(abi.encode(agencyId, paperType, code, version))
    function certificateKey(bytes32 agencyId, uint8 paperType, bytes32 code, uint32 version)
        external
        pure
        returns (bytes32);
    /// @notice Everything storage holds of a certificate
    function certificate(bytes32 key) external view returns (Certificate memory);
    /// @notice Is it in force now?
    function inForce(bytes32 key) external view returns (Answer memory);
    /// @notice Was it, or will it be unless something changes, in force at `instant`? Exact for a certificate that never
    ///         changed, from its last change on, and across an end made one by one. Any other instant answers
    ///         UNKNOWN / HISTORY: the events tell.
    function inForceAt(bytes32 key, uint64 instant) external view returns (Answer memory);
    /// @notice True when these are the digests the certificate was deposited with
    function matches(bytes32 key, bytes32 factSha256, bytes32 factSm3) external view returns (bool);
    /// @notice Key and standing of an agency; key 0 means unknown
    function agency(bytes32 agencyId) external view returns (address key, bool suspended);
    /// @notice How many certificates have been deposited
    function count() external view returns (uint32);
}
