// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Codes} from "./Codes.sol";
import {Council} from "./Council.sol";
import {IRightsRegistry} from "./IRightsRegistry.sol";

/// @title RightsRegistry
/// @notice See {IRightsRegistry}.
/// @dev One storage word per certificate:
///        commitment 160 | validFrom 32 | validUntil 32 | index 32      (validUntil > 0, so a word is never zero)
///      and, apart, 48 bits per certificate, five to a word, found by index:
///        now 8 | before 8 | changedAt 32
///      A status byte holds status-1 in its low three bits and the flags above them; all zero is VALID without flags,
///      so a deposit writes no status word.
contract RightsRegistry is IRightsRegistry, Council {
    bytes32 internal constant DEPOSIT_BATCH_TYPEHASH =
        keccak256("DepositBatch(bytes32 agencyId,bytes32 entriesHash,uint256 nonce,uint64 deadline)");
    bytes32 internal constant STATUS_BATCH_TYPEHASH = keccak256(
        "StatusBatch(bytes32 agencyId,bytes32 changesHash,uint64 effectiveAt,uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant ROTATE_AGENCY_KEY_TYPEHASH =
        keccak256("RotateAgencyKey(bytes32 agencyId,address newKey,uint256 nonce,uint64 deadline)");

    uint8 private constant STATUS_BITS = 7;
    uint8 private constant ENCUMBERED = 8;
    uint8 private constant OBJECTION = 16;
    uint8 private constant FLAG_BITS = ENCUMBERED | OBJECTION;
    // Only in the "before" byte: there was a change before that one, too.
    uint8 private constant OLDER = 128;

    uint256 private constant PER_WORD = 5;
    uint256 private constant BITS = 48;

    struct Agency {
        address key;
        bool suspended;
    }

    uint32 public count;
    mapping(bytes32 agencyId => Agency) public agency;
    mapping(bytes32 key => uint256 word) private _words;
    mapping(uint256 wordIndex => uint256 word) private _statuses;
    mapping(bytes32 key => bytes32 predecessor) private _predecessors;

    constructor(address[] memory members_, uint8 threshold_, uint32 timeUnit_)
        EIP712("ShuQing Rights", "1")
        Council(members_, threshold_, timeUnit_)
    {}

    /// @inheritdoc IRightsRegistry
    function deposit(
        bytes32 agencyId,
        Entry[] calldata entries,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        if (entries.length == 0) revert EmptyBatch();
        bytes32 structHash =
            keccak256(abi.encode(DEPOSIT_BATCH_TYPEHASH, agencyId, _entriesHash(entries), nonce, deadline));
        _authorise(agencyId, structHash, nonce, deadline, signature);

        uint32 first = count;
        count = first + uint32(entries.length);
        for (uint256 i = 0; i < entries.length; ++i) {
            // Memory costs grow with its square; what one entry used is free for the next.
            uint256 free = _freeMemory();
            _depositOne(agencyId, entries, i, first + i);
            _releaseMemory(free);
        }
    }

    /// @inheritdoc IRightsRegistry
    function setStatus(
        bytes32 agencyId,
        StatusChange[] calldata changes,
        uint64 effectiveAt,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        if (changes.length == 0) revert EmptyBatch();
        _requireNotFuture(effectiveAt);
        bytes32 structHash = keccak256(
            abi.encode(
                STATUS_BATCH_TYPEHASH, agencyId, keccak256(abi.encode(changes)), effectiveAt, nonce, deadline
            )
        );
        _authorise(agencyId, structHash, nonce, deadline, signature);
        for (uint256 i = 0; i < changes.length; ++i) {
            _setStatusOne(agencyId, changes[i], effectiveAt);
        }
    }

    /// @inheritdoc IRightsRegistry
    function rotateAgencyKey(
        bytes32 agencyId,
        address newKey,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        if (newKey == address(0)) revert InvalidAddress(0);
        address oldKey = agency[agencyId].key;
        if (newKey == oldKey) revert SameKey(newKey);
        _authorise(
            agencyId,
            keccak256(abi.encode(ROTATE_AGENCY_KEY_TYPEHASH, agencyId, newKey, nonce, deadline)),
            nonce,
            deadline,
            signature
        );
        agency[agencyId].key = newKey;
        emit AgencyKeyRotated(agencyId, oldKey, newKey);
    }

    /// @inheritdoc IRightsRegistry
    function certificateKey(bytes32 agencyId, uint8 paperType, bytes32 code, uint32 version)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(agencyId, paperType, code, version));
    }

    /// @inheritdoc IRightsRegistry
    function certificate(bytes32 key) external view returns (Certificate memory c) {
        c.asOf = nowSeconds();
        uint256 word = _words[key];
        if (word == 0) return c;
        c.commitment = bytes20(uint160(word >> 96));
        c.validFrom = uint32(word >> 64);
        c.validUntil = uint32(word >> 32);
        c.index = uint32(word);
        (uint8 current, uint8 before, uint32 changedAt) = _status(c.index);
        c.status = (current & STATUS_BITS) + 1;
        c.encumbered = current & ENCUMBERED != 0;
        c.objection = current & OBJECTION != 0;
        c.changedAt = changedAt;
        c.previousStatus = (before & STATUS_BITS) + 1;
        c.previousEncumbered = before & ENCUMBERED != 0;
        c.previousObjection = before & OBJECTION != 0;
        c.olderHistory = before & OLDER != 0;
        c.predecessor = _predecessors[key];
    }

    /// @inheritdoc IRightsRegistry
    function inForce(bytes32 key) external view returns (Answer memory) {
        return inForceAt(key, nowSeconds());
    }

    /// @inheritdoc IRightsRegistry
    function inForceAt(bytes32 key, uint64 instant) public view returns (Answer memory) {
        uint64 asOf = nowSeconds();
        uint256 word = _words[key];
        if (word == 0) return Answer(Codes.UNKNOWN, Codes.REASON_UNKNOWN_KEY, asOf);
        (uint8 current, uint8 before, uint32 changedAt) = _status(uint32(word));
        if (instant < changedAt) {
            // A change dated ahead (a successor that starts later): until then the previous status holds, also now.
            if (before & OLDER != 0 && instant < asOf) return Answer(Codes.UNKNOWN, Codes.REASON_HISTORY, asOf);
            current = before;
        }
        (uint8 code, uint8 reason) = _judge(current, uint32(word >> 64), uint32(word >> 32), instant);
        return Answer(code, reason, asOf);
    }

    /// @inheritdoc IRightsRegistry
    function matches(bytes32 key, bytes32 factSha256, bytes32 factSm3) external view returns (bool) {
        uint256 word = _words[key];
        if (word == 0) return false;
        bytes32 commitment = _commitment(factSha256, factSm3, key, uint32(word >> 64), uint32(word >> 32));
        return bytes20(commitment) == bytes20(uint160(word >> 96));
    }

    function _carryOut(uint8 act, bytes32 subject, bytes32 value) internal override returns (bool) {
        if (act == Codes.ADD_AGENCY) {
            if (agency[subject].key != address(0)) revert AgencyExists(subject);
            agency[subject].key = _toAddress(value);
            emit AgencyAdded(subject, _toAddress(value));
        } else if (act == Codes.SUSPEND_AGENCY || act == Codes.RESUME_AGENCY) {
            bool suspend = act == Codes.SUSPEND_AGENCY;
            if (agency[subject].key == address(0)) revert UnknownAgency(subject);
            if (agency[subject].suspended == suspend) {
                if (suspend) revert AgencySuspended(subject);
                revert AgencyNotSuspended(subject);
            }
            agency[subject].suspended = suspend;
            emit AgencySuspensionSet(subject, suspend);
        } else {
            return false;
        }
        return true;
    }

    /// @dev The agency's own signature over `structHash`, in time, with a fresh nonce.
    function _authorise(
        bytes32 agencyId,
        bytes32 structHash,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) private {
        Agency memory signer = agency[agencyId];
        if (signer.key == address(0)) revert UnknownAgency(agencyId);
        if (signer.suspended) revert AgencySuspended(agencyId);
        _requireBefore(deadline);
        _requireSignature(signer.key, _hashTypedDataV4(structHash), signature);
        _useNonce(signer.key, nonce);
    }

    function _depositOne(bytes32 agencyId, Entry[] calldata entries, uint256 position, uint256 index) private {
        Entry memory e = entries[position];
        if (e.code == 0 || e.version == 0 || e.factSha256 == 0 || e.factSm3 == 0 || e.validFrom == 0) {
            revert EntryIncomplete(position);
        }
        if (e.validFrom >= e.validUntil) revert ValidityInverted(position, e.validFrom, e.validUntil);
        bytes32 key = certificateKey(agencyId, e.paperType, e.code, e.version);
        if (_words[key] != 0) revert AlreadyDeposited(key);
        bytes32 commitment = _commitment(e.factSha256, e.factSm3, key, e.validFrom, e.validUntil);
        _words[key] = (uint256(uint160(bytes20(commitment))) << 96) | (uint256(e.validFrom) << 64)
            | (uint256(e.validUntil) << 32) | index;
        emit Deposited(
            key,
            agencyId,
            e.code,
            e.paperType,
            e.version,
            commitment,
            e.factSha256,
            e.factSm3,
            e.validFrom,
            e.validUntil
        );
        if (e.predecessorCode != 0) _succeed(agencyId, entries, position, key, index);
        else if (e.predecessorPaperType | e.predecessorVersion | e.predecessorStatus != 0) {
            revert EntryIncomplete(position);
        }
        if (e.version > 1) _requireRoom(agencyId, entries[position], key);
    }

    /// @dev Ends the predecessor, unless the entry before has just done so, and hands its flags on.
    function _succeed(bytes32 agencyId, Entry[] calldata entries, uint256 position, bytes32 key, uint256 index)
        private
    {
        Entry calldata e = entries[position];
        bytes32 predecessor =
            certificateKey(agencyId, e.predecessorPaperType, e.predecessorCode, e.predecessorVersion);
        uint256 word = _words[predecessor];
        if (word == 0 || predecessor == key) revert UnknownCertificate(predecessor);
        if (e.predecessorStatus != Codes.STATUS_SUPERSEDED && e.predecessorStatus != Codes.STATUS_TRANSFERRED) {
            revert InvalidPredecessorStatus(key, e.predecessorStatus);
        }
        if (e.validFrom < uint32(word >> 64)) revert StartsTooEarly(key, e.validFrom, uint32(word >> 64));
        (uint8 current,,) = _status(uint32(word));
        if (position == 0 || !_sameEnd(e, entries[position - 1])) {
            _change(predecessor, word, (current & FLAG_BITS) | (e.predecessorStatus - 1), e.validFrom);
        }
        _predecessors[key] = predecessor;
        emit Succeeded(predecessor, key, e.predecessorStatus);
        uint8 flags = current & FLAG_BITS;
        if (flags != 0) {
            // Held from the first second on, so changedAt stays 0.
            _setStatus(index, flags, flags, 0);
            emit StatusChanged(
                key,
                Codes.STATUS_VALID,
                flags & ENCUMBERED != 0,
                flags & OBJECTION != 0,
                Codes.STATUS_VALID,
                e.validFrom
            );
        }
    }

    /// @dev Never two versions of one code in force: the version before is final, from `validFrom` at the latest.
    function _requireRoom(bytes32 agencyId, Entry calldata e, bytes32 key) private view {
        bytes32 previousKey = certificateKey(agencyId, e.paperType, e.code, e.version - 1);
        uint256 word = _words[previousKey];
        if (word == 0) revert UnknownCertificate(previousKey);
        (uint8 current,, uint32 changedAt) = _status(uint32(word));
        if (!_isFinal(current)) revert PreviousVersionInForce(key, previousKey);
        if (e.validFrom < changedAt) revert StartsTooEarly(key, e.validFrom, changedAt);
    }

    function _setStatusOne(bytes32 agencyId, StatusChange calldata change, uint64 effectiveAt) private {
        bytes32 key = certificateKey(agencyId, change.paperType, change.code, change.version);
        uint256 word = _words[key];
        if (word == 0) revert UnknownCertificate(key);
        uint8 status = change.status;
        if (status < Codes.STATUS_VALID || status > Codes.STATUS_CANCELLED) revert InvalidStatus(key, status);
        (uint8 current,,) = _status(uint32(word));
        uint32 validUntil = uint32(word >> 32);
        bool mark = status == Codes.STATUS_RENEWAL_PENDING && (current & STATUS_BITS) + 1 != status;
        if ((mark && effectiveAt >= validUntil) || (status == Codes.STATUS_LAPSED && effectiveAt < validUntil)) {
            revert NotAtThisTime(key, status, effectiveAt, validUntil);
        }
        uint8 changed =
            (status - 1) | (change.encumbered ? ENCUMBERED : 0) | (change.objection ? OBJECTION : 0);
        if (changed == current) revert NoChange(key);
        _change(key, word, changed, effectiveAt);
    }

    function _change(bytes32 key, uint256 word, uint8 changed, uint64 effectiveAt) private {
        (uint8 current, uint8 before, uint32 changedAt) = _status(uint32(word));
        uint8 status = (current & STATUS_BITS) + 1;
        if (_isFinal(current)) revert StatusIsFinal(key, status);
        if (effectiveAt == 0 || effectiveAt < changedAt) revert ChangeOutOfOrder(key, effectiveAt, changedAt);
        // Two changes at one instant are one change; what held before the first stays what held before.
        if (changedAt == 0) before = current;
        else if (effectiveAt != changedAt) before = current | OLDER;
        _setStatus(uint32(word), changed, before, uint32(effectiveAt));
        emit StatusChanged(
            key,
            (changed & STATUS_BITS) + 1,
            changed & ENCUMBERED != 0,
            changed & OBJECTION != 0,
            status,
            effectiveAt
        );
    }

    function _judge(uint8 current, uint32 validFrom, uint32 validUntil, uint64 instant)
        private
        pure
        returns (uint8 code, uint8 reason)
    {
        uint8 status = (current & STATUS_BITS) + 1;
        if (status == Codes.STATUS_CANCELLED) return (Codes.NOT_IN_FORCE, Codes.REASON_CANCELLED);
        if (status == Codes.STATUS_SUPERSEDED) return (Codes.NOT_IN_FORCE, Codes.REASON_SUPERSEDED);
        if (status == Codes.STATUS_TRANSFERRED) return (Codes.NOT_IN_FORCE, Codes.REASON_TRANSFERRED);
        if (status == Codes.STATUS_LAPSED) return (Codes.NOT_IN_FORCE, Codes.REASON_LAPSED);
        if (instant < validFrom) return (Codes.NOT_IN_FORCE, Codes.REASON_NOT_YET_VALID);
        bool pending = status == Codes.STATUS_RENEWAL_PENDING;
        if (instant >= validUntil && !pending) return (Codes.NOT_IN_FORCE, Codes.REASON_LAPSED);
        if (current & FLAG_BITS == FLAG_BITS) return (Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED_AND_OBJECTION);
        if (current & ENCUMBERED != 0) return (Codes.IN_FORCE_LIMITED, Codes.REASON_ENCUMBERED);
        if (current & OBJECTION != 0) return (Codes.IN_FORCE_LIMITED, Codes.REASON_OBJECTION);
        if (instant >= validUntil) return (Codes.IN_FORCE_LIMITED, Codes.REASON_RENEWAL_PENDING);
        return (Codes.IN_FORCE, pending ? Codes.REASON_RENEWAL_PENDING : Codes.REASON_VALID);
    }

    function _sameEnd(Entry calldata a, Entry calldata b) private pure returns (bool) {
        return a.predecessorCode == b.predecessorCode && a.predecessorPaperType == b.predecessorPaperType
            && a.predecessorVersion == b.predecessorVersion && a.predecessorStatus == b.predecessorStatus
            && a.validFrom == b.validFrom;
    }

    function _isFinal(uint8 current) private pure returns (bool) {
        return (current & STATUS_BITS) + 1 > Codes.STATUS_RENEWAL_PENDING;
    }

    function _status(uint256 index) private view returns (uint8 current, uint8 before, uint32 changedAt) {
        uint256 bits = _statuses[index / PER_WORD] >> ((index % PER_WORD) * BITS);
        return (uint8(bits >> 40), uint8(bits >> 32), uint32(bits));
    }

    function _setStatus(uint256 index, uint8 current, uint8 before, uint32 changedAt) private {
        uint256 shift = (index % PER_WORD) * BITS;
        uint256 bits = (uint256(current) << 40) | (uint256(before) << 32) | changedAt;
        uint256 word = _statuses[index / PER_WORD];
        _statuses[index / PER_WORD] = (word & ~(((uint256(1) << BITS) - 1) << shift)) | (bits << shift);
    }

    function _commitment(bytes32 factSha256, bytes32 factSm3, bytes32 key, uint32 validFrom, uint32 validUntil)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(factSha256, factSm3, key, validFrom, validUntil));
    }

    /// @dev keccak256(abi.encode(entries)), without decoding 500 entries first: the words of static structs already lie
    ///      in call data as abi.encode would lay them. A word with bits where none may be reverts when it is read.
    function _entriesHash(Entry[] calldata entries) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := mul(entries.length, 352)
            mstore(free, 0x20)
            mstore(add(free, 0x20), entries.length)
            calldatacopy(add(free, 0x40), entries.offset, size)
            hash := keccak256(free, add(size, 0x40))
        }
    }

    function _freeMemory() private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
        }
    }

    /// @dev Nothing allocated after `pointer` may be used again.
    function _releaseMemory(uint256 pointer) private pure {
        assembly ("memory-safe") {
            mstore(0x40, pointer)
        }
    }
}
