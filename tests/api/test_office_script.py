"""The script of the office pages in Node: its keys and signatures are those of the Python library, byte for byte, and
the table it shows is made from what it signs."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import keyfiles
from api.desk.takers import typed_is_good
from api.office import spoken
from clearing.market.agreement import (
    Act,
    Ground,
    GroundKind,
    State,
    Terms,
    act_of,
    act_statement,
    terms_digest,
    terms_parts,
    typed_digest,
)
from clearing.pricing.quote import statement_of
from clearing.pricing.trial import price_case
from ledger import canonical, eip712, sm
from ledger.facts import EIP712, PartsRoot, Signature, Statement
from ledger.reading import body_of, read
from ledger.signing import verify_sm2
from registry.asset import Twin
from registry.form import SUBMITTED
from registry.party import IdType, Person, commitment_of, identity_of, masked_name, number_is_valid, party_subject
from scripts.build_office_page import build
from scripts.build_verifier_page import ESBUILD, ROOT
from tests.clearing.market.house import CONSUMER, terms_of
from tests.clearing.market.talks import concluding, signers
from tests.clearing.pricing.pricing_cases import changed, example
from tests.registry.registry_house import HUMAN, HUMAN_NUMBER, a_form

ENTRY = """
import { open, lock } from "./keys.mjs";
import { newKeys, publicOf, addressOf } from "./sm2.mjs";
import { readStatement, shown, signText } from "./statement.mjs";
import { signAct } from "./act.mjs";
import { documentOf, rootOf } from "./parts.mjs";
import * as person from "./person.mjs";
globalThis.Office = {
  open, lock, newKeys, publicOf, addressOf, readStatement, shown, signText, signAct, documentOf, rootOf, ...person,
};
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script's own modules without the page's wiring, bundled as the page is."""
    if shutil.which("node") is None or not ESBUILD.exists():
        pytest.skip("Node and the locked packages are needed")
    file = tmp_path_factory.mktemp("script") / "office.cjs"
    command = [str(ESBUILD), "--bundle", "--format=cjs", "--platform=node", "--charset=utf8", f"--outfile={file}"]
    folder = ROOT / "scripts" / "office_page"
    done = subprocess.run(command, cwd=folder, input=ENTRY, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return file


def run(bundle: Path, program: str, **given: Any) -> Any:
    """The value of an async program over `Office` and `given`."""
    text = (
        f"require({json.dumps(str(bundle))}); globalThis.sessionStorage ??= {{ getItem: () => null }};"
        f" const given = {json.dumps(given)};"
        f" (async () => {{ {program} }})().then((value) => console.log(JSON.stringify(value)))"
        ".catch((error) => console.log(JSON.stringify({ error: error.message })));"
    )
    done = subprocess.run(["node", "-e", text], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_signature__made_by_the_script__the_library_verifies(bundle: Path, tmp_path: Path) -> None:
    keys = keyfiles.create(tmp_path / "k.json", "staff:clerk")
    statement = Statement(SUBMITTED, "application:" + "a" * 32, 0, None, body_of(a_form()))
    given = {"text": statement.bytes().decode(), "file": (tmp_path / "k.json").read_text()}
    program = "const keys = await Office.open(given.file, ''); return Office.signText(given.text, keys, 'intake')"
    for _ in range(3):
        document = run(bundle, program, **given)
        signature = Signature.of_document(document)
        assert (signature.by, signature.role, signature.key) == ("staff:clerk", "intake", keys.sm2.public)
        assert verify_sm2(statement, signature)
    assert run(bundle, program, **given)["value"] != document["value"], "a fresh nonce each time"


def test_keys__made_by_the_script__are_a_key_file_of_the_command_line(bundle: Path, tmp_path: Path) -> None:
    made = run(bundle, "return Office.newKeys('party:91330100MAE0001410')")
    file = tmp_path / "made.json"
    file.write_text(json.dumps(made))
    file.chmod(0o600)
    loaded = keyfiles.load(file)
    told = run(
        bundle, "const k = await Office.open(given.file, ''); return [k.public, k.address]", file=json.dumps(made)
    )
    assert told == [loaded.sm2.public, loaded.address.lower()]


def test_key_file__locked__opens_with_its_passphrase_only(bundle: Path) -> None:
    program = """
      const keys = Office.newKeys('staff:clerk'), file = await Office.lock(keys, given.pass);
      const tried = async (text, pass) => {
        try { return (await Office.open(text, pass)).sm2 === keys.sm2; } catch (error) { return error.message; }
      };
      const other = file.replace('"staff:clerk"', '"staff:other"');
      const damaged = file.replace(/"data": "../u, '"data": "f0f0');
      return [
        file.includes(keys.sm2), await tried(file, given.pass), await tried(file, given.pass + ' '),
        await tried(file, ''),
        await tried(other, given.pass), await tried(damaged, given.pass), await tried('{}', ''), await tried('x', ''),
      ];
    """  # fmt: skip
    found = run(bundle, program, **{"pass": "口令一二三四五六"})
    assert found[:2] == [False, True]
    assert all(isinstance(item, str) and not item.isascii() for item in found[2:]), found
    short = run(bundle, "return await Office.lock(Office.newKeys('staff:x'), '短')")
    assert "至少 8 个字符" in short["error"]


def test_person__made_by_the_script__is_the_librarys__and_stays_in_the_locked_file(bundle: Path) -> None:
    """Commitment, identity and masked name byte for byte; another salt each time."""
    program = """
      const person = Office.newPerson(given.kind, given.number, given.name), made = Office.commitmentOf(person);
      const keys = { ...Office.newKeys(Office.holderOf(made)), person };
      const file = await Office.lock(keys, '口令一二三四五六');
      const opened = await Office.open(file, '口令一二三四五六');
      return { person, made, by: keys.by, masked: Office.maskedName(person.name), file, opened: opened.person };
    """
    given = {"kind": "居民身份证", "number": HUMAN_NUMBER, "name": HUMAN}
    told, again = run(bundle, program, **given), run(bundle, program, **given)
    person = read(Person, told["person"])
    assert told["made"] == body_of(commitment_of(person))
    assert told["by"] == party_subject(identity_of(commitment_of(person)))
    assert told["masked"] == masked_name(HUMAN)
    assert told["opened"] == told["person"]
    assert again["by"] != told["by"]
    for secret in (HUMAN_NUMBER, HUMAN, person.salt):
        assert secret not in told["file"]


@pytest.mark.parametrize("kind", ["居民身份证", "其他证件"])
def test_person__numbers__are_judged_as_by_the_library(bundle: Path, kind: str) -> None:
    numbers = [HUMAN_NUMBER[:-1] + last for last in "0123456789Xx"] + [
        "",
        "E1234567",
        "e1234567",
        "E 12",
        "E12",
        "（1）A",
    ]
    found = run(
        bundle, "return given.numbers.map((n) => Office.numberIsValid(given.kind, n))", kind=kind, numbers=numbers
    )
    assert found == [number_is_valid(IdType(kind), number) for number in numbers]
    refused = run(bundle, "return Office.newPerson(given.kind, 'e 1', '张三')", kind=kind)
    assert "证件号码" in refused["error"]


def test_shown__is_everything_that_is_signed(bundle: Path) -> None:
    """Each text and number of the statement stands in the table the signer reads."""
    statement = Statement(SUBMITTED, "application:" + "a" * 32, 0, None, body_of(a_form()))
    rows = run(
        bundle, "return Office.shown(Office.readStatement(given.text).statement)", text=statement.bytes().decode()
    )
    table = json.dumps(rows, ensure_ascii=False)

    def scalars(value: Any) -> Any:
        if isinstance(value, dict):
            for item in value.values():
                yield from scalars(item)
        elif isinstance(value, list):
            for item in value:
                yield from scalars(item)
        else:
            yield value

    for value in scalars(statement.document()):
        assert value in (True, False, "") or str(value) in table, value
    assert "数据持有权（HOLD）" in table


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(":0,", ": 0,"),
        lambda text: text[:-1] + ',"no":0}',
        lambda text: text.replace("无", "\u202e无", 1),
        lambda text: text + " ",
        lambda text: "[1]",
        lambda text: "{}",
    ],
)
def test_text__that_is_not_the_one_form__is_not_signed(bundle: Path, change: Any, tmp_path: Path) -> None:
    keyfiles.create(tmp_path / "k.json", "staff:clerk")
    statement = Statement(SUBMITTED, "application:" + "a" * 32, 0, None, body_of(a_form()))
    text = change(statement.bytes().decode())
    with pytest.raises(Exception):  # noqa: B017
        Statement.of_document(canonical.decode(text.encode()))
    program = "return Office.signText(given.text, await Office.open(given.file, ''))"
    answer = run(bundle, program, text=text, file=(tmp_path / "k.json").read_text())
    assert "error" in answer


def test_build__no_address_of_anybody_and_the_same_bytes_again() -> None:
    if not ESBUILD.exists():
        pytest.skip("the locked packages are needed")
    data = build()
    assert data == build()
    assert b"http://" not in data.replace(b"http://www.w3.org", b"")
    assert b"eval(" not in data


def test_known_answer__private_one_is_the_generator(bundle: Path) -> None:
    key = sm.from_private((1).to_bytes(32, "big"))
    assert run(bundle, "return Office.publicOf('0'.repeat(63) + '1')") == key.public
    for wrong in ("0" * 64, "f" * 64):
        assert "error" in run(bundle, "return Office.publicOf(given.d)", d=wrong)


# Acts of agreements and what a statement commits to ----------------------------------------------------------------

CONSUMER_KEYS = {"by": f"party:{CONSUMER}", "ed25519": "1" * 64, "evm": "2" * 64, "sm2": "3" * 64}


def an_act(**changes: Any) -> tuple[Statement, tuple[bytes, ...], Terms]:
    """The act that concludes an agreement whose consumer holds the keys above, with the parts of its terms."""
    terms = terms_of("a" * 32, Twin("0" * 64, "0" * 64))
    address = eip712.address_of(bytes.fromhex(CONSUMER_KEYS["evm"])).lower()
    by = tuple(replace(signer, address=address) if signer.party == CONSUMER else signer for signer in signers())
    act = replace(concluding(terms, "b" * 64, by), **changes)
    return act_statement(f"agreement:{'c' * 64}", 0, None, act, terms), terms_parts(terms), terms


SIGN = "return Office.signAct(Office.readStatement(given.text).statement, keys, given.role, given.address)"
OPEN = "const keys = await Office.open(JSON.stringify(given.keys), '');"


def test_act__second_signature_made_by_the_script__is_the_librarys(bundle: Path) -> None:
    """Over acts with and without terms, ground and predecessor; the nonce is fresh each time."""
    ground = Ground(GroundKind.STATUTORY, "演示", "d" * 64)
    concluded, _, terms = an_act()
    later = replace(
        act_of(concluded), act=Act.RESCIND, from_state=State.EFFECTIVE, to_state=State.RESCINDED, fields=None,
        ground=ground, terms_digest=terms_digest(terms),
    )  # fmt: skip
    rescinded = act_statement(concluded.subject, 1, concluded.digest(), later)
    for statement in (concluded, rescinded):
        signer = next(item for item in act_of(statement).signers if item.party == CONSUMER)
        given = {
            "text": statement.bytes().decode(),
            "keys": CONSUMER_KEYS,
            "role": "CONSUMER",
            "address": signer.address,
        }
        made, again = (run(bundle, OPEN + SIGN, **given) for _ in range(2))
        assert made["nonce"] != again["nonce"]
        signature = Signature.of_document(made)
        assert (signature.alg, signature.by, signature.role) == (EIP712, f"party:{CONSUMER}", "CONSUMER")
        digest = typed_digest(statement, signer, int(signature.nonce))
        assert eip712.recover(digest, bytes.fromhex(signature.value)).lower() == signer.address
        assert typed_is_good(statement, signature)


def test_act__for_another_address_or_role__is_not_signed(bundle: Path) -> None:
    statement, _, _ = an_act()
    address = next(item.address for item in act_of(statement).signers if item.party == CONSUMER)
    for role, at in (("CONSUMER", "0x" + "11" * 20), ("PROVIDER", address)):
        told = run(
            bundle, OPEN + SIGN, text=statement.bytes().decode(), keys=CONSUMER_KEYS, role=role, address=at
        )  # fmt: skip
        assert "error" in told, told


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 21])
def test_parts__their_root__is_the_librarys(bundle: Path, count: int) -> None:
    parts = tuple(canonical.encode({"field": f"f{i}", "salt": "0" * 64, "value": i}) for i in range(count))
    expected = PartsRoot.over(parts)
    found = run(bundle, "return Office.rootOf(given.parts)", parts=[part.decode() for part in parts])
    assert found == {"count": count, "root": expected.root.document()}


def test_parts__shown_is_every_element_of_what_is_signed__amounts_in_yuan(bundle: Path) -> None:
    statement, parts, terms = an_act()
    program = """
      const { statement } = Office.readStatement(given.text), content = Office.documentOf(statement, given.parts);
      return Office.shown(statement, content);
    """
    told = run(bundle, program, text=statement.bytes().decode(), parts=[part.decode() for part in parts])
    table = json.dumps(told, ensure_ascii=False)
    for block in spoken.blocks(body_of(terms), "terms", {}):
        for line in block.lines:
            for text in line.text.split("；"):
                assert text.removesuffix("%") in table, line
    assert "0.35 元（35 分）" in table


@pytest.mark.parametrize("spoil", ["value", "order", "missing", "none", "digest"])
def test_parts__that_are_not_those_of_the_statement__are_not_shown_as_if_they_were(bundle: Path, spoil: str) -> None:
    statement, parts, _ = an_act(**({"terms_digest": Twin("1" * 64, "2" * 64)} if spoil == "digest" else {}))
    texts = [part.decode() for part in parts]
    if spoil == "value":
        texts = [text.replace("演示仲裁委员会", "某某法院") for text in texts]
        assert texts != [part.decode() for part in parts]
    texts = {"order": [*texts[1:], texts[0]], "missing": texts[1:], "none": []}.get(spoil, texts)
    program = "return Office.documentOf(Office.readStatement(given.text).statement, given.parts)"
    assert "不能签署" in run(bundle, program, text=statement.bytes().decode(), parts=texts)["error"]


def a_quote() -> tuple[Statement, tuple[bytes, bytes]]:
    document = changed(example(), "/request/element/citable", True)
    report = price_case(document)
    return statement_of(report, "party:91110000MA0000001X"), (report.data, report.evidence)


def test_quote__shown_with_its_own_names_and_its_price_in_yuan(bundle: Path) -> None:
    statement, parts = a_quote()
    program = """
      const { statement } = Office.readStatement(given.text), content = Office.documentOf(statement, given.parts);
      return Office.shown(statement, content);
    """
    told = dict(run(bundle, program, text=statement.bytes().decode(), parts=[part.decode() for part in parts]))
    fen = statement.body["guide_fen"]
    assert told["指导价"] == f"{fen // 100}.{fen % 100:02d} 元（{fen} 分）"
    assert told["指导价种类"].startswith("竞价指导价")
    assert "北京时间" in told["定价时点"]


@pytest.mark.parametrize("spoil", ["report", "evidence", "order", "one", "price"])
def test_quote__over_another_report_or_evidence__is_not_signed(bundle: Path, spoil: str) -> None:
    """Also where the statement commits to the parts as they are: its body says another report."""
    statement, (report, evidence) = a_quote()
    parts = {
        "report": (report.replace("运行分析".encode(), "别的场景".encode()), evidence),
        "evidence": (report, evidence.replace("运行分析".encode(), "别的场景".encode())),
        "order": (evidence, report),
        "one": (report,),
        "price": (report, evidence),
    }[spoil]
    body = statement.body | ({"guide_fen": 1} if spoil == "price" else {})
    stated = Statement(statement.kind, statement.subject, 0, None, body, PartsRoot.over(parts))
    program = "return Office.documentOf(Office.readStatement(given.text).statement, given.parts)"
    answer = run(bundle, program, text=stated.bytes().decode(), parts=[part.decode() for part in parts])
    assert "不能签署" in answer["error"]
