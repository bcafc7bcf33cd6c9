// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Council} from "./Council.sol";
import {IEvidenceLog} from "./IEvidenceLog.sol";

/// @dev Stands between Pausable and Council in the line of inheritance so that the pause flag, the log key and the
///      latest size share one storage word: an anchor reads and writes it once.
abstract contract LogState is IEvidenceLog, Pausable {
    address public override logKey;
    uint64 public override latestSize;
}

/// @title EvidenceLog
/// @notice See {IEvidenceLog}.
contract EvidenceLog is LogState, Council {
    bytes32 internal constant HEAD_TYPEHASH =
        keccak256("Head(uint64 size,bytes32 sha256Root,bytes32 sm3Root,uint64 time)");
    bytes32 internal constant ROTATE_LOG_KEY_TYPEHASH =
        keccak256("RotateLogKey(address newKey,uint256 nonce,uint64 deadline)");

    mapping(uint64 size => bytes32) public commitmentAt;

    constructor(address[] memory members_, uint8 threshold_, uint32 timeUnit_, address logKey_)
        EIP712("ShuQing Log", "1")
        Council(members_, threshold_, timeUnit_)
    {
        if (logKey_ == address(0)) revert InvalidAddress(0);
        logKey = logKey_;
    }

    /// @inheritdoc IEvidenceLog
    function anchor(uint64 size, bytes32 sha256Root, bytes32 sm3Root, uint64 time, bytes calldata signature)
        external
        whenNotPaused
    {
        if (size == 0 || sha256Root == 0 || sm3Root == 0 || time == 0) revert HeadIncomplete();
        _requireLogKey(keccak256(abi.encode(HEAD_TYPEHASH, size, sha256Root, sm3Root, time)), signature);
        bytes32 commitment = keccak256(abi.encode(size, sha256Root, sm3Root, time));
        uint64 latest = latestSize;
        if (size <= latest) {
            bytes32 committed = commitmentAt[size];
            if (committed == commitment) revert AlreadyAnchored(size);
            if (committed != 0) revert ForkedHead(size, committed, commitment);
            revert SizeNotGrowing(size, latest);
        }
        latestSize = size;
        commitmentAt[size] = commitment;
        emit Anchored(size, sha256Root, sm3Root, time);
    }

    /// @inheritdoc IEvidenceLog
    function rotateLogKey(address newKey, uint256 nonce, uint64 deadline, bytes calldata signature)
        external
        whenNotPaused
    {
        if (newKey == address(0)) revert InvalidAddress(0);
        address oldKey = logKey;
        if (newKey == oldKey) revert SameKey(newKey);
        _requireBefore(deadline);
        _requireLogKey(keccak256(abi.encode(ROTATE_LOG_KEY_TYPEHASH, newKey, nonce, deadline)), signature);
        _useNonce(oldKey, nonce);
        logKey = newKey;
        emit LogKeyRotated(oldKey, newKey);
    }

    /// @inheritdoc IEvidenceLog
    function verifyInclusion(
        bytes32 leafHash,
        uint64 index,
        uint64 size,
        bytes32[] calldata proof,
        bytes32 sha256Root,
        bytes32 sm3Root,
        uint64 time
    ) external view returns (bool) {
        if (index >= size) return false;
        bytes32 committed = commitmentAt[size];
        if (committed == 0 || committed != keccak256(abi.encode(size, sha256Root, sm3Root, time))) return false;
        // RFC 9162, 2.1.3.2: the path's length and turns follow from index and size alone, so an interior node
        // cannot stand in for a leaf.
        (uint256 node, uint256 last, bytes32 hash) = (index, size - 1, leafHash);
        for (uint256 i = 0; i < proof.length; ++i) {
            if (last == 0) return false;
            if (node & 1 == 1 || node == last) {
                hash = _nodeHash(proof[i], hash);
                while (node & 1 == 0 && node != 0) (node, last) = (node >> 1, last >> 1);
            } else {
                hash = _nodeHash(hash, proof[i]);
            }
            (node, last) = (node >> 1, last >> 1);
        }
        return last == 0 && hash == sha256Root;
    }

    function _carryOut(uint8, bytes32, bytes32) internal pure override returns (bool) {
        return false;
    }

    function _requireLogKey(bytes32 structHash, bytes calldata signature) private view {
        address signer = logKey;
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(_hashTypedDataV4(structHash), signature);
        if (failure != ECDSA.RecoverError.NoError || recovered != signer) revert InvalidSignature(signer);
    }

    /// @dev SHA-256(0x01 ‖ left ‖ right) in scratch memory: a proof of 20 levels allocates nothing.
    function _nodeHash(bytes32 left, bytes32 right) private view returns (bytes32 hash) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 1)
            mstore(add(free, 1), left)
            mstore(add(free, 33), right)
            done := staticcall(gas(), 2, free, 65, 0, 32)
            hash := mload(0)
        }
        // Only a call out of gas can fail here, and then the rest of the gas is gone as well.
        assert(done);
    }
}
