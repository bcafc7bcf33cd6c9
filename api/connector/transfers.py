"""Opening a provider's connector to a consumer's, and shutting it: the Dataspace Protocol's transfers, on both sides.

The consumer makes the access token and sends its digest, signed (`clearing.market.transfer`), so no secret travels; the
provider starts at once. Ids are such that nobody guesses them, and what comes later is known by them. The provider
calls the consumer back at addresses its operator has listed; whoever was not reached asks for the state. A transfer
ends with its agreement.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.connector.agreements import RUNNING, Agreements
from api.connector.peers import Said, ask, compose, opened, require_message
from api.connector.settings import Mode, Settings
from api.connector.state import Held
from api.connector.vault import Vault
from clearing.errors import BadTerms, Clash, UnknownFact
from clearing.market import transfer as rules
from clearing.market.agreement import State as AgreementState
from clearing.market.agreement import id_of, subject_of
from clearing.market.negotiation.dataspace import BASE, CONTEXT
from clearing.market.negotiation.message import Side
from clearing.market.transfer import FORMAT, OPEN, TRANSFER_REQUEST, TYPES, State, TransferRequest, Word
from ledger import canonical
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from ledger.sm import Sm2Key

SIGNED = "urn:shuqing:dsp:signed"
ENDPOINT = "https://w3id.org/idsa/v4.1/HTTP"
REQUEST = "TransferRequestMessage"
NOWHERE = "https://callback.invalid"
"""The address a connector names that cannot be called; it asks instead (RFC 2606)."""
_LONGEST = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS transfer (
  id TEXT PRIMARY KEY, peer TEXT NOT NULL, address TEXT NOT NULL, agreement TEXT NOT NULL, token_sha256 TEXT NOT NULL,
  access BLOB NOT NULL, state TEXT NOT NULL, suspended_by TEXT NOT NULL, since INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Transfer:
    """`id` is our name of it, `peer` the other side's, `address` where that side is told; `access` the token itself,
    which only the consumer knows; it has stood so from `since`, seconds UTC."""

    id: str
    peer: str
    address: str
    agreement: str
    token_sha256: str
    access: str
    state: State
    suspended_by: Side | None
    since: int


class Transfers:
    """The transfers of one connector. `clock` answers the present second UTC."""

    def __init__(
        self, settings: Settings, key: Sm2Key, vault: Vault, agreements: Agreements, clock: Callable[[], int]
    ) -> None:
        self._settings, self._key, self._vault, self._agreements = settings, key, vault, agreements
        self._clock, self._url = clock, settings.dataspace_url.rstrip("/")
        self._side = Side.CONSUMER if settings.mode is Mode.CONSUMER else Side.PROVIDER
        self._other = Side.PROVIDER if self._side is Side.CONSUMER else Side.CONSUMER
        self._db = opened(Path(settings.state))
        self._db.executescript(_SCHEMA)
        self._said = Said(self._db, vault, "transfer_said")
        for one in self._all():
            held = agreements.of_id(one.agreement)
            if self._side is Side.PROVIDER and one.state is State.STARTED and held is not None:
                agreements.admit(one.token_sha256, held)

    def close(self) -> None:
        self._db.close()

    # the consumer begins -----------------------------------------------------------------------------------------

    async def begin(self, asked: Any) -> dict[str, Any]:
        """Asks the provider's connector, which is our upstream, to let us in. Raises `BadTerms`, also with what it
        said."""
        if self._side is not Side.CONSUMER:
            raise BadTerms("config.mode", Mode.CONSUMER, self._settings.mode)
        if not isinstance(asked, dict) or set(asked) != {"agreement"} or not isinstance(asked["agreement"], str):
            raise BadTerms("request", "agreement", repr(asked)[:80])
        held = self._require_served(asked["agreement"])
        identity, token = f"urn:uuid:{uuid.uuid4()}", secrets.token_hex(24)
        digest = hashlib.sha256(token.encode()).hexdigest()
        body = TransferRequest(self._settings.id, identity, digest, self._clock())
        statement = Statement(TRANSFER_REQUEST, subject_of(held.id), 0, None, body_of(body))
        signed = Signed(statement, (sign_sm2(self._key, statement, by=f"connector:{self._settings.id}"),))
        fields = {"consumerPid": identity, "agreementId": subject_of(held.id), "format": FORMAT,
                  SIGNED: {"request": signed.document(), "registration": self._registration().document()}}  # fmt: skip
        made = compose(REQUEST, {**fields, "callbackAddress": (self._url or NOWHERE) + BASE})
        address = self._settings.upstream.rstrip("/") + BASE
        one = Transfer(identity, "", address, held.id, digest, token, State.REQUESTED, None, self._clock())
        self._said.keep(identity, self._side, self._clock(), made)
        self._keep(one)
        try:
            answer = await ask("POST", f"{address}/transfers/request", "", made)
            self._name(identity, _pid(answer, "providerPid"))
        except BadTerms:
            self._move(one, State.TERMINATED, None)
            raise
        # The one before it is left to the provider; calls use the new token from now on.
        await self._agreements.use_access(held, token)
        return await self.shown(identity)

    def _registration(self) -> Signed:
        path = Path(self._settings.registration_file) if self._settings.registration_file else None
        if path is None or not path.is_file():
            expected = "所属单位的登记声明（connector register 留下的文件） / the file `connector register` leaves"
            raise BadTerms("config.registration_file", expected, "没有 / none")
        return Signed.of_document(canonical.parse(path.read_bytes()))

    # the provider is asked ---------------------------------------------------------------------------------------

    async def hear_request(self, value: Any) -> dict[str, Any]:
        """Takes a consumer's request in and starts. The same request again is answered alike. Raises `BadTerms`,
        `BadSignature`, `Clash`, `FieldError`, `UnknownFact`."""
        if self._side is not Side.PROVIDER:
            raise UnknownFact("transfers/request", "—")
        message = require_message(value, REQUEST)
        for name, expected in (("providerPid", None), ("dataAddress", None), ("format", FORMAT)):
            if message.get(name) != expected:
                raise BadTerms(name, expected or "—", repr(message.get(name))[:80])
        pid, callback = _pid(message, "consumerPid"), _pid(message, "callbackAddress")
        extension = message.get(SIGNED)
        if not isinstance(extension, dict) or set(extension) != {"request", "registration"}:
            raise BadTerms(SIGNED, "request, registration", repr(extension)[:80])
        signed, registration = (Signed.of_document(extension[name]) for name in ("request", "registration"))
        held = self._require_served(id_of(_pid(message, "agreementId")))
        if signed.statement.subject != subject_of(held.id) or held.known is None:
            raise BadTerms("signed.statement.subject", subject_of(held.id), signed.statement.subject)
        request = rules.check_request(signed, registration, held.terms, held.known.sm2, self._clock())
        if request.consumer_pid != pid:
            raise BadTerms("consumerPid", request.consumer_pid, pid[:80])
        again = self._db.execute("SELECT id, agreement, token_sha256 FROM transfer WHERE peer = ?", (pid,)).fetchone()
        if again is not None:
            if again[1:] != (held.id, request.token_sha256):
                raise Clash(pid, "只用一次的 consumerPid / a consumerPid used once", "另一请求 / another request")
            return self.document(again[0])
        identity = f"urn:uuid:{uuid.uuid4()}"
        address = callback.rstrip("/") if self._may_call(callback) else ""
        # Kept as started by one statement: between two of them a kill would leave what nobody starts.
        one = Transfer(identity, pid, address, held.id, request.token_sha256, "", State.STARTED, None, self._clock())
        self._agreements.admit(request.token_sha256, held)
        self._said.keep(identity, self._other, self._clock(), message)
        self._keep(one)
        return self.document(identity) | {"state": State.REQUESTED.value}

    def _may_call(self, callback: str) -> bool:
        return any(
            callback == peer or callback.startswith(peer.rstrip("/") + "/") for peer in self._settings.dataspace_peers
        )

    async def tell_started(self, identity: str) -> None:
        """Brings the start to the consumer, once, where it may be called. It is not tried again: who was not reached
        asks."""
        if len(self._said.of(identity)) == 1:  # the request alone
            with suppress(BadTerms):
                await self._tell(self._transfer(identity), Word.START, {"dataAddress": self._data_address()})

    def _data_address(self) -> dict[str, Any]:
        return {"@type": "DataAddress", "endpointType": ENDPOINT, "endpoint": self._url}

    # both say and hear -------------------------------------------------------------------------------------------

    async def say(self, identity: str, word: str) -> dict[str, Any]:
        """Suspends, goes on with, completes or terminates. Raises `WrongMove`, and `BadTerms` where a provider does not
        take what its consumer says; a consumer that cannot be reached keeps nobody from shutting the door."""
        one = await self._current(self._transfer(identity))
        if word not in tuple(Word):
            raise BadTerms("word", " | ".join(Word), word[:40])
        said = Word(word)
        target = rules.after(identity, one.state, said, self._side, one.suspended_by)
        fields = {"dataAddress": self._data_address()} if said is Word.START and self._side is Side.PROVIDER else {}
        if self._side is Side.CONSUMER:
            await self._tell(one, said, fields)
        self._moved(one, said, target, self._side)
        if self._side is Side.PROVIDER:
            with suppress(BadTerms):
                await self._tell(one, said, fields)
        return await self.shown(identity)

    def hear(self, identity: str, path: str, value: Any) -> dict[str, Any]:
        """Takes in what the other side says; what asking has told before is kept and moves nothing. Raises `BadTerms`,
        `UnknownFact`, `WrongMove`."""
        one, said = self._transfer(identity), Word(path)
        message = require_message(value, TYPES[said])
        ours, theirs = _NAMES[self._side], _NAMES[self._other]
        if message.get(ours) != one.id:
            raise BadTerms(ours, one.id, repr(message.get(ours))[:80])
        peer = _pid(message, theirs)
        if peer != (one.peer or peer):
            raise BadTerms(theirs, one.peer, peer[:80])
        if self._learned(one, said):
            self._said.keep(identity, self._other, self._clock(), message)
            return self.document(identity)
        target = rules.after(identity, one.state, said, self._other, one.suspended_by)
        self._said.keep(identity, self._other, self._clock(), message)
        self._name(identity, peer)
        self._moved(one, said, target, self._other)
        return self.document(identity)

    def _learned(self, one: Transfer, word: Word) -> bool:
        """Whether a consumer stands where the word leads without anybody having said it: its provider was asked."""
        if self._side is not Side.CONSUMER or rules.LEADS[word] is not one.state:
            return False
        return bool(self._said.of(one.id)[-1]["message"]["@type"] != TYPES[word])

    async def _tell(self, one: Transfer, word: Word, fields: Mapping[str, Any]) -> None:
        made = compose(TYPES[word], {_NAMES[self._side]: one.id, _NAMES[self._other]: one.peer, **fields})
        if word in (Word.SUSPEND, Word.TERMINATE):
            made["code"] = word.value
        self._said.keep(one.id, self._side, self._clock(), made)
        if one.address:
            await ask("POST", f"{one.address}/transfers/{quote(one.peer, safe=':')}/{word}", "", made)

    # where they stand --------------------------------------------------------------------------------------------

    def document(self, identity: str) -> dict[str, Any]:
        """The TransferProcess of the protocol. Raises `UnknownFact`."""
        one = self._transfer(identity)
        pids = {_NAMES[self._side]: one.id, _NAMES[self._other]: one.peer}
        return {"@context": [CONTEXT], "@type": "TransferProcess", **pids, "state": one.state.value}

    async def shown(self, identity: str) -> dict[str, Any]:
        """A transfer for the administrator, as it stands now, with everything that was said."""
        one = await self._current(self._transfer(identity))
        return {"id": one.id, "peer": one.peer, "agreement": one.agreement, "state": one.state.value,
                "since": one.since, "suspended_by": one.suspended_by.value if one.suspended_by else "",
                "said": self._said.of(identity)}  # fmt: skip

    async def transfers(self) -> list[dict[str, Any]]:
        """Every transfer, the latest first."""
        return [await self.shown(one.id) for one in self._all()]

    async def _current(self, one: Transfer) -> Transfer:
        """The transfer, after its agreement and, for a consumer, after what its provider says of it."""
        held = self._agreements.of_id(one.agreement)
        if one.state in OPEN and (held is None or held.state not in RUNNING):
            self._moved(one, Word.TERMINATE, State.TERMINATED, self._side)
        elif one.state in OPEN and self._side is Side.CONSUMER and one.peer:
            try:
                found = await ask("GET", f"{one.address}/transfers/{quote(one.peer, safe=':')}")
                state = State(str(found.get("state")))
            except (BadTerms, ValueError):
                return one
            if state is not one.state:
                self._move(one, state, self._other if state is State.SUSPENDED else None)
        return self._transfer(one.id)

    def _moved(self, one: Transfer, word: Word, target: State, by: Side) -> None:
        """The state, and the door with it."""
        self._move(one, target, by if word is Word.SUSPEND else None)
        if self._side is Side.PROVIDER:
            held = self._agreements.of_id(one.agreement)
            if target is State.STARTED and held is not None:
                self._agreements.admit(one.token_sha256, held)
            else:
                self._agreements.shut(one.token_sha256)

    # inside ------------------------------------------------------------------------------------------------------

    def _require_served(self, agreement: str) -> Held:
        held = self._agreements.of_id(agreement)
        if held is None:
            raise UnknownFact("agreement", agreement[:80])
        if held.state is not AgreementState.EFFECTIVE:
            raise BadTerms("agreement.state", AgreementState.EFFECTIVE, held.state)
        return held

    def _all(self) -> list[Transfer]:
        rows = self._db.execute("SELECT id FROM transfer ORDER BY since DESC, id").fetchall()
        return [self._transfer(identity) for (identity,) in rows]

    def _transfer(self, identity: str) -> Transfer:
        names = "id, peer, address, agreement, token_sha256, access, state, suspended_by, since"
        with closing(self._db.execute(f"SELECT {names} FROM transfer WHERE id = ?", (identity,))) as found:
            row = found.fetchone()
        if row is None:
            raise UnknownFact("transfer", identity[:80])
        access = self._vault.open(row[5], f"transfer/{identity}").decode()
        return Transfer(
            row[0], row[1], row[2], row[3], row[4], access, State(row[6]), Side(row[7]) if row[7] else None, row[8]
        )

    def _keep(self, one: Transfer) -> None:
        access = self._vault.seal(one.access.encode(), f"transfer/{one.id}")
        self._db.execute(
            "INSERT INTO transfer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (one.id, one.peer, one.address, one.agreement, one.token_sha256, access, one.state.value, "", one.since),
        )

    def _move(self, one: Transfer, state: State, suspended_by: Side | None) -> None:
        """Moves on from where it stood; what has moved elsewhere meanwhile stays there."""
        change = "UPDATE transfer SET state = ?, suspended_by = ?, since = ? WHERE id = ? AND state = ?"
        values = (state.value, suspended_by.value if suspended_by else "", self._clock(), one.id, one.state.value)
        self._db.execute(change, values)

    def _name(self, identity: str, peer: str) -> None:
        self._db.execute("UPDATE transfer SET peer = ? WHERE id = ? AND peer = ''", (peer, identity))


_NAMES = {Side.CONSUMER: "consumerPid", Side.PROVIDER: "providerPid"}


def _pid(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST:
        raise BadTerms(name, f"1–{_LONGEST} 个字符 / characters", repr(found)[:80])
    return found
