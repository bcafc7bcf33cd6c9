// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Codes} from "./Codes.sol";
import {Council} from "./Council.sol";
import {IAgreementRegistry} from "./IAgreementRegistry.sol";

/// @title AgreementRegistry
/// @notice See {IAgreementRegistry}.
contract AgreementRegistry is IAgreementRegistry, Council {
    bytes32 internal constant AGREEMENT_ACT_TYPEHASH = keccak256(
        "AgreementAct(bytes32 agreementId,bytes32 negotiationId,uint32 revision,uint8 act,uint8 fromState,uint8 toState,uint8 role,address signer,bytes32 signersHash,bytes32 termsSha256,bytes32 termsSm3,bytes32 actSha256,bytes32 actSm3,bytes32 prevActSha256,bytes32 prevActSm3,bytes32 groundSha256,bytes32 groundSm3,uint256 nonce,uint64 deadline)"
    );

    /// @notice Places in the list of signers
    uint256 public constant MAX_SIGNERS = 16;

    struct Record {
        uint8 state;
        uint32 revision;
        bytes32 signersHash;
        bytes32 termsCommitment;
        bytes32 lastActCommitment;
    }

    mapping(address key => bool) public isAuthority;
    mapping(bytes32 agreementId => Record) private _records;

    constructor(address[] memory members_, uint8 threshold_, uint32 timeUnit_)
        EIP712("ShuQing Agreement", "1")
        Council(members_, threshold_, timeUnit_)
    {}

    /// @inheritdoc IAgreementRegistry
    function submit(Act calldata act, Signer[] calldata signers) external whenNotPaused {
        _requireBefore(act.deadline);
        _requireFields(act);
        _requireMove(act.act, act.fromState, act.toState);
        Record storage record = _records[act.agreementId];
        _requireFollows(act, record);

        if (_byAuthority(act.act)) _requireAuthority(act, signers, record);
        else _requireList(act, signers, record);
        uint256 contractSigners = _checkSignatures(act, signers);

        bytes32 actCommitment = keccak256(abi.encode(act.actSha256, act.actSm3));
        record.state = act.toState;
        record.revision = act.revision;
        record.lastActCommitment = actCommitment;
        if (act.act == Codes.ACT_CONCLUDE) record.signersHash = act.signersHash;
        if (act.act == Codes.ACT_CONCLUDE || act.act == Codes.ACT_AMEND) {
            record.termsCommitment = keccak256(abi.encode(act.termsSha256, act.termsSm3));
        }
        emit ActRecorded(act.agreementId, act.act, actCommitment, act, signers, contractSigners);
    }

    /// @inheritdoc IAgreementRegistry
    function agreement(bytes32 agreementId) external view returns (Agreement memory) {
        Record storage record = _records[agreementId];
        return Agreement(
            record.state,
            record.revision,
            record.signersHash,
            record.termsCommitment,
            record.lastActCommitment,
            nowSeconds()
        );
    }

    function _carryOut(uint8 act, bytes32 subject, bytes32) internal override returns (bool) {
        if (act != Codes.ADD_AUTHORITY && act != Codes.REMOVE_AUTHORITY) return false;
        address authority = _toAddress(subject);
        bool add = act == Codes.ADD_AUTHORITY;
        if (isAuthority[authority] == add) {
            if (add) revert AlreadyAuthority(authority);
            revert NotAuthority(authority);
        }
        isAuthority[authority] = add;
        emit AuthoritySet(authority, add);
        return true;
    }

    function _requireFields(Act calldata act) private pure {
        if (act.agreementId == 0) revert FieldMissing("agreementId");
        if (act.negotiationId == 0) revert FieldMissing("negotiationId");
        if (act.termsSha256 == 0) revert FieldMissing("termsSha256");
        if (act.termsSm3 == 0) revert FieldMissing("termsSm3");
        if (act.actSha256 == 0) revert FieldMissing("actSha256");
        if (act.actSm3 == 0) revert FieldMissing("actSm3");
        if (_byAuthority(act.act) || act.act == Codes.ACT_RESCIND) {
            if (act.groundSha256 == 0) revert FieldMissing("groundSha256");
            if (act.groundSm3 == 0) revert FieldMissing("groundSm3");
        }
    }

    function _requireMove(uint8 act, uint8 from, uint8 to) private pure {
        bool running = from == Codes.EFFECTIVE || from == Codes.SUSPENDED;
        bool allowed;
        if (act == Codes.ACT_CONCLUDE) {
            allowed = from == Codes.NONE && (to == Codes.PENDING || to == Codes.EFFECTIVE);
        } else if (act == Codes.ACT_ACTIVATE) {
            allowed = from == Codes.PENDING && to == Codes.EFFECTIVE;
        } else if (act == Codes.ACT_AMEND) {
            allowed = running && to == from;
        } else if (act == Codes.ACT_SUSPEND) {
            allowed = from == Codes.EFFECTIVE && to == Codes.SUSPENDED;
        } else if (act == Codes.ACT_RESUME) {
            allowed = from == Codes.SUSPENDED && to == Codes.EFFECTIVE;
        } else if (act == Codes.ACT_TERMINATE) {
            allowed = (running || from == Codes.PENDING) && to == Codes.TERMINATED;
        } else if (act == Codes.ACT_RESCIND) {
            allowed = running && to == Codes.RESCINDED;
        } else if (act == Codes.ACT_VOID) {
            allowed = from != Codes.NONE && from < Codes.VOID && to == Codes.VOID;
        } else if (act == Codes.ACT_COMPLETE) {
            allowed = running && to == Codes.COMPLETED;
        } else if (act == Codes.ACT_EXPIRE) {
            allowed = running && to == Codes.EXPIRED;
        } else {
            revert UnknownAct(act);
        }
        if (!allowed) revert MoveNotAllowed(act, from, to);
    }

    /// @dev The act continues what is stored: state, last act, revision and terms.
    function _requireFollows(Act calldata act, Record storage record) private view {
        if (act.fromState != record.state) revert StateMismatch(act.agreementId, act.fromState, record.state);
        if (act.act == Codes.ACT_CONCLUDE) {
            if (act.revision != 1) revert RevisionMismatch(act.revision, 1);
            if (act.prevActSha256 != 0 || act.prevActSm3 != 0) revert PrevActMismatch(act.agreementId);
            return;
        }
        if (keccak256(abi.encode(act.prevActSha256, act.prevActSm3)) != record.lastActCommitment) {
            revert PrevActMismatch(act.agreementId);
        }
        bool amend = act.act == Codes.ACT_AMEND;
        uint32 expected = amend ? record.revision + 1 : record.revision;
        if (act.revision != expected) revert RevisionMismatch(act.revision, expected);
        bool same = keccak256(abi.encode(act.termsSha256, act.termsSm3)) == record.termsCommitment;
        if (same == amend) revert TermsMismatch(act.agreementId);
    }

    function _requireAuthority(Act calldata act, Signer[] calldata signers, Record storage record) private view {
        if (act.signersHash != record.signersHash) revert SignersMismatch(act.signersHash, record.signersHash);
        if (signers.length != 1) revert OneSignatureExpected(signers.length);
        if (signers[0].role != Codes.ROLE_AUTHORITY) revert RoleNotAllowed(signers[0].role);
        if (!isAuthority[signers[0].signer]) revert NotAuthority(signers[0].signer);
    }

    function _requireList(Act calldata act, Signer[] calldata signers, Record storage record) private view {
        if (signers.length < 2 || signers.length > MAX_SIGNERS) revert SignerCount(signers.length);
        SignerRef[] memory list = new SignerRef[](signers.length);
        bool different = false;
        for (uint256 i = 0; i < signers.length; ++i) {
            (uint8 role, address signer) = (signers[i].role, signers[i].signer);
            if (role == 0 || role == Codes.ROLE_AUTHORITY) revert RoleNotAllowed(role);
            if (signer == address(0)) revert InvalidAddress(0);
            if (i > 0) {
                (uint8 lastRole, address last) = (signers[i - 1].role, signers[i - 1].signer);
                if (role < lastRole || (role == lastRole && signer <= last)) revert SignersNotSorted(i);
                if (signer != last) different = true;
            }
            list[i] = SignerRef(role, signer);
        }
        if (!different) revert SignerCount(1);
        bytes32 expected = keccak256(abi.encode(list));
        if (act.signersHash != expected) revert SignersMismatch(act.signersHash, expected);
        if (act.act != Codes.ACT_CONCLUDE && expected != record.signersHash) {
            revert SignersMismatch(expected, record.signersHash);
        }
    }

    /// @dev Every signature that must be there is good and its nonce fresh. Returns the bits of contract signers.
    function _checkSignatures(Act calldata act, Signer[] calldata signers) private returns (uint256 contractSigners) {
        bool one = act.act == Codes.ACT_RESCIND || act.act == Codes.ACT_EXPIRE;
        uint256 signed = 0;
        for (uint256 i = 0; i < signers.length; ++i) {
            Signer calldata s = signers[i];
            if (one && s.signature.length == 0) continue;
            ++signed;
            _requireSignature(s.signer, _hashTypedDataV4(_structHash(act, s)), s.signature);
            _useNonce(s.signer, s.nonce);
            if (s.signer.code.length != 0) contractSigners |= 1 << i;
        }
        if (one && signed != 1) revert OneSignatureExpected(signed);
    }

    function _structHash(Act calldata act, Signer calldata s) private pure returns (bytes32) {
        // All fields are one word each, so two encodings side by side are the encoding of all of them.
        return keccak256(
            bytes.concat(
                abi.encode(
                    AGREEMENT_ACT_TYPEHASH,
                    act.agreementId,
                    act.negotiationId,
                    act.revision,
                    act.act,
                    act.fromState,
                    act.toState,
                    s.role,
                    s.signer,
                    act.signersHash
                ),
                abi.encode(
                    act.termsSha256,
                    act.termsSm3,
                    act.actSha256,
                    act.actSm3,
                    act.prevActSha256,
                    act.prevActSm3,
                    act.groundSha256,
                    act.groundSm3,
                    s.nonce,
                    act.deadline
                )
            )
        );
    }

    function _byAuthority(uint8 act) private pure returns (bool) {
        return act == Codes.ACT_SUSPEND || act == Codes.ACT_RESUME || act == Codes.ACT_VOID;
    }
}
