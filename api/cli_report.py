"""`shuqing report`: figures of a platform, objections to them and their answers, signed with one's own key."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from api.keyfiles import KeyFile
from clearing.settlement.reporting.definitions import DEFINITIONS, Code
from clearing.settlement.reporting.objection import (
    ANSWER,
    OBJECTION,
    OFFICER,
    PARTY_RELATION,
    Answer,
    Objection,
    Relation,
    objection_subject,
    read_answer,
    read_objection,
    read_relation,
    relation_subject,
)
from ledger.errors import FieldError
from ledger.reading import body_of
from ledger.signing import sign_sm2

app = typer.Typer(help="统计与信用 / figures and credit", no_args_is_help=True)

KeyOption = Annotated[Path, typer.Option(help="密钥文件 / the key file")]
UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")]
AsOfOption = Annotated[int, typer.Option(help="截至，UTC 秒；0 为一分钟前 / as of; 0: a minute ago")]
ReasonOption = Annotated[str, typer.Option(help="理由 / why")]


@app.command()
def definitions() -> None:
    """统一口径清单 / what each figure means, with number and version."""
    for one in DEFINITIONS:
        typer.echo(f"{one.label}  {one.name}（自 {one.effective}）\n    {one.meaning}\n    {one.ratio}")


@app.command("credit")
def credit(
    party: Annotated[str, typer.Argument(help="当事方 / the party")],
    url: UrlOption,
    api_key: ApiKeyOption,
    as_of: AsOfOption = 0,
) -> None:
    """信用评分与等级，逐项依据 / credit of a party, every input with its facts."""
    with said_clearly(), PlatformClient(url, api_key) as client:
        _print(client.get(f"/api/reports/credit/{party}", **_as_of(as_of)))


@app.command()
def publish(url: UrlOption, api_key: ApiKeyOption, as_of: AsOfOption = 0) -> None:
    """运营方发布信用评分 / the operator publishes the credit of everybody who has a grade."""
    query = f"?as_of={as_of}" if as_of else ""
    with said_clearly(), PlatformClient(url, api_key) as client:
        _print(client.post(f"/api/reports/credit{query}", {}))


@app.command()
def assessment(
    period: Annotated[str, typer.Argument(help="YYYY-MM | YYYY-Qn | YYYY")],
    url: UrlOption,
    api_key: ApiKeyOption,
    as_of: AsOfOption = 0,
    xlsx: Annotated[Path | None, typer.Option(help="写成 Excel / write XLSX here")] = None,
) -> None:
    """考核统计报表 / every figure of a window: one's own, of everybody for operator and supervisors."""
    _report(url, api_key, f"/api/reports/assessment/{period}", as_of, xlsx)


@app.command()
def totals(
    period: Annotated[str, typer.Argument(help="YYYY-MM | YYYY-Qn | YYYY")],
    url: UrlOption,
    api_key: ApiKeyOption,
    as_of: AsOfOption = 0,
    xlsx: Annotated[Path | None, typer.Option(help="写成 Excel / write XLSX here")] = None,
) -> None:
    """监管汇总，少于 10 个当事方的不列 / totals for supervisors; nothing about fewer than ten parties."""
    _report(url, api_key, f"/api/reports/totals/{period}", as_of, xlsx)


@app.command()
def disclosure(
    year: Annotated[str, typer.Argument(help="YYYY")],
    url: UrlOption,
    xlsx: Annotated[Path | None, typer.Option(help="写成 Excel / write XLSX here")] = None,
    api_key: Annotated[str, typer.Option(help="只用于预览 / for a preview only: sq_…")] = "",
    as_of: Annotated[int, typer.Option(help="预览截至，UTC 秒（运营方、监管方） / preview as of")] = 0,
) -> None:
    """年度披露，公开；一年一份，以口径规定的一秒为准 / what everybody is told of a year, naming nobody."""
    path = f"/api/reports/disclosure/{year}"
    _report(url, api_key, f"{path}/preview" if as_of else path, as_of, xlsx)


@app.command()
def trades(
    period: Annotated[str, typer.Argument(help="账期 YYYY-MM / the account period")], url: UrlOption,
    api_key: ApiKeyOption,
) -> None:  # fmt: skip
    """交易记录报告 / the deals of an account period."""
    with said_clearly(), PlatformClient(url, api_key) as client:
        _print(client.get(f"/api/reports/trades/{period}"))


@app.command("object")
def object_(
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    reason: ReasonOption,
    figure: Annotated[Code, typer.Option(help="指标编号 / number of the figure")] = Code.CREDIT,
    period: Annotated[str, typer.Option(help="窗口（信用不填） / the window, but for credit")] = "",
    as_of: Annotated[int, typer.Option(help="截至，UTC 秒（信用不填） / as of, but for credit")] = 0,
    inputs: Annotated[list[str] | None, typer.Option("--input", help="有异议的记录 / an input objected to")] = None,
) -> None:
    """对本方的指标提出异议；信用自发布起 10 个工作日内 / objects to a figure of one's own."""
    with said_clearly():
        keys = keyfiles.load(key)
        party = _party(keys)
        with PlatformClient(url, api_key) as client:
            published = None
            if figure is Code.CREDIT:
                found = client.get(f"/api/reports/credit/{party}").get("published")
                if found is None:
                    raise FieldError("figure", "已发布的信用评分 / a published credit figure", "尚无 / none")
                published = found["fact_id"]
            body = Objection(party, figure, reason, published, period or None, as_of or None, tuple(inputs or ()))
            identity = secrets.token_hex(16)
            statement = client.draft(OBJECTION, objection_subject(identity), body_of(body))
            read_objection(statement)  # refused here before it is signed
            taken = client.submit(
                "/api/reports/objections", statement, [lambda item: sign_sm2(keys.sm2, item, by=keys.by)]
            )
        _print({"objection": identity, **taken})


@app.command("answer")
def answer(
    objection: Annotated[str, typer.Argument(help="异议编号 / id of the objection")],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    reason: ReasonOption,
    upheld: Annotated[bool, typer.Option("--upheld/--refused", help="采纳或不采纳 / upheld or not")],
    set_aside: Annotated[list[str] | None, typer.Option(help="搁置的记录 / an input set aside for good")] = None,
) -> None:
    """经办人答复异议，附重新计算的结果 / staff answer an objection with the figure computed again."""
    with said_clearly():
        keys, aside = keyfiles.load(key), tuple(set_aside or ())
        query = urlencode([("set_aside", item) for item in aside])
        with PlatformClient(url, api_key) as client:
            found = client.get(f"/api/reports/objections/{objection}?{query}")
            body = Answer(found["objection"]["body"]["party"], upheld, reason, found["recomputed"], aside)
            statement = client.draft(ANSWER, objection_subject(objection), body_of(body))
            read_answer(statement)
            taken = client.submit(
                "/api/reports/objections/answers", statement,
                [lambda item: sign_sm2(keys.sm2, item, by=keys.by, role=OFFICER)],
            )  # fmt: skip
        _print({"recomputed": found["recomputed"], **taken})


@app.command()
def relate(
    one: Annotated[str, typer.Argument(help="一方 / one party")],
    other: Annotated[str, typer.Argument(help="另一方 / the other")],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    reason: ReasonOption,
    related: Annotated[bool, typer.Option("--related/--unrelated", help="是否关联 / related or not")] = True,
) -> None:
    """关联关系：双方之一声明，或经办人认定、解除 / states that two parties are related, or are not."""
    with said_clearly():
        keys = keyfiles.load(key)
        first, second = sorted((one, other))
        role = "" if keys.by.startswith("party:") else OFFICER
        with PlatformClient(url, api_key) as client:
            body = Relation(first, second, related, reason)
            statement = client.draft(PARTY_RELATION, relation_subject(one, other), body_of(body))
            read_relation(statement)
            taken = client.submit(
                "/api/reports/relations", statement, [lambda item: sign_sm2(keys.sm2, item, by=keys.by, role=role)]
            )
        _print(taken)


def _report(url: str, api_key: str, path: str, as_of: int, xlsx: Path | None) -> None:
    with said_clearly(), PlatformClient(url, api_key) as client:
        if xlsx is None:
            _print(client.get(path, **_as_of(as_of)))
        else:
            xlsx.write_bytes(client.fetch(f"{path}/xlsx", **_as_of(as_of)))
            typer.echo(str(xlsx))


def _as_of(as_of: int) -> dict[str, int]:
    return {"as_of": as_of} if as_of else {}


def _party(keys: KeyFile) -> str:
    kind, _, identity = keys.by.partition(":")
    if kind != "party":
        raise FieldError("--key", "party:… 的密钥文件 / the key file of a party", keys.by)
    return identity


def _print(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1))
