"""What RightsRegistry accepts, as a plain model: written from contracts/src/IRightsRegistry.sol, not from the registry.

It takes register entries and tellings in the order of the log, as the worker does, and raises the name of the error by
which the contract would refuse one. All certificates share one status word, which is the strictest case.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.facts import Fact
from registry.certificate import ENTRY
from registry.telling import TOLD

FINAL = {"SUPERSEDED", "TRANSFERRED", "LAPSED", "CANCELLED"}
Key = tuple[str, int]


class Reverted(Exception):
    """The contract refuses; the text is its error."""


@dataclass
class Held:
    """What the contract holds of a certificate."""

    valid_from: int
    valid_until: int
    status: str = "VALID"
    encumbered: bool = False
    objection: bool = False
    changed_at: int = 0
    undated: bool = False


class Contract:
    """The contract after some facts."""

    def __init__(self) -> None:
        self.held: dict[Key, Held] = {}
        self.latest = 0
        self._last: tuple[Key, int, str] | None = None

    def take(self, fact: Fact) -> None:
        """Writes a fact, if it is one that goes to this contract. Raises `Reverted`."""
        if fact.kind == ENTRY:
            self._deposit(fact.body)
        elif fact.kind == TOLD:
            self._last = None
            self._set_status(fact.body, fact.at)

    def _deposit(self, body: dict) -> None:  # type: ignore[type-arg]
        key = (body["code"], body["version"])
        if key in self.held:
            raise Reverted("AlreadyDeposited")
        if body["valid_from"] >= body["valid_until"]:
            raise Reverted("ValidityInverted")
        new = Held(body["valid_from"], body["valid_until"])
        before = body.get("predecessor")
        if before is None:
            self._last = None
        else:
            old = self.held.get((before["code"], before["version"]))
            if old is None:
                raise Reverted("UnknownCertificate")
            if before["status"] not in {"SUPERSEDED", "TRANSFERRED"}:
                raise Reverted("InvalidPredecessorStatus")
            if new.valid_from < old.valid_from:
                raise Reverted("StartsTooEarly")
            mark = ((before["code"], before["version"]), new.valid_from, before["status"])
            if mark != self._last:
                if old.status in FINAL:
                    raise Reverted("StatusIsFinal")
                old.status, old.changed_at, old.undated = before["status"], new.valid_from, False
            self._last = mark
            new.encumbered, new.objection = old.encumbered, old.objection
        if body["version"] > 1:
            previous = self.held.get((body["code"], body["version"] - 1))
            if previous is None:
                raise Reverted("UnknownCertificate")
            if previous.status not in FINAL:
                raise Reverted("PreviousVersionInForce")
            if new.valid_from < previous.changed_at:
                raise Reverted("StartsTooEarly")
        self.held[key] = new

    def _set_status(self, body: dict, now: int) -> None:  # type: ignore[type-arg]
        held = self.held.get((body["code"], body["version"]))
        if held is None:
            raise Reverted("UnknownCertificate")
        at, status = body["effective_at"], body["status"]
        if at > now:
            raise Reverted("InstantInFuture")
        late = at >= held.valid_until
        mark = status == "RENEWAL_PENDING" and held.status != status
        if (mark and late) or (status == "LAPSED" and not late):
            raise Reverted("NotAtThisTime")
        if (status, body["encumbered"], body["objection"]) == (held.status, held.encumbered, held.objection):
            raise Reverted("NoChange")
        if held.status in FINAL:
            raise Reverted("StatusIsFinal")
        if held.undated and at < self.latest:
            raise Reverted("ChangeOutOfOrder")
        held.status, held.encumbered, held.objection = status, body["encumbered"], body["objection"]
        held.changed_at, held.undated = at, status not in FINAL
        if held.undated:
            self.latest = max(self.latest, at)

    def in_force(self, key: Key, now: int) -> bool:
        """`inForce` at the present."""
        held = self.held[key]
        if held.status in FINAL or now < held.valid_from:
            return False
        return now < held.valid_until or held.status == "RENEWAL_PENDING"
