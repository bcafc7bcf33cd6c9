"""`shuqing connector`: makes a connector's folder, registers it, runs it and tells it which agreements it serves.

A folder holds everything of one connector: `key.json` its keys, `state.key` what its state is sealed with,
`admin.token` and `api.key` the doors' tokens, `tokens/` what each agreement's user is let in by, `registration.json`
its owner's signed word for its key, `state.db`, and `config.json`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer

from api import keyfiles
from api.cli_deals import tell
from api.client import PlatformClient
from api.command import said_clearly
from api.connector.settings import Mode, load_settings
from api.connector.settings import Settings as ConnectorSettings
from clearing.market.agreement import act_of, read_terms, terms_digest
from clearing.market.transfer import Word
from ledger import canonical, trust
from ledger.errors import FieldError
from ledger.facts import SM2, Signed
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.party import CONNECTOR, Connector, connector_subject

app = typer.Typer(help="连接器：计量使用并签名 / the connector: meters uses and signs for them", no_args_is_help=True)

KEY, API_KEY, ADMIN, CONFIG, TOKENS = "key.json", "api.key", "admin.token", "config.json", "tokens"
REGISTRATION = "registration.json"
STEPS = {"suspend": Word.SUSPEND, "resume": Word.START, "complete": Word.COMPLETE, "terminate": Word.TERMINATE}
SOFTWARE = "shuqing-connector/1"
ConfigArgument = Annotated[Path, typer.Argument(help="配置文件 config.json / its configuration file")]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="新文件夹 / a new folder")],
    identity: Annotated[str, typer.Option("--id", help="连接器编号 / its name, as conn-a")],
    upstream: Annotated[str, typer.Option(help="数据接口；消费方填提供方连接器 / data API, or their connector")],
    url: Annotated[str, typer.Option(help="平台地址 / address of the platform")],
    trust_file: Annotated[Path, typer.Option("--trust", help="信任文件 / trust file")],
    mode: Annotated[Mode, typer.Option(help="提供方或消费方 / whose it is")] = Mode.PROVIDER,
    host: Annotated[str, typer.Option(help="监听地址 / where it listens")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="监听端口 / port")] = 8100,
    public: Annotated[str, typer.Option(help="他方连接器访问它的地址 / where other connectors find it")] = "",
) -> None:
    """新建连接器的文件夹：密钥、口令和配置 / makes the folder of a connector: keys, tokens and configuration."""
    with said_clearly():
        by = keyfiles.holder(connector_subject(identity))
        trusted = trust.read(canonical.parse(trust_file.read_bytes()))
        operators = [item.sm2 for item in trusted.identities.values() if "operator" in item.roles]
        if len(operators) != 1:
            raise FieldError("--trust", "恰好一个运营方 / exactly one operator", str(len(operators)))
        if folder.exists():
            raise FileExistsError(17, "已存在 / exists already", str(folder))
        folder.mkdir(parents=True, mode=0o700)
        keys, admin = keyfiles.create(folder / KEY, by), secrets.token_hex(24)
        keyfiles.keep_token(folder / ADMIN, admin)
        document = {
            "id": identity, "mode": mode.value, "key_file": KEY, "api_key_file": API_KEY, "state": "state.db",
            "upstream": upstream, "platform": url, "host": host, "port": port, "log_key": operators[0],
            "admin_token_sha256": hashlib.sha256(admin.encode()).hexdigest(), "registration_file": REGISTRATION,
            "dataspace_url": public or f"http://{host}:{port}",
        }  # fmt: skip
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        (folder / CONFIG).write_text(text, encoding="utf-8")
    typer.echo(f"已建立 / made: {folder / CONFIG}\nSM2 {keys.sm2.public}")
    typer.echo("下一步：由单位登记（register），并向运营方领取接口密钥，存为 api.key（0600）。")
    typer.echo(f"Next: register it, and ask the operator for an API key of {by}, kept as api.key (0600).")


@app.command()
def register(
    config: ConfigArgument,
    key: Annotated[Path, typer.Option("--key", help="单位的密钥文件 / the owner's key file")],
    api_key: Annotated[Path, typer.Option("--api-key", help="单位的接口密钥文件 / file with the owner's API key")],
) -> None:
    """由所属单位签名登记连接器的公钥 / the owner states, signed, which key its connector signs with."""
    with said_clearly():
        settings = load_settings(config)
        owner, own = keyfiles.load(key), keyfiles.load(Path(settings.key_file))
        body = Connector(owner.by.removeprefix("party:"), own.sm2.public, SOFTWARE)
        with PlatformClient(settings.platform, keyfiles.token(api_key)) as platform:
            statement = platform.draft(CONNECTOR, own.by, body_of(body))
            signed = Signed(statement, (sign_sm2(owner.sm2, statement, by=owner.by, role=""),))
            answer = platform.post("/api/connectors", signed.document())
        (config.resolve().parent / REGISTRATION).write_bytes(canonical.encode(signed.document()))
    typer.echo(f"已入册 / taken in: {answer['fact']}")


@app.command()
def run(config: ConfigArgument) -> None:
    """运行，直到被停止 / runs until it is stopped."""
    from api.connector.serving import run as serve

    with said_clearly():
        serve(config)


@app.command()
def serve(
    config: ConfigArgument,
    agreement: Annotated[str, typer.Argument(help="协议编号 / its id, 64 hex")],
    key: Annotated[Path, typer.Option("--key", help="本方密钥文件，用以核对签名 / your key file, to check by")],
    access: Annotated[
        Path | None, typer.Option("--access-token", help="提供方另行给出的访问令牌文件 / a token it gave you")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """让运行中的连接器开始服务一份协议 / tells the running connector to serve an agreement, once you have read it.

    The act comes from the platform and must bear your own signature; who may use it is let in by a fresh token. A
    consumer's connector then gets its own access from the provider's by `transfer`.
    """
    with said_clearly():
        settings, own = load_settings(config), keyfiles.load(key)
        if access is not None and settings.mode is not Mode.CONSUMER:
            raise FieldError("--access-token", "仅消费方连接器 / for a consumer's connector only", str(access))
        found = _concluded(settings, agreement)
        signed, parts = Signed.of_document(found["signed"]), tuple(part.encode() for part in found["parts"])
        _show(signed, parts, own)
        if not yes:
            typer.confirm("开始服务 / serve it?", abort=True)
        place = config.resolve().parent / TOKENS / f"{agreement}.token"
        token = keyfiles.token(place) if place.exists() else secrets.token_hex(24)
        document = {**found, "token_sha256": hashlib.sha256(token.encode()).hexdigest()}
        if access is not None:
            document["access_token"] = keyfiles.token(access)
        answer = _ask(config, settings, "PUT", "/connector/agreements", document)
        if not place.exists():
            keyfiles.keep_token(place, token)
    typer.echo(json.dumps(answer, ensure_ascii=False))
    typer.echo(f"访问令牌 / access token: {place}")


@app.command()
def status(config: ConfigArgument) -> None:
    """记录、批次、协议与用量 / records, batches, agreements and what was used."""
    with said_clearly():
        answer = _ask(config, load_settings(config), "GET", "/connector/status")
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=1))


@app.command()
def flush(config: ConfigArgument) -> None:
    """立即发送尚未发送的记录 / sends now what waits."""
    with said_clearly():
        answer = _ask(config, load_settings(config), "POST", "/connector/flush")
    typer.echo(json.dumps(answer, ensure_ascii=False))


@app.command()
def negotiate(
    config: ConfigArgument,
    provider: Annotated[str, typer.Option(help="对方协议地址 / its address, as https://x/dsp/2025/1")],
    dataset: Annotated[str, typer.Option(help="数据集编号 / id of the dataset in its catalogue")],
    offer: Annotated[str, typer.Option(help="要约编号；缺省为唯一的一个 / id of the offer, if there are several")] = "",
    authorization: Annotated[
        Path | None, typer.Option(help="Authorization 头的内容所在文件 / file with the header Authorization it wants")
    ] = None,
) -> None:
    """向另一数据空间的提供方发起协商（合约不因此成立） / begins with a provider elsewhere; no contract of ours."""
    with said_clearly():
        settings = load_settings(config)
        token = keyfiles.token(authorization) if authorization is not None else ""
        asked = {"provider": provider, "offer": _offered(provider, dataset, offer, token), "token": token}
        answer = _ask(config, settings, "POST", "/connector/negotiations", asked)
    _stands(answer)


@app.command()
def answer(
    config: ConfigArgument,
    negotiation: Annotated[str, typer.Argument(help="协商编号 / its id, as `negotiations` shows it")],
    word: Annotated[str, typer.Argument(help="accept 接受 | counter 反要约 | verify 核验 | terminate 终止")],
    offer: Annotated[Path | None, typer.Option(help="反要约（JSON） / the counter-offer")] = None,
) -> None:
    """答复另一数据空间的提供方 / answers a provider of another data space."""
    with said_clearly():
        document = canonical.parse(offer.read_bytes()) if offer is not None else None
        path = f"/connector/negotiations/{quote(negotiation, safe=':')}/{quote(word)}"
        found = _ask(config, load_settings(config), "POST", path, document)
    _stands(found)


@app.command()
def negotiations(config: ConfigArgument) -> None:
    """与另一数据空间的协商 / negotiations in other data spaces, with what was said."""
    with said_clearly():
        found = _ask(config, load_settings(config), "GET", "/connector/negotiations")
    for one in found["negotiations"]:
        _stands(one)


@app.command()
def transfer(
    config: ConfigArgument,
    agreement: Annotated[str, typer.Argument(help="协议编号 / its id, 64 hex")],
) -> None:
    """消费方：请提供方的连接器放行 / asks the provider's connector to let yours in, under an agreement in force."""
    with said_clearly():
        found = _ask(config, load_settings(config), "POST", "/connector/transfers", {"agreement": agreement})
    _moved(found)


@app.command()
def steer(
    config: ConfigArgument,
    transfer: Annotated[str, typer.Argument(help="传输编号 / its id, as `transfers` shows it")],
    step: Annotated[str, typer.Argument(help="suspend 中止 | resume 恢复 | complete 完成 | terminate 终止")],
) -> None:
    """中止、恢复、完成或终止一次传输 / suspends, resumes, completes or terminates a transfer, from either side."""
    with said_clearly():
        if step not in STEPS:
            raise FieldError("step", " | ".join(STEPS), step[:40])
        path = f"/connector/transfers/{quote(transfer, safe=':')}/{STEPS[step]}"
        found = _ask(config, load_settings(config), "POST", path)
    _moved(found)


@app.command()
def transfers(config: ConfigArgument) -> None:
    """传输及其状态 / the transfers and where they stand, with what was said."""
    with said_clearly():
        found = _ask(config, load_settings(config), "GET", "/connector/transfers")
    for one in found["transfers"]:
        _moved(one)


# Inside ---------------------------------------------------------------------------------------------------------------


def _concluded(settings: ConnectorSettings, agreement: str) -> dict[str, Any]:
    """The act that concluded an agreement, with its terms, as the platform hands it to this connector."""
    with PlatformClient(settings.platform, keyfiles.token(Path(settings.api_key_file))) as platform:
        answer = platform.post(f"/api/connectors/{settings.id}/acts", {"known": {agreement: 0}, "wait": 0})
    found = [item for item in answer["acts"] if item["signed"]["statement"]["no"] == 0]
    if not found:
        raise FieldError("agreement", "已成立的协议 / an agreement that was concluded", agreement[:80])
    return dict(found[0])


def _show(signed: Signed, parts: tuple[bytes, ...], own: keyfiles.KeyFile) -> None:
    """Its terms in words, and who signed. Raises `FieldError` where the owner of the key did not, `BadTerms`."""
    act = act_of(signed.statement)
    terms = read_terms(signed.statement, act, parts)
    if terms is None or act.terms_digest != terms_digest(terms):
        raise FieldError("body.terms_digest", "条款的摘要 / that of the terms", act.terms_digest.sha256)
    mine = [item for item in signed.signatures if (item.alg, item.by, item.key) == (SM2, own.by, own.sm2.public)]
    if not mine:
        raise FieldError("signed.signatures", f"{own.by} 本人的签名 / your own signature", "没有 / none")
    tell("terms", body_of(terms))
    for item in signed.signatures:
        if item.alg == SM2:
            typer.echo(f"已签 / signed: {item.by} {item.key}")


def _offered(provider: str, dataset: str, wanted: str, token: str) -> dict[str, Any]:
    """The offer of a dataset in a provider's catalogue, with the dataset as its target. Raises `FieldError`."""
    address = f"{provider.rstrip('/')}/catalog/datasets/{quote(dataset, safe=':')}"
    headers = {"Authorization": token} if token else {}
    try:
        found = httpx.get(address, headers=headers, timeout=30, trust_env=False)
        document = found.json() if found.status_code == 200 else {}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise FieldError("--provider", "应答 / an answer", f"{address}: {error}"[:300]) from error
    offers = document.get("hasPolicy", []) if isinstance(document, dict) else []
    offers = offers if isinstance(offers, list) else [offers]
    fitting = [item for item in offers if isinstance(item, dict) and item.get("@id") and wanted in ("", item["@id"])]
    if len(fitting) != 1:
        named = (
            ", ".join(str(item.get("@id")) for item in offers if isinstance(item, dict)) or f"HTTP {found.status_code}"
        )
        raise FieldError(
            "--offer", "目录中的一个要约 / one offer of its catalogue", named[:300] or f"HTTP {found.status_code}"
        )
    return {**fitting[0], "@type": "Offer", "target": dataset}


def _moved(one: dict[str, Any]) -> None:
    by = f" ({one['suspended_by']})" if one["suspended_by"] else ""
    typer.echo(f"{one['id']} {one['state']}{by} agreement:{one['agreement']}")
    for item in one["said"]:
        typer.echo(f"  #{item['no']} {item['side']} {item['message']['@type']}")


def _stands(talk: dict[str, Any]) -> None:
    typer.echo(f"{talk['id']} {talk['state']} {talk['dataset']} {talk['provider']}")
    for item in talk["said"]:
        message = item["message"]
        what = message.get("eventType", message["@type"])
        typer.echo(f"  #{item['no']} {item['side']} {what}")
        policy = message.get("offer") or message.get("agreement")
        if policy:
            typer.echo("     " + json.dumps(policy, ensure_ascii=False))


def _ask(config: Path, settings: ConnectorSettings, method: str, path: str, document: Any = None) -> Any:
    """Asks the running connector as its administrator. Raises `FieldError` with what it said."""
    token = keyfiles.token(config.resolve().parent / ADMIN)
    address = f"http://{settings.host}:{settings.port}"
    content = canonical.encode(document) if document is not None else None
    try:
        answer = httpx.request(
            method, address + path, content=content, timeout=60, trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip
    except httpx.HTTPError as error:
        raise FieldError("connector", f"{address} 应答，请先运行 / that it runs at {address}", str(error)) from error
    found = answer.json()
    if answer.status_code >= 300:
        raise FieldError("connector", "接受 / that it takes it", str(found.get("message", found))[:600])
    return found
