"""`shuqing likeness`: a sketch is made where the data is, so the data need not leave its holder."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from ledger.facts import PartsRoot, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from registry.asset import Twin
from registry.likeness.compare import compare
from registry.likeness.fingerprint import FINGERPRINT, Fingerprint, fingerprint_of
from registry.likeness.reading import columns_of
from registry.likeness.sketch import Group, groups_of, sketch
from registry.party import party_subject

app = typer.Typer(help="相似数据检测 / similar data", no_args_is_help=True)


@app.command("sketch")
def make(
    data: Annotated[Path, typer.Argument(help="CSV 或 Parquet 数据文件 / the data, CSV or Parquet")],
    out: Annotated[Path, typer.Argument(help="指纹文件 / the sketch goes here")],
    holder: Annotated[str, typer.Option(help="权利人统一社会信用代码 / USCC of the holder")],
    sha256: Annotated[str, typer.Option(help="申请表内容摘要 SHA-256 / content digest of the form")],
    sm3: Annotated[str, typer.Option(help="申请表内容摘要 SM3 / content digest of the form")],
) -> None:
    """由数据文件生成数据指纹：数据不离开本机 / makes the sketch of a data file; the data stays here."""
    with said_clearly():
        body, lines = fingerprint_of(holder, Twin(sha256, sm3), sketch(columns_of(data)))
        document = {"body": body_of(body), "parts": [line.decode() for line in lines]}
        out.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    typer.echo(f"{body.rows} 行 × {body.columns} 列，{body.groups} 组 / rows × columns, groups → {out}")


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="指纹文件 / a sketch made by likeness sketch")],
    key: Annotated[Path, typer.Option(help="权利人密钥文件 / the holder's key file")],
    url: Annotated[str, typer.Option(help="平台地址 / address of the platform")],
    api_key: Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")],
) -> None:
    """签署并提交数据指纹 / signs a sketch and hands it in."""
    with said_clearly():
        document = json.loads(file.read_text(encoding="utf-8"))
        body = read(Fingerprint, document["body"])
        lines = [text.encode() for text in document["parts"]]
        subject = f"fingerprint:{secrets.token_hex(16)}"
        statement = Statement(FINGERPRINT, subject, 0, None, body_of(body), PartsRoot.over(lines))
        signer = keyfiles.load(key).sm2
        with PlatformClient(url, api_key) as client:
            answer = client.submit(
                "/api/fingerprints",
                statement,
                [lambda item: sign_sm2(signer, item, by=party_subject(body.holder))],
                parts=[line.decode() for line in lines],
            )
    typer.echo(json.dumps(answer, ensure_ascii=False))


@app.command("compare")
def compared(
    one: Annotated[Path, typer.Argument(help="指纹文件 / a sketch")],
    other: Annotated[Path, typer.Argument(help="另一指纹文件 / another sketch")],
) -> None:
    """比较两份数据指纹 / compares two sketches; exit 1: a person should look."""
    with said_clearly():
        found = compare(_groups(one), _groups(other))
    typer.echo(f"共有行约 {found.permille}‰ / shared rows, about")
    for match in found.matches:
        typer.echo(f"  {' + '.join(match.columns)} ~ {' + '.join(match.others)}: {max(match.ours, match.theirs)}‰")
    raise typer.Exit(1 if found.alarming else 0)


def _groups(file: Path) -> tuple[Group, ...]:
    return groups_of([text.encode() for text in json.loads(file.read_text(encoding="utf-8"))["parts"]])
