"""What is reported of an agreement's revision: who, what, how, until when, under which digests; no price, no share."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xlsxwriter

from clearing.market.agreement import Terms, terms_digest
from clearing.market.filing.filing import STATE_NAMES, AgreementFiling, State, subject_of
from clearing.market.template import model_of
from clearing.terms import SHANGHAI
from ledger.facts import Fact
from ledger.reading import body_of

FORMAT = "shuqing-agreement-filing/1"
REPORTED = (
    "product", "purposes", "users", "scope", "environment", "effective", "expiry", "delivery", "service_level",
    "acceptance_days", "dispute", "conditions",
)  # fmt: skip
"""Elements of the terms that are reported; tariff, sharing, liability and the use policy are covered by the digest."""


@dataclass(frozen=True, slots=True)
class Filed:
    """Which revision of which agreement is reported, how that stands, and how its filing does."""

    agreement: str
    revision: int
    standing: str
    state: State = State.UNFILED
    number: str = ""


def report_of(
    filed: Filed,
    terms: Terms,
    concluded: Fact | None,
    acts: Sequence[tuple[Fact, AgreementFiling]],
    names: Mapping[str, str],
    at: int,
) -> dict[str, Any]:
    """The report on a revision as of `at` (seconds UTC): where its filing stands, its terms, the act that brought them,
    what was stated about the filing. `names` are what parties are called, by USCC."""
    return {
        "format": FORMAT,
        "as_of": at,
        "agreement": filed.agreement,
        "revision": filed.revision,
        "state": filed.standing,
        "subject": subject_of(filed.agreement, filed.revision),
        "filing": filed.state.value,
        "number": filed.number,
        "authority": acts[0][1].authority if acts else "",
        "parties": [
            {"party": party.party, "role": party.role.value, "name": names.get(party.party, "")}
            for party in terms.parties
        ],
        "template": _template(terms),
        "terms": body_of(terms_digest(terms)),
        "policy": body_of(terms.policy_digest),
        "act": {"fact": concluded.id, "at": concluded.at} if concluded else {},
        "content": {name: value for name, value in body_of(terms).items() if name in REPORTED},
        "acts": [{"fact": fact.id, "at": fact.at, **body_of(body)} for fact, body in acts],
    }


def report_xlsx(report: Mapping[str, Any], lines: Sequence[tuple[str, str]]) -> bytes:
    """The report as a workbook for a clerk: sheets 合约备案 and 备案经过; `lines` are its content in words.

    Every cell is a string, so nothing a party wrote can become a formula. Times are those of Asia/Shanghai.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    head = [
        ("项目", "内容"),
        ("合约编号", report["agreement"]),
        ("版次", str(report["revision"])),
        ("备案状态", STATE_NAMES[State(report["filing"])]),
        ("备案机关", report["authority"]),
        ("备案号", report["number"]),
        *((f"当事方（{party['role']}）", f"{party['name']} {party['party']}".strip()) for party in report["parties"]),
        ("示范文本", f"{report['template']['name']} 第 {report['template']['version']} 版"),
        ("条款摘要 SHA-256", report["terms"]["sha256"]),
        ("条款摘要 SM3", report["terms"]["sm3"]),
        ("成立文书", report["act"].get("fact", "")),
        ("成立时间", _time(report["act"]["at"]) if report["act"] else ""),
        *lines,
    ]
    _write(book, "合约备案", head, (22, 90))
    told = [("时间", "事项", "备案号", "答复时间", "理由", "回执 SHA-256", "事实编号")]
    for act in report["acts"]:
        receipt = act.get("receipt") or {}
        told.append(
            (
                _time(act["at"]), act["act"], act.get("number", ""),
                _time(act["answered"]) if act.get("answered") else "", act.get("reason", ""),
                receipt.get("sha256", ""), act["fact"],
            )
        )  # fmt: skip
    _write(book, "备案经过", told, (20, 12, 24, 20, 30, 66, 66))
    book.close()
    return out.getvalue()


def _template(terms: Terms) -> dict[str, Any]:
    chosen = terms.template
    return {"id": chosen.id, "version": chosen.version, "name": model_of(chosen).title,
            "deviations": len(chosen.deviations)}  # fmt: skip


def _write(book: xlsxwriter.Workbook, name: str, rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    sheet, bold = book.add_worksheet(name), book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    plain = book.add_format({"text_wrap": True, "valign": "top"})
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width)
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            sheet.write_string(number, column, text, plain if number else bold)
    sheet.freeze_panes(1, 0)


def _time(second: int) -> str:
    return datetime.fromtimestamp(second, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
