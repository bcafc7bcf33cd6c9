"""`shuqing agency` and `shuqing handover`: what the agency publishes and reports, and how it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api import disclosing, handing, jobs
from api.cli_national import migrated
from api.command import HomeOption, said_clearly, stored
from ledger import canonical
from ledger.errors import FieldError
from registry.calendar import day_of
from registry.code import month_of
from registry.duties.office import TOPIC_IDS, Topic
from registry.handover import store as exits
from registry.handover.leaving import STATE_NAMES
from registry.numbering import Allocation, last_serial

app = typer.Typer(help="登记机构 / the registration agency", no_args_is_help=True)
handover_app = typer.Typer(help="退出与移交 / exit and hand-over", no_args_is_help=True)

ActFile = Annotated[Path, typer.Argument(help="事项文件 / the act as a file")]


@app.command()
def publish(
    topic: Annotated[str, typer.Argument(help="process | fees | complaints | business | team")],
    file: Annotated[Path, typer.Argument(help="公开的文件 / the paper")],
    title: Annotated[str, typer.Option(help="标题 / title")],
    home: HomeOption = None,
    effective_from: Annotated[str, typer.Option("--from", help="施行日 / first day, YYYY-MM-DD")] = "",
    text: Annotated[str, typer.Option(help="正文（收费标准只公开文件） / text, none for fees")] = "",
) -> None:
    """公开登记流程、收费标准、投诉渠道等 / publishes the next version of a topic with its paper."""
    with said_clearly():
        system = stored(home)
        topics = {name: value for value, name in TOPIC_IDS.items()}
        if topic not in topics:
            raise FieldError("topic", " | ".join(sorted(topics)), repr(topic)[:40])
        day = effective_from or day_of(system.clock()).isoformat()
        fact = disclosing.publish(system, Topic(topics[topic]), file, title, day, text)
    typer.echo(f"{topic} v{fact.statement.no + 1} → {fact.id}")


@app.command()
def report(
    year: Annotated[int, typer.Argument(help="年度 / the past year", min=2020, max=2100)],
    out: Annotated[Path, typer.Argument(help="结果目录 / folder for JSON, XLSX and PDF")],
    home: HomeOption = None,
    file: Annotated[bool, typer.Option("--file", help="登记为事实（报送省级） / put it on record")] = False,
) -> None:
    """年度报告：由签名事实计数 / the yearly report, counted from facts (due 31 March)."""
    with said_clearly():
        made = disclosing.report(stored(home), year, file=file)
        out.mkdir(parents=True, exist_ok=True)
        for form, data in made.papers.items():
            (out / f"report-{year}.{form}").write_bytes(data)
    typer.echo(f"{len(made.report.figures)} 项指标 / figures → {out}；应于 {made.report.due} 前报告 / due")
    if made.fact is not None:
        typer.echo(made.fact.id)


@app.command()
def disclose(
    out: Annotated[Path, typer.Argument(help="公开包（zip） / the pack goes here")],
    home: HomeOption = None,
) -> None:
    """信息公开包：全部公开文件、机构信息、年度报告 / every disclosed paper with its digests, in one zip."""
    with said_clearly():
        manifest = disclosing.disclose(stored(home), out)
    typer.echo(f"{len(manifest.files)} 个文件 / files → {out}；SHA-256 {manifest.digest().sha256.hex()}")


@app.command()
def codes(home: HomeOption = None) -> None:
    """本月凭证编码使用情况 / how many of this month's codes are used; exit 1 from 80 % on."""
    with said_clearly():
        system = stored(home)
        place = (system.house.region, system.house.digit, month_of(system.clock()))
        with jobs.snapshot(system) as session:
            used = Allocation(*place, last_serial(session, *place))
    typer.echo(f"{used}；余 {used.left} / left")
    raise typer.Exit(1 if used.alarming else 0)


@handover_app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="移交包（zip） / the parcel goes here")],
    home: HomeOption = None,
) -> None:
    """H-06：全部资料导出并签署清单 / everything with a signed manifest; no private key leaves."""
    with said_clearly():
        system = stored(home)
        fact = handing.hand_over(system, out)
    typer.echo(f"{out}：清单 SHA-256 {fact.body['manifest']['sha256']}")
    typer.echo(f"移出机构公钥，另行告知接收机构 / our key, for the receiver by another way: {system.agency.sm2.public}")


@handover_app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="移交包（zip） / the parcel")],
    key: Annotated[str, typer.Option(help="另行取得的移出机构 SM2 公钥 / the leaving agency's key, from elsewhere")],
    draft: Annotated[Path, typer.Option(help="H-07 草稿（已由我方签署） / H-07 with our signature")],
    home: HomeOption = None,
) -> None:
    """核验并导入移交包到空数据库，签署 H-07 / verifies, imports into an empty database, signs H-07."""
    with said_clearly():
        received = handing.receive(migrated(home), source, key)
        _write(draft, received.draft)
    for name, count in sorted(received.counts.items()):
        typer.echo(f"{name}: {count}")


@handover_app.command("sign")
def sign(file: ActFile, home: HomeOption = None) -> None:
    """签署对方已签的事项并入册 / adds our signature to an act the other side signed, and takes it in."""
    with said_clearly():
        _write(file, handing.sign(stored(home), canonical.parse(file.read_bytes())))
    typer.echo(str(file))


@handover_app.command("take")
def take(file: ActFile, home: HomeOption = None) -> None:
    """入册对方签署的事项 / takes in an act that is fully signed."""
    with said_clearly():
        fact = handing.take(stored(home), canonical.parse(file.read_bytes()))
    typer.echo(f"{fact.body['move']} {fact.id}")


@handover_app.command("custody")
def custody(
    agency: Annotated[str, typer.Argument(help="移出机构 / USCC of the agency that leaves")],
    file: ActFile,
    home: HomeOption = None,
) -> None:
    """H-08：接收机构声明逐件保管、内容不变 / every certificate in custody, unchanged."""
    with said_clearly():
        act = handing.custody(stored(home), agency)
        _write(file, act)
    typer.echo(f"{len(act.get('parts', []))} 件凭证 / certificates → {file}")


@handover_app.command("finish")
def finish(file: ActFile, home: HomeOption = None) -> None:
    """H-09：退出，密钥不再用于新的签名 / the agency has left; its keys sign nothing new."""
    with said_clearly():
        _write(file, handing.finish(stored(home)))
    typer.echo(str(file))


@handover_app.command("status")
def status(
    agency: Annotated[str, typer.Argument(help="登记机构 / USCC; default: our own")] = "",
    home: HomeOption = None,
) -> None:
    """退出进度 / how far an exit has come."""
    with said_clearly():
        system = stored(home)
        with jobs.snapshot(system) as session:
            case = exits.leaving(session, agency or system.house.uscc)
    typer.echo(
        f"{case.agency} {case.state.value} {STATE_NAMES[case.state]}；接收机构 / receiver {case.receiver or '—'}"
    )


def _write(file: Path, document: object) -> None:
    part = file.with_suffix(file.suffix + ".part")
    part.write_text(json.dumps(document, ensure_ascii=False, sort_keys=True), encoding="utf-8")
    part.replace(file)
