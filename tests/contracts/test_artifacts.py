"""Committed artifacts, type strings, codes and errors against tables written here by hand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from eth_hash.auto import keccak

from ledger import eip712
from scripts import compile_contracts

ARTIFACTS = compile_contracts.ARTIFACTS

COMMON_TYPES = {
    "CouncilAct(uint8 act,bytes32 subject,bytes32 value,uint256 nonce,uint64 deadline)",
    "CancelNonce(address signer,uint256 nonce,uint64 deadline)",
}
TYPES = {
    "RightsRegistry": {
        "DepositBatch(bytes32 agencyId,bytes32 entriesHash,uint256 nonce,uint64 deadline)",
        "StatusBatch(bytes32 agencyId,bytes32 changesHash,uint256 nonce,uint64 deadline)",
        "BulkStatus(bytes32 agencyId,bytes indexes,uint8 status,bool encumbered,bool objection,uint64 effectiveAt,"
        "uint256 nonce,uint64 deadline)",
        "RotateAgencyKey(bytes32 agencyId,address newKey,uint256 nonce,uint64 deadline)",
    },
    "AgreementRegistry": {
        "AgreementAct(bytes32 agreementId,bytes32 negotiationId,uint32 revision,uint8 act,uint8 fromState,"
        "uint8 toState,uint8 role,address signer,bytes32 signersHash,bytes32 termsSha256,bytes32 termsSm3,"
        "bytes32 actSha256,bytes32 actSm3,bytes32 prevActSha256,bytes32 prevActSm3,bytes32 groundSha256,"
        "bytes32 groundSm3,uint256 nonce,uint64 deadline)",
    },
    "EvidenceLog": {
        "Head(uint64 size,bytes32 sha256Root,bytes32 sm3Root,uint64 time)",
        "RotateLogKey(address newKey,uint256 nonce,uint64 deadline)",
    },
    "SettlementBook": {
        "CycleClose(bytes32 operatorId,bytes32 cycle,bytes3 currency,bytes32 rootSha256,bytes32 rootSm3,"
        "bytes32 totalsCommitment,uint64 closedAt,address auditor,uint64 deadline)",
    },
}

COMMON_ERRORS = {
    "InvalidSignature(address)", "NonceUsed(address,uint256)", "DeadlinePassed(uint64,uint64)",
    "InstantInFuture(uint64,uint64)", "TooFewMembers(uint256,uint256)", "MembersNotAscending(address)",
    "NotMember(address)", "AlreadyMember(address)", "ThresholdOutOfRange(uint256,uint256)", "UnknownCouncilAct(uint8)",
    "InvalidAddress(bytes32)", "SuccessorAlreadyNamed(address)", "TimeUnitImplausible(uint32,uint256)",
    "EnforcedPause()", "ExpectedPause()", "InvalidShortString()", "StringTooLong(string)",
}  # fmt: skip
ERRORS = {
    "RightsRegistry": {
        "UnknownAgency(bytes32)", "AgencyExists(bytes32)", "AgencySuspended(bytes32)", "AgencyNotSuspended(bytes32)",
        "SameKey(address)", "EmptyBatch()", "EntryIncomplete(uint256)", "ValidityInverted(uint256,uint32,uint32)",
        "AlreadyDeposited(bytes32)", "UnknownCertificate(bytes32)", "PreviousVersionInForce(bytes32,bytes32)",
        "StartsTooEarly(bytes32,uint32,uint32)", "InvalidPredecessorStatus(bytes32,uint8)",
        "InvalidStatus(uint8)", "StatusIsFinal(uint32,uint8)", "NoChange(uint32)",
        "ChangeOutOfOrder(uint32,uint64,uint32)", "NotAtThisTime(uint32,uint8,uint64,uint32)", "InstantMissing()",
        "IndexNotOfAgency(uint32)", "IndexesNotAscending(uint32)", "IndexesNotWhole(uint256)",
    },
    "AgreementRegistry": {
        "UnknownAct(uint8)", "MoveNotAllowed(uint8,uint8,uint8)", "StateMismatch(bytes32,uint8,uint8)",
        "PrevActMismatch(bytes32)", "RevisionMismatch(uint32,uint32)", "TermsMismatch(bytes32)",
        "SignersMismatch(bytes32,bytes32)", "SignersNotSorted(uint256)", "SignerCount(uint256)",
        "RoleNotAllowed(uint8)", "NotAuthority(address)", "AlreadyAuthority(address)", "OneSignatureExpected(uint256)",
        "FieldMissing(string)",
    },
    "EvidenceLog": {
        "AlreadyAnchored(uint64)", "ForkedHead(uint64,bytes32,bytes32)", "SizeNotGrowing(uint64,uint64)",
        "HeadIncomplete()", "SameKey(address)",
    },
    "SettlementBook": {
        "AlreadyClosed(bytes32,bytes32,bytes3)", "UnknownOperator(bytes32)", "OperatorExists(bytes32)",
        "NotAuditor(address)", "AlreadyAuditor(address)", "KeyHasOtherRole(address)", "CloseIncomplete()",
    },
}  # fmt: skip

WRITES = {
    "RightsRegistry": {"deposit", "setStatus", "setStatusByIndex", "rotateAgencyKey"},
    "AgreementRegistry": {"submit"},
    "EvidenceLog": {"anchor", "rotateLogKey"},
    "SettlementBook": {"close"},
}
"""Every function that can change anything, beside the council's `decide` and a signer's own `cancelNonce`."""

CODES = {
    "councilActs": "PAUSE 1 UNPAUSE 2 NAME_SUCCESSOR 3 REPLACE_MEMBER 4 ADD_AGENCY 10 SUSPEND_AGENCY 11 "
    "RESUME_AGENCY 12 ADD_AUTHORITY 20 REMOVE_AUTHORITY 21 ADD_OPERATOR 30 REMOVE_OPERATOR 31 ADD_AUDITOR 32 "
    "REMOVE_AUDITOR 33",
    "certificateStatus": "VALID 1 RENEWAL_PENDING 2 SUPERSEDED 3 TRANSFERRED 4 LAPSED 5 CANCELLED 6",
    "inForceCodes": "UNKNOWN 0 IN_FORCE 1 NOT_IN_FORCE 2 IN_FORCE_LIMITED 3",
    "inForceReasons": "UNKNOWN_KEY 0 VALID 1 NOT_YET_VALID 2 LAPSED 3 SUPERSEDED 4 TRANSFERRED 5 CANCELLED 6 "
    "RENEWAL_PENDING 7 ENCUMBERED 8 OBJECTION 9 ENCUMBERED_AND_OBJECTION 10 HISTORY 11",
    "agreementStates": "NONE 0 PENDING 1 EFFECTIVE 2 SUSPENDED 3 EXPIRED 4 COMPLETED 5 TERMINATED 6 RESCINDED 7 VOID 8",
    "agreementActs": "CONCLUDE 1 ACTIVATE 2 AMEND 3 SUSPEND 4 RESUME 5 TERMINATE 6 RESCIND 7 VOID 8 COMPLETE 9 "
    "EXPIRE 10",
    "agreementRoles": "PROVIDER 1 CONSUMER 2 DEVELOPER 3 OPERATOR 4 BROKER 5 SERVICE 6 AUTHORITY 9",
}


def artifact(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((ARTIFACTS / f"{name}.json").read_text("utf-8"))
    return value


@pytest.fixture(scope="module")
def compiled() -> dict[str, str]:
    return compile_contracts.compile_all()


def test_artifacts__recompiled__every_byte_is_the_same(compiled: dict[str, str]) -> None:
    assert compile_contracts.differing(compiled) == []


def test_check__one_byte_changed_one_file_missing_one_too_many__all_named(
    compiled: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ARTIFACTS, tmp_path / "artifacts")
    monkeypatch.setattr(compile_contracts, "ARTIFACTS", tmp_path / "artifacts")
    monkeypatch.setattr(compile_contracts, "compile_all", lambda: compiled)
    assert compile_contracts.main(["--check"]) == 0
    changed = tmp_path / "artifacts" / "EvidenceLog.json"
    changed.write_text(changed.read_text("utf-8").replace("0x60", "0x61", 1), "utf-8")
    (tmp_path / "artifacts" / "SettlementBook.json").unlink()
    (tmp_path / "artifacts" / "Other.json").write_text("{}", "utf-8")
    assert compile_contracts.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert [name in said for name in ("EvidenceLog", "SettlementBook", "Other", "RightsRegistry")] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(TYPES))
def test_types__the_strings_of_source_python_and_bytecode__are_one(name: str) -> None:
    """Each type string stands in the Solidity source, is what Python hashes, and its hash is in the bytecode."""
    source = (compile_contracts.SOURCES / f"{name}.sol").read_text("utf-8")
    council = (compile_contracts.SOURCES / "Council.sol").read_text("utf-8")
    in_source = set(re.findall(r'keccak256\(\s*"([A-Z]\w+\([^"]+\))"\s*\)', source + council))
    assert in_source == TYPES[name] | COMMON_TYPES
    runtime = artifact(name)["runtime"]
    for text in TYPES[name] | COMMON_TYPES:
        type_name = text.split("(")[0]
        assert eip712.type_string(type_name, eip712.TYPES) == text
        assert keccak(text.encode()).hex() in runtime


def test_types__python_knows_no_other() -> None:
    assert {text.split("(")[0] for texts in (*TYPES.values(), COMMON_TYPES) for text in texts} == set(eip712.TYPES)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_errors__exactly_these__by_selector(name: str) -> None:
    declared = {
        keccak(f"{item['name']}({','.join(field['type'] for field in item['inputs'])})".encode())[:4]
        for item in artifact(name)["abi"]
        if item["type"] == "error"
    }
    assert declared == {keccak(text.encode())[:4] for text in ERRORS[name] | COMMON_ERRORS}


@pytest.mark.parametrize("name", sorted(WRITES))
def test_writes__no_other_way_in(name: str) -> None:
    """What an act of the council can do is tested in Solidity; here: there is no further door (decisions D17)."""
    functions = [item for item in artifact(name)["abi"] if item["type"] in ("function", "receive", "fallback")]
    writing = {item.get("name", item["type"]) for item in functions if item["stateMutability"] not in ("view", "pure")}
    assert writing == WRITES[name] | {"decide", "cancelNonce"}


def test_codes__every_table__has_these_names_and_numbers() -> None:
    codes = json.loads((ARTIFACTS.parent / "codes.json").read_text("utf-8"))
    for table, text in CODES.items():
        words = text.split()
        assert codes[table] == dict(zip(words[::2], map(int, words[1::2]), strict=True))
    assert set(codes) == {*CODES, "agreementMoves", "note"}
    assert set(codes["agreementMoves"]) == set(codes["agreementActs"])


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_bytecode__runs_on_paris(name: str) -> None:
    """PUSH0 (0x5f) is the first opcode that paris lacks; we walk the code so that data after PUSHes does not count."""
    code = bytes.fromhex(artifact(name)["runtime"][2:])
    # The compiler's trailer (its length stands in the last two bytes) is data, not code.
    end = len(code) - 2 - int.from_bytes(code[-2:], "big")
    at, found = 0, []
    while at < end:
        if code[at] in (0x5E, 0x5F):
            found.append(at)
        at += 1 + (code[at] - 0x5F if 0x60 <= code[at] <= 0x7F else 0)
    assert found == []
