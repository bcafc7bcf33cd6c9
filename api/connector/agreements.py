"""Which agreements the connector serves, by the acts it is told of, and who gets in by which access token."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from api.connector.settings import Mode, Settings
from api.connector.state import Book, Held, Known
from api.connector.subscription import MESSAGE_UNITS
from clearing.errors import NotSigned
from clearing.market import policy as policies
from clearing.market.agreement import (
    CARRIES_TERMS,
    Act,
    AgreementAct,
    Before,
    Role,
    SignerKeys,
    State,
    Terms,
    act_of,
    check_act,
    id_of,
    read_terms,
)
from clearing.market.errors import NotEntitled
from clearing.market.policy import Action
from clearing.usage.control import Meter
from ledger import signing
from ledger.errors import BadSignature, FieldError
from ledger.facts import SM2, Signed
from registry.asset import Twin

CALL_UNITS = frozenset({"call", "次"})
"""Units that one API call is one of."""
RUNNING = frozenset({State.EFFECTIVE, State.SUSPENDED})
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

    def of_id(self, agreement: str) -> Held | None:
        """The agreement with this id, if it is served here."""
        return self._by_id.get(agreement)

    def admit(self, token_sha256: str, held: Held) -> None:
        """A token that opens the agreement besides its own. Raises `FieldError` if it opens another."""
        taken = self._by_token.setdefault(token_sha256, held)
        if taken is not held:
            raise FieldError(
                "token_sha256", "未用于其他合约的令牌 / a token of no other agreement", token_sha256[:8] + "…"
            )

    def shut(self, token_sha256: str) -> None:
        """That token opens nothing any more."""
        held = self._by_token.get(token_sha256)
        if held is not None and held.token_sha256 != token_sha256:
            del self._by_token[token_sha256]

    async def use_access(self, held: Held, token: str) -> None:
        """From now on the provider's connector is asked with this token."""
        held.access = token
        await self._book.store_agreement(held)

    async def put(self, document: Any) -> dict[str, Any]:
        """Takes an agreement act as the administrator hands it in; acts of one agreement must come in order.

        The keys it is signed with are those its parties are known by from now on. Raises `LedgerError`.
        """
        summary = await self._take(document, trusted=True)
        self.changed.set()
        return summary

    async def follow(self, document: Any) -> None:
        """Takes an act from the platform if it is good under what the administrator handed in: the signers of the
        agreement, their keys, and the table of acts. An authority that stops is believed by its signature alone, since
        to stop is safe; to go on takes the authority that stopped. An act that is kept from the connector is not found
        here, but by whoever audits the log.

        Acts of agreements it does not serve and acts it has are passed over. Raises `LedgerError` and `ClearingError`;
        when a party has changed its key the administrator must look and hand the act in.
        """
        if not isinstance(document, dict) or not {"signed"} <= set(document) <= {"signed", "parts"}:
            raise FieldError("act", "signed, parts", repr(document)[:80])
        signed = Signed.of_document(document["signed"])
        held = self._by_id.get(id_of(signed.statement.subject))
        if held is None or signed.statement.no <= held.no:
            return
        self._require_good(held, signed, _parts(document))
        await self._take(document, trusted=False)

    def _require_good(self, held: Held, signed: Signed, parts: list[bytes]) -> None:
        known, act = held.known, act_of(signed.statement)
        if known is None:
            raise NotSigned(signed.statement.subject, "an act handed in since this connector keeps keys", "none")
        keys = {signer.party: SignerKeys(known.sm2.get(signer.party, ""), signer.address) for signer in known.signers}
        if act.act is Act.RESUME and act.authority != known.stopped:
            raise NotEntitled(act.act, "the authority that suspended", act.authority.party if act.authority else "—")
        if act.authority is not None:
            party = act.authority.party
            own = known.stopped_sm2 if act.act is Act.RESUME else _sm2_keys(signed).get(party, "")
            keys.setdefault(party, SignerKeys(own, act.authority.address))
        authorities = frozenset({act.authority.party} if act.authority else ())
        before = Before(
            held.state, held.revision, known.signers, known.domain, known.terms_digest, held.terms.expiry
        )  # fmt: skip
        terms = read_terms(signed.statement, act, parts)
        # Its deadline was the platform's to keep; an act that comes late here was in time there.
        at = min(self._clock(), act.deadline)
        check_act(signed.statement, signed.signatures, terms, before, keys, authorities, known.domain, at)

    async def _take(self, document: Any, *, trusted: bool) -> dict[str, Any]:
        if not isinstance(document, dict) or not {"signed"} <= set(document) <= _FIELDS:
            raise FieldError("request", ", ".join(sorted(_FIELDS)), "其他字段 / other fields")
        signed, parts = Signed.of_document(document["signed"]), _parts(document)
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
        brought = read_terms(statement, act, parts)
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
            raise _taken(token)
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
        held.known = _known(held.known, signed, act, trusted=trusted)
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
        unit, units = terms.settlement.tariff.unit, CALL_UNITS | MESSAGE_UNITS
        if unit not in units:
            raise FieldError("terms.settlement.tariff.unit", " | ".join(sorted(units)), unit)

    def _access(self, document: dict[str, Any], known: str) -> str:
        """The token for the provider's connector: only a consumer's has one, handed in or got by a transfer."""
        if "access_token" not in document:
            return known
        given, consuming = document["access_token"], self._settings.mode is Mode.CONSUMER
        if not consuming or not isinstance(given, str) or not _ACCESS.fullmatch(given):
            expected = "提供方连接器的访问令牌 / the token of the provider's connector" if consuming else "—"
            raise FieldError("access_token", expected, "不可用 / unusable" if consuming else "…")
        return given


def _taken(token_sha256: str) -> FieldError:
    return FieldError("token_sha256", "未用于其他合约的令牌 / a token of no other agreement", token_sha256[:8] + "…")


def _parts(document: dict[str, Any]) -> list[bytes]:
    parts = document.get("parts", [])
    if not isinstance(parts, list) or not all(isinstance(text, str) for text in parts):
        raise FieldError("parts", "文本的列表 / a list of texts", repr(parts)[:80])
    return [text.encode() for text in parts]


def _sm2_keys(signed: Signed) -> dict[str, str]:
    """The SM2 keys a statement is signed with, by party."""
    return {item.by.removeprefix("party:"): item.key for item in signed.signatures if item.alg == SM2}


def _known(before: Known | None, signed: Signed, act: AgreementAct, *, trusted: bool) -> Known:
    """What is known after an act; only the administrator's hand replaces a signer's key."""
    new, old = _sm2_keys(signed), before.sm2 if before else {}
    parties = {signer.party for signer in act.signers}
    merged = old | new if trusted else new | old
    stopped, stopped_sm2 = (before.stopped, before.stopped_sm2) if before else (None, "")
    if act.act is Act.SUSPEND and act.authority is not None:
        stopped, stopped_sm2 = act.authority, new.get(act.authority.party, "")
    sm2 = {party: key for party, key in merged.items() if party in parties}
    return Known(act.signers, act.domain, act.terms_digest, sm2, stopped, stopped_sm2)
