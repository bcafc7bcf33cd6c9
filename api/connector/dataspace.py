"""Negotiating with a provider of another data space, as its consumer: the Dataspace Protocol 2025-1.

The provider answers at `dataspace_url`, under a negotiation id nobody can guess. What is said and heard is kept,
sealed; where a negotiation stands follows the table of moves that the platform uses. None of this is signed with our
keys: no agreement here comes of it, no record and no charge (D30). What we say counts as said before it is sent,
because a provider may answer before it has acknowledged; if it refuses, or says nothing and does not stand there
itself, it is taken back.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.connector.peers import Said, ask, compose, opened, require_message
from api.connector.vault import Vault
from clearing.errors import BadTerms, UnknownFact, WrongMove
from clearing.market.negotiation.dataspace import BASE, CONTEXT, EVENTS, PATHS, worded
from clearing.market.negotiation.message import Message, Side
from clearing.market.negotiation.moves import State, after

WORDS = {
    "accept": Message.ACCEPT, "counter": Message.COUNTER, "verify": Message.VERIFICATION,
    "terminate": Message.TERMINATE,
}  # fmt: skip
"""What an administrator may answer."""
_HEARD: Mapping[str, Message] = {
    "offers": Message.OFFER, "agreement": Message.AGREEMENT, "events": Message.FINALISE,
    "termination": Message.TERMINATE,
}  # fmt: skip
_SCHEMA = """
CREATE TABLE IF NOT EXISTS dataspace (
  id TEXT PRIMARY KEY, provider TEXT NOT NULL, peer TEXT NOT NULL, dataset TEXT NOT NULL, state TEXT NOT NULL,
  since INTEGER NOT NULL, token BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Talk:
    """A negotiation: `id` is our name of it, `peer` the provider's, `provider` where it is asked, `since` (seconds UTC)
    how long it has stood so; `token` goes into the header Authorization."""

    id: str
    provider: str
    peer: str
    dataset: str
    state: State
    since: int
    token: str


class Dataspace:
    """This connector's negotiations. `url` is where providers find it, `clock` the present second UTC."""

    def __init__(self, path: Path, vault: Vault, url: str, clock: Callable[[], int]) -> None:
        self._vault, self._url, self._clock = vault, url.rstrip("/"), clock
        self._db = opened(path)
        self._db.executescript(_SCHEMA)
        self._said = Said(self._db, vault, "dataspace_said")

    def close(self) -> None:
        self._db.close()

    async def begin(self, asked: Any) -> dict[str, Any]:
        """Asks a provider for a dataset under an offer of its catalogue. Raises `BadTerms`, also with what it said."""
        if not self._url:
            raise BadTerms("config.dataspace_url", "对方回叫本连接器的地址 / where a provider finds us", "没有 / none")
        if not isinstance(asked, dict) or not {"provider", "offer"} <= set(asked) <= {"provider", "offer", "token"}:
            raise BadTerms("request", "provider, offer, token", repr(asked)[:80])
        provider, offer = str(asked["provider"]).rstrip("/"), _offer(asked["offer"])
        identity = f"urn:uuid:{uuid.uuid4()}"
        talk = Talk(
            identity, provider, "", offer["target"], State.REQUESTED, self._clock(), str(asked.get("token", ""))
        )
        message = {**_message(Message.REQUEST, {"consumerPid": identity}), "offer": offer,
                   "callbackAddress": self._url + BASE}  # fmt: skip
        self._keep(talk, Side.CONSUMER, message)
        try:
            answer = await ask("POST", f"{provider}/negotiations/request", talk.token, message)
        except BadTerms:
            self._move(identity, State.REQUESTED, State.TERMINATED)
            raise
        peer = answer.get("providerPid")
        if not isinstance(peer, str) or not 0 < len(peer) <= 200:
            self._move(identity, State.REQUESTED, State.TERMINATED)
            raise BadTerms("answer.providerPid", "the provider's name of the negotiation", repr(peer)[:80])
        self._name(identity, peer)
        return self.shown(identity)

    async def say(self, identity: str, word: str, document: Any) -> dict[str, Any]:
        """Answers the provider. Raises `WrongMove` where the state has no such answer, `BadTerms` with what it said."""
        talk = self._talk(identity)
        message = WORDS.get(word)
        if message is None:
            raise BadTerms("word", " | ".join(WORDS), word[:40])
        target = _after(talk, message, Side.CONSUMER)
        spoken = worded(message, Side.CONSUMER)
        made = _message(spoken, {"providerPid": talk.peer, "consumerPid": talk.id})
        if message is Message.COUNTER:
            made["offer"] = _offer(document, target=talk.dataset)
        elif message is Message.TERMINATE:
            made["code"] = "TERMINATED"
        self._keep(talk, Side.CONSUMER, made)
        self._move(identity, talk.state, target)
        path = f"/negotiations/{quote(talk.peer, safe=':')}"
        try:
            await ask("POST", f"{talk.provider}{path}/{PATHS[spoken][1]}", talk.token, made)
        except BadTerms:
            if await self._stands(talk, path) is not target:
                self._move(identity, target, talk.state)
                raise
        return self.shown(identity)

    def hear(self, identity: str, path: str, value: Any) -> dict[str, Any]:
        """Takes in what the provider says; answers with where the negotiation stands. Raises as `say`."""
        talk = self._talk(identity)
        message = _HEARD[path]
        require_message(value, PATHS[message][0])
        peer = value.get("providerPid")
        if not isinstance(peer, str) or not 0 < len(peer) <= 200 or peer != (talk.peer or peer):
            raise BadTerms("providerPid", talk.peer or "the provider's name of the negotiation", repr(peer)[:80])
        if value.get("consumerPid") != talk.id:
            raise BadTerms("consumerPid", talk.id, repr(value.get("consumerPid"))[:80])
        if message is Message.FINALISE and value.get("eventType") != EVENTS[message]:
            raise BadTerms("eventType", EVENTS[message], repr(value.get("eventType"))[:80])
        if message in (Message.OFFER, Message.AGREEMENT):
            _offer(value.get("offer" if message is Message.OFFER else "agreement"), target=talk.dataset)
        target = _after(talk, Message.COUNTER if message is Message.OFFER else message, Side.PROVIDER)
        self._keep(talk, Side.PROVIDER, value)
        self._name(identity, peer)
        self._move(identity, talk.state, target)
        return self.document(identity)

    def document(self, identity: str) -> dict[str, Any]:
        """The ContractNegotiation of the protocol. Raises `UnknownFact`."""
        talk = self._talk(identity)
        return {"@context": [CONTEXT], "@type": "ContractNegotiation", "providerPid": talk.peer,
                "consumerPid": talk.id, "state": talk.state.value}  # fmt: skip

    def shown(self, identity: str) -> dict[str, Any]:
        """A negotiation for the administrator, with everything that was said."""
        talk = self._talk(identity)
        return {"id": talk.id, "provider": talk.provider, "provider_pid": talk.peer, "dataset": talk.dataset,
                "state": talk.state.value, "since": talk.since, "said": self._said.of(identity)}  # fmt: skip

    def talks(self) -> list[dict[str, Any]]:
        """Every negotiation, the latest first."""
        rows = self._db.execute("SELECT id FROM dataspace ORDER BY since DESC, id").fetchall()
        return [self.shown(identity) for (identity,) in rows]

    # inside ------------------------------------------------------------------------------------------------------

    def _talk(self, identity: str) -> Talk:
        question = "SELECT id, provider, peer, dataset, state, since, token FROM dataspace WHERE id = ?"
        with closing(self._db.execute(question, (identity,))) as found:
            row = found.fetchone()
        if row is None:
            raise UnknownFact("negotiation", identity[:80])
        token = self._vault.open(row[6], f"dataspace/{identity}").decode()
        return Talk(row[0], row[1], row[2], row[3], State(row[4]), row[5], token)

    def _keep(self, talk: Talk, side: Side, message: Mapping[str, Any]) -> None:
        """Keeps a message before it is sent or answered; each statement is durable by itself, the message first."""
        self._said.keep(talk.id, side.value, self._clock(), message)
        token = self._vault.seal(talk.token.encode(), f"dataspace/{talk.id}")
        self._db.execute(
            "INSERT OR IGNORE INTO dataspace VALUES (?, ?, ?, ?, ?, ?, ?)",
            (talk.id, talk.provider, talk.peer, talk.dataset, talk.state.value, talk.since, token),
        )

    def _move(self, identity: str, before: State, state: State) -> None:
        """Moves on from where it stood; what has moved elsewhere meanwhile stays there."""
        change = "UPDATE dataspace SET state = ?, since = ? WHERE id = ? AND state = ?"
        self._db.execute(change, (state.value, self._clock(), identity, before.value))

    def _name(self, identity: str, peer: str) -> None:
        self._db.execute("UPDATE dataspace SET peer = ? WHERE id = ? AND peer = ''", (peer, identity))

    async def _stands(self, talk: Talk, path: str) -> State | None:
        """Where the provider says the negotiation stands."""
        try:
            return State(str((await ask("GET", talk.provider + path, talk.token)).get("state")))
        except (BadTerms, ValueError):
            return None


def _offer(value: Any, *, target: str = "") -> dict[str, Any]:
    """An offer or agreement with an IRI and a target, of this one if it is named. Raises `BadTerms`."""
    if not isinstance(value, dict) or not all(
        isinstance(value.get(name), str) and 0 < len(value[name]) <= 400 for name in ("@id", "target")
    ):
        raise BadTerms("offer", "@id, target", repr(value)[:80])
    if target and value["target"] != target:
        raise BadTerms("offer.target", target, value["target"][:80])
    return value


def _message(word: Message, pids: Mapping[str, str]) -> dict[str, Any]:
    return compose(PATHS[word][0], {**pids, **({"eventType": EVENTS[word]} if word in EVENTS else {})})


def _after(talk: Talk, message: Message, side: Side) -> State:
    target = after(talk.state, message, side)
    if target is None:
        raise WrongMove(talk.id, f"{talk.state}, {side}", f"{message} of {side}")
    return target
