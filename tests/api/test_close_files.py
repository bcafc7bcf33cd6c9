"""The file of a close goes from hand to hand: whatever is in it, it is refused in words before a key is read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api import keyfiles
from api.cli import app
from clearing.settlement.close import Totals, close_of
from ledger import canonical
from ledger.digest import TwinDigest
from ledger.facts import Statement
from ledger.reading import body_of

DOMAIN = {"address": f"0x{1:040x}", "chain_id": 1}
STATEMENT = {"body": {}, "kind": "cycle-closed/v1", "no": 0, "subject": "close:x"}
WHOLE: dict[str, Any] = {"domain": DOMAIN, "signatures": [], "statement": STATEMENT}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "不是有效的 JSON"),
        ("[]", "不是关账文件"),
        (WHOLE | {"more": 1}, "不是关账文件"),
        (WHOLE | {"statement": 1}, "statement"),
        (WHOLE | {"statement": STATEMENT | {"kind": "statement/v1"}}, "cycle-closed/v1"),
        (WHOLE | {"statement": STATEMENT | {"body": {"totals": 1.5}}}, "不接受小数"),
        (WHOLE | {"signatures": {}}, "signatures"),
        (WHOLE | {"signatures": [1]}, "signature"),
        (WHOLE | {"domain": DOMAIN | {"chain_id": 0}}, "domain.chain_id"),
        (WHOLE | {"domain": DOMAIN | {"address": "0x1"}}, "domain.address"),
    ],
)
@pytest.mark.parametrize("command", ["close-sign", "close"])
def test_close_file__of_any_other_content__refused_in_words_and_left_as_it_is(
    tmp_path: Path, command: str, content: Any, told: str
) -> None:
    file, token = tmp_path / "close.json", tmp_path / "token"
    file.write_text(content if isinstance(content, str) else json.dumps(content, separators=(",", ":"), sort_keys=True))
    token.write_text("x")
    token.chmod(0o600)
    before = file.read_bytes()
    more = {
        "close-sign": ["--key", str(token), "--yes"],
        "close": ["--url", "http://127.0.0.1:1", "--api-key", str(token)],
    }
    done = CliRunner().invoke(app, ["settle", command, str(file), *more[command]])
    assert (done.exit_code, told in done.output) == (2, True), done.output
    assert file.read_bytes() == before


OPERATOR = "91310000OPERATOR01"
TRUST = Path(__file__).parent.parent / "vectors" / "example-trust.json"


def trusting(path: Path, **chain: Any) -> Path:
    """The example's trust file with the operator of these tests, and other words about the chain if given."""
    document = json.loads(TRUST.read_text())
    document["identities"][f"party:{OPERATOR}"] = {"sm2": "04" + "1" * 128, "roles": ["operator"]}
    document["chain"] |= chain
    path.write_text(json.dumps(document))
    return path


def kept(path: Path, auditor: str, change: dict[str, Any], domain: dict[str, Any]) -> Path:
    """The file of a close for the chain and the contract of the example's trust file."""
    body = body_of(
        close_of(
            cycle="x", operator=OPERATOR, period="2026-08", currency="CNY",
            statements=[TwinDigest(bytes(32), bytes(32))], totals=Totals(1, 1, 1, 1, 1, 1, 0, "0" * 64),
            closed_at=1, auditor=auditor, deadline=2,
        )
    )  # fmt: skip
    statement = Statement("cycle-closed/v1", "close:x", 0, None, body | change)
    book = json.loads(TRUST.read_text())["chain"]
    where = {"chain_id": book["chain_id"], "address": book["contracts"]["SettlementBook"]["address"]} | domain
    path.write_bytes(canonical.encode({"statement": statement.document(), "domain": where, "signatures": []}))
    return path


def sign(tmp_path: Path, *more: object, body: Any = None, domain: Any = None) -> tuple[int, str, bool]:
    """Exit code, what was said, and whether the file was signed; the auditor's own key."""
    key = tmp_path / "key.json"
    made = keyfiles.create(key, "party:91310000AUDITOR001")
    file = kept(tmp_path / "close.json", made.address, body or {}, domain or {})
    done = CliRunner().invoke(
        app, ["settle", "close-sign", str(file), "--key", str(key), "--yes", *map(str, more)]
    )  # fmt: skip
    return done.exit_code, done.output, bool(json.loads(file.read_bytes())["signatures"])


OTHER = "91310000OTHER00001"


@pytest.mark.parametrize(
    ("body", "domain", "field", "expected", "given"),
    [
        ({}, {"chain_id": 31338}, "domain.chain_id", "31337", "31338"),
        ({}, {"address": "0x" + "05" * 20}, "domain.address", "0x04" + "a1" * 19, "0x" + "05" * 20),
        ({"operator": OTHER}, {}, "operator", f"party:{OPERATOR}", f"party:{OTHER}"),
        (
            {"operator_id": "0" * 64}, {}, "operator_id",
            hashlib.sha256(b"shuqing/operator/v1\0" + OPERATOR.encode()).hexdigest(), "0" * 64,
        ),
    ],
)  # fmt: skip
def test_close_sign__for_another_chain_contract_or_operator_than_trusted__refused_and_named(
    tmp_path: Path, body: Any, domain: Any, field: str, expected: str, given: str
) -> None:
    code, said, signed = sign(tmp_path, "--trust", trusting(tmp_path / "trust.json"), body=body, domain=domain)
    assert (code, signed) == (2, False), said
    assert f"Field {field}: expected {expected}, given {given}." in said


def test_close_sign__as_trusted__says_what_was_compared_and_signs(tmp_path: Path) -> None:
    code, said, signed = sign(tmp_path, "--trust", trusting(tmp_path / "trust.json"))
    assert (code, signed) == (0, True), said
    assert "Chain, contract and operator agree with the trust file." in said


def test_close_sign__without_a_trust_file__says_in_one_line_that_nothing_was_compared(tmp_path: Path) -> None:
    code, said, signed = sign(tmp_path, domain={"chain_id": 31338})
    assert (code, signed) == (0, True), said
    lines = [line for line in said.splitlines() if "compared with nothing" in line]
    assert len(lines) == 1
    assert "没有与任何信任文件核对" in lines[0]


def test_close_sign__trust_file_without_the_contract_or_an_operator__refused(tmp_path: Path) -> None:
    code, said, signed = sign(tmp_path, "--trust", trusting(tmp_path / "trust.json", contracts={}))
    assert (code, signed, "trust.chain.contracts" in said) == (2, False, True), said
    (tmp_path / "key.json").unlink()
    code, said, signed = sign(tmp_path, "--trust", TRUST)
    assert (code, signed, "Field operator: " in said) == (2, False, True), said
