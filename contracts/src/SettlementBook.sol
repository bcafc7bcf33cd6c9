// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Codes} from "./Codes.sol";
import {Council} from "./Council.sol";
import {ISettlementBook} from "./ISettlementBook.sol";

/// @title SettlementBook
/// @notice See {ISettlementBook}.
contract SettlementBook is ISettlementBook, Council {
    bytes32 internal constant CYCLE_CLOSE_TYPEHASH = keccak256(
        "CycleClose(bytes32 operatorId,bytes32 cycle,bytes3 currency,bytes32 rootSha256,bytes32 rootSm3,bytes32 totalsCommitment,uint64 closedAt,address auditor,uint64 deadline)"
    );

    mapping(bytes32 operatorId => address) public operatorKey;
    mapping(address key => bool) public isAuditor;
    mapping(address key => uint256) private _operatorsWithKey;
    mapping(bytes32 place => bytes32 commitment) private _closed;

    constructor(address[] memory members_, uint8 threshold_, uint32 timeUnit_)
        EIP712("ShuQing Settlement", "1")
        Council(members_, threshold_, timeUnit_)
    {}

    /// @inheritdoc ISettlementBook
    function close(Close calldata c, bytes calldata operatorSignature, bytes calldata auditorSignature)
        external
        whenNotPaused
    {
        if (
            c.cycle == 0 || c.currency == 0 || c.rootSha256 == 0 || c.rootSm3 == 0 || c.totalsCommitment == 0
                || c.closedAt == 0
        ) revert CloseIncomplete();
        address operator = operatorKey[c.operatorId];
        if (operator == address(0)) revert UnknownOperator(c.operatorId);
        if (!isAuditor[c.auditor]) revert NotAuditor(c.auditor);
        bytes32 place = _place(c.operatorId, c.cycle, c.currency);
        if (_closed[place] != 0) revert AlreadyClosed(c.operatorId, c.cycle, c.currency);
        _requireBefore(c.deadline);
        _requireNotFuture(c.closedAt);
        bytes32 digest = _digest(c);
        _requireSignature(operator, digest, operatorSignature);
        _requireSignature(c.auditor, digest, auditorSignature);
        _closed[place] = keccak256(abi.encode(c.rootSha256, c.rootSm3, c.totalsCommitment, c.closedAt));
        emit CycleClosed(
            c.operatorId,
            c.cycle,
            c.currency,
            c.rootSha256,
            c.rootSm3,
            c.totalsCommitment,
            c.closedAt,
            c.auditor
        );
    }

    /// @inheritdoc ISettlementBook
    function closed(bytes32 operatorId, bytes32 cycle, bytes3 currency) external view returns (bytes32) {
        return _closed[_place(operatorId, cycle, currency)];
    }

    function _carryOut(uint8 act, bytes32 subject, bytes32 value) internal override returns (bool) {
        if (act == Codes.ADD_OPERATOR) {
            address key = _toAddress(value);
            if (operatorKey[subject] != address(0)) revert OperatorExists(subject);
            if (isAuditor[key]) revert KeyHasOtherRole(key);
            operatorKey[subject] = key;
            ++_operatorsWithKey[key];
            emit OperatorSet(subject, key);
        } else if (act == Codes.REMOVE_OPERATOR) {
            address key = operatorKey[subject];
            if (key == address(0)) revert UnknownOperator(subject);
            --_operatorsWithKey[key];
            delete operatorKey[subject];
            emit OperatorSet(subject, address(0));
        } else if (act == Codes.ADD_AUDITOR) {
            address key = _toAddress(subject);
            if (isAuditor[key]) revert AlreadyAuditor(key);
            if (_operatorsWithKey[key] != 0) revert KeyHasOtherRole(key);
            isAuditor[key] = true;
            emit AuditorSet(key, true);
        } else if (act == Codes.REMOVE_AUDITOR) {
            address key = _toAddress(subject);
            if (!isAuditor[key]) revert NotAuditor(key);
            isAuditor[key] = false;
            emit AuditorSet(key, false);
        } else {
            return false;
        }
        return true;
    }

    function _digest(Close calldata c) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CYCLE_CLOSE_TYPEHASH,
                    c.operatorId,
                    c.cycle,
                    c.currency,
                    c.rootSha256,
                    c.rootSm3,
                    c.totalsCommitment,
                    c.closedAt,
                    c.auditor,
                    c.deadline
                )
            )
        );
    }

    function _place(bytes32 operatorId, bytes32 cycle, bytes3 currency) private pure returns (bytes32) {
        return keccak256(abi.encode(operatorId, cycle, currency));
    }
}
