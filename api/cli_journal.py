"""`shuqing journal`: the journal and its balances as files, as they stood at any second."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api import jobs
from api.command import HomeOption, said_clearly, stored
from clearing.settlement import store
from clearing.settlement.journal_export import journal_beancount, journal_csv, posted_until, trial_balance_csv
from ledger.errors import FieldError

app = typer.Typer(help="账簿 / the journal", no_args_is_help=True)
UntilOption = Annotated[
    str, typer.Option(help="截至：UTC 秒，或日期（当日终了，北京时间） / up to: seconds UTC, or a day's end in China")
]


class Format(StrEnum):
    """What the journal is written as."""

    BEANCOUNT = "beancount"
    CSV = "csv"


@app.callback()
def journal() -> None:
    """账簿 / the journal."""


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="输出文件 / the file")],
    form: Annotated[Format, typer.Option("--format", help="格式 / the format")] = Format.BEANCOUNT,
    until: UntilOption = "",
    home: HomeOption = None,
) -> None:
    """导出账簿：纯文本记账格式或 CSV / writes the journal as plain-text accounting or CSV."""
    with said_clearly():
        moment = moment_of(until)
        system = stored(home)
        with jobs.snapshot(system) as session:
            numbered = posted_until(store.transactions(session), moment)
        out.write_bytes(journal_csv(numbered) if form is Format.CSV else journal_beancount(numbered).encode("utf-8"))
    typer.echo(f"{len(numbered)} 笔凭证 / transactions → {out}")


@app.command("balance")
def balance(
    out: Annotated[Path, typer.Argument(help="输出文件 .csv / the file")],
    until: UntilOption = "",
    home: HomeOption = None,
) -> None:
    """导出试算平衡表 / writes the trial balance as CSV."""
    with said_clearly():
        moment = moment_of(until)
        system = stored(home)
        with jobs.snapshot(system) as session:
            held = store.balance(session, until=moment)
        out.write_bytes(trial_balance_csv(held))
    typer.echo(f"{len(held)} 个账户 / accounts → {out}")


def moment_of(until: str) -> int | None:
    """Seconds UTC of the option, None when it is not given. Raises FieldError."""
    if not until:
        return None
    try:
        if until.isascii() and until.isdigit() and len(until) <= 12:
            return int(until)
        day = datetime.strptime(until, "%Y-%m-%d")
    except ValueError as error:
        raise FieldError("until", "UTC 秒或 YYYY-MM-DD / seconds UTC or YYYY-MM-DD", until) from error
    return int(datetime.combine(day, time(23, 59, 59), timezone(timedelta(hours=8))).timestamp())
