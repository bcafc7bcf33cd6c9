"""`shuqing dispute`: a complaint about delivery or use, signed with the list of the facts it rests on."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from api.keyfiles import KeyFile
from clearing.settlement.dispute.opening import (
    DISPUTE_ACT,
    Act,
    Complaint,
    DisputeAct,
    Evidence,
    Side,
    Topic,
    act_of,
    subject_of,
)
from ledger.digest import twin
from ledger.errors import FieldError
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
    paper: PaperOption = None,
) -> None:
    """投诉：取得证据清单，写入并签署 / complains: fetches the list of evidence, puts it in and signs."""
    with said_clearly():
        keys = keyfiles.load(key)
        topic = Topic.DELIVERY if delivery else Topic.USE
        with PlatformClient(url, api_key) as client:
            path = f"/api/agreements/{agreement}/evidence"
            more: dict[str, str | int] = {"delivery": delivery} if delivery else {"from": start, "to": end}
            found = client.get(path, topic=topic.value, **more)["evidence"]
            evidence = tuple(Evidence(line["fact"], read(Twin, line["digest"], "digest")) for line in found)
            about = {"delivery": delivery} if delivery else {"start": start, "end": end}
            complaint = Complaint(topic, text, demand, evidence, **about)
            body = DisputeAct(
                Act.OPEN, Side.FILER, agreement, _party(keys), respondent, complaint, papers=_papers(paper)
            )
            _say(client, keys, secrets.token_hex(16), body)


@app.command("say")
def say(
    dispute: Annotated[str, typer.Argument(help="投诉编号 / id of the dispute")],
    act: Annotated[Act, typer.Argument(help="ANSWER | WITHDRAW")],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    text: Annotated[str, typer.Option(help="内容 / words")] = "",
    paper: PaperOption = None,
) -> None:
    """答复或撤回 / answers, or withdraws."""
    with said_clearly():
        if act is Act.OPEN:
            raise FieldError("act", "ANSWER | WITHDRAW", act)
        keys = keyfiles.load(key)
        with PlatformClient(url, api_key) as client:
            known = client.get(f"/api/disputes/{dispute}")["dispute"]
            side = Side.RESPONDENT if act is Act.ANSWER else Side.FILER
            body = DisputeAct(
                act, side, known["agreement"], known["filer"], known["respondent"], text=text or None,
                papers=_papers(paper),
            )  # fmt: skip
            _say(client, keys, dispute, body)


def _say(client: PlatformClient, keys: KeyFile, dispute: str, body: DisputeAct) -> None:
    statement = client.draft(DISPUTE_ACT, subject_of(dispute), body_of(body))
    act_of(statement)  # refused here before it is signed
    answer = client.submit(
        "/api/disputes/acts", statement, [lambda item: sign_sm2(keys.sm2, item, by=keys.by, role=body.side.value)]
    )
    typer.echo(json.dumps({"dispute": dispute, "act": body.act.value, **answer}, ensure_ascii=False))


def _party(keys: KeyFile) -> str:
    kind, _, identity = keys.by.partition(":")
    if kind != "party":
        raise FieldError("--key", "party:… 的密钥文件 / the key file of a party", keys.by)
    return identity


def _papers(files: list[Path] | None) -> tuple[Twin, ...] | None:
    return tuple(Twin.of(twin(file.read_bytes())) for file in files) if files else None
