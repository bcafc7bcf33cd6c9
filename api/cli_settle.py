"""`shuqing settle`: what a period lacks, and its inputs put before both sides, which sign by `shuqing deals sign`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from ledger.errors import Malformed

app = typer.Typer(help="账期要素 / what both sides state of a period", no_args_is_help=True)

UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[Path, typer.Option("--api-key", help="接口密钥所在的文件 / file with the API key")]


@app.command()
def asked(
    cycle: Annotated[str, typer.Argument(help="账期编号 / the cycle")], url: UrlOption, api_key: ApiKeyOption
) -> None:
    """本方各合约在该账期应申报什么、缺什么、何者暂缓 / what one's agreements ask for and lack, and what is held."""
    with said_clearly(), PlatformClient(url, keyfiles.token(api_key)) as client:
        typer.echo(json.dumps(client.get(f"/api/cycles/{cycle}/inputs"), ensure_ascii=False))


@app.command()
def inputs(
    file: Annotated[Path, typer.Argument(help="JSON：agreement、revision、period、inputs，可含 weights")],
    url: UrlOption,
    api_key: ApiKeyOption,
) -> None:
    """核对后送到付款方与开票方的签署台 / checked, then put onto the desk for buyer and invoice issuer.

    The fields are those of clearing.settlement.inputs.Inputs, weights those of clearing.settlement.weighing.Derived.
    """
    with said_clearly(), PlatformClient(url, keyfiles.token(api_key)) as client:
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise Malformed(f"{file} 不是 JSON：{error}。 / {file} is not JSON: {error}.") from error
        answer = client.post("/api/period-inputs/drafts", document)
        typer.echo(json.dumps(answer, ensure_ascii=False))
