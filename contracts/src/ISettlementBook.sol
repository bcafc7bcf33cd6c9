// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISettlementBook: which settlement cycles are closed, over which statements
/// @notice One commitment per operator, cycle and currency, written once under two signatures: the operator's and an
///         auditor's, two different keys that the council registered. No amount is readable here.
///         Domain: name `ShuQing Settlement`, version `1`.
interface ISettlementBook {
    /// @notice One closed cycle. EIP-712 type `CycleClose(bytes32 operatorId,bytes32 cycle,bytes3 currency,
    ///         bytes32 rootSha256,bytes32 rootSm3,bytes32 totalsCommitment,uint64 closedAt,address auditor,
    ///         uint64 deadline)` (one line, no spaces after commas); operator and auditor sign the same digest
    /// @param operatorId Opaque id of the operator
    /// @param cycle Name of the cycle, ASCII, left-aligned
    /// @param currency ISO 4217 letters
    /// @param rootSha256 SHA-256 root over the statements
    /// @param rootSm3 SM3 root over the same statements
    /// @param totalsCommitment Salted commitment to the totals
    /// @param closedAt Instant of the close, seconds UTC
    /// @param auditor The auditor's key
    /// @param deadline Last second (UTC) at which the close may be sent
    struct Close {
        bytes32 operatorId;
        bytes32 cycle;
        bytes3 currency;
        bytes32 rootSha256;
        bytes32 rootSm3;
        bytes32 totalsCommitment;
        uint64 closedAt;
        address auditor;
        uint64 deadline;
    }

    /// @notice Thrown when the cycle is closed, with the same content or another
    error AlreadyClosed(bytes32 operatorId, bytes32 cycle, bytes3 currency);
    /// @notice Thrown when the operator is not registered
    error UnknownOperator(bytes32 operatorId);
    /// @notice Thrown when the operator is registered already
    error OperatorExists(bytes32 operatorId);
    /// @notice Thrown when the key is not a registered auditor
    error NotAuditor(address key);
    /// @notice Thrown when the key is a registered auditor already
    error AlreadyAuditor(address key);
    /// @notice Thrown when one key would be operator and auditor
    error KeyHasOtherRole(address key);
    /// @notice Thrown when an id, a root, the commitment or the instant is missing
    error CloseIncomplete();

    /// @notice A cycle is closed. commitment = keccak256(abi.encode(rootSha256, rootSm3, totalsCommitment, closedAt))
    event CycleClosed(
        bytes32 indexed operatorId,
        bytes32 indexed cycle,
        bytes3 indexed currency,
        bytes32 rootSha256,
        bytes32 rootSm3,
        bytes32 totalsCommitment,
        uint64 closedAt,
        address auditor
    );
    /// @notice The council registered an operator's key, or removed it (key 0)
    event OperatorSet(bytes32 indexed operatorId, address key);
    /// @notice The council registered an auditor's key, or removed it
    event AuditorSet(address indexed key, bool active);

    /// @notice Closes a cycle, once
    function close(Close calldata cycleClose, bytes calldata operatorSignature, bytes calldata auditorSignature)
        external;

    /// @notice The commitment of a closed cycle, 0 while it is open
    function closed(bytes32 operatorId, bytes32 cycle, bytes3 currency) external view returns (bytes32);
    /// @notice The operator's key, 0 when unknown
    function operatorKey(bytes32 operatorId) external view returns (address);
    /// @notice True when the key is a registered auditor
    function isAuditor(address key) external view returns (bool);
}
