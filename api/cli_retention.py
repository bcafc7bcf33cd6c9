"""`shuqing retention`: until when files are kept, which proofs are to be renewed, and renewing them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from api import jobs
from api.command import HomeOption, said_clearly, stored
from api.views import plain
from ledger import archive, log
from ledger.errors import FieldError
from registry.calendar import add_years, day_of
from registry.retention import service, store
from registry.retention.keeping import POLICY

app = typer.Typer(help="保存与续证 / keeping, and renewing proofs", no_args_is_help=True)


@app.command("plan")
def plan(
    home: HomeOption = None,
    years: Annotated[int, typer.Option(min=0, max=50, help="今后若干年内到期 / due within so many years")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="机器可读 / for machines")] = False,
) -> None:
    """保存期限与续证计划 / until when each file is kept, and which proofs are due for renewal."""
    with said_clearly():
        system = stored(home)
        now = system.clock()
        by = add_years(day_of(now), years).isoformat()
        with jobs.snapshot(system) as session:
            kept, due = store.keepings(session, now), store.renewals_due(session, by)
    if as_json:
        found = {"policy": plain(POLICY), "as_of": now, "keeping": plain(kept), "renewals": plain(due)}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for item in kept:
        why = "、".join(item.pending)
        typer.echo(f"{item.code} {item.until or '在用或未决 / in force or pending'} {why}".rstrip())
    for head in due:
        typer.echo(f"树头 {head.size} 应于 {head.due} 前续证：{'、'.join(head.why)} / proof to be renewed")


@app.command("renew")
def renew(
    size: Annotated[int, typer.Argument(min=0, help="树头大小，0 为最新 / size of the head, 0 for the newest")] = 0,
    home: HomeOption = None,
) -> None:
    """以新算法对树头下全部内容续证 / binds all content under a head again, by a newer algorithm."""
    with said_clearly():
        system = stored(home)
        with jobs.transaction(system) as session:
            newest = log.latest(session)
            if newest is None:
                raise FieldError("size", "已签署的树头 / a signed head", "没有 / none")
            chosen = size or newest.checkpoint.size
            lines = archive.fact_lines(session, chosen)
            fact = service.renew(session, chosen, lines, system.agency.signer, at=system.clock()).fact
    typer.echo(f"{chosen}: {fact.body['algorithm']} {fact.body['content']} → {fact.id}")
