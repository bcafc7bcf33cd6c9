"""`shuqing dispute`: a complaint about delivery or use, signed with the list of the facts it rests on."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from api.keyfiles import KeyFile
from clearing.money import parse_yuan
from clearing.settlement.dispute.opening import (
    DISPUTE_ACT,
    Act,
    Complaint,
    Decision,
    DisputeAct,
    Evidence,
    Side,
    Topic,
    act_of,
    subject_of,
)
from clearing.usage.finding import CHECKER, MAKER
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.facts import Signature, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from registry.asset import Twin

app = typer.Typer(help="投诉与争议 / complaints and disputes", no_args_is_help=True)

KeyOption = Annotated[Path, typer.Option(help="本方密钥文件 / one's own key file")]
UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")]
PaperOption = Annotated[list[Path] | None, typer.Option(help="文件，只提交摘要 / a paper: only its digest is sent")]


@app.command("open")
def open_(
    agreement: Annotated[str, typer.Argument(help="合约编号 / the agreement")],
    respondent: Annotated[str, typer.Option(help="被投诉方 / whom it is about")],
    text: Annotated[str, typer.Option(help="事实与理由 / what happened")],
    demand: Annotated[str, typer.Option(help="请求 / what is asked for")],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    delivery: Annotated[str, typer.Option(help="关于交付：交付编号 / about this delivery")] = "",
    start: Annotated[int, typer.Option("--from", help="关于使用：自，UTC 秒 / about use: from")] = 0,
    end: Annotated[int, typer.Option("--to", help="关于使用：至，UTC 秒 / about use: to")] = 0,
    charge: Annotated[str, typer.Option(help="关于账单：计费结果的事实号 / about a charge: its fact id")] = "",
    amount: Annotated[str, typer.Option(help="争议金额（元，含税） / disputed, yuan gross")] = "",
    paper: PaperOption = None,
) -> None:
    """投诉：取得证据清单，写入并签署 / complains: fetches the list of evidence, puts it in and signs.

    Of a disputed charge the disputed amount is frozen at once; everything else goes on.
    """
    with said_clearly():
        keys = keyfiles.load(key)
        topic = Topic.STATEMENT if charge else Topic.DELIVERY if delivery else Topic.USE
        asked: dict[str, str | int] = {"charge": charge} if charge else {"delivery": delivery}
        about: dict[str, Any] = dict(asked)
        if topic is Topic.USE:
            asked, about = {"from": start, "to": end}, {"start": start, "end": end}
        elif topic is Topic.STATEMENT:
            about["amount"] = parse_yuan(amount, "--amount")
        with PlatformClient(url, api_key) as client:
            path = f"/api/agreements/{agreement}/evidence"
            found = client.get(path, topic=topic.value, **asked)["evidence"]
            evidence = tuple(Evidence(line["fact"], read(Twin, line["digest"], "digest")) for line in found)
            complaint = Complaint(topic, text, demand, evidence, **about)
            body = DisputeAct(
                Act.OPEN, Side.FILER, agreement, _party(keys), respondent, complaint, papers=_papers(paper)
            )
            _say(client, keys, secrets.token_hex(16), body)


@app.command("say")
def say(
    dispute: Annotated[str, typer.Argument(help="投诉编号 / id of the dispute")],
    act: Annotated[Act, typer.Argument(help="ANSWER | OFFER | ACCEPT | MEDIATE | PROPOSE | LEAVE | WITHDRAW")],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    text: Annotated[str, typer.Option(help="内容 / words")] = "",
    upheld: Annotated[str, typer.Option(help="退还金额（元，含税），账单争议必填 / given back, yuan gross")] = "",
    paper: PaperOption = None,
) -> None:
    """答复、提出或接受方案、请求调解、调解方案、转外部管辖、撤回 / what a side or the mediator says."""
    with said_clearly():
        if act in (Act.OPEN, Act.DECIDE):
            raise FieldError("act", "ANSWER | OFFER | ACCEPT | MEDIATE | PROPOSE | LEAVE | WITHDRAW", act)
        keys = keyfiles.load(key)
        with PlatformClient(url, api_key) as client:
            known = client.get(f"/api/disputes/{dispute}")["dispute"]
            own = _party(keys)
            sides = {known["filer"]: Side.FILER, known["respondent"]: Side.RESPONDENT}
            body = DisputeAct(
                act, sides.get(own, Side.MEDIATOR), known["agreement"], known["filer"], known["respondent"],
                text=text or None, papers=_papers(paper), upheld=_fen(upheld),
                mediator=own if act is Act.PROPOSE else None,
            )  # fmt: skip
            _say(client, keys, dispute, body)


@app.command()
def decide(
    dispute: Annotated[str, typer.Argument(help="投诉编号 / id of the dispute")],
    body: Annotated[str, typer.Option(help="裁决机构 / who decided")],
    number: Annotated[str, typer.Option(help="文号 / its number")],
    date: Annotated[str, typer.Option(help="裁决日期 YYYY-MM-DD / the day")],
    in_force: Annotated[str, typer.Option(help="生效日期 YYYY-MM-DD / in force from")],
    document: Annotated[Path, typer.Option(help="裁决文书，只提交摘要 / its text: only the digest is sent")],
    key: Annotated[Path, typer.Option(help="经办人密钥文件 / key file of the maker")],
    checker: Annotated[Path, typer.Option(help="复核人密钥文件 / key file of the checker")],
    url: UrlOption,
    api_key: ApiKeyOption,
    upheld: Annotated[str, typer.Option(help="退还金额（元，含税），账单争议必填 / given back, yuan gross")] = "",
) -> None:
    """运营方两人录入生效裁决 / two persons of the operator enter what court or arbitration decided."""
    with said_clearly():
        persons = ((keyfiles.load(key), MAKER), (keyfiles.load(checker), CHECKER))
        decision = Decision(body, number, date, in_force, Twin.of(twin(document.read_bytes())))
        with PlatformClient(url, api_key) as client:
            known = client.get(f"/api/disputes/{dispute}")["dispute"]
            act = DisputeAct(
                Act.DECIDE, Side.OPERATOR, known["agreement"], known["filer"], known["respondent"],
                upheld=_fen(upheld), decision=decision,
            )  # fmt: skip
            _send(client, dispute, act, [partial(sign_sm2, keys.sm2, by=keys.by, role=role) for keys, role in persons])


def _say(client: PlatformClient, keys: KeyFile, dispute: str, body: DisputeAct) -> None:
    _send(client, dispute, body, [partial(sign_sm2, keys.sm2, by=keys.by, role=body.side.value)])


def _send(
    client: PlatformClient, dispute: str, body: DisputeAct, signers: list[Callable[[Statement], Signature]]
) -> None:
    statement = client.draft(DISPUTE_ACT, subject_of(dispute), body_of(body))
    act_of(statement)  # refused here before it is signed
    answer = client.submit("/api/disputes/acts", statement, signers)
    typer.echo(json.dumps({"dispute": dispute, "act": body.act.value, **answer}, ensure_ascii=False))


def _fen(yuan: str) -> int | None:
    return parse_yuan(yuan, "--upheld") if yuan else None


def _party(keys: KeyFile) -> str:
    kind, _, identity = keys.by.partition(":")
    if kind != "party":
        raise FieldError("--key", "party:… 的密钥文件 / the key file of a party", keys.by)
    return identity


def _papers(files: list[Path] | None) -> tuple[Twin, ...] | None:
    return tuple(Twin.of(twin(file.read_bytes())) for file in files) if files else None
