"""Usage batches over HTTP: every wrong one is refused whole with its reason, and one number belongs to one batch."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from msgspec import structs
from sqlalchemy import func, select
from sqlmodel import Session

from api.app import create
from api.bodies import MAX_BODY
from clearing.usage import tables
from clearing.usage.batch import MAX_RECORDS, batch_bytes, freeze
from clearing.usage.record import Admitted, Link, decode, encode
from ledger import canonical, signing, sm, store
from ledger.facts import PartsRoot, Signed, Statement
from tests.api.house import serving
from tests.clearing.usage.batches import Line
from tests.counts import few
from tests.usage_world import Source, World, world

PATH = "/api/usage/batches"


@dataclass
class Door:
    """A platform behind a real server; `post` sends as the connector it belongs to."""

    world: World
    client: httpx.Client

    def post(self, body: bytes, source: Source, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {source.token}", "Content-Type": "application/x-ndjson", **headers}
        return self.client.post(PATH, content=body, headers=sent)

    def counted(self) -> tuple[int, ...]:
        """Rows of everything a batch writes."""
        with Session(self.world.system.reader) as session:
            views = (tables.batch, tables.record, tables.finding, tables.answer)
            rows = (session.execute(select(func.count()).select_from(table)).scalar_one() for table in views)
            return (store.count(session), *rows)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = world(tmp_path_factory.mktemp("door") / "home", 8)
    app = create(made.system)
    with serving(app) as client:
        yield Door(made, client)
    made.close()


def fresh(door: Door, number: int = 0) -> Source:
    """A connector that has sent nothing yet, whatever was refused from it before."""
    source = door.world.sources[number]
    line = source.line
    return Source(Line(line.agreement, line.listing, line.policy, line.connector), source.key, source.token)


def reseal(source: Source, parts: list[bytes], **body: Any) -> bytes:
    """Bytes that only the content can refuse: root, count and signature are right for these parts."""
    records = [item.data for item in fresh_records(source, 3)]
    statement = freeze([decode(data) for data in records], 0, None, source.key).statement
    whole = Statement(
        statement.kind, statement.subject, 0, None, statement.body | body, PartsRoot.over(parts) if parts else None
    )  # fmt: skip
    by = f"connector:{source.line.connector}"
    return batch_bytes(Signed(whole, (signing.sign_sm2(source.key, whole, by=by),)), parts)


def fresh_records(source: Source, number: int) -> list[Admitted]:
    line = source.line
    return Line(line.agreement, line.listing, line.policy, line.connector).more(number)


def part(change: Callable[[bytes], bytes]) -> Callable[[Source], bytes]:
    """A batch whose second record was changed, sealed and signed anew by its own connector."""

    def make(source: Source) -> bytes:
        parts = [item.data for item in fresh_records(source, 3)]
        changed = change(parts[1])
        assert changed != parts[1]
        return reseal(source, [parts[0], changed, parts[2]])

    return make


def head(change: Callable[[dict[str, Any]], object]) -> Callable[[Source], bytes]:
    """A good batch whose first line was changed after it was signed."""

    def make(source: Source) -> bytes:
        first, rest = source.body(3).split(b"\n", 1)
        document = json.loads(first)
        change(document)
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" + rest

    return make


def raw(change: Callable[[bytes], bytes]) -> Callable[[Source], bytes]:
    return lambda source: change(source.body(3))


def signature(**values: Any) -> Callable[[Source], bytes]:
    return head(lambda document: document["signatures"][0].update(values))


def sub(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new, 1)


def huge(source: Source) -> bytes:
    return source.body(1) + b"x" * MAX_BODY


def too_many(source: Source) -> bytes:
    first, rest = source.body(1).split(b"\n", 1)
    return first + b"\n" + rest * (MAX_RECORDS + 1)


def transplanted(source: Source) -> bytes:
    """The signed first line of one batch over the records of another."""
    other = fresh_records(source, 3)
    other[2] = decode(encode(structs.replace(other[2].record, latency_ms=9)))
    return batch_bytes(source.freeze(source.records(3)), [item.data for item in other])


def cross_curve(document: dict[str, Any]) -> None:
    """A point of secp256k1, which is not on the SM2 curve, in the place of the key."""
    x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    document["signatures"][0]["key"] = "04" + x + y


BROKEN: dict[str, tuple[Callable[[Source], bytes], int, str]] = {
    # name: (what is sent, status, what the message or field names)
    "empty": (lambda _: b"", 422, "parts"),
    "only line feeds": (lambda _: b"\n" * 100, 422, ""),
    "a million line feeds": (lambda _: b"\n" * 1_000_000, 422, "parts"),
    "no records": (raw(lambda data: data.split(b"\n")[0] + b"\n"), 422, "parts"),
    "not JSON": (raw(lambda data: b"<xml/>" + data), 422, "JSON"),
    "old JSON form": (lambda source: b'{"parts":[],"signatures":[],"statement":{}}', 422, "parts"),
    "cut in the first line": (raw(lambda data: data[200:]), 422, "JSON"),
    "cut in a record": (raw(lambda data: data[:-300]), 422, "statement.parts"),
    "a record missing": (raw(lambda data: data[: data.rstrip().rindex(b"\n")]), 422, "statement.parts"),
    "a record twice": (raw(lambda data: data + data.rstrip().rsplit(b"\n", 1)[1]), 422, "statement.parts"),
    "a record of another batch": (transplanted, 422, "statement.parts"),
    "blank line between": (raw(lambda data: data.replace(b"\n", b"\n\n", 1)), 422, "statement.parts"),
    "carriage returns": (raw(lambda data: data.replace(b"\n", b"\r\n")), 422, ""),
    "UTF-16": (raw(lambda data: data.decode().encode("utf-16")), 422, ""),
    "byte order mark": (raw(lambda data: b"\xef\xbb\xbf" + data), 422, "JSON"),
    "larger than 16 MiB": (huge, 413, "16777216"),
    "more than 5,000 records": (too_many, 422, "5000"),
    "first line unsorted": (raw(lambda data: b'{"statement":' + data), 422, ""),
    "first line with a space": (raw(sub(b'{"signatures":', b'{ "signatures":')), 422, "规范形式"),
    "first line: key twice": (raw(sub(b'"statement":{', b'"statement":{"no":0,')), 422, "规范形式"),
    "first line: unknown field": (head(lambda d: d.update(more=1)), 422, "more"),
    "first line: float": (head(lambda d: d["statement"].update(no=0.5)), 422, ""),
    "first line: key not ASCII": (head(lambda d: d["statement"]["body"].update({"数量": 1})), 422, "ASCII"),
    "first line: huge integer": (head(lambda d: d["statement"].update(no=2**53)), 422, "2^53"),
    "first line: null": (head(lambda d: d.update(statement=None)), 422, ""),
    "first line: deep": (raw(lambda data: b"[" * 100_000 + data), 422, "24"),
    "record unsorted": (part(sub(b'"quantity":1,"reasons":[]', b'"reasons":[],"quantity":1')), 422, "parts[1]"),
    "record with a space": (part(sub(b'"quantity":1', b'"quantity": 1')), 422, "规范形式"),
    "record: key twice": (part(sub(b'"quantity":1', b'"quantity":1,"quantity":1')), 422, "规范形式"),
    "record: unknown field": (part(sub(b'"mode":"M1"', b'"mode":"M1","model":"M1"')), 422, "model"),
    "record: field missing": (part(sub(b'"quantity":1,', b"")), 422, "parts[1].quantity"),
    "record: constant missing": (part(sub(b'"mode":"M1",', b"")), 422, "parts[1].mode"),
    "record: key not ASCII": (part(lambda d: d[:-1] + ',"数":1}'.encode()), 422, "ASCII"),
    "record: float": (part(sub(b'"quantity":1', b'"quantity":1.5')), 422, ""),
    "record: exponent": (part(sub(b'"quantity":1', b'"quantity":1e0')), 422, ""),
    "record: text for a number": (part(sub(b'"quantity":1', b'"quantity":"1"')), 422, "parts[1].quantity"),
    "record: integer beyond 2^53-1": (part(sub(b'"quantity":1', b'"quantity":9007199254740992')), 422, "2^53"),
    "record: negative": (part(sub(b'"quantity":1', b'"quantity":-1')), 422, "parts[1].quantity"),
    "record: null": (part(sub(b'"purpose":"research"', b'"purpose":null')), 422, ""),
    "record: digest too short": (part(sub(b'"user_ref":"c', b'"user_ref":"')), 422, "parts[1].user_ref"),
    "record: digest in capitals": (part(sub(b'"user_ref":"c', b'"user_ref":"C')), 422, "parts[1].user_ref"),
    "record: control character": (part(sub(b'"research"', b'"re\\u0000search"')), 422, "U+0000"),
    "record: bidi mark": (part(sub(b'"research"', '"re\u202esearch"'.encode())), 422, "U+202E"),
    "record: not NFC": (part(sub(b'"research"', '"re\u0301search"'.encode())), 422, "NFC"),
    "record: bad UTF-8": (part(sub(b'"research"', b'"re\xffsearch"')), 422, ""),
    "record: escaped though plain": (part(sub(b'"research"', b'"\\u0072esearch"')), 422, "规范形式"),
    "record: deep": (part(sub(b'"reasons":[]', b'"reasons":' + b"[" * 600 + b"]" * 600)), 422, ""),
    "record: changed, next does not follow": (part(sub(b'"latency_ms":3', b'"latency_ms":4')), 422, "parts[2].prev"),
    "record: number skipped": (part(sub(b'"seq":2', b'"seq":3')), 422, "parts[1].seq"),
    "record: another connector": (part(sub(b'"connector":"conn', b'"connector":"bonn')), 422, "parts[1].connector"),
    "header: count": (lambda s: reseal(s, [i.data for i in fresh_records(s, 3)], count=2), 422, "body.count"),
    "header: range": (lambda s: reseal(s, [i.data for i in fresh_records(s, 3)], last_seq=4), 422, "body.last_seq"),
    "header: agreements": (lambda s: reseal(s, [i.data for i in fresh_records(s, 3)], agreements=[]), 422, "agree"),
    "no commitment to parts": (head(lambda d: d["statement"].pop("parts")), 422, "statement.parts"),
    "kind of something else": (head(lambda d: d["statement"].update(kind="staff/v1")), 422, "statement.kind"),
    "subject of something else": (head(lambda d: d["statement"].update(subject="connector-log:x")), 422, "subject"),
    "no signature": (head(lambda d: d.update(signatures=[])), 403, "签名"),
    "signature of a person": (signature(by="party:91330100MAE0001410"), 403, "签名"),
    "signature too short": (signature(value="00" * 63), 422, "128"),
    "signature too long": (signature(value="00" * 65), 422, "128"),
    "signature of zeros": (signature(value="00" * 64), 403, "签名"),
    "key too short": (signature(key="04" + "11" * 63), 422, "130"),
    "key too long": (signature(key="04" + "11" * 65), 422, "130"),
    "key not on a curve": (signature(key="04" + "11" * 64), 403, "签名"),
    "key of another curve": (head(cross_curve), 403, "签名"),
    "another algorithm": (signature(alg="eip712-secp256k1"), 422, "signatures[0]"),
    "signed for another signer id": (signature(signer_id="somebody"), 403, "签名"),
    "statement changed after signing": (head(lambda d: d["statement"].update(no=1, prev=TWIN)), 403, "签名"),
    "link to a batch that is not there": (lambda s: _later(s), 409, "no"),
}  # fmt: skip

TWIN = {"sha256": "0" * 64, "sm3": "0" * 64}


def _later(source: Source) -> bytes:
    source.body(3)
    return source.body(3)


@pytest.mark.parametrize("name", BROKEN)
def test_batch__broken__refused_whole_with_the_reason(name: str, door: Door) -> None:
    make, status, reason = BROKEN[name]
    before, source = door.counted(), fresh(door)
    answer = door.post(make(source), source)
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert {"error", "message"} <= document.keys()
    assert reason in document["message"] + document.get("field", "") + document.get("expected", "")
    assert not document["message"].split(" / ")[0][:60].isascii()
    assert door.counted() == before


def test_batch__signed_by_a_stranger_for_the_connector__refused(door: Door) -> None:
    source, before = fresh(door), door.counted()
    source.key = sm.generate()
    answer = door.post(source.body(2), source)
    assert (answer.status_code, answer.json()["error"]) == (403, "BadSignature")
    assert "登记在案" in answer.text
    assert door.counted() == before


def test_batch__sent_with_the_key_of_another_connector__refused(door: Door) -> None:
    source, before = fresh(door), door.counted()
    source.token = door.world.sources[1].token
    assert door.post(source.body(2), source).status_code == 403
    source.token = "sq_x_y"
    assert door.post(source.body(2), source).status_code == 401
    assert door.counted() == before


@pytest.mark.parametrize("given", ["application/json", "text/plain", "", "application/x-ndjson-seq"])
def test_batch__other_content_type__415(given: str, door: Door) -> None:
    source = fresh(door)
    answer = door.post(source.body(1), source, **{"Content-Type": given})
    assert (answer.status_code, answer.json()["expected"]) == (415, "application/x-ndjson")


def test_batch__good_then_again__same_answer_byte_for_byte(door: Door) -> None:
    source = fresh(door, 2)
    body = source.body(3)
    first = door.post(body, source)
    assert first.status_code == 200, first.text
    before = door.counted()
    again = [door.post(body, source).content, door.post(body.removesuffix(b"\n"), source).content]
    assert again == [first.content] * 2
    assert canonical.decode(first.content)["classes"] == {"OK": 3}
    assert door.counted() == before


def test_batch__largest_lawful__taken(door: Door) -> None:
    source = fresh(door, 3)
    assert door.post(source.body(MAX_RECORDS), source).status_code == 200


def test_two_writers__of_one_connector__each_number_once(door: Door) -> None:
    """Both hold the key and sign different records over the same numbers: one batch is taken, the other kept as
    refused; the numbers stay contiguous."""
    rounds = few(15)
    source = fresh(door, 4)
    line, name = source.line, source.line.connector
    for no in range(rounds):
        before, prev = line.prev, source.prev
        made = []
        for latency in (1, 2):
            twin_line = Line(line.agreement, line.listing, line.policy, name)
            twin_line.seq, twin_line.prev = no * 4, before
            records = twin_line.more(4, latency_ms=latency)
            made.append((records, freeze(records, no, prev, source.key)))
        gate = threading.Barrier(2)

        def send(item: tuple[list[Admitted], Signed], gate: threading.Barrier = gate) -> int:
            body = batch_bytes(item[1], [record.data for record in item[0]])
            gate.wait()
            return door.post(body, source).status_code

        with ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(send, made))
        assert sorted(statuses) == [200, 409]
        records, signed = made[statuses.index(200)]
        line.seq, line.prev = records[-1].record.seq, Link.to(records[-1].digest)
        source.no, source.prev = no + 1, signed.statement.digest()
    with Session(door.world.system.reader) as session:
        table = tables.record
        seqs = session.execute(select(table.c.seq).where(table.c.connector == name).order_by(table.c.seq)).scalars()
        assert list(seqs) == list(range(1, 4 * rounds + 1))
        refused = select(func.count()).select_from(tables.refusal).where(tables.refusal.c.connector == name)
        assert session.execute(refused).scalar_one() == rounds
        assert session.execute(select(tables.finding).where(tables.finding.c.connector == name)).first() is None
