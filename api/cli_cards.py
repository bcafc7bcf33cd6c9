"""`shuqing cards`: the ledger of a holder's cards as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import jobs
from api.command import HomeOption, said_clearly, stored
from ledger.errors import FieldError
from registry.cards.ledger_sheet import comma_separated, workbook
from registry.cards.store import cards_of

app = typer.Typer(help="数据资产卡片 / data asset cards", no_args_is_help=True)


@app.callback()
def cards() -> None:
    """数据资产卡片 / data asset cards."""


@app.command("ledger")
def ledger(
    holder: Annotated[str, typer.Argument(help="持有单位统一社会信用代码 / USCC of the holder")],
    out: Annotated[Path, typer.Argument(help="台账文件 .xlsx 或 .csv / the file")],
    home: HomeOption = None,
) -> None:
    """导出台账 / writes the ledger of a holder's cards as .xlsx or .csv."""
    with said_clearly():
        forms = {".xlsx": workbook, ".csv": comma_separated}
        if out.suffix not in forms:
            raise FieldError("out", " | ".join(forms), out.suffix or "—")
        system = stored(home)
        with jobs.snapshot(system) as session:
            held = cards_of(session, holder)
        out.write_bytes(forms[out.suffix](held))
    typer.echo(f"{len(held)} 张卡片 / cards → {out}")
