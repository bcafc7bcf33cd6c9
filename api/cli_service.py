"""`shuqing service`: planned outages, consents, incidents, signed with one's own key."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from clearing.usage.service_level.notice import OUTAGE_ACT, Act, OutageAct, Speaker, act_of, subject_of
from ledger.reading import body_of
from ledger.signing import sign_sm2

app = typer.Typer(help="服务水平 / the service level", no_args_is_help=True)


@app.callback()
def service() -> None:
    """服务水平 / the service level."""


@app.command("outage")
def outage(
    act: Annotated[Act, typer.Argument(help="计划停机公告、同意、取消；故障报告、不认可、恢复 / the act")],
    listing: Annotated[str, typer.Argument(help="上架编号 / the listing")],
    key: Annotated[Path, typer.Option(help="本方密钥文件 / one's own key file")],
    url: Annotated[str, typer.Option(help="平台地址 / address of the platform")],
    api_key: Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")],
    about: Annotated[str, typer.Option(help="停机编号（首个事项不填） / the outage, but for its first act")] = "",
    agreement: Annotated[str, typer.Option(help="需方填写所依合约 / a consumer's agreement")] = "",
    start: Annotated[int | None, typer.Option(help="开始，UTC 秒 / when it begins or began")] = None,
    end: Annotated[int | None, typer.Option(help="结束或恢复，UTC 秒 / when it ends or ended")] = None,
    detected_at: Annotated[int | None, typer.Option(help="发现，UTC 秒 / when it was noticed")] = None,
    text: Annotated[str, typer.Option(help="说明 / words")] = "",
) -> None:
    """声明计划停机或故障；计划停机须提前 72 小时公告并获同意 / states an outage; a planned one needs both."""
    with said_clearly():
        keys = keyfiles.load(key)
        speaker = Speaker.CONSUMER if agreement else Speaker.SELLER
        body = OutageAct(
            act, speaker, keys.by.partition(":")[2], listing, agreement or None, start, end, detected_at, text or None
        )
        identity = about or secrets.token_hex(16)
        with PlatformClient(url, api_key) as client:
            statement = client.draft(OUTAGE_ACT, subject_of(identity), body_of(body))
            act_of(statement)  # refused here before it is signed
            answer = client.submit("/api/outages/acts", statement, [lambda item: sign_sm2(keys.sm2, item, by=keys.by)])
        typer.echo(json.dumps({"outage": identity, "act": act.value, **answer}, ensure_ascii=False))
