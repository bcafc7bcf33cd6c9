"""`shuqing market`: statements on the market signed with one's own key file and sent, and what it holds on a screen."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from api import jobs, keyfiles
from api.client import PlatformClient
from api.command import HomeOption, said_clearly, stored
from clearing.market.broker.mandate import MANDATE, MANDATE_ENDING, Mandate, MandateEnding
from clearing.market.demand import service as demanding
from clearing.market.demand.demand import DEMAND, DEMAND_BUDGET, DEMAND_MOVE, Budget, Demand, DemandMove
from clearing.market.demand.moves import STATE_NAMES
from clearing.market.demand.store import Wanted
from clearing.market.filing.filing import AGREEMENT_FILING, AgreementFiling
from clearing.market.gratis.request import GRATIS_MOVE, GRATIS_REQUEST, GratisMove, GratisRequest
from clearing.market.matching import service as matching
from clearing.market.profile.profile import (
    DEAL_EVALUATION,
    DEAL_REPLY,
    PARTY_PROFILE,
    DealEvaluation,
    DealReply,
    Profile,
)
from clearing.settlement.reporting import store as reporting
from clearing.usage.service_level import service as service_level
from ledger import canonical
from ledger.errors import FieldError
from ledger.facts import Signature, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2

app = typer.Typer(help="交易市场 / the market", no_args_is_help=True)

SHOWN = 200


@dataclass(frozen=True, slots=True)
class Sent:
    """Where statements of a kind are sent, what their body is, and what they are about."""

    path: str
    body: type[Any]
    about: str


KINDS = {
    MANDATE: Sent("/api/mandates", Mandate, "mandate"),
    MANDATE_ENDING: Sent("/api/mandates/endings", MandateEnding, "mandate"),
    DEMAND: Sent("/api/demands", Demand, "demand"),
    DEMAND_BUDGET: Sent("/api/demands/budgets", Budget, "demand-budget"),
    DEMAND_MOVE: Sent("/api/demands/moves", DemandMove, "demand"),
    GRATIS_REQUEST: Sent("/api/gratis", GratisRequest, "gratis-request"),
    AGREEMENT_FILING: Sent("/api/filings", AgreementFiling, "agreement-filing"),
    GRATIS_MOVE: Sent("/api/gratis/moves", GratisMove, "gratis-request"),
    PARTY_PROFILE: Sent("/api/profiles", Profile, "party-profile"),
    DEAL_EVALUATION: Sent("/api/evaluations", DealEvaluation, "deal-evaluation"),
    DEAL_REPLY: Sent("/api/evaluations/replies", DealReply, "deal-evaluation"),
}


@app.command("state")
def state(
    kind: Annotated[str, typer.Argument(help="事实种类，如 demand/v1 / the kind of statement")],
    file: Annotated[Path, typer.Argument(help="内容（JSON），字段见接口说明 / the body as JSON")],
    key: Annotated[list[Path], typer.Option(help="签署人密钥文件，可重复 / key file of who signs; may be repeated")],
    url: Annotated[str, typer.Option(help="平台地址 / address of the platform")],
    api_key: Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")],
    identity: Annotated[str, typer.Option("--id", help="编号；新事项不填 / its id; none for a new one")] = "",
    role: Annotated[str, typer.Option(help="经办人的角色，如 demand_officer / role of a member of staff")] = "",
) -> None:
    """签署并提交市场上的陈述 / signs a statement on the market and sends it."""
    with said_clearly():
        if kind not in KINDS:
            raise FieldError("kind", " | ".join(KINDS), kind[:80])
        sent = KINDS[kind]
        body = body_of(read(sent.body, canonical.parse(file.read_bytes())))
        keys = [keyfiles.load(item) for item in key]
        subject = f"{sent.about}:{identity or secrets.token_hex(16)}"
        with PlatformClient(url, api_key) as client:
            draft = client.draft(kind, subject, body)
            answer = client.submit(sent.path, draft, [partial(_sign, signer, role) for signer in keys])
    typer.echo(json.dumps(answer, ensure_ascii=False))


def _sign(signer: keyfiles.KeyFile, role: str, statement: Statement) -> Signature:
    return sign_sm2(signer.sm2, statement, by=signer.by, role=role)


@app.command("demands")
def demands(
    home: HomeOption = None,
    words: Annotated[str, typer.Option(help="任意字词 / words, or pieces of words")] = "",
    every: Annotated[bool, typer.Option("--all", help="含已办结 / with those that ended")] = False,
) -> None:
    """公开的需求 / the public demands."""
    with said_clearly():
        system = stored(home)
        with jobs.snapshot(system) as session:
            found = demanding.search(session, Wanted(words=words, all_shown=every), limit=SHOWN)
    for hit in found.hits:
        item = hit.summary
        typer.echo(f"{item.demand}  {STATE_NAMES[hit.state]}  {item.sector}  {item.deadline}  {item.title}")
    typer.echo(f"{len(found.hits)} 项需求 / demands{'，未列全 / and more' if found.next else ''}")


@app.command("match")
def match(
    demand: Annotated[str, typer.Argument(help="需求编号 / id of the demand")],
    home: HomeOption = None,
) -> None:
    """供需匹配，逐分量说明；不留存 / the products that match a demand, component by component; nothing is kept."""
    with said_clearly():
        system = stored(home)
        with jobs.snapshot(system) as session:
            now = system.clock()
            records, grades = service_level.records(session, at=now), reporting.grades(session)
            found = matching.match(session, demand, at=now, records=records, grades=grades)
    typer.echo(f"在架 {found.looked} 项 / products on the shelf")
    for item in found.removed:
        typer.echo(f"  − {item.count:4}  {item.zh} / {item.en}")
    for place, ranked in enumerate(found.ranked, 1):
        typer.echo(f"{place:3}. {ranked.score or '未评':>6}  {ranked.product}  {ranked.name}")
        parts = (f"{part.name} {part.value or '未评'} ×{part.weight}" for part in ranked.components)
        typer.echo(f"             {'；'.join(parts)}")
