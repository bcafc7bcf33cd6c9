"""Every fact of one subject in one file, with the proof that none is left out: format `shuqing-subject/v1`.

One canonical JSON document, a trailing line feed tolerated:

    {"format": "shuqing-subject/v1", "subject": "type:id",
     "map":   the bundle (`ledger.bundle`) of the map fact the answer rests on,
     "leaf":  {"key", "count", "last"}           twin digests and a number; absent if the way ends in EMPTY
     "path":  {"sha256", "sm3"}                  siblings in the map, nearest first (`ledger.completeness`)
     "facts": [row, …]                           the acts the map covers, in order
     "newer": [row, …]}                          acts taken in since: their order is linked, their number not covered

A row is {"fact": …} or, where the text was erased or is not for the reader's eyes,
{"closed": {"no", "prev"?, "statement", "why": "erased" | "withheld"}}. The statement digest of such a row is proved by
the act after it (or by the leaf); its `prev` is only said.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ledger import bundle, canonical, completeness, subject_map, tables, verify
from ledger.bundle import Bundle, path_document, path_of_document
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.completeness import Leaf
from ledger.digest import TwinDigest
from ledger.errors import ChainUnavailable, FieldError, LedgerError, Malformed
from ledger.facts import SM2, Fact, Statement, require_fields
from ledger.signing import verify_sm2
from ledger.trust import Trust
from ledger.verify import KindRules, Refused, Report, Status, Step

FORMAT = "shuqing-subject/v1"
ERASED, WITHHELD = "erased", "withheld"


class NotCovered(LedgerError):
    """No published map can answer for the log yet; the next head will bring one."""

    def __init__(self) -> None:
        super().__init__(
            "尚无已发布的事项总目，请稍后再取。 / No map of subjects is published yet; ask again after the next head."
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One act: its number, link and statement digest, and the fact itself unless it is closed (`why`)."""

    no: int
    prev: TwinDigest | None
    statement: TwinDigest
    fact: Fact | None
    why: str = ""

    @classmethod
    def of_fact(cls, fact: Fact) -> Row:
        statement = fact.statement
        return cls(statement.no, statement.prev, statement.digest(), fact)

    def document(self) -> dict[str, Any]:
        if self.fact is not None:
            return {"fact": self.fact.document()}
        closed: dict[str, Any] = {"no": self.no, "statement": self.statement.document(), "why": self.why}
        if self.prev is not None:
            closed["prev"] = self.prev.document()
        return {"closed": closed}

    @classmethod
    def of_document(cls, value: Any, where: str) -> Row:
        """Reads a row. Raises `FieldError`."""
        if isinstance(value, dict) and set(value) == {"fact"}:
            return cls.of_fact(Fact.of_document(value["fact"]))
        require_fields(value, where, {"closed"}, set())
        closed, at = value["closed"], f"{where}.closed"
        require_fields(closed, at, {"no", "statement", "why"}, {"prev"})
        if type(closed["no"]) is not int or closed["no"] < 0:
            raise FieldError(f"{at}.no", "≥ 0", repr(closed["no"])[:80])
        if closed["why"] not in (ERASED, WITHHELD):
            raise FieldError(f"{at}.why", f"{ERASED} | {WITHHELD}", repr(closed["why"])[:80])
        prev = TwinDigest.of_document(closed["prev"], f"{at}.prev") if "prev" in closed else None
        statement = TwinDigest.of_document(closed["statement"], f"{at}.statement")
        return cls(closed["no"], prev, statement, None, closed["why"])


@dataclass(frozen=True, slots=True)
class Answer:
    """The file as values; `bytes()` is the file."""

    subject: str
    map: Bundle
    leaf: Leaf | None
    path: tuple[TwinDigest, ...]
    facts: tuple[Row, ...]
    newer: tuple[Row, ...]

    def bytes(self) -> builtins.bytes:
        document: dict[str, Any] = {
            "facts": [row.document() for row in self.facts],
            "format": FORMAT,
            "map": self.map.document(),
            "newer": [row.document() for row in self.newer],
            "path": path_document(self.path),
            "subject": self.subject,
        }
        if self.leaf is not None:
            key, last = completeness.parted(self.leaf.key), completeness.parted(self.leaf.last)
            document["leaf"] = {"count": self.leaf.acts, "key": key.document(), "last": last.document()}
        return canonical.encode(document) + b"\n"

    @classmethod
    def of_bytes(cls, data: builtins.bytes) -> Answer:
        """Reads an answer strictly. Raises `Malformed` or `FieldError`."""
        value = canonical.decode(data.removesuffix(b"\n"))
        require_fields(value, "answer", {"facts", "format", "map", "newer", "path", "subject"}, {"leaf"})
        if value["format"] != FORMAT:
            raise FieldError("format", FORMAT, repr(value["format"])[:80])
        Statement("subject/v1", value["subject"], 0, None, {})
        for name in ("facts", "newer"):
            if not isinstance(value[name], list):
                raise FieldError(name, "列表 / a list", repr(value[name])[:80])
        return cls(
            value["subject"],
            Bundle.of_bytes(canonical.encode(value["map"])),
            _leaf(value["leaf"]) if "leaf" in value else None,
            path_of_document(value["path"], "path"),
            *(
                tuple(Row.of_document(item, f"{name}[{i}]") for i, item in enumerate(value[name]))
                for name in ("facts", "newer")
            ),
        )


def recognised(data: builtins.bytes) -> bool:
    """Does this file say that it is an answer, and not a bundle?"""
    try:
        value = canonical.decode(data.removesuffix(b"\n"))
    except Malformed:
        return False
    return isinstance(value, dict) and value.get("format") == FORMAT


def assemble(
    session: Session, origin: str, subject: str, may_read: Callable[[Fact], bool] = lambda fact: True
) -> Answer:
    """All facts of a subject under the published map; those the reader may not see are closed.

    Raises `FieldError` for a text that names no subject, `NotCovered` before the first map is published.
    """
    Statement("subject/v1", subject, 0, None, {})
    stated = subject_map.published(session, origin)
    if stated is None:
        raise NotCovered()
    size, root, _ = subject_map.read(stated)
    leaf, siblings = subject_map.prove(session, subject, size)
    key = completeness.key_of(subject)
    if completeness.root_of_path(key, leaf, siblings) != completeness.joined(root):
        # The chain was set back, and rows of its older map are gone: the next head brings a new one.
        raise NotCovered()
    covered = leaf.acts if leaf is not None and leaf.key == key else 0
    rows = tuple(_rows(session, subject, may_read))
    path = tuple(completeness.parted(sibling) for sibling in siblings)
    return Answer(subject, bundle.assemble(session, stated.id), leaf, path, rows[:covered], rows[covered:])


def verify_answer(
    data: builtins.bytes,
    trust: Trust,
    *,
    chain: Chain | None = None,
    head: Checkpoint | None = None,
    rules: Mapping[str, KindRules] | None = None,
) -> Report:
    """Are these all facts of the subject in the first entries of the log? A numbered list, as for a bundle.

    Status COMPLETE or NONE with the number of acts and entries, as of the map fact. Raises `ChainUnavailable`.
    """
    steps: list[Step] = []
    report: Report | None = None

    def done(code: str, name: str, ok: bool = True, detail: str = "") -> None:
        steps.append(Step(len(steps) + 1, code, name, ok, detail))

    try:
        found = Answer.of_bytes(data)
        if found.bytes() not in (data, data + b"\n"):
            raise Refused("C01", "字节与含义一一对应 / bytes that say all that was read", "另一种写法 / another form")
        done("C01", _NAMES["C01"])
        report = verify.verify(found.map.bytes(), trust, chain=chain, head=head, rules=rules)
        if report.failed is not None:
            raise Refused("C02", "完好的证据包 / an intact bundle", f"{report.failed.code} {report.failed.detail}")
        done("C02", _NAMES["C02"])
        for code, check in (("C03", _path), ("C04", _linked), ("C05", _signed)):
            check(found, trust)
            done(code, _NAMES[code])
    except ChainUnavailable:
        raise  # no answer is no verdict
    except LedgerError as error:
        code = error.code if isinstance(error, Refused) else f"C{len(steps) + 1:02}"
        done(code, _NAMES[code], False, str(error))
    level = report.trust_level if report else ("T2" if chain is not None else "T1")
    if not steps[-1].ok:
        return Report(tuple(steps), False, Status("UNKNOWN"), level, ())
    return Report(tuple(steps), True, _status(found), level, tuple(_limits(found)))


_NAMES = {
    "C01": "严格解析 / strict parse",
    "C02": "总目的证据包 / bundle of the map fact",
    "C03": "总目路径 / path in the map",
    "C04": "项数与前后衔接 / count and links",
    "C05": "事项签名 / signatures of the acts",
}


def _path(found: Answer, trust: Trust) -> None:
    fact = found.map.main.fact
    wanted = (subject_map.KIND, subject_map.subject_of(trust.origin))
    if (fact.kind, fact.subject) != wanted:
        raise Refused("C03", " ".join(wanted), f"{fact.kind} {fact.subject}")
    size, root, _ = subject_map.read(fact)
    if found.map.main.index < size:
        raise Refused("C03", f"总目在其所述条目之后 / a map fact after the {size} entries", str(found.map.main.index))
    siblings = [completeness.joined(step) for step in found.path]
    reached = completeness.root_of_path(completeness.key_of(found.subject), found.leaf, siblings)
    if reached is None:
        raise Refused("C03", "该事项所经之路 / the way of this subject", "另一条路 / another way")
    got = completeness.parted(reached)
    for name in ("sha256", "sm3"):
        if getattr(got, name) != getattr(root, name):
            raise Refused("C03", f"{name} {getattr(root, name).hex()}", getattr(got, name).hex())


def _linked(found: Answer, trust: Trust) -> None:
    own = found.leaf if found.leaf is not None and found.leaf.key == completeness.key_of(found.subject) else None
    count = own.acts if own else 0
    if len(found.facts) != count:
        raise Refused("C04", f"{count} 项 / acts", f"{len(found.facts)}")
    prev: TwinDigest | None = None
    for no, row in enumerate((*found.facts, *found.newer)):
        subject = row.fact.subject if row.fact else found.subject
        if (subject, row.no) != (found.subject, no):
            raise Refused("C04", f"{found.subject} #{no}", f"{subject} #{row.no}")
        if row.prev != prev:
            raise Refused("C04", f"#{no} 衔接前项 / #{no} linked to the act before", "不衔接 / not linked")
        prev = row.statement
        if own is not None and no == count - 1 and completeness.joined(prev) != own.last:
            raise Refused("C04", completeness.parted(own.last).sha256.hex(), prev.sha256.hex())


def _signed(found: Answer, trust: Trust) -> None:
    for row in (*found.facts, *found.newer):
        for signature in row.fact.signatures if row.fact else ():
            if signature.alg == SM2 and row.fact and not verify_sm2(row.fact.statement, signature):
                raise Refused("C05", f"{signature.by} 的有效签名 / a valid signature", f"#{row.no} 不符 / differs")


def _status(found: Answer) -> Status:
    fact = found.map.main.fact
    size, _, _ = subject_map.read(fact)
    reason = f"前 {size} 条目中共 {len(found.facts)} 项 / {len(found.facts)} acts in the first {size} entries"
    return Status("COMPLETE" if found.facts else "NONE", reason, fact.at)


def _limits(found: Answer) -> Iterator[str]:
    yield "每项签名者的公钥归属（见该项证据包） / whose keys signed each act: take its own bundle"
    if found.newer:
        yield f"总目之后的 {len(found.newer)} 项尚未覆盖 / {len(found.newer)} newer acts are not yet covered"
    closed = [f"#{row.no}" for row in (*found.facts, *found.newer) if row.fact is None]
    if closed:
        yield f"未展示内容的事项 {'、'.join(closed)} / the content of these acts, and their links to the act before"


def _rows(session: Session, subject: str, may_read: Callable[[Fact], bool]) -> Iterator[Row]:
    table = tables.fact
    prev: TwinDigest | None = None
    columns = (table.c.no, table.c.statement_sha256, table.c.statement_sm3, table.c.bytes)
    for row in session.execute(select(*columns).where(table.c.subject == subject).order_by(table.c.no)):
        fact = Fact.of_bytes(row.bytes) if row.bytes is not None else None
        stated = TwinDigest(bytes.fromhex(row.statement_sha256), bytes.fromhex(row.statement_sm3))
        if fact is not None and may_read(fact):
            yield Row.of_fact(fact)
        else:
            yield Row(row.no, prev, stated, None, ERASED if fact is None else WITHHELD)
        prev = stated


def _leaf(value: Any) -> Leaf:
    require_fields(value, "leaf", {"count", "key", "last"}, set())
    count = value["count"]
    if type(count) is not int or count < 1:
        raise FieldError("leaf.count", "≥ 1", repr(count)[:80])
    key, last = TwinDigest.of_document(value["key"], "leaf.key"), TwinDigest.of_document(value["last"], "leaf.last")
    return Leaf(completeness.joined(key), count, completeness.joined(last))
