"""`shuqing national`: packages to the national system and its receipts, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api import bootstrap, jobs, settings
from api.command import HomeOption, said_clearly, stored
from api.views import plain
from registry.national import service

app = typer.Typer(help="国家数据产权登记服务系统 / the national system, by files", no_args_is_help=True)


def migrated(home: Path | None) -> bootstrap.System:
    """The installation with its database made or brought up to date."""
    system = bootstrap.build(settings.load(home or settings.home_from_environment()))
    bootstrap.migrate(system.settings.database)
    return system


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="报送包（zip） / the package goes here")],
    home: HomeOption = None,
) -> None:
    """打包待发布公示、待存证请求和登记结果 / packs everything that waits for the national system."""
    with said_clearly():
        system = stored(home)
        part = out.with_suffix(out.suffix + ".part")
        with jobs.transaction(system) as session:
            fact, data = service.make_package(session, system.house, system.agency.signer, at=system.clock())
            part.write_bytes(data)  # before the commit: a package nobody has must not be on record
        part.replace(out)
        body = fact.body
    counts = f"公示 {body['publicity']}、存证 {body['deposits']}、结果 {body['results']}"
    typer.echo(f"第 {body['number']} 包：{counts} / publicity, deposits, results → {out}")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="回执包（zip） / the parcel of receipts")],
    home: HomeOption = None,
) -> None:
    """导入国家系统的回执：公示发布、存证、收包 / takes in its signed receipts, all of them or none."""
    with said_clearly():
        done = jobs.import_receipts(stored(home), source.read_bytes())
    typer.echo(
        f"发布公示 {done.released}，存证 {len(done.deposited)}，拒绝存证 {done.refused}，"
        f"收包 {done.acknowledged}，已有 {done.known} / released, deposited, refused, acknowledged, known"
    )
    for code in done.deposited:
        typer.echo(f"  {code}")
    for why in done.waiting:
        typer.echo(f"  待下次导入 / waits: {why}")
    raise typer.Exit(1 if done.waiting else 0)


@app.command("status")
def status(
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="机器可读 / for machines")] = False,
) -> None:
    """与国家系统的同步状态 / what waits for the national system, and since when."""
    with said_clearly():
        system = stored(home)
        with jobs.snapshot(system) as session:
            found = service.sync_status(session, system.house)
    if as_json:
        typer.echo(json.dumps(plain(found), ensure_ascii=False, indent=2))
        return
    typer.echo(f"待发布公示 {found.publicity}，待存证 {found.deposits}，待报送结果 {found.results}")
    typer.echo(f"报送包 {found.packages}，已确认至第 {found.acknowledged} 包 / packages, acknowledged")
    typer.echo(found.notice)
