"""`shuqing deals …`: negotiating and signing with a platform elsewhere, by key file; nothing is read from a database.

What is signed is shown first, and its fields are held against the digests that are signed: the platform cannot show one
text and have another signed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from api import hardware, keyfiles
from api.client import PlatformClient, PlatformError, PlatformUnavailable
from api.command import said_clearly
from api.hardware import Sign
from api.keyfiles import KeyFile
from api.office import spoken, words
from clearing.market.agreement import AGREEMENT_ACT, Role, Signer, act_of, read_terms, sign_act, terms_digest
from clearing.market.negotiation.message import (
    BRINGS,
    DOCUMENTS,
    NEGOTIATION_MESSAGE,
    Content,
    Document,
    Message,
    NegotiationMessage,
    Side,
    document_digest,
    document_parts,
    id_of,
    message_of,
    message_statement,
    read_document,
    subject_of,
)
from clearing.pricing.quote import PRICE_QUOTE, check_parts
from ledger import canonical
from ledger.errors import FieldError
from ledger.facts import EIP712, Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import sign_sm2
from registry.asset import Twin
from registry.calendar import end_of
from registry.party import party_subject

app = typer.Typer(help="协商与签约：用密钥文件 / negotiating and signing by key file", no_args_is_help=True)

MESSAGES = "/api/negotiations/messages"
UrlOption = Annotated[str, typer.Option(help="平台地址 / address of the platform")]
ApiKeyOption = Annotated[Path, typer.Option("--api-key", help="接口密钥所在的文件 / file with the API key")]
KeyOption = Annotated[Path, typer.Option("--key", help="本方密钥文件 / your key file")]
YesOption = Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")]


@app.command("list")
def list_(url: UrlOption, api_key: ApiKeyOption) -> None:
    """本方的协商和待签文件 / your negotiations, and what waits for your signature."""
    with _platform(url, api_key) as platform:
        for row in platform.get("/api/negotiations")["negotiations"]:
            typer.echo(f"{row['id']} {row['state']} {row['consumer']} → {row['provider']}")
        for item in platform.get("/api/desk")["waiting"]:
            typer.echo(f"待签 / to sign {item['id']} {item['title']}")


@app.command()
def show(
    negotiation: Annotated[str, typer.Argument(help="协商编号 / its id")],
    url: UrlOption,
    api_key: ApiKeyOption,
    document: Annotated[Path | None, typer.Option(help="另存最近的提议（JSON） / writes the latest proposal")] = None,
) -> None:
    """一次协商：状态、文书、最近的提议 / where it stands, what was said, the latest proposal in words."""
    with _platform(url, api_key) as platform:
        found = platform.get(f"/api/negotiations/{negotiation}")
    row, proposal = found["negotiation"], found["proposal"]
    typer.echo(f"状态 / state: {row['state']}")
    for line in found["messages"]:
        side, said = words.VALUES["side"][line["side"]], words.VALUES["message"][line["message"]]
        typer.echo(f"#{line['no']} {side} {said}（{line['message']}） → {line['state']}")
    tell(proposal["content"], proposal["document"])
    typer.echo(f"SHA-256 {proposal['digest']['sha256']}\nSM3     {proposal['digest']['sm3']}")
    if document is not None:
        document.write_text(json.dumps(proposal["document"], ensure_ascii=False, indent=1), encoding="utf-8")


@app.command()
def say(
    message: Annotated[Message, typer.Argument(help="文书种类 / what to say")],
    url: UrlOption,
    api_key: ApiKeyOption,
    key: KeyOption,
    negotiation: Annotated[str, typer.Option(help="协商编号；开始时不填 / its id; none to begin")] = "",
    product: Annotated[str, typer.Option(help="开始时：产品编号 / to begin: the product")] = "",
    document: Annotated[Path | None, typer.Option(help="所附内容（JSON） / inquiry, price or terms as JSON")] = None,
    until: Annotated[str, typer.Option(help="有效至（含当日） / last day it stands, as 2026-09-30")] = "",
    reason: Annotated[str, typer.Option(help="理由 / a reason")] = "",
    yes: YesOption = False,
) -> None:
    """签署并发出一份协商文书 / signs a message of a negotiation and sends it."""
    keys = _keys(key)
    with _platform(url, api_key) as platform:
        if message is Message.AGREEMENT:
            _say(platform, keys, _frozen(platform, keys, negotiation), yes, Side.PROVIDER.value)
            return
        identity, body = _begun(platform, keys, message, product) if product else _next(
            platform, keys, message, negotiation
        )  # fmt: skip
        brought = _document(message, document)
        made = NegotiationMessage(
            **{**body, "valid_until": _until(until) if brought is not None else None, "reason": reason or None}
        )
        following = platform.next_of(subject_of(identity))
        statement = message_statement(subject_of(identity), following.no, following.prev, made, brought)
        if brought is not None:
            tell(str(message_of(statement).content), body_of(brought))
        parts = document_parts(brought) if brought is not None else ()
        _say(platform, keys, statement, yes, made.side.value, parts)


@app.command()
def sign(
    url: UrlOption,
    api_key: ApiKeyOption,
    key: KeyOption,
    waiting: Annotated[str, typer.Option(help="只签这一份 / only this one")] = "",
    pin_file: Annotated[
        Path | None, typer.Option("--pin-file", help="令牌 PIN 所在文件；缺省为询问 / file with the token's PIN")
    ] = None,
    yes: YesOption = False,
) -> None:
    """签署签署台上等待本方的文件 / signs what waits at the desk; an act of an agreement with both signatures."""
    keys = _keys(key)
    with _platform(url, api_key) as platform, evm_of(keys, pin_file) as evm:
        found = [item for item in platform.get("/api/desk")["waiting"] if waiting in ("", item["id"])]
        for item in found:
            statement = Statement.of_document(item["statement"])
            parts = tuple(part.encode() for part in item["parts"])
            typer.echo(f"{item['title']}（{words.KINDS.get(statement.kind, statement.kind)}）")
            _check(statement, parts)
            digest = statement.digest()
            typer.echo(f"SHA-256 {digest.sha256.hex()}\nSM3     {digest.sm3.hex()}")
            _agreed(yes)
            answer = platform.post(f"/api/desk/{item['id']}/signatures", _signatures(keys, evm, statement, item))
            typer.echo(f"{item['id']} {answer['outcome']} {answer['text']}")
        if not found:
            typer.echo("没有等待签署的文件。 / Nothing waits for a signature.")


# Inside ---------------------------------------------------------------------------------------------------------------


@contextmanager
def _platform(url: str, api_key: Path) -> Iterator[PlatformClient]:
    """A client of the platform; what it refuses is told in its own words, exit code 2."""
    with said_clearly():
        try:
            with PlatformClient(url, keyfiles.token(api_key)) as platform:
                yield platform
        except PlatformError as error:
            typer.echo(str(error.document.get("message", error)), err=True)
            raise typer.Exit(2) from error
        except PlatformUnavailable as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error


def _keys(file: Path) -> KeyFile:
    with said_clearly():
        return keyfiles.load(file)


def _begun(platform: PlatformClient, keys: KeyFile, message: Message, product: str) -> tuple[str, dict[str, Any]]:
    """A new negotiation about a product, as its consumer."""
    shown = platform.get(f"/api/market/products/{product}")["product"]
    consumer = keys.by.removeprefix("party:")
    body = {"message": message, "side": Side.CONSUMER, "consumer": consumer, "provider": shown["listing"]["seller"],
            "listing": shown["id"]}  # fmt: skip
    return secrets.token_hex(32), body


def _next(
    platform: PlatformClient, keys: KeyFile, message: Message, negotiation: str
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """The next message of a negotiation, with the digest it repeats."""
    found = platform.get(f"/api/negotiations/{negotiation}")
    row, digest = found["negotiation"], None
    side = next(
        (side for side in Side if party_subject(row[side.value.lower()]) == keys.by), None
    )  # fmt: skip
    if side is None:
        raise FieldError("--key", "协商一方的密钥 / a key of one of the two sides", keys.by)
    if message in (Message.SELECT, Message.ORDER, Message.ACCEPT):
        digest = Twin(**found["proposal"]["digest"])
    elif message in (Message.VERIFICATION, Message.FINALISE):
        digest = _recomputed(found)
    return negotiation, {"message": message, "side": side, "consumer": row["consumer"], "provider": row["provider"],
                         "listing": row["listing"], "digest": digest}  # fmt: skip


def _recomputed(found: dict[str, Any]) -> Twin:
    """The digest of the agreed act, computed here from the act itself, whose terms are those of the proposal; of a
    policy alone, to which there is no act, that of the policy."""
    if not found["act"]:
        return document_digest(read(DOCUMENTS[Content.POLICY], found["proposal"]["document"], "policy"))
    statement = Statement.of_document(found["act"])
    brought = terms_digest(read(DOCUMENTS[Content.TERMS], found["proposal"]["document"], "terms"))
    if act_of(statement).terms_digest != brought:
        raise FieldError("act.terms_digest", brought.sha256, act_of(statement).terms_digest.sha256)
    return Twin.of(statement.digest())


def _frozen(platform: PlatformClient, keys: KeyFile, negotiation: str) -> Statement:
    """The message that freezes the agreement, as the platform drafts it: shown, once it is what was negotiated.

    The act must bring the terms of the latest proposal, of this negotiation, and be signed by their parties alone, ours
    with our own address. Raises `FieldError`.
    """
    found = platform.get(f"/api/negotiations/{negotiation}")
    statement = Statement.of_document(platform.get(f"/api/negotiations/{negotiation}/agreement")["statement"])
    body = message_of(statement)
    if (body.message, statement.subject) != (Message.AGREEMENT, subject_of(negotiation)):
        raise FieldError("statement.subject", subject_of(negotiation), statement.subject)
    content, document = Content(found["proposal"]["content"]), found["proposal"]["document"]
    proposal = read(DOCUMENTS[content], document, content.value)
    tell(content.value, body_of(proposal))
    digest = document_digest(proposal)
    if body.act is None:
        if body.digest != digest:
            raise FieldError("body.digest", digest.sha256, body.digest.sha256 if body.digest else "—")
        return statement
    if (body.act.terms_digest, body.act.negotiation_id) != (digest, negotiation):
        raise FieldError("act.terms_digest", digest.sha256, body.act.terms_digest.sha256)
    named = sorted(party.party for party in proposal.parties)
    signing = {signer.party: signer.address for signer in body.act.signers}
    if sorted(signing) != named or signing.get(keys.by.removeprefix("party:")) != keys.address.lower():
        raise FieldError("act.signers", f"{', '.join(named)}; {keys.address.lower()}", json.dumps(signing))
    tell("body", statement.body)
    return statement


def _say(
    platform: PlatformClient, keys: KeyFile, statement: Statement, yes: bool, role: str, parts: tuple[bytes, ...] = ()
) -> None:
    """Asks, signs and sends."""
    typer.echo(f"{words.VALUES['message'][message_of(statement).message]} {id_of(statement.subject)}")
    _agreed(yes)
    signed = Signed(statement, (sign_sm2(keys.sm2, statement, by=keys.by, role=role),))
    brought = {"parts": [part.decode() for part in parts]} if parts else {}
    answer = platform.post(MESSAGES, {**signed.document(), **brought})
    typer.echo(f"已入册 / taken in: {answer['fact']}")


def _document(message: Message, file: Path | None) -> Document | None:
    """What a proposal brings, from a JSON file; a salt is drawn here whatever stands there."""
    content = next((item for item in BRINGS.get(message, ()) if item is not Content.POLICY), None)
    if (content is None) != (file is None):
        raise FieldError("--document", f"{content or '无 / none'}", str(file or "无 / none"))
    if content is None or file is None:
        return None
    value = canonical.parse(file.read_bytes())
    if not isinstance(value, dict):
        raise FieldError("--document", "JSON 对象 / a JSON object", type(value).__name__)
    found: Document = read(DOCUMENTS[content], {**value, "salt": secrets.token_hex(32)}, content.value)
    return found


def _until(day: str) -> int:
    try:
        return end_of(date.fromisoformat(day)) - 1
    except ValueError:
        raise FieldError("--until", "日期，如 2026-09-30 / a day", day or "无 / none") from None


def _check(statement: Statement, parts: tuple[bytes, ...]) -> None:
    """The fields shown are those the statement commits to; then they are shown. Raises `FieldError`, `BadTerms`,
    `PricingRefused`."""
    if statement.kind == AGREEMENT_ACT:
        act = act_of(statement)
        terms = read_terms(statement, act, parts)
        if terms is not None and act.terms_digest != terms_digest(terms):
            raise FieldError("act.terms_digest", terms_digest(terms).sha256, act.terms_digest.sha256)
        if terms is not None:
            tell(Content.TERMS.value, body_of(terms))
    elif statement.kind == NEGOTIATION_MESSAGE:
        body = message_of(statement)
        document = read_document(statement, body, parts)
        if document is not None:
            tell(str(body.content), body_of(document))
    elif statement.kind == PRICE_QUOTE:
        check_parts(statement, parts)
    tell("quote" if statement.kind == PRICE_QUOTE else "body", statement.body)


@contextmanager
def evm_of(keys: KeyFile, pin_file: Path | None) -> Iterator[bytes | Sign]:
    """The secp256k1 key, or what signs with the one in hardware once its PIN was given."""
    if keys.hardware is None:
        yield keys.evm
        return
    pin = keyfiles.token(pin_file) if pin_file else str(typer.prompt("PIN", hide_input=True, err=True))
    with hardware.opened(keys.hardware, pin) as sign:
        yield sign


def _signatures(keys: KeyFile, evm: bytes | Sign, statement: Statement, item: dict[str, Any]) -> dict[str, Any]:
    if not item["address"]:
        return {"signature": sign_sm2(keys.sm2, statement, by=keys.by, role=item["role"]).document()}
    if item["address"] != keys.address.lower():
        raise FieldError("--key", item["address"], keys.address.lower())
    signer = Signer(Role(item["role"]), keys.by.removeprefix("party:"), item["address"])
    made = {signature.alg: signature.document() for signature in sign_act(statement, signer, keys.sm2, evm)}
    typed = made.pop(EIP712)
    return {"signature": next(iter(made.values())), "typed": typed}


def tell(root: str, document: dict[str, Any]) -> None:
    """Shows a document in words, element by element."""
    for block in spoken.blocks(document, root, {}):
        for line in block.lines:
            typer.echo(f"  {block.title} {line.label}：{line.text}".replace("   ", "  "))


def _agreed(yes: bool) -> None:
    if not yes:
        typer.confirm("签署 / sign", abort=True)
