"""`shuqing nontax`: non-tax revenue at a platform, stated and read with one's own keys."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from clearing.money import parse_yuan
from clearing.settlement.public_revenue.path import STATE_NAMES, State
from clearing.settlement.public_revenue.statements import (
    ALLOCATION_PLAN,
    CHECKER,
    KINDS,
    MAKER,
    NON_TAX_DUE,
    NON_TAX_REFUND,
    PURPOSE_ALLOCATION,
    body_in,
    due_subject,
    plan_subject,
    signer_of,
)
from ledger import canonical
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.asset import Twin

app = typer.Typer(help="非税收入 / non-tax revenue", no_args_is_help=True)

KeyOption = Annotated[
    Path, typer.Option(help="签署人密钥文件；两人签署时为经办人 / key file; of the maker where two sign")
]
CheckerOption = Annotated[Path, typer.Option(help="复核人密钥文件 / key file of the checker")]
UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")]
DueArgument = Annotated[str, typer.Argument(help="应缴编号 / id of the due")]
TicketArgument = Annotated[str, typer.Argument(help="票据代码-票据号码 / code-number of the ticket")]
DOOR = "/api/non-tax/statements"


@app.command("state")
def state(
    kind: Annotated[str, typer.Argument(help="类型，如 non-tax-due/v1 / kind of statement")],
    file: Annotated[Path, typer.Argument(help="内容（JSON），字段见接口说明 / the body as JSON")],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    checker: Annotated[
        Path | None, typer.Option(help="清分方案的复核人密钥文件 / checker's key file, of a plan")
    ] = None,
    identity: Annotated[str, typer.Option("--id", help="应缴或方案编号；新的不填 / id; none for a new one")] = "",
) -> None:
    """签署并提交非税收入的一项陈述 / signs a statement about non-tax revenue and sends it."""
    with said_clearly():
        if kind not in KINDS:
            raise FieldError("kind", " | ".join(KINDS), kind[:80])
        if not identity and kind not in (NON_TAX_DUE, ALLOCATION_PLAN):
            raise FieldError("--id", "应缴编号 / id of the due", "缺失 / missing")
        own = identity or secrets.token_hex(16)
        body = canonical.parse(file.read_bytes())
        keys = [key, checker] if checker else [key]
        _say(url, api_key, kind, own, body, keys)


@app.command("allocate")
def allocate(
    due: DueArgument,
    ticket: TicketArgument,
    plan: Annotated[str, typer.Option(help="清分方案编号 / id of the plan")],
    key: KeyOption,
    checker: CheckerOption,
    url: UrlOption,
    api_key: ApiKeyOption,
) -> None:
    """两人清分一张财政电子票据 / two persons allocate a ticket to its purposes."""
    with said_clearly():
        with PlatformClient(url, api_key) as client:
            body = _divided(client, due, ticket, plan=plan)
        _say(url, api_key, PURPOSE_ALLOCATION, due, body, [key, checker])


@app.command("refund")
def refund(
    due: DueArgument,
    ticket: TicketArgument,
    amount: Annotated[str, typer.Option(help="退付金额（元） / refund, yuan")],
    reason: Annotated[str, typer.Option(help="理由 / why")],
    document: Annotated[Path, typer.Option(help="退付依据，只提交摘要 / what it rests on: only its digest is sent")],
    key: KeyOption,
    checker: CheckerOption,
    url: UrlOption,
    api_key: ApiKeyOption,
) -> None:
    """两人决定退付，冲回各用途 / two persons decide a refund; its purposes are taken back."""
    with said_clearly():
        fen = parse_yuan(amount, "--amount")
        paper = Twin.of(twin(document.read_bytes()))
        with PlatformClient(url, api_key) as client:
            body = _divided(client, due, ticket, refund=fen)
        body |= {"fen": fen, "reason": reason, "document": body_of(paper)}
        _say(url, api_key, NON_TAX_REFUND, due, body, [key, checker])


@app.command("show")
def show(due: DueArgument, url: UrlOption, api_key: ApiKeyOption) -> None:
    """一笔应缴：状态、票据、清分、退付 / a due and where it stands."""
    with said_clearly(), PlatformClient(url, api_key) as client:
        found = client.get(f"/api/non-tax/dues/{due}")["due"]
    typer.echo(f"{STATE_NAMES[State(found['state'])]} / {found['state']}")
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


@app.command("book")
def book(
    url: UrlOption,
    api_key: ApiKeyOption,
    xlsx: Annotated[Path | None, typer.Option(help="写成 Excel / write XLSX here")] = None,
) -> None:
    """导出台账（JSON、xlsx） / the 台账 of one's own dues."""
    with said_clearly(), PlatformClient(url, api_key) as client:
        if xlsx is None:
            typer.echo(json.dumps(client.get("/api/non-tax/book"), ensure_ascii=False, indent=2))
        else:
            xlsx.write_bytes(client.fetch("/api/non-tax/book/xlsx"))


def _divided(client: PlatformClient, due: str, ticket: str, **query: str | int) -> dict[str, Any]:
    """The body of an allocation, or most of a refund's, as the platform divides the ticket now."""
    code, _, number = ticket.partition("-")
    path = f"/api/non-tax/dues/{due}"
    stated = client.get(path)["due"]["due"]
    parties = {name: stated[name] for name in ("authority", "payer", "treasury", "issuer")}
    return {**parties, **client.get(f"{path}/tickets/{code}/{number}/division", **query)["division"]}


def _say(url: str, api_key: str, kind: str, own: str, body: Any, files: Sequence[Path]) -> None:
    """Signs with the one key, or with maker's and checker's, and sends; refused here before it is signed."""
    keys = [keyfiles.load(file) for file in files]
    subject = plan_subject(own) if kind == ALLOCATION_PLAN else due_subject(own)
    with PlatformClient(url, api_key) as client:
        statement = client.draft(kind, subject, body)
        two = signer_of(kind, body_in(statement)) is None
        if len(keys) != (2 if two else 1):
            raise FieldError(
                "--checker", "经办人与复核人各一 / maker and checker" if two else "无 / none", str(len(keys))
            )
        roles = (MAKER, CHECKER) if two else ("",)
        sign = [partial(sign_sm2, one.sm2, by=one.by, role=role) for one, role in zip(keys, roles, strict=True)]
        taken = client.submit(DOOR, statement, sign)
    typer.echo(json.dumps({"id": own, **taken}, ensure_ascii=False))
