// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title IEvidenceLog: which heads the log has published
/// @notice One commitment per head; size only grows; a head is signed by the log key and may be sent by anyone.
///         Domain: name `ShuQing Log`, version `1`.
interface IEvidenceLog {
    /// @notice Thrown when exactly this head is anchored already; sending again does no harm
    error AlreadyAnchored(uint64 size);
    /// @notice Thrown when another head of the same size is anchored: the log shows two faces
    error ForkedHead(uint64 size, bytes32 committed, bytes32 offered);
    /// @notice Thrown when a head does not extend the previous one
    /// @param size The size offered
    /// @param previousSize The size already anchored
    error SizeNotGrowing(uint64 size, uint64 previousSize);
    /// @notice Thrown when size is 0, a root is missing or the time is 0
    error HeadIncomplete();
    /// @notice Thrown when the new log key is the old one
    error SameKey(address key);

    /// @notice The tree over the first `size` entries has been anchored.
    ///         commitment = keccak256(abi.encode(size, sha256Root, sm3Root, time))
    event Anchored(uint64 indexed size, bytes32 sha256Root, bytes32 sm3Root, uint64 time);
    /// @notice The log replaced its key
    event LogKeyRotated(address oldKey, address newKey);

    /// @notice Anchors a head. EIP-712 type `Head(uint64 size,bytes32 sha256Root,bytes32 sm3Root,uint64 time)`
    /// @param size Number of entries
    /// @param sha256Root RFC 6962 root with SHA-256
    /// @param sm3Root RFC 6962 root with SM3 over the same leaves
    /// @param time Instant of the head, seconds UTC
    /// @param signature The log key's (65 bytes; the log key is a plain key, not a contract)
    function anchor(uint64 size, bytes32 sha256Root, bytes32 sm3Root, uint64 time, bytes calldata signature) external;

    /// @notice Replaces the log key, signed by the old one. EIP-712 type
    ///         `RotateLogKey(address newKey,uint256 nonce,uint64 deadline)`
    function rotateLogKey(address newKey, uint256 nonce, uint64 deadline, bytes calldata signature) external;

    /// @notice The key that signs heads
    function logKey() external view returns (address);
    /// @notice Size of the last head, 0 when there is none
    function latestSize() external view returns (uint64);
    /// @notice Commitment of the head with this size, 0 when there is none
    function commitmentAt(uint64 size) external view returns (bytes32);
    /// @notice Does the RFC 9162 SHA-256 proof lead from the leaf to the root of a head that is anchored here?
    /// @param leafHash SHA-256(0x00 ‖ leaf)
    /// @param index Position of the leaf, from 0
    /// @param size Size of the head; with both roots and time it must be the anchored one
    /// @param proof Sibling hashes from the leaf up
    /// @param sha256Root Root the proof leads to
    /// @param sm3Root The other root of the head
    /// @param time Instant of the head
    function verifyInclusion(
        bytes32 leafHash,
        uint64 index,
        uint64 size,
        bytes32[] calldata proof,
        bytes32 sha256Root,
        bytes32 sm3Root,
        uint64 time
    ) external view returns (bool);
}
