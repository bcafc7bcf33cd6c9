"""`shuqing calendar …`, `shuqing rules …`, `shuqing precheck`: working days, rule sets, a form before it is filed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import Session

from api import bootstrap, jobs, keyfiles
from api.bootstrap import System
from api.command import HomeOption, said_clearly, stored, system_of
from ledger import canonical
from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from ledger.store import Appended
from registry import filing
from registry.calendar import day_of, published
from registry.form import Form
from registry.precheck import Known, examined, precheck, stops
from registry.rulebook import service, store
from registry.rulebook.rule_set import RULE_SET, rule_set_of, rule_set_subject, shipped
from registry.rulebook.table_file import read_table
from registry.rulebook.year_table import CALENDAR, calendar_subject, differences
from registry.scheme import scheme_of

calendar_app = typer.Typer(help="工作日安排 / working days", no_args_is_help=True)
rules_app = typer.Typer(help="规则 / rule sets", no_args_is_help=True)

KeysOption = Annotated[
    list[Path] | None,
    typer.Option("--key", help="经办人密钥文件，须两名 / key file of a member of staff, twice"),
]
DAYS = "一二三四五六日"


@calendar_app.command("import")
def calendar_import(
    file: Annotated[Path, typer.Argument(help="csv、xlsx（列：日期、上班、年、文号、版本）或 json / a year")],
    home: HomeOption = None,
    keys: KeysOption = None,
) -> None:
    """载入年度工作日安排；不带 --key 只显示改动 / takes in a year's table; without --key it only shows."""
    with said_clearly():
        table = read_table(file.name, file.read_bytes())
        system = system_of(home)
        bootstrap.migrate(system.settings.database)
        in_force = system.calendar
        for row in differences(in_force, table):
            typer.echo(f"{row.date} {_weekday(row.date)} {'上班 / worked' if row.working else '放假 / off'}")
        typer.echo(f"{table.year} 年 第 {table.version} 版 {table.document_no} / year, version, document")
        if not keys:
            typer.echo("未载入：须两名经办人各以 --key 签署。 / Not taken in: two members of staff sign with --key.")
            raise typer.Exit(0)

        def take(session: Session, signed: Signed, at: int) -> Appended:
            return service.publish_calendar(session, system.house, signed, at=at)

        _state(system, CALENDAR, calendar_subject(table.year), body_of(table), keys, take)
        typer.echo(f"现行日历 / calendar in force: {system.calendar.version}")


@calendar_app.command("show")
def calendar_show(
    year: Annotated[int | None, typer.Option(min=2000, max=2199, help="年份 / year")] = None,
    home: HomeOption = None,
) -> None:
    """现行工作日安排及其版本 / the working days in force and their versions."""
    with said_clearly():
        system = stored(home)
        in_force = system.calendar
        with jobs.snapshot(system) as session:
            rows = store.years(session)
        typer.echo(f"现行日历 / in force: {in_force.version}")
        typer.echo(f"已公布年份 / years: {min(in_force.years)} … {max(in_force.years)}")
        for row in rows:
            typer.echo(f"{row.year} 第 {row.version} 版 {row.document_no} {row.fact_id}")
        if year is None:
            return
        if year not in in_force.years:
            raise FieldError("--year", f"{min(in_force.years)} … {max(in_force.years)}", str(year))
        for day in sorted(in_force.holidays | in_force.workdays):
            if day.year == year:
                worked = in_force.is_working(day)
                typer.echo(f"{day} {_weekday(day.isoformat())} {'上班 / worked' if worked else '放假 / off'}")


@rules_app.command("show")
def rules_show(home: HomeOption = None) -> None:
    """规则、版本、摘要及是否已入日志 / rule sets, digests, and whether the log has them; exit 1: it differs."""
    with said_clearly():
        system = stored(home)
        with jobs.snapshot(system) as session:
            states = service.rule_sets(session)
    for item in states:
        span = f"{item.effective_from or '—'} … {item.effective_to or '—'}"
        typer.echo(f"{item.scheme} {item.version} {item.title} {item.source} {span}")
        typer.echo(f"   SHA-256 {item.digest.sha256}")
        typer.echo(f"   SM3     {item.digest.sm3}")
        typer.echo(f"   日志 / log: {item.fact_id or '未入 / not yet'}{'' if item.agrees else ' 不符 / differs'}")
    raise typer.Exit(0 if all(item.agrees for item in states) else 1)


@rules_app.command("record")
def rules_record(
    scheme: Annotated[str, typer.Argument(help="规则编号 / id of the rule set, e.g. national_2026")],
    version: Annotated[str, typer.Argument(help="版本 / version")],
    home: HomeOption = None,
    keys: KeysOption = None,
) -> None:
    """规则版本入日志，两名经办人签署 / puts a rule-set version into the log, signed by two members of staff."""
    with said_clearly():
        system = system_of(home)
        bootstrap.migrate(system.settings.database)
        body = body_of(rule_set_of(shipped(scheme, version)))

        def take(session: Session, signed: Signed, at: int) -> Appended:
            return service.record_rule_set(session, system.house, signed, at=at)

        _state(system, RULE_SET, rule_set_subject(scheme), body, keys or [], take)


def precheck_(
    file: Annotated[Path, typer.Argument(help="申请表（JSON） / a form as JSON")],
    papers: Annotated[
        Path | None, typer.Option(help="材料所在文件夹：核对摘要、检查样例 / folder of the attachments")
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="安装目录：另查登记簿和日历 / its register is asked too"),
    ] = None,
) -> None:
    """登记预检 / pre-check of a form; exit 1 when a finding stops submission (S)."""
    with said_clearly():
        form = read(Form, canonical.parse(file.read_bytes()), "form")
        system = stored(home) if home is not None else None
        now = system.clock() if system else bootstrap.clock(None)()
        known = _known(system, form, now)
        if papers is not None:
            known = examined(form, known, lambda name: _bytes_of(papers, name))
        scheme = scheme_of(form.scheme, day_of(now).isoformat())
        scheme.require_steps()
        found = precheck(form, scheme, now, known)
    for item in found:
        typer.echo(f"{item.level.value} {item.rule} {item.field}：{item.zh} / {item.en}")
    counted = "，".join(f"{level} {sum(item.level == level for item in found)}" for level in "SRW")
    typer.echo(f"共 {len(found)} 项 / findings: {counted}")
    raise typer.Exit(1 if stops(found) else 0)


def _known(system: System | None, form: Form, now: int) -> Known:
    if system is None:
        return Known(calendar=published())
    with jobs.snapshot(system) as session:
        return filing.known_of(session, form, now, system.calendar)


def _bytes_of(folder: Path, name: str) -> bytes | None:
    """The attachment of this name in the folder itself; names that lead out of it find nothing."""
    path = folder / Path(name).name
    return path.read_bytes() if path.is_file() else None


def _state(
    system: System,
    kind: str,
    subject: str,
    body: dict[str, Any],
    keys: list[Path],
    take: Callable[[Session, Signed, int], Appended],
) -> None:
    """Signs as the subject's next act with every key, and takes it in."""
    signers = [keyfiles.load(path) for path in keys]
    with jobs.transaction(system) as session:
        no, prev = facts.next_of(session, subject)
        statement = Statement(kind, subject, no, prev, body)
        signed = Signed(statement, tuple(sign_sm2(item.sm2, statement, by=item.by) for item in signers))
        taken = take(session, signed, system.clock())
    typer.echo(f"{kind} {subject} #{taken.fact.statement.no} {taken.fact.id}")


def _weekday(text: str) -> str:
    return f"星期{DAYS[date.fromisoformat(text).weekday()]}"
