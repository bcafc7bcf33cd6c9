"""`shuqing intake …`: template, import, signing what was imported, and a data file as the template wants it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api import bootstrap, bulk, importing, jobs, keyfiles, sealed
from api.bootstrap import System
from api.command import HomeOption, said_clearly, system_of
from ledger.digest import twin
from registry.asset import DataFile, Twin
from registry.errors import FileRefused
from registry.intake import service, sniff, store
from registry.intake.columns import MAX_BYTES
from registry.intake.rows import file_cell
from registry.intake.service import STATE_NAMES, ImportState
from registry.intake.workbook import template_csv, template_xlsx
from registry.party import check_identity, party_subject

app = typer.Typer(help="收件：批量申请 / intake: many applications at once", no_args_is_help=True)

SHOWN = 3
"""Publicity texts shown before everything is signed."""


@app.command()
def template(
    file: Annotated[Path, typer.Argument(help="新文件，.xlsx 或 .csv / the new file")],
) -> None:
    """生成导入模板 / writes the import template."""
    with said_clearly():
        if sniff.ending_of(file.name) not in ("xlsx", "csv"):
            raise FileRefused(file.name, "扩展名应为 xlsx 或 csv", "its ending must be xlsx or csv")
        file.write_bytes(template_xlsx() if file.suffix.lower() == ".xlsx" else template_csv())


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="填好的模板（xlsx、csv） / the filled-in template")],
    holder: Annotated[
        str, typer.Option(help="申请人或代理人的统一社会信用代码（自然人：当事方编号） / whose drafts they become")
    ],
    errors: Annotated[Path, typer.Option(help="错误文件（xlsx） / where rows with errors go")],
    home: HomeOption = None,
) -> None:
    """导入申请：好的行成为草稿，有错的行写入错误文件 / good rows become drafts; exit 1 if some rows were wrong."""
    with said_clearly():
        system = system_of(home)
        bootstrap.migrate(system.settings.database)
        owner = party_subject(check_identity(holder, "holder"))
        identity = _take_in(system, file, owner)
        with _progress("导入 / importing") as bar:
            task = bar.add_task("", total=None)
            importing.run(system, identity, lambda done, total: bar.update(task, completed=done, total=total))
        with jobs.snapshot(system) as session:
            row = store.import_(session, identity, owner)
        state = ImportState(row.state)
        if state is ImportState.REFUSED:
            typer.echo(row.message, err=True)
            raise typer.Exit(2)
        if row.wrong:
            place = sealed.import_file(system.settings.home, identity, "errors")
            errors.write_bytes(sealed.read(system.settings.home, place, errors.name))
    typer.echo(
        f"{STATE_NAMES[state]}：{row.done}/{row.total} 行，新增草稿 {row.written}，此前已导入 {row.same}，"
        f"预检有红色提示 {row.red}，有错 {row.wrong}{f' → {errors}' if row.wrong else ''}"
    )
    raise typer.Exit(1 if row.wrong or state is not ImportState.DONE else 0)


@app.command()
def sign(
    key: Annotated[Path, typer.Option(help="申请人或代理人的密钥文件 / key file of applicant or agent")],
    home: HomeOption = None,
    confirm_red: Annotated[
        bool, typer.Option("--confirm-red", help="预检有红色提示的也提交 / also those whose 补正 is likely")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """预览公示内容，签署并提交全部合格草稿 / previews, signs and submits all good drafts; exit 1 if some were not."""
    with said_clearly():
        system, keys = system_of(home), keyfiles.load(key)
        bootstrap.migrate(system.settings.database)
        with jobs.snapshot(system) as session:
            count = store.count_drafts(session, keys.by)
        if not yes:
            _show(system, keys.by)
    if not yes and count:
        typer.confirm(f"签署并提交 {count} 份草稿中合格的各件 / sign and submit the good ones of {count}", abort=True)
    done = 0
    with said_clearly(), _progress("签署 / signing") as bar:
        task = bar.add_task("", total=count)
        for result in bulk.submit_all(system, keys, red=confirm_red):
            done += result.submitted
            bar.advance(task)
            said = (
                f"✓ {result.draft} {result.name}"
                if result.submitted
                else f"✗ {result.draft} {result.name}：{result.message}"
            )
            typer.echo(said)
    typer.echo(f"已提交 / submitted: {done}，未提交 / not submitted: {count - done}")
    raise typer.Exit(1 if done < count else 0)


@app.command()
def digest(
    files: Annotated[list[Path], typer.Argument(help="数据文件 / data files")],
) -> None:
    """按模板“数据文件”栏目的写法输出文件摘要 / data files as the template's column 数据文件 wants them."""
    with said_clearly():
        for file in files:
            data = file.read_bytes()
            rows = data.count(b"\n") if sniff.ending_of(file.name) == "csv" else 0
            typer.echo(file_cell(DataFile(file.name, len(data), rows, Twin.of(twin(data)))))


def _take_in(system: System, file: Path, owner: str) -> str:
    """Seals the file into the folder of its import; answers the import's id."""
    if file.stat().st_size > MAX_BYTES:
        raise FileRefused(file.name, f"超过 {MAX_BYTES} 字节", f"more than {MAX_BYTES} bytes")
    data = file.read_bytes()
    with jobs.transaction(system) as session:
        row = service.open_import(session, owner, file.name, twin(data).sha256.hex(), at=system.clock())
        identity = row.id
        sealed.write(system.settings.home, sealed.import_file(system.settings.home, identity, "source"), data)
    return identity


def _show(system: System, holder: str) -> None:
    for draft, seen in bulk.previews(system, holder, SHOWN):
        if seen.publicity is not None:
            text = seen.publicity
            typer.echo(f"公示内容 / to be published ({draft.id})")
            typer.echo(
                f"  申请人：{'、'.join(text.applicants)}\n  数据名称：{text.data_name}\n  数据概述：{text.overview}"
            )
            typer.echo(f"  限制：{'；'.join(text.limits)}")


def _progress(title: str) -> Progress:
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
