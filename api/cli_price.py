"""`shuqing price`: a price report from a case, on paper, sent as a signed quote, and recomputed by anybody."""

from __future__ import annotations

import csv
import json
import secrets
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from api import keyfiles, price_paper
from api.client import PlatformClient
from api.command import said_clearly
from api.settings import fonts_folder
from clearing.errors import ClearingError
from clearing.money import yuan
from clearing.pricing import asking, trial
from clearing.pricing.inputs import decode
from clearing.pricing.policies import DEMO_DOMAIN, POLICIES
from clearing.pricing.policy import choose
from clearing.pricing.price_case import EVIDENCE_KIND
from clearing.pricing.price_report import REPORT_KIND, PriceReport, from_evidence, verify
from clearing.pricing.quote import quote_of, statement_of, subject_of
from clearing.pricing.repricing import reprice
from clearing.pricing.telling import plain, told, told_quality
from ledger import canonical
from ledger.errors import FieldError, LedgerError
from ledger.signing import sign_sm2
from registry.calendar import SHANGHAI, text_of
from registry.sheet import no_formula

app = typer.Typer(help="数据元件定价报告 / price reports of data elements", no_args_is_help=True)

REPORT, EVIDENCE, PAPER = "price-report.json", "price-evidence.json", "price-report.pdf"
QUALITY, QUALITY_PAGE = "quality-report.json", "quality-report.html"
TABLE = "prices.csv"
HEAD = (
    "文件 file", "元件 element", "版本 version", "阶段 stage", "计费单位 unit", "指导价（元） guide", "P1（元）",
    "P2（元）", "等级 grade", "冷启动 cold start", "报告 SHA-256", "拒绝原因 refused because",
)  # fmt: skip
ReportArgument = Annotated[Path, typer.Argument(help="定价报告 JSON / the report")]
EvidenceArgument = Annotated[Path, typer.Argument(help="证据 JSON / its evidence")]


@app.command()
def case(
    data: Annotated[Path, typer.Argument(help="数据文件：CSV、Parquet、XLSX 或 SQLite / the data file")],
    out: Annotated[Path, typer.Option(help="算例文件，放在数据文件旁 / the case, beside the data file")],
    as_of: Annotated[datetime, typer.Option(help="定价时点（北京时间） / when it is priced", formats=["%Y-%m-%d"])],
    domain: Annotated[str, typer.Option(help="信息领域 / domain of the policy")] = DEMO_DOMAIN,
    stage: Annotated[str, typer.Option(help="resource | element | product")] = "element",
    part: Annotated[str, typer.Option(help="工作表或数据表 / sheet or table")] = "",
) -> None:
    """由数据文件起草算例：文件能说明的已填，其余留空待填 / begins a case: what the file says is filled in."""
    with said_clearly():
        at = int(as_of.replace(tzinfo=SHANGHAI).timestamp())
        policy = choose(POLICIES, domain, stage, at)
        if out.resolve().parent != data.resolve().parent:
            raise FieldError("--out", "与数据文件同一文件夹 / the folder of the data file", str(out))
        begun = asking.begun(data, policy, report_id=secrets.token_hex(16), as_of=at, part=part or None)
        out.write_text(json.dumps(begun, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    columns, rules = len(begun["data"]["columns"]), len(begun["data"]["rules"])
    typer.echo(f"{out}：{columns} 列，{rules} 条规则 / columns and rules. 请填写 request 与 assessed / fill these in.")


@app.command()
def report(
    case: Annotated[Path, typer.Argument(help="算例：request、policy、data 或 counted / the case")],
    out: Annotated[Path, typer.Option(help="输出文件夹 / folder for report, evidence and PDF")],
) -> None:
    """由算例生成定价报告、证据与 PDF / report, evidence and PDF of a case (format: clearing/pricing/trial.py)."""
    with said_clearly():
        made = trial.price_case(_object(case), case.parent, seen=_columns_seen)
        paper = price_paper.render(made.document, made.data, fonts_folder())
        out.mkdir(parents=True, exist_ok=True)
        for name, data in ((REPORT, made.data), (EVIDENCE, made.evidence), (PAPER, paper)):
            (out / name).write_bytes(data)
    _tell(made.document)
    typer.echo(f"{out / REPORT}\n{out / EVIDENCE}\n{out / PAPER}")


@app.command()
def quality(
    case: Annotated[Path, typer.Argument(help="算例；只读评价所需的部分 / the case; what quality needs of it is read")],
    out: Annotated[Path, typer.Option(help="输出文件夹 / folder for the report as JSON and HTML")],
) -> None:
    """质量评价报告（JSON 与 HTML），先过符合性 / the quality report of a data file, the gate before any score."""
    with said_clearly():
        made = trial.evaluated(_object(case), case.parent, seen=_columns_seen)
        out.mkdir(parents=True, exist_ok=True)
        (out / QUALITY).write_bytes(made.data)
        (out / QUALITY_PAGE).write_text(price_paper.page(told_quality(made.document, text_of)), encoding="utf-8")
    result = made.document["result"]
    typer.echo(f"{result['grade']} 级，{plain(result['hundred'])} 分。SHA-256 {made.document['digest']['sha256']}")
    for item in result["scores"]:
        typer.echo(f"  {item['name']}　{item['score']}　× {plain(item['weight'])}")
    typer.echo(f"{out / QUALITY}\n{out / QUALITY_PAGE}")


@app.command()
def pdf(
    report: ReportArgument,
    out: Annotated[Path, typer.Option(help="PDF 文件 / the PDF")],
) -> None:
    """把定价报告排成 PDF / sets a report as a PDF."""
    with said_clearly():
        data = report.read_bytes()
        out.write_bytes(price_paper.render(_report(data), data, fonts_folder()))
    typer.echo(str(out))


@app.command("verify")
def verify_(
    report: ReportArgument,
    evidence: EvidenceArgument,
    data: Annotated[Path | None, typer.Option(help="数据文件：另由文件重新计数 / the data file, counted again")] = None,
) -> None:
    """逐字节重算；不等则指出第一处差异，退出码 1 / recomputes it byte for byte; exit 1 names the first difference."""
    with said_clearly():
        given, stored = report.read_bytes(), evidence.read_bytes()
        verdict = verify(given, stored)
        # The counts of other evidence are not this report's.
        difference = trial.recount(stored, data) if data is not None and verdict.equal else None
    if not verdict.equal:
        typer.echo(f"不相等 / not equal: {verdict.where}{verdict.pointer}")
        typer.echo(f"  应为 / expected: {verdict.expected}\n  所给 / given:    {verdict.given}")
        raise typer.Exit(1)
    document = json.loads(given)
    typer.echo(f"相等：逐字节可由证据重算（A 级） / equal byte for byte (level A). SHA-256 {_digest(document)}")
    policy = document["method"]["policy"]
    typer.echo(f"口径 / policy: {policy['id']} v{policy['version']} {_POLICY[verdict.policy]}")
    identity = document["identity"]
    typer.echo(f"有效期 / valid: {text_of(identity['as_of'])} – {text_of(identity['valid_until'])}")
    if difference is not None:
        where, expected, found = difference
        typer.echo(f"文件重新计数不符 / the file counts otherwise: {where}\n  {expected} ≠ {found}")
        raise typer.Exit(1)
    if data is not None:
        typer.echo(f"文件 {data.name} 重新计数一致（B 级） / the file counts alike (level B).")


@app.command()
def send(
    report: ReportArgument,
    evidence: EvidenceArgument,
    key: Annotated[Path, typer.Option("--key", help="出具单位的密钥文件 / key file of who issues it")],
    url: Annotated[str, typer.Option(help="平台地址 / address of the platform")],
    api_key: Annotated[Path, typer.Option("--api-key", help="接口密钥文件 / file with the API key")],
) -> None:
    """签署报价并提交 / signs the quote and sends it with report and evidence."""
    with said_clearly():
        own, made = keyfiles.load(key), _whole(report.read_bytes(), evidence.read_bytes())
        body = quote_of(made, own.by)
        with PlatformClient(url, keyfiles.token(api_key)) as platform:
            place = platform.next_of(subject_of(body.report_id))
            statement = statement_of(made, own.by, place.no, place.prev)
            parts = [made.data.decode(), made.evidence.decode()]
            answer = platform.submit("/api/quotes", statement, [partial(sign_sm2, own.sm2, by=own.by)], parts=parts)
    typer.echo(json.dumps(answer, ensure_ascii=False))


@app.command()
def batch(
    folder: Annotated[Path, typer.Argument(help="文件夹：算例或证据 JSON / a folder of cases, or of evidence")],
    out: Annotated[Path, typer.Option(help="输出文件夹 / folder for reports and the table")],
    as_of: Annotated[int, typer.Option(help="由证据重新定价的时点，UTC 秒 / when evidence is priced again")] = 0,
    days: Annotated[int, typer.Option(help="重新定价的有效天数 / days a new price holds")] = 180,
) -> None:
    """整批定价：算例逐份，证据则按现行口径重新定价；另出一张表 / prices a folder, with one table.

    What is refused stands in the table with its reason; exit 1 if anything was.
    """
    with said_clearly():
        files = sorted(item for item in folder.iterdir() if item.suffix == ".json" and item.is_file())
        if not files:
            raise FieldError("folder", "算例或证据 / cases or evidence (*.json)", str(folder))
        out.mkdir(parents=True, exist_ok=True)
        work = partial(_priced, out=out, as_of=as_of, days=days)
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            rows = list(_progress(pool.map(work, files, chunksize=32), len(files)))
        with (out / TABLE).open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEAD)
            writer.writerows(map(no_formula, row) for row in rows)
    refused = sum(1 for row in rows if row[-1])
    typer.echo(f"{len(rows)} 份，拒绝 {refused} 份 / priced, of them refused. {out / TABLE}")
    raise typer.Exit(1 if refused else 0)


# Inside ---------------------------------------------------------------------------------------------------------------

_POLICY = {
    "published": "已发布 / published",
    "unpublished": "未发布（自拟口径） / not published",
    "altered": "与已发布的同名口径不同 / differs from the published one of that name",
}


def _columns_seen(done: int, total: int) -> None:
    """How many columns were counted, on one line of a terminal that somebody looks at."""
    if sys.stderr.isatty():
        typer.echo(f"\r计数 / counting: {done} / {total} 列 columns", err=True, nl=done == total)


def _priced(file: Path, *, out: Path, as_of: int, days: int) -> list[str]:
    """The table's line for one case or evidence; its report and evidence are written."""
    try:
        data = file.read_bytes()
        head = _head(data)
        if head.kind == EVIDENCE_KIND:
            made = _again(data, head.request, as_of, days)
        else:
            made = trial.price_case(_object(file), file.parent)
    except (ClearingError, LedgerError, OSError) as error:
        return [file.name, *[""] * (len(HEAD) - 2), " ".join(str(error).split())[:500]]
    (out / f"{file.stem}.report.json").write_bytes(made.data)
    (out / f"{file.stem}.evidence.json").write_bytes(made.evidence)
    identity, result = made.document["identity"], made.document["result"]
    return [
        file.name, identity["element"]["id"], str(identity["element"]["version"]), identity["stage"],
        f"{identity['billing']['size']} {identity['billing']['unit']}", yuan(result["guide_fen"]),
        yuan(result["agreed_guide_fen"]), yuan(result["bidding_guide_fen"]) if "bidding_guide_fen" in result else "",
        made.document["intermediate"]["grade"], "是" if result["cold_start"] else "否", _digest(made.document), "",
    ]  # fmt: skip


class _Asked(msgspec.Struct, frozen=True):
    domain: str = ""
    stage: str = ""


class _Head(msgspec.Struct, frozen=True):
    """What tells evidence from a case, and the policy it is under; the rest of the file is left alone."""

    kind: str = ""
    request: _Asked = _Asked()


def _head(data: bytes) -> _Head:
    try:
        return msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Head()  # read as a case, whose own reader says what is wrong


def _again(data: bytes, request: _Asked, as_of: int, days: int) -> PriceReport:
    if as_of <= 0 or days <= 0:
        raise FieldError("--as-of, --days", "由证据重新定价须给出 / needed for evidence", f"{as_of}, {days}")
    policy = choose(POLICIES, request.domain, request.stage, as_of)
    return reprice(data, policy, report_id=secrets.token_hex(16), as_of=as_of, valid_until=as_of + days * 86_400)


def _progress(rows: Iterable[list[str]], total: int) -> Iterator[list[str]]:
    with typer.progressbar(rows, length=total, label="定价 / pricing", file=sys.stderr) as shown:
        yield from shown


def _object(file: Path) -> dict[str, Any]:
    value = canonical.parse(file.read_bytes())
    if not isinstance(value, dict):
        raise FieldError(file.name, "JSON 对象 / a JSON object", type(value).__name__)
    return value


def _report(data: bytes) -> dict[str, Any]:
    document = decode(data, "report")
    if not isinstance(document, dict) or document.get("kind") != REPORT_KIND:
        raise FieldError("report.kind", REPORT_KIND, repr(document)[:80])
    return document


def _whole(report: bytes, evidence: bytes) -> PriceReport:
    verdict = verify(report, evidence)
    if not verdict.equal:
        raise FieldError(f"{verdict.where}{verdict.pointer}", verdict.expected, verdict.given)
    return from_evidence(evidence)


def _digest(document: dict[str, Any]) -> str:
    return str(document["digests"]["report"]["sha256"])


def _tell(document: dict[str, Any]) -> None:
    said = told(document, text_of)
    typer.echo(f"{said.title}　{said.price}　{said.basis}　{said.kind}")
    for chapter in said.chapters[:1]:
        for label, value in chapter.rows:
            typer.echo(f"  {label}　{value}")
        if chapter.note:
            typer.echo(f"  {chapter.note}")
