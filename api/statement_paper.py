"""A party's 清分账单 as a document and on paper: part A and, once it is netted, part B.

The document is what counts and what is inside the PDF; both say what the two facts say, and nothing else, so the same
statement gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session

from api.office import words
from api.office.deals import names_of
from api.office.statements import reason_of
from clearing.money import yuan
from clearing.settlement import store
from clearing.settlement.notice import PartB
from clearing.settlement.statement import Line, ObligationPart, PartA
from clearing.settlement.workbook import LINE_COLUMNS, OBLIGATION_COLUMNS, line_row, obligation_row, summary_rows
from ledger import canonical
from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.document import typeset

TEMPLATE = Path(__file__).with_name("statement.typ")
MARK = "演示：主体与数据均为虚构，不得据以收付"
HELD_COLUMNS = ("付款方", "收款方", "原因", "金额(元)")
MOST_ROWS = 20_000
"""Half a millisecond and 1.4 KB a row on paper, one paper at a time; more is for a workbook."""
_TEXTS = 3
"""Of the summary rows: party, period, currency; the others are amounts."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A statement with its parts, and its notice once there is one."""

    fact: Fact
    body: PartA
    parts: tuple[Line | ObligationPart, ...]
    notice: Fact | None

    def document(self) -> dict[str, Any]:
        """The statement as JSON: fact id, body, parts, and `notice` with its fact id and body."""
        said: dict[str, Any] = {
            "fact": self.fact.id,
            "statement": self.fact.body,
            "parts": [body_of(part) for part in self.parts],
        }
        return said | ({"notice": {"fact": self.notice.id, "body": self.notice.body}} if self.notice else {})


def paper(session: Session, cycle: str, party: str) -> Paper:
    """A party's statement in a cycle. Raises `UnknownFact`."""
    found = store.statement_of(session, cycle, party)
    notice = facts.fact(session, found.notice) if found.notice else None
    parts = tuple(store.part_documents(session, found.fact_id))
    return Paper(facts.fact(session, found.fact_id), found.body, parts, notice)


def render(session: Session, one: Paper, fonts: Path, *, trial: bool) -> bytes:
    """The PDF (A-3b setting) of a statement, its document inside. Parties have the names they had when it was issued.

    Raises `FieldError` for more than MOST_ROWS rows, `PaperRefused` for a text with a glyph the font does not have.
    """
    if len(one.parts) > MOST_ROWS:
        raise FieldError("lines", f"≤ {MOST_ROWS}，更多请下载 Excel 或 JSON / more: XLSX or JSON", str(len(one.parts)))
    held = read(PartB, one.notice.body).held if one.notice else ()
    owed: Sequence[Any] = [part for part in one.parts if isinstance(part, ObligationPart)]
    parties = {one.body.party, *(name for item in (*owed, *held) for name in (item.debtor, item.creditor))}
    said = _said(one, names_of(session, parties, one.fact.at), trial)
    inputs = {
        "said": json.dumps(said, ensure_ascii=False),
        "document": canonical.encode({"tag": "statement-document/v1", **one.document()}).decode(),
    }
    return typeset(TEMPLATE, inputs, fonts, (one.notice or one.fact).at)


def _said(one: Paper, names: Mapping[str, str], trial: bool) -> dict[str, Any]:
    body = one.body
    rows = summary_rows(body)
    lines = [line_row(part) for part in one.parts if isinstance(part, Line)]
    owed = [obligation_row(part) for part in one.parts if isinstance(part, ObligationPart)]
    told = [(no, _called(debtor, names), _called(creditor, names), amount) for no, debtor, creditor, amount in owed]
    chapters = [
        _chapter("账单", "", fields=[
            ("户名", names.get(body.party, "–")), *rows[:_TEXTS], ("账期编号", body.cycle),
            ("出账时间", words.moment(one.fact.at)), ("明细、应付义务", f"{body.lines} 行，{body.obligations} 项"),
        ], sums=rows[_TEXTS:]),
        _chapter("应付义务", "轧差以前，本方应收和应付的款项。", table=_sheet(
            OBLIGATION_COLUMNS, (1, 6, 6, 3), told, "本期没有应付义务。")),
        _chapter("明细", "正数为本方应得，负数为本方应付；期初加各行等于期末。", table=_sheet(
            LINE_COLUMNS, (10, 20, 52, 50, 16, 30), lines, "本期没有明细。")),
    ]  # fmt: skip
    if one.notice is not None:
        chapters += _part_b(read(PartB, one.notice.body), names)
    chapters.append(_chapter("存证", "以下双摘要对应入册的事实；本文件所附 JSON 与之同源，以 JSON 为准。", fields=[
        row for fact, name in ((one.fact, "清分账单"), (one.notice, "净额通知")) if fact for row in _proof(fact, name)
    ]))  # fmt: skip
    return {
        "title": f"清分账单　{body.period}",
        "subtitle": "SETTLEMENT STATEMENT",
        "mark": MARK if trial else "",
        "foot": f"清分账单　{body.party}　{body.period}",
        "chapters": chapters,
    }


def _part_b(notice: PartB, names: Mapping[str, str]) -> list[dict[str, Any]]:
    own = notice.position
    sums = [
        ("轧差应收(元)", yuan(own.incoming)), ("轧差应付(元)", yuan(own.outgoing)), ("应付义务(项)", str(own.count)),
        ("净额(元)", yuan(own.net)), *([("已备付(元)", yuan(notice.funded))] if notice.funded is not None else []),
    ]  # fmt: skip
    held = [
        (_called(item.debtor, names), _called(item.creditor, names), reason_of(item, notice.party), yuan(item.amount))
        for item in notice.held
    ]
    root = [("轧差总和根", notice.root.hash)] if notice.root else []
    return [
        _chapter("净额通知", "轧差以后的净额：正数为应收，负数为应付。", fields=[("轧差事实", notice.netting), *root],
                 sums=sums),
        _chapter("本期未轧差", "", table=_sheet(HELD_COLUMNS, (6, 6, 4, 3), held, "没有。")),
    ]  # fmt: skip


def _proof(fact: Fact, name: str) -> list[tuple[str, str]]:
    digest = fact.digest()
    return [
        (f"{name}事实", fact.id),
        ("SHA-256", digest.sha256.hex()),
        ("SM3", digest.sm3.hex()),
    ]


def _called(party: str, names: Mapping[str, str]) -> str:
    return f"{names[party]}\n{party}" if party in names else party


def _chapter(
    title: str,
    text: str,
    *,
    fields: Sequence[tuple[str, str]] = (),
    sums: Sequence[tuple[str, str]] = (),
    table: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {"title": title, "text": text, "fields": list(fields), "sums": list(sums), "table": table}


def _sheet(head: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[str]], empty: str) -> dict[str, Any]:
    return {"head": list(head), "widths": list(widths), "rows": rows, "empty": empty}
