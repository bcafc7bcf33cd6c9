// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Codes} from "./Codes.sol";
import {ICouncil} from "./ICouncil.sol";

/// @title Council
/// @notice Shared base of the four contracts: council acts, unordered nonces, deadlines and the clock.
abstract contract Council is ICouncil, Pausable, EIP712 {
    bytes32 internal constant COUNCIL_ACT_TYPEHASH =
        keccak256("CouncilAct(uint8 act,bytes32 subject,bytes32 value,uint256 nonce,uint64 deadline)");
    bytes32 internal constant CANCEL_NONCE_TYPEHASH =
        keccak256("CancelNonce(address signer,uint256 nonce,uint64 deadline)");

    /// @notice How far (seconds) a signed instant may run ahead of the chain's clock
    uint64 public constant INSTANT_TOLERANCE = 900;

    // A plausible clock lies between 2020-01-01 and the end of 32-bit seconds (2106-02-07).
    uint256 private constant EARLIEST_NOW = 1577836800;

    uint32 public immutable timeUnit;
    uint8 public immutable threshold;

    address public successor;
    address[] private _members;
    mapping(address signer => mapping(uint256 word => uint256 bits)) private _nonces;
    mapping(uint256 word => uint256 bits) private _councilNonces;

    constructor(address[] memory members_, uint8 threshold_, uint32 timeUnit_) {
        if (threshold_ == 0 || threshold_ > members_.length) {
            revert ThresholdOutOfRange(threshold_, members_.length);
        }
        for (uint256 i = 0; i < members_.length; ++i) {
            if (members_[i] == address(0)) revert InvalidAddress(0);
            if (_isMember(members_[i])) revert AlreadyMember(members_[i]);
            _members.push(members_[i]);
        }
        bool known = timeUnit_ == 1 || timeUnit_ == 1000;
        if (!known || block.timestamp / timeUnit_ < EARLIEST_NOW || block.timestamp / timeUnit_ > type(uint32).max) {
            revert TimeUnitImplausible(timeUnit_, block.timestamp);
        }
        threshold = threshold_;
        timeUnit = timeUnit_;
    }

    /// @inheritdoc ICouncil
    function decide(CouncilAct calldata decision, MemberSignature[] calldata signatures) external {
        _requireBefore(decision.deadline);
        if (signatures.length < threshold) revert TooFewMembers(signatures.length, threshold);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    COUNCIL_ACT_TYPEHASH,
                    decision.act,
                    decision.subject,
                    decision.value,
                    decision.nonce,
                    decision.deadline
                )
            )
        );
        address last = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            address member = signatures[i].member;
            // Ascending order is the cheapest proof that the members are distinct.
            if (member <= last) revert MembersNotAscending(member);
            if (!_isMember(member)) revert NotMember(member);
            _requireSignature(member, digest, signatures[i].signature);
            last = member;
        }
        (uint256 word, uint256 bit) = (decision.nonce >> 8, 1 << (decision.nonce & 255));
        if (_councilNonces[word] & bit != 0) revert NonceUsed(address(this), decision.nonce);
        _councilNonces[word] |= bit;

        if (decision.act == Codes.PAUSE) _pause();
        else if (decision.act == Codes.UNPAUSE) _unpause();
        else if (decision.act == Codes.NAME_SUCCESSOR) _nameSuccessor(_toAddress(decision.value));
        else if (decision.act == Codes.REPLACE_MEMBER) {
            _replaceMember(_toAddress(decision.subject), _toAddress(decision.value));
        } else if (!_carryOut(decision.act, decision.subject, decision.value)) {
            revert UnknownCouncilAct(decision.act);
        }
        emit Decided(decision.act, decision.subject, decision.value, decision.nonce);
    }

    /// @inheritdoc ICouncil
    function cancelNonce(address signer, uint256 nonce, uint64 deadline, bytes calldata signature) external {
        _requireBefore(deadline);
        _requireSignature(
            signer, _hashTypedDataV4(keccak256(abi.encode(CANCEL_NONCE_TYPEHASH, signer, nonce, deadline))), signature
        );
        _useNonce(signer, nonce);
        emit NonceCancelled(signer, nonce);
    }

    /// @inheritdoc ICouncil
    function nonceUsed(address signer, uint256 nonce) external view returns (bool) {
        return _nonces[signer][nonce >> 8] & (1 << (nonce & 255)) != 0;
    }

    /// @inheritdoc ICouncil
    function councilNonceUsed(uint256 nonce) external view returns (bool) {
        return _councilNonces[nonce >> 8] & (1 << (nonce & 255)) != 0;
    }

    /// @inheritdoc ICouncil
    function members() external view returns (address[] memory) {
        return _members;
    }

    /// @inheritdoc ICouncil
    function nowSeconds() public view returns (uint64) {
        return uint64(block.timestamp / timeUnit);
    }

    /// @inheritdoc ICouncil
    function keccakOf(bytes calldata data) external pure returns (bytes32) {
        return keccak256(data);
    }

    /// @dev Acts that only one contract knows. Returns false for an act it does not know.
    function _carryOut(uint8 act, bytes32 subject, bytes32 value) internal virtual returns (bool);

    function _requireSignature(address signer, bytes32 digest, bytes calldata signature) internal view {
        if (!SignatureChecker.isValidSignatureNow(signer, digest, signature)) revert InvalidSignature(signer);
    }

    function _useNonce(address signer, uint256 nonce) internal {
        uint256 bit = 1 << (nonce & 255);
        uint256 used = _nonces[signer][nonce >> 8];
        if (used & bit != 0) revert NonceUsed(signer, nonce);
        _nonces[signer][nonce >> 8] = used | bit;
    }

    function _requireBefore(uint64 deadline) internal view {
        if (nowSeconds() > deadline) revert DeadlinePassed(deadline, nowSeconds());
    }

    function _requireNotFuture(uint64 instant) internal view {
        if (instant > nowSeconds() + INSTANT_TOLERANCE) revert InstantInFuture(instant, nowSeconds());
    }

    function _toAddress(bytes32 value) internal pure returns (address) {
        if (value == 0 || uint256(value) > type(uint160).max) revert InvalidAddress(value);
        return address(uint160(uint256(value)));
    }

    function _isMember(address candidate) private view returns (bool) {
        for (uint256 i = 0; i < _members.length; ++i) {
            if (_members[i] == candidate) return true;
        }
        return false;
    }

    function _nameSuccessor(address successor_) private {
        if (successor != address(0)) revert SuccessorAlreadyNamed(successor);
        // A pointer at an account without code, or at this contract, could only be a slip.
        if (successor_.code.length == 0 || successor_ == address(this)) {
            revert InvalidAddress(bytes32(uint256(uint160(successor_))));
        }
        successor = successor_;
    }

    function _replaceMember(address leaving, address joining) private {
        if (_isMember(joining)) revert AlreadyMember(joining);
        for (uint256 i = 0; i < _members.length; ++i) {
            if (_members[i] == leaving) {
                _members[i] = joining;
                return;
            }
        }
        revert NotMember(leaving);
    }
}
