"""`shuqing element`: versions of a 数据元件 and their moves, signed with a key file and sent; what is stored."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer

from api import jobs, keyfiles
from api.client import PlatformClient
from api.command import HomeOption, said_clearly, stored
from clearing.errors import UnknownFact
from clearing.pricing.element import store
from clearing.pricing.element.element import (
    ALPHABET,
    ELEMENT_MOVE,
    ELEMENT_VERSION,
    LENGTH,
    ElementMove,
    ElementVersion,
    check_identifier,
    identity_of,
    subject_of,
)
from clearing.pricing.element.moves import STATE_NAMES
from ledger import canonical
from ledger.facts import Signature, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2

app = typer.Typer(help="数据元件 / data elements", no_args_is_help=True)

KeyOption = Annotated[Path, typer.Option(help="签署人密钥文件 / key file of who signs")]
UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")]
FileArgument = Annotated[Path, typer.Argument(help="内容（JSON），字段见接口说明 / the body as JSON")]


@app.command("new")
def new(
    file: FileArgument,
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    identity: Annotated[str, typer.Option("--id", help="标识符；新元件不填 / its identifier; none for a new one")] = "",
) -> None:
    """新建元件、修改开发中的版本或提交新版本 / an element, its working version stated anew, or a new version."""
    with said_clearly():
        body = body_of(read(ElementVersion, canonical.parse(file.read_bytes())))
        chosen = check_identifier(identity, "--id") if identity else _drawn()
        _send("/api/elements", ELEMENT_VERSION, chosen, body, key, "", url, api_key)


@app.command("move")
def move(
    identity: Annotated[str, typer.Argument(help="元件标识符 / identifier of the element")],
    file: FileArgument,
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    role: Annotated[str, typer.Option(help="经办人的角色，如 element_reviewer / role of a member of staff")] = "",
) -> None:
    """元件发布、撤回、审核评价、下架 / signs a move of a version and sends it."""
    with said_clearly():
        body = body_of(read(ElementMove, canonical.parse(file.read_bytes())))
        _send("/api/elements/moves", ELEMENT_MOVE, check_identifier(identity, "id"), body, key, role, url, api_key)


@app.command("show")
def show(
    identity: Annotated[str, typer.Argument(help="元件标识符 / identifier of the element")], home: HomeOption = None
) -> None:
    """元件的各版本与状态 / the versions of an element and where they stand."""
    with said_clearly():
        check_identifier(identity, "id")
        system = stored(home)
        with jobs.snapshot(system) as session:
            rows = store.versions(session, identity)
        if not rows:
            raise UnknownFact("element", identity)
    for row in rows:
        value, case = row.value, row.case
        typer.echo(f"{value.version:3}  {STATE_NAMES[case.state]}  {value.form}  {value.developer}  {value.name}")
        for text in filter(None, (case.reason, case.rule)):
            typer.echo(f"     {text}")


def _drawn() -> str:
    return identity_of("".join(secrets.choice(ALPHABET) for _ in range(LENGTH - 1)))


def _send(
    path: str, kind: str, identity: str, body: dict[str, Any], key: Path, role: str, url: str, api_key: str
) -> None:
    keys = keyfiles.load(key)

    def sign(statement: Statement) -> Signature:
        return sign_sm2(keys.sm2, statement, by=keys.by, role=role)

    with PlatformClient(url, api_key) as client:
        answer = client.submit(path, client.draft(kind, subject_of(identity), body), [sign])
    typer.echo(json.dumps(answer, ensure_ascii=False))
