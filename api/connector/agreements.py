"""Which agreements the connector serves, by the acts it is told of, and who gets in by which access token."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from api.connector.settings import Mode, Settings
from api.connector.state import Book, Held
from clearing.market import policy as policies
from clearing.market.agreement import (
    CARRIES_TERMS,
    SIGNED_BY,
    Act,
    Role,
    Signers,
    State,
    Terms,
    act_of,
    id_of,
    read_terms,
)
from clearing.market.policy import Action
from clearing.usage.control import Meter
from ledger import signing
from ledger.errors import BadSignature, FieldError
from ledger.facts import SM2, Signed
from registry.asset import Twin
from registry.party import party_subject

CALL_UNITS = frozenset({"call", "次"})
"""Units that one API call is one of; other units are measured by other modes."""
RUNNING = frozenset({State.EFFECTIVE, State.SUSPENDED})
STOPPED_BY = "stopped-by"
"""In the known keys: which authority suspended the agreement last, and so may resume it."""
_FIELDS = frozenset({"signed", "parts", "token_sha256", "access_token"})
_ACCESS = re.compile(r"[!-~]{1,512}")


class Agreements:
    """The agreements of one connector. `clock` answers the present second UTC."""

    def __init__(self, settings: Settings, clock: Callable[[], int], book: Book) -> None:
        self._settings, self._clock, self._book = settings, clock, book
        self._by_token = {held.token_sha256: held for held in book.agreements()}
        self._by_id = {held.id: held for held in self._by_token.values()}
        self.changed = asyncio.Event()
        """Set when the administrator handed something in."""

    def __iter__(self) -> Iterator[Held]:
        return iter(self._by_id.values())

    def of_token(self, token_sha256: str) -> Held | None:
        """The agreement that the access token with this digest opens."""
        return self._by_token.get(token_sha256)

    async def put(self, document: Any) -> dict[str, Any]:
        """Takes an agreement act as the administrator hands it in; acts of one agreement must come in order.

        The keys it is signed with are those its parties are known by from now on. Raises `LedgerError`.
        """
        summary = await self._take(document, trusted=True)
        self.changed.set()
        return summary

    async def follow(self, document: Any) -> None:
        """Takes an act from the platform: by the keys the parties concluded with, or an authority's that stops.

        Acts of agreements it does not serve and acts it has are passed over. Raises `LedgerError`, and `BadSignature`
        when a key is another one than before: then the administrator must look and hand the act in.
        """
        signed = Signed.of_document(document["signed"] if isinstance(document, dict) else document)
        act = act_of(signed.statement)
        held = self._by_id.get(id_of(signed.statement.subject))
        if held is None or signed.statement.no <= held.no:
            return
        keys = {signature.by: signature.key for signature in signed.signatures if signature.alg == SM2}
        if SIGNED_BY[act.act] is Signers.AUTHORITY:
            # To stop is safe, whoever the authority is; to go on takes the one that stopped, by the same key.
            stopped = held.keys.get(STOPPED_BY, "")
            needed = [stopped] if act.act is Act.RESUME else [name for name in keys if name in held.keys]
        else:
            needed = [party_subject(signer.party) for signer in act.signers]
            if SIGNED_BY[act.act] is Signers.ONE:
                needed = [name for name in needed if name in keys][:1] or needed
        for name in needed:
            if not name or keys.get(name) != held.keys.get(name):
                raise BadSignature(
                    name or act.act, "不是订立时的公钥，请管理员核对后提交该事项 / not the key it was concluded with: "
                    "let the administrator look and hand the act in",
                )  # fmt: skip
        await self._take({"signed": document["signed"], "parts": document.get("parts", [])}, trusted=False)

    async def _take(self, document: Any, *, trusted: bool) -> dict[str, Any]:
        if not isinstance(document, dict) or not {"signed"} <= set(document) <= _FIELDS:
            raise FieldError("request", ", ".join(sorted(_FIELDS)), "其他字段 / other fields")
        signed, parts = Signed.of_document(document["signed"]), document.get("parts", [])
        if not isinstance(parts, list) or not all(isinstance(text, str) for text in parts):
            raise FieldError("parts", "文本的列表 / a list of texts", repr(parts)[:80])
        statement, act = signed.statement, act_of(signed.statement)
        for signature in signed.signatures:
            if signature.alg == SM2 and not signing.verify_sm2(statement, signature):
                raise BadSignature(signature.by, "与内容不符 / does not match the act")
        held = self._by_id.get(id_of(statement.subject))
        digest = Twin.of(statement.digest())
        if held is not None and (statement.no, digest) == (held.no, held.prev):
            return self.summary(held)
        expected = (held.no + 1, held.prev) if held else (0, None)
        if (statement.no, Twin.of(statement.prev) if statement.prev else None) != expected:
            raise FieldError(
                "signed.statement.no", f"{expected[0]}，承接上一事项 / after the act before", str(statement.no)
            )
        brought = read_terms(statement, act, [text.encode() for text in parts])
        if (brought is not None) != (act.act in CARRIES_TERMS):
            raise FieldError("signed.statement.body.fields", f"{act.act}", "terms" if brought else "—")
        terms = brought or (held.terms if held else None)
        if terms is None:
            raise FieldError("signed.statement.body.act", "CONCLUDE", act.act)
        self._check_terms(terms)
        token = document.get("token_sha256", held.token_sha256 if held else "")
        if not isinstance(token, str) or not re.fullmatch("[0-9a-f]{64}", token):
            raise FieldError("token_sha256", "64 位小写十六进制 / 64 lower-case hex characters", repr(token)[:80])
        taken = self._by_token.get(token)
        if taken is not None and taken.id != id_of(statement.subject):
            raise FieldError("token_sha256", "未用于其他合约的令牌 / a token of no other agreement", token[:8] + "…")
        access = self._access(document, held.access if held else "")
        if held is None:
            held = Held(
                id_of(statement.subject), token, 0, digest, act.to_state, act.revision, terms, secrets.token_bytes(32),
                Meter(terms.policy), self._clock(),
            )  # fmt: skip
        else:
            self._by_token.pop(held.token_sha256, None)
            held.meter.adopt(terms.policy)
            held.token_sha256, held.no, held.prev, held.state = token, statement.no, digest, act.to_state
            held.revision, held.terms = act.revision, terms
        keys = {signature.by: signature.key for signature in signed.signatures if signature.alg == SM2}
        held.keys = {**held.keys, **keys} if trusted else {**keys, **held.keys}
        if act.act is Act.SUSPEND and act.authority:
            held.keys[STOPPED_BY] = party_subject(act.authority.party)
        held.access = access
        held.until = None if act.to_state in RUNNING else held.until or self._clock()
        self._by_id[held.id] = self._by_token[token] = held
        await self._book.store_agreement(held)
        return self.summary(held)

    def summary(self, held: Held) -> dict[str, Any]:
        return {
            "agreement": held.id,
            "limit": policies.limit_of(held.terms.policy, Action.READ),
            "revision": held.revision,
            "state": held.state.value,
            "used": held.meter.total,
        }

    def _check_terms(self, terms: Terms) -> None:
        consuming = self._settings.mode is Mode.CONSUMER
        named = [p for p in terms.parties if self._settings.id in p.connectors]
        if not any((party.role is Role.CONSUMER) == consuming for party in named):
            raise FieldError(
                "terms.parties.connectors",
                self._settings.id,
                f"未列入{self._settings.mode}方 / not named on the side of the {self._settings.mode}",
            )
        if terms.settlement.tariff.unit not in CALL_UNITS:
            raise FieldError(
                "terms.settlement.tariff.unit", " | ".join(sorted(CALL_UNITS)), terms.settlement.tariff.unit
            )

    def _access(self, document: dict[str, Any], known: str) -> str:
        """The token for the provider's connector: a consumer's connector needs one, a provider's has none."""
        given = document.get("access_token", known)
        consuming = self._settings.mode is Mode.CONSUMER
        if not isinstance(given, str) or bool(_ACCESS.fullmatch(given)) != consuming:
            expected = "提供方连接器的访问令牌 / the token of the provider's connector" if consuming else "—"
            raise FieldError("access_token", expected, "缺失或不可用 / missing or unusable" if consuming else "…")
        return given
