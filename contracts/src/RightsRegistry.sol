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
///      Apart, a status word per 34 certificates of one agency, opened by the deposit of the first of them:
///        34 places of 6 bits | latest undated change 32 | number of the agency 16
///      The agency's number says who may change these certificates, and keeps the word from being zero, so that no
///      later change pays for a fresh word. A place holds status-1 in three bits, two flags, and whether its last
///      change is undated: then its instant is only known as "not after the latest one of the word". All zero is VALID
///      without flags, so a deposit writes no place. Ends made one by one (nothing can follow them) have a word each
///      with their instant and what held before.
contract RightsRegistry is IRightsRegistry, Council {
    bytes32 internal constant DEPOSIT_BATCH_TYPEHASH =
        keccak256("DepositBatch(bytes32 agencyId,bytes32 entriesHash,uint256 nonce,uint64 deadline)");
    bytes32 internal constant STATUS_BATCH_TYPEHASH =
        keccak256("StatusBatch(bytes32 agencyId,bytes32 changesHash,uint256 nonce,uint64 deadline)");
    bytes32 internal constant BULK_STATUS_TYPEHASH = keccak256(
        "BulkStatus(bytes32 agencyId,bytes indexes,uint8 status,bool encumbered,bool objection,uint64 effectiveAt,uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant ROTATE_AGENCY_KEY_TYPEHASH =
        keccak256("RotateAgencyKey(bytes32 agencyId,address newKey,uint256 nonce,uint64 deadline)");

    uint256 private constant STATUS_BITS = 7;
    uint256 private constant ENCUMBERED = 8;
    uint256 private constant OBJECTION = 16;
    uint256 private constant FLAG_BITS = ENCUMBERED | OBJECTION;
    uint256 private constant SHOWN = STATUS_BITS | FLAG_BITS;
    // Changed at some instant up to the latest one of the status word; the event says when.
    uint256 private constant UNDATED = 32;

    uint256 private constant PER_WORD = 34;
    uint256 private constant PLACE_BITS = 6;
    uint256 private constant PLACE_MASK = 63;
    uint256 private constant LATEST_SHIFT = 16;
    uint256 private constant PLACES_SHIFT = 48;
    uint256 private constant INDEX_BYTES = 4;

    /// @dev `next` is the index of the agency's next certificate, unless that one opens a status word.
    struct Agency {
        address key;
        bool suspended;
        uint16 number;
        uint32 next;
    }

    struct End {
        uint32 at;
        uint8 before;
    }

    uint32 public count;
    uint32 private _wordCount;
    uint16 private _agencyCount;
    mapping(bytes32 agencyId => Agency) private _agencies;
    mapping(bytes32 key => uint256 word) private _words;
    mapping(uint256 wordIndex => uint256 word) private _statuses;
    mapping(uint256 index => End) private _ends;
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
        Agency memory agency_ = _authorise(agencyId, structHash, nonce, deadline, signature);

        uint32 index = agency_.next;
        for (uint256 i = 0; i < entries.length; ++i) {
            if (index % PER_WORD == 0) index = _openWord(agency_.number);
            // Memory costs grow with its square; what one entry used is free for the next.
            uint256 free = _freeMemory();
            _depositOne(agencyId, entries, i, index++);
            _releaseMemory(free);
        }
        _agencies[agencyId].next = index;
        count += uint32(entries.length);
    }

    /// @inheritdoc IRightsRegistry
    function setStatus(
        bytes32 agencyId,
        StatusChange[] calldata changes,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        if (changes.length == 0) revert EmptyBatch();
        bytes32 structHash = keccak256(
            abi.encode(STATUS_BATCH_TYPEHASH, agencyId, keccak256(abi.encode(changes)), nonce, deadline)
        );
        Agency memory agency_ = _authorise(agencyId, structHash, nonce, deadline, signature);
        for (uint256 i = 0; i < changes.length; ++i) {
            _setStatusOne(agency_.number, changes[i]);
        }
    }

    /// @inheritdoc IRightsRegistry
    function setStatusByIndex(
        bytes32 agencyId,
        BulkChange calldata change,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        if (change.indexes.length == 0) revert EmptyBatch();
        if (change.indexes.length % INDEX_BYTES != 0) revert IndexesNotWhole(change.indexes.length);
        // These two depend on the end of validity, which an index alone does not lead to.
        if (change.status == Codes.STATUS_RENEWAL_PENDING || change.status == Codes.STATUS_LAPSED) {
            revert InvalidStatus(change.status);
        }
        _requirePast(change.effectiveAt);
        bytes32 structHash = keccak256(
            abi.encode(
                BULK_STATUS_TYPEHASH,
                agencyId,
                keccak256(change.indexes),
                change.status,
                change.encumbered,
                change.objection,
                change.effectiveAt,
                nonce,
                deadline
            )
        );
        Agency memory agency_ = _authorise(agencyId, structHash, nonce, deadline, signature);
        _setPlaces(agency_, change);
        emit StatusChangedInBulk(
            agencyId, change.status, change.encumbered, change.objection, change.effectiveAt, change.indexes
        );
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
        address oldKey = _agencies[agencyId].key;
        if (newKey == oldKey) revert SameKey(newKey);
        _authorise(
            agencyId,
            keccak256(abi.encode(ROTATE_AGENCY_KEY_TYPEHASH, agencyId, newKey, nonce, deadline)),
            nonce,
            deadline,
            signature
        );
        _agencies[agencyId].key = newKey;
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
        uint256 statuses = _statuses[c.index / PER_WORD];
        uint256 place = _placeIn(statuses, c.index);
        c.status = _statusOf(place);
        c.encumbered = place & ENCUMBERED != 0;
        c.objection = place & OBJECTION != 0;
        c.changedAt = _changedAt(statuses, c.index, place);
        c.olderHistory = place & UNDATED != 0;
        if (_isFinal(place) && !c.olderHistory) {
            uint256 before = _ends[c.index].before;
            c.previousStatus = _statusOf(before);
            c.previousEncumbered = before & ENCUMBERED != 0;
            c.previousObjection = before & OBJECTION != 0;
            c.olderHistory = before & UNDATED != 0;
        }
        c.predecessor = _predecessors[key];
    }

    /// @inheritdoc IRightsRegistry
    function agency(bytes32 agencyId) external view returns (address key, bool suspended) {
        return (_agencies[agencyId].key, _agencies[agencyId].suspended);
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
        uint32 index = uint32(word);
        uint256 statuses = _statuses[index / PER_WORD];
        uint256 place = _placeIn(statuses, index);
        if (_isFinal(place) && place & UNDATED == 0) {
            End memory end = _ends[index];
            // Before its end it was what it had been; a successor that starts later ends it in the future.
            if (instant < end.at) place = end.before;
        }
        // Never true of the present: an undated change is never dated ahead.
        if (place & UNDATED != 0 && instant < _latest(statuses)) {
            return Answer(Codes.UNKNOWN, Codes.REASON_HISTORY, asOf);
        }
        (uint8 code, uint8 reason) = _judge(place, uint32(word >> 64), uint32(word >> 32), instant);
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
            if (_agencies[subject].key != address(0)) revert AgencyExists(subject);
            _agencies[subject] = Agency(_toAddress(value), false, ++_agencyCount, 0);
            emit AgencyAdded(subject, _toAddress(value));
        } else if (act == Codes.SUSPEND_AGENCY || act == Codes.RESUME_AGENCY) {
            bool suspend = act == Codes.SUSPEND_AGENCY;
            if (_agencies[subject].key == address(0)) revert UnknownAgency(subject);
            if (_agencies[subject].suspended == suspend) {
                if (suspend) revert AgencySuspended(subject);
                revert AgencyNotSuspended(subject);
            }
            _agencies[subject].suspended = suspend;
            emit AgencySuspensionSet(subject, suspend);
        } else {
            return false;
        }
        return true;
    }

    /// @dev The agency, when this is its own signature over `structHash`, in time, with a fresh nonce.
    function _authorise(
        bytes32 agencyId,
        bytes32 structHash,
        uint256 nonce,
        uint64 deadline,
        bytes calldata signature
    ) private returns (Agency memory signer) {
        signer = _agencies[agencyId];
        if (signer.key == address(0)) revert UnknownAgency(agencyId);
        if (signer.suspended) revert AgencySuspended(agencyId);
        _requireBefore(deadline);
        _requireSignature(signer.key, _hashTypedDataV4(structHash), signature);
        _useNonce(signer.key, nonce);
    }

    /// @dev The first index of a fresh status word that belongs to the agency.
    function _openWord(uint16 number) private returns (uint32 index) {
        uint32 word = _wordCount++;
        _statuses[word] = number;
        return word * uint32(PER_WORD);
    }

    function _depositOne(bytes32 agencyId, Entry[] calldata entries, uint256 position, uint256 index) private {
        Entry memory e = _entryAt(entries, position);
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
            uint32(index),
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
        uint32 ended = uint32(word);
        uint256 current = _placeIn(_statuses[ended / PER_WORD], ended);
        if (position == 0 || !_sameEnd(e, entries[position - 1])) {
            if (_isFinal(current)) revert StatusIsFinal(ended, _statusOf(current));
            _end(ended, current, (current & FLAG_BITS) | (e.predecessorStatus - 1), e.validFrom);
            emit StatusChanged(
                predecessor,
                e.predecessorStatus,
                current & ENCUMBERED != 0,
                current & OBJECTION != 0,
                _statusOf(current),
                e.validFrom
            );
        }
        _predecessors[key] = predecessor;
        emit Succeeded(predecessor, key, e.predecessorStatus);
        uint256 flags = current & FLAG_BITS;
        if (flags != 0) {
            // Held from the first second on: no change.
            _statuses[index / PER_WORD] = _withPlace(_statuses[index / PER_WORD], index, flags);
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
        uint256 statuses = _statuses[uint32(word) / PER_WORD];
        uint256 place = _placeIn(statuses, uint32(word));
        if (!_isFinal(place)) revert PreviousVersionInForce(key, previousKey);
        uint32 ended = _changedAt(statuses, uint32(word), place);
        if (e.validFrom < ended) revert StartsTooEarly(key, e.validFrom, ended);
    }

    function _setStatusOne(uint16 number, StatusChange calldata change) private {
        uint256 word = _words[change.key];
        if (word == 0) revert UnknownCertificate(change.key);
        (uint32 index, uint32 validUntil) = (uint32(word), uint32(word >> 32));
        uint256 statuses = _statuses[index / PER_WORD];
        if (uint16(statuses) != number) revert IndexNotOfAgency(index);
        _requirePast(change.effectiveAt);
        uint256 current = _placeIn(statuses, index);
        uint256 changed = _placeOf(change.status, change.encumbered, change.objection);
        bool late = change.effectiveAt >= validUntil;
        bool mark = change.status == Codes.STATUS_RENEWAL_PENDING && _statusOf(current) != change.status;
        if ((mark && late) || (change.status == Codes.STATUS_LAPSED && !late)) {
            revert NotAtThisTime(index, change.status, change.effectiveAt, validUntil);
        }
        _requireMove(index, current, changed, change.effectiveAt, statuses);
        if (_isFinal(changed)) {
            _end(index, current, changed, uint32(change.effectiveAt));
        } else {
            statuses = _withPlace(statuses, index, changed | UNDATED);
            _statuses[index / PER_WORD] = _withLatest(statuses, change.effectiveAt);
        }
        emit StatusChanged(
            change.key,
            change.status,
            change.encumbered,
            change.objection,
            _statusOf(current),
            change.effectiveAt
        );
    }

    /// @dev Gives every listed certificate the same place; each status word is read and written once.
    function _setPlaces(Agency memory agency_, BulkChange calldata change) private {
        uint256 changed = _placeOf(change.status, change.encumbered, change.objection) | UNDATED;
        uint256 effectiveAt = change.effectiveAt;
        bytes calldata indexes = change.indexes;
        (uint256 number, uint256 statuses, uint256 index) = (type(uint256).max, 0, 0);
        // Nothing here can overflow: an index has 32 bits, a place is below 34.
        unchecked {
            for (uint256 i = 0; i < indexes.length; i += INDEX_BYTES) {
                uint256 following = _indexAt(indexes, i);
                if (following <= index && i != 0) revert IndexesNotAscending(uint32(following));
                index = following;
                if (index / PER_WORD != number) {
                    if (i != 0) _statuses[number] = _withLatest(statuses, effectiveAt);
                    number = index / PER_WORD;
                    statuses = _statuses[number];
                    if (uint16(statuses) != agency_.number) revert IndexNotOfAgency(uint32(index));
                }
                uint256 shift = PLACES_SHIFT + (index - number * PER_WORD) * PLACE_BITS;
                uint256 current = (statuses >> shift) & PLACE_MASK;
                // What _requireMove refuses; asked here because calling it costs 300 gas each time.
                if (
                    (current ^ changed) & SHOWN == 0 || current & STATUS_BITS > 1
                        || (current >= UNDATED && effectiveAt < uint32(statuses >> LATEST_SHIFT))
                ) _requireMove(index, current, changed, effectiveAt, statuses);
                statuses ^= (current ^ changed) << shift;
            }
        }
        // The agency's highest word may have places that no deposit has taken yet.
        if (index >= agency_.next) revert IndexNotOfAgency(uint32(index));
        _statuses[number] = _withLatest(statuses, effectiveAt);
    }

    function _end(uint32 index, uint256 current, uint256 changed, uint32 at) private {
        _ends[index] = End(at, uint8(current));
        _statuses[index / PER_WORD] = _withPlace(_statuses[index / PER_WORD], index, changed);
    }

    /// @dev A change at all, of what is not final, and not dated back behind what may have been said since.
    function _requireMove(uint256 index, uint256 current, uint256 changed, uint256 effectiveAt, uint256 statuses)
        private
        pure
    {
        if ((current ^ changed) & SHOWN == 0) revert NoChange(uint32(index));
        if (_isFinal(current)) revert StatusIsFinal(uint32(index), _statusOf(current));
        if (current & UNDATED != 0 && effectiveAt < _latest(statuses)) {
            revert ChangeOutOfOrder(uint32(index), uint64(effectiveAt), _latest(statuses));
        }
    }

    function _judge(uint256 current, uint32 validFrom, uint32 validUntil, uint64 instant)
        private
        pure
        returns (uint8 code, uint8 reason)
    {
        uint8 status = _statusOf(current);
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

    function _statusOf(uint256 place) private pure returns (uint8) {
        return uint8(place & STATUS_BITS) + 1;
    }

    function _isFinal(uint256 place) private pure returns (bool) {
        return place & STATUS_BITS >= Codes.STATUS_SUPERSEDED - 1;
    }

    function _placeOf(uint8 status, bool encumbered, bool objection) private pure returns (uint256) {
        if (status < Codes.STATUS_VALID || status > Codes.STATUS_CANCELLED) revert InvalidStatus(status);
        return (status - 1) | (encumbered ? ENCUMBERED : 0) | (objection ? OBJECTION : 0);
    }

    function _placeIn(uint256 statuses, uint256 index) private pure returns (uint256) {
        return (statuses >> (PLACES_SHIFT + (index % PER_WORD) * PLACE_BITS)) & PLACE_MASK;
    }

    function _withPlace(uint256 statuses, uint256 index, uint256 place) private pure returns (uint256) {
        uint256 shift = PLACES_SHIFT + (index % PER_WORD) * PLACE_BITS;
        return (statuses & ~(PLACE_MASK << shift)) | (place << shift);
    }

    function _latest(uint256 statuses) private pure returns (uint32) {
        return uint32(statuses >> LATEST_SHIFT);
    }

    function _withLatest(uint256 statuses, uint256 instant) private pure returns (uint256) {
        uint256 latest = _latest(statuses);
        return instant > latest ? statuses ^ ((latest ^ instant) << LATEST_SHIFT) : statuses;
    }

    /// @dev Instant of the last change, or a bound of it when it is undated; 0 when there was none.
    function _changedAt(uint256 statuses, uint32 index, uint256 place) private view returns (uint32) {
        if (place & UNDATED != 0) return _latest(statuses);
        return _isFinal(place) ? _ends[index].at : 0;
    }

    /// @dev A change of status is decided before it is written; only a successor may start later.
    function _requirePast(uint64 instant) private view {
        if (instant == 0) revert InstantMissing();
        if (instant > nowSeconds()) revert InstantInFuture(instant, nowSeconds());
    }

    function _commitment(bytes32 factSha256, bytes32 factSm3, bytes32 key, uint32 validFrom, uint32 validUntil)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(factSha256, factSm3, key, validFrom, validUntil));
    }

    /// @dev keccak256(abi.encode(entries)), without decoding 500 entries first: the words of static structs already lie
    ///      in call data as abi.encode would lay them. `_entryAt` refuses a word with bits where none may be.
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

    /// @dev entries[position], at a third of the cost: what lies in call data is what lies in memory, and the fields
    ///      too long for their types are found by one comparison.
    function _entryAt(Entry[] calldata entries, uint256 position) private pure returns (Entry memory e) {
        uint256 excess;
        assembly ("memory-safe") {
            calldatacopy(e, add(entries.offset, mul(position, 352)), 352)
            excess := or(shr(8, mload(add(e, 0x20))), shr(32, mload(add(e, 0x40))))
            excess := or(excess, or(shr(32, mload(add(e, 0xa0))), shr(32, mload(add(e, 0xc0)))))
            excess := or(excess, or(shr(8, mload(add(e, 0x100))), shr(32, mload(add(e, 0x120)))))
            excess := or(excess, shr(8, mload(add(e, 0x140))))
        }
        if (excess != 0) revert EntryIncomplete(position);
    }

    function _indexAt(bytes calldata indexes, uint256 at) private pure returns (uint256 index) {
        assembly ("memory-safe") {
            index := shr(224, calldataload(add(indexes.offset, at)))
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
