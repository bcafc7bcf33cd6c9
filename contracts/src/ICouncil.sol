// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ICouncil: what k of n members may decide together, and nobody else
/// @notice The council (agency, supervisor, court) names who may write, pauses writes and points at a successor.
///         It never writes a certificate, an agreement, a head or a cycle: no act below reaches them.
///         Every call may be sent by anyone; what counts is the signatures it carries.
interface ICouncil {
    /// @notice One decision. EIP-712 type
    ///         `CouncilAct(uint8 act,bytes32 subject,bytes32 value,uint256 nonce,uint64 deadline)`
    /// @param act Code of the act (contracts/codes.json, councilActs)
    /// @param subject What it is about: an id, or an address right-aligned in 32 bytes; 0 where unused
    /// @param value What it sets: an address right-aligned in 32 bytes; 0 where unused
    /// @param nonce Any number never used by this council before; decisions need no order
    /// @param deadline Last second (UTC) at which the decision may be sent
    struct CouncilAct {
        uint8 act;
        bytes32 subject;
        bytes32 value;
        uint256 nonce;
        uint64 deadline;
    }

    /// @notice One member's signature over a decision
    struct MemberSignature {
        address member;
        bytes signature;
    }

    /// @notice Thrown when a signature is not `signer`'s over exactly this statement
    error InvalidSignature(address signer);
    /// @notice Thrown when `signer` has used or cancelled this nonce before
    error NonceUsed(address signer, uint256 nonce);
    /// @notice Thrown when the call arrives after its deadline (both in seconds UTC)
    error DeadlinePassed(uint64 deadline, uint64 nowSeconds);
    /// @notice Thrown when a signed instant lies further ahead of the chain's clock than the function allows
    ///         (`INSTANT_TOLERANCE`, or not at all)
    error InstantInFuture(uint64 instant, uint64 nowSeconds);
    /// @notice Thrown when fewer than k members signed
    error TooFewMembers(uint256 given, uint256 needed);
    /// @notice Thrown when the signing members are not in ascending order of address, each once
    error MembersNotAscending(address member);
    /// @notice Thrown when `member` does not sit in the council
    error NotMember(address member);
    /// @notice Thrown when `member` already sits in the council
    error AlreadyMember(address member);
    /// @notice Thrown when k is 0 or larger than n
    error ThresholdOutOfRange(uint256 threshold, uint256 members);
    /// @notice Thrown when this contract has no such council act
    error UnknownCouncilAct(uint8 act);
    /// @notice Thrown when an address is missing, or 32 bytes hold more than an address
    error InvalidAddress(bytes32 value);
    /// @notice Thrown when a successor has been named before: the pointer is written once
    error SuccessorAlreadyNamed(address successor);
    /// @notice Thrown when `timeUnit` is not 1 or 1000, or the chain's clock then shows an impossible year
    error TimeUnitImplausible(uint32 timeUnit, uint256 blockTimestamp);

    /// @notice The council decided
    event Decided(uint8 indexed act, bytes32 indexed subject, bytes32 value, uint256 nonce);
    /// @notice `signer` gave up a nonce, so that a signature made with it is worth nothing
    event NonceCancelled(address indexed signer, uint256 nonce);

    /// @notice Carries out a decision of the council
    /// @param decision The decision
    /// @param signatures At least k, in ascending order of member address; all of them must be good
    function decide(CouncilAct calldata decision, MemberSignature[] calldata signatures) external;

    /// @notice Uses up one of the signer's nonces without doing anything. EIP-712 type
    ///         `CancelNonce(address signer,uint256 nonce,uint64 deadline)`. Works while writes are paused.
    function cancelNonce(address signer, uint256 nonce, uint64 deadline, bytes calldata signature) external;

    /// @notice True when `signer` has used or cancelled `nonce` on this contract
    function nonceUsed(address signer, uint256 nonce) external view returns (bool);
    /// @notice True when the council has used `nonce` on this contract
    function councilNonceUsed(uint256 nonce) external view returns (bool);
    /// @notice The members, in no order that means anything
    function members() external view returns (address[] memory);
    /// @notice How many members must sign (k)
    function threshold() external view returns (uint8);
    /// @notice The contract that continues this one, or 0. A pointer only: nothing is forwarded.
    function successor() external view returns (address);
    /// @notice Units of block.timestamp in one second: 1, or 1000 on chains that count milliseconds
    function timeUnit() external view returns (uint32);
    /// @notice The chain's clock in seconds UTC
    function nowSeconds() external view returns (uint64);
    /// @notice keccak256 of `data` as this chain computes it; a chain that swapped the hash is found out with it
    function keccakOf(bytes calldata data) external pure returns (bytes32);
}
