"""`shuqing delivery`: what is handed over and received is digested where it lies, and signed with one's own key."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api import keyfiles
from api.client import PlatformClient
from api.command import said_clearly
from api.keyfiles import KeyFile
from clearing.market.delivery.act import (
    DELIVERY_ACT,
    Act,
    DeliveryAct,
    Found,
    Objection,
    Reason,
    Ruling,
    Sent,
    Shipment,
    Side,
    act_of,
    same,
    subject_of,
)
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from registry.asset import Twin

app = typer.Typer(help="交付与验收 / delivery and acceptance", no_args_is_help=True)

KeyOption = Annotated[Path, typer.Option(help="本方密钥文件 / one's own key file")]
UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[str, typer.Option(help="接口密钥 sq_… / the API key")]
DeliveryArgument = Annotated[str, typer.Argument(help="交付编号 / id of the delivery")]
FilesArgument = Annotated[
    list[str], typer.Argument(help="项=文件 或 项=首位移-末位移:字节数 / ITEM=FILE or ITEM=FIRST-LAST:BYTES")
]
AmountsArgument = Annotated[list[str], typer.Argument(help="项=数量 / ITEM=QUANTITY")]
EvidenceOption = Annotated[list[Path], typer.Option(help="证据文件，只提交摘要 / evidence: only its digest is sent")]

ANSWERS = (Act.ACCEPT, Act.ADMIT, Act.CONTEST, Act.CONCEDE, Act.ESCALATE, Act.WITHDRAW)


@app.command("deliver")
def deliver(
    items: FilesArgument,
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    channel: Annotated[str, typer.Option(help="交付渠道 / the channel")],
    delivered_at: Annotated[int, typer.Option(help="交付时刻，UTC 秒 / when, in seconds UTC")],
    agreement: Annotated[str, typer.Option(help="合约编号（首次交付） / the agreement, for a first delivery")] = "",
    again: Annotated[str, typer.Option(help="交付编号（重新交付） / the delivery this corrects")] = "",
    unit: Annotated[str, typer.Option(help="计量单位 / the unit of the quantities")] = "file",
    quantity: Annotated[list[str] | None, typer.Option(help="项=数量，默认 1 / ITEM=QUANTITY, default 1")] = None,
    period: Annotated[str, typer.Option(help="账期 YYYY-MM（接口、消息流、智能体） / the account period")] = "",
    encryption_key: Annotated[str, typer.Option(help="加密密钥编号 / id of the encryption key")] = "",
) -> None:
    """交付或重新交付：就地计算摘要并签署 / delivers, or delivers again: digests are made where the files are."""
    with said_clearly():
        if bool(agreement) == bool(again):
            raise FieldError(
                "--agreement", "或 --again，恰好其一 / or --again: exactly one", "两者或皆无 / both or none"
            )
        keys = keyfiles.load(key)
        with PlatformClient(url, api_key) as client:
            if agreement:
                amounts = dict(_amounts(quantity or []))
                made = [_sent(name, found, unit, amounts.get(name, 1)) for name, found in _found(items)]
                planned = client.get(f"/api/agreements/{agreement}/delivery")
                shipment = Shipment(
                    planned["revision"], read(Twin, planned["version"], "version"), planned["mode"], channel,
                    delivered_at, tuple(made), encryption_key or None, period or None,
                )  # fmt: skip
                parties = (agreement, _party(keys), planned["consumer"])
                identity, act = secrets.token_hex(16), Act.DELIVER
            else:
                known, first = _known(client, again)
                waits = {item["item"]: item for item in known["items"]}
                made = []
                for name, found in _found(items):
                    item = _of(waits, name)
                    made.append(_sent(name, found, item["unit"], item["pending"]))
                shipment = Shipment(
                    first.revision, first.version, first.mode, channel, delivered_at, tuple(made),
                    encryption_key or None, first.period,
                )  # fmt: skip
                parties, identity, act = _parties(known), again, Act.REDELIVER
            body = DeliveryAct(act, Side.PROVIDER, *parties, shipment=shipment)
            _say(client, keys, identity, body)


@app.command("receive")
def receive(
    delivery: DeliveryArgument, items: FilesArgument, key: KeyOption, url: UrlOption, api_key: ApiKeyOption
) -> None:
    """签收：重新计算摘要，一致的签收，不一致的拒收 / recomputes; receives what is as stated and refuses what is not."""
    with said_clearly():
        keys = keyfiles.load(key)
        with PlatformClient(url, api_key) as client:
            known, _ = _known(client, delivery)
            stated = {item["item"]: read(Sent, item["sent"], "sent") for item in known["items"]}
            found = [entry for _, entry in _found(items)]
            for act, agrees in ((Act.RECEIVE, True), (Act.REFUSE, False)):
                named = tuple(entry for entry in found if same(_of(stated, entry.item), entry) is agrees)
                if named:
                    body = DeliveryAct(act, Side.CONSUMER, *_parties(known), found=named)
                    _say(client, keys, delivery, body)


@app.command("object")
def object_(
    delivery: DeliveryArgument,
    items: AmountsArgument,
    reason: Annotated[Reason, typer.Option(help="理由 / the reason")],
    text: Annotated[str, typer.Option(help="说明 / what is wrong")],
    evidence: EvidenceOption,
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    late: Annotated[bool, typer.Option("--late", help="逾期：供方明知瑕疵 / the provider knew")] = False,
) -> None:
    """提出异议：项、数量、证据 / objects: items, quantities and evidence."""
    with said_clearly():
        keys = keyfiles.load(key)
        with PlatformClient(url, api_key) as client:
            known, _ = _known(client, delivery)
            body = DeliveryAct(
                Act.LATE if late else Act.OBJECT, Side.CONSUMER, *_parties(known),
                objections=tuple(Objection(name, amount, reason, text) for name, amount in _amounts(items)),
                text=text if late else None, evidence=_digests(evidence),
            )  # fmt: skip
            _say(client, keys, delivery, body)


@app.command("answer")
def answer(
    delivery: DeliveryArgument,
    act: Annotated[Act, typer.Argument(help=" | ".join(ANSWERS))],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    item: Annotated[list[str] | None, typer.Option(help="项，默认全部可办的 / default: all it is open for")] = None,
    text: Annotated[str, typer.Option(help="说明 / words")] = "",
    evidence: EvidenceOption = [],  # noqa: B006
    by: Annotated[str, typer.Option(help="承诺整改日 / the day promised, with ADMIT")] = "",
) -> None:
    """验收、承认、不认可、同意不计入、提请决定、撤回 / accepts, admits, contests, concedes, escalates or withdraws."""
    with said_clearly():
        if act not in ANSWERS:
            raise FieldError("act", " | ".join(ANSWERS), act)
        keys = keyfiles.load(key)
        with PlatformClient(url, api_key) as client:
            known, _ = _known(client, delivery)
            named = tuple(item or [one["item"] for one in known["items"] if act.value in one["next"]])
            if not named:
                raise FieldError("item", f"可以 {act} 的项 / an item it is open for", "没有 / none")
            side = Side.PROVIDER if _party(keys) == known["delivery"]["provider"] else Side.CONSUMER
            body = DeliveryAct(
                act, side, *_parties(known), items=named, text=text or None,
                evidence=_digests(evidence) if evidence else None, by=by or None,
            )  # fmt: skip
            _say(client, keys, delivery, body)


@app.command("decide")
def decide(
    delivery: DeliveryArgument,
    items: AmountsArgument,
    document: Annotated[Path, typer.Option(help="决定文书，只提交摘要 / the decision: only its digest is sent")],
    key: KeyOption,
    url: UrlOption,
    api_key: ApiKeyOption,
    text: Annotated[str, typer.Option(help="说明 / words")] = "",
) -> None:
    """监理或裁决方作出决定：各项计入多少 / decides how much of each item in dispute counts."""
    with said_clearly():
        keys = keyfiles.load(key)
        with PlatformClient(url, api_key) as client:
            known, _ = _known(client, delivery)
            body = DeliveryAct(
                Act.DECIDE, Side.DECIDER, *_parties(known), text=text or None, decider=_party(keys),
                rulings=tuple(Ruling(name, amount) for name, amount in _amounts(items)),
                document=_digests([document])[0],
            )  # fmt: skip
            _say(client, keys, delivery, body)


@app.command("show")
def show(delivery: DeliveryArgument, url: UrlOption, api_key: ApiKeyOption) -> None:
    """一次交付的状态、验收截止时间和下一步 / where a delivery stands, until when, and what may be done."""
    with said_clearly():
        with PlatformClient(url, api_key) as client:
            known, _ = _known(client, delivery)
        line = known["delivery"]
        typer.echo(f"{line['progress_name']} {line['progress']}  {line['clock'].get('ends_at', '')}".rstrip())
        for item in known["items"]:
            steps = " ".join(item["next"]) or "—"
            typer.echo(
                f"  {item['item']}  {item['state_name']} {item['state']}  {item['accepted']}/{item['quantity']}"
                f" {item['unit']}  → {steps}"
            )


def _say(client: PlatformClient, keys: KeyFile, delivery: str, body: DeliveryAct) -> None:
    statement = client.draft(DELIVERY_ACT, subject_of(delivery), body_of(body))
    act_of(statement)  # refused here before it is signed
    answer = client.submit(
        "/api/deliveries/acts", statement, [lambda item: sign_sm2(keys.sm2, item, by=keys.by, role=body.side.value)]
    )
    typer.echo(json.dumps({"delivery": delivery, "act": body.act.value, **answer}, ensure_ascii=False))


def _known(client: PlatformClient, delivery: str) -> tuple[dict[str, Any], Shipment]:
    document: dict[str, Any] = client.get(f"/api/deliveries/{delivery}")
    return document, read(Shipment, document["shipment"], "shipment")


def _parties(known: dict[str, Any]) -> tuple[str, str, str]:
    line = known["delivery"]
    return line["agreement"], line["provider"], line["consumer"]


def _party(keys: KeyFile) -> str:
    kind, _, identity = keys.by.partition(":")
    if kind != "party":
        raise FieldError("--key", "party:… 的密钥文件 / the key file of a party", keys.by)
    return identity


def _found(items: list[str]) -> Iterator[tuple[str, Found]]:
    """Each "ITEM=FILE" digested, each "ITEM=FIRST-LAST:BYTES" read."""
    for text in items:
        name, _, value = text.partition("=")
        span, _, size = value.rpartition(":")
        first, _, last = span.partition("-")
        if first.isdecimal() and last.isdecimal() and size.isdecimal():
            yield name, Found(name, int(size), first=int(first), last=int(last))
        elif name and value:
            data = Path(value).read_bytes()
            yield name, Found(name, len(data), Twin.of(twin(data)))
        else:
            raise FieldError("items", "ITEM=FILE | ITEM=FIRST-LAST:BYTES", text[:80])


def _sent(name: str, found: Found, unit: str, quantity: int) -> Sent:
    return Sent(name, name, unit, quantity, found.bytes, found.digest, found.first, found.last)


def _amounts(items: list[str]) -> Iterator[tuple[str, int]]:
    for text in items:
        name, _, amount = text.partition("=")
        if not name or not amount.isdecimal():
            raise FieldError("items", "ITEM=QUANTITY", text[:80])
        yield name, int(amount)


def _digests(files: list[Path]) -> tuple[Twin, ...]:
    return tuple(Twin.of(twin(file.read_bytes())) for file in files)


def _of(known: dict[str, Any], name: str) -> Any:
    if name not in known:
        raise FieldError("items", " | ".join(known)[:200], name[:80])
    return known[name]
