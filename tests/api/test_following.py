"""What a dishonest platform tells a connector changes nothing: acts are measured by what was handed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.connector.agreements import Agreements
from api.connector.settings import Mode, Settings
from api.connector.state import Book
from api.connector.vault import Vault
from clearing.errors import ClearingError
from clearing.market.agreement import (
    Act,
    Domain,
    Ground,
    GroundKind,
    Role,
    Signer,
    State,
    act_of,
    act_statement,
    sign_act,
    sorted_signers,
)
from clearing.usage.record import Side
from ledger.digest import twin
from ledger.errors import LedgerError
from ledger.facts import Signed, Statement
from registry.asset import Twin
from tests.clearing.market.house import CONNECTOR, COURT, DAY, NOW, PROVIDER, SELLER, House, new_keys, uscc

FAKE = uscc(88)


class Told:
    """A connector's agreements without a platform: what it is told is handed to `follow`."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder / "platform.db")
        self.house.keys[FAKE] = new_keys()
        self.house.admit(FAKE, self.house.keys[FAKE].sm2.public)
        self.identity, signed = self.house.conclude()
        self.book = Book(folder / "state.db", CONNECTOR, Side.PROVIDE, Vault(b"k" * 32))
        self.now = NOW + 60
        settings = Settings(CONNECTOR, "", "", "", "", "0" * 64, mode=Mode.PROVIDER)
        self.agreements = Agreements(settings, lambda: self.now, self.book)
        asyncio.run(self.agreements.put({**self.house.sent(signed), "token_sha256": "a" * 64}))

    def follow(self, signed: Signed) -> None:
        asyncio.run(self.agreements.follow(self.house.sent(signed)))

    def taken(self, signed: Signed) -> None:
        """An act the platform took in rightly, and told."""
        self.house.take(signed, NOW + 30)
        self.follow(signed)

    @property
    def state(self) -> State:
        (held,) = self.agreements
        (kept,) = self.book.agreements()
        assert (kept.state, kept.no, kept.known) == (held.state, held.no, held.known)
        return held.state

    def by(self, party: str, act: Act, target: State, **more: object) -> Signed:
        """An act of an authority, true or made up."""
        authority = self.house.signer(Role.AUTHORITY, party)
        ground = Ground(GroundKind.DECISION, "演示决定", "5" * 64, Twin.of(twin(b"decision")))
        statement = self.house.act(self.identity, act, target, authority=authority, ground=ground, **more)
        return self.house.sign(statement, (authority,))

    def suspended(self) -> None:
        self.taken(self.by(COURT, Act.SUSPEND, State.SUSPENDED))

    def agreed_by(self, statement: Statement, signers: tuple[Signer, ...]) -> Signed:
        """Signed by these alone, whoever they say are the signers."""
        return Signed(
            statement,
            tuple(
                signature
                for signer in signers
                for signature in sign_act(
                    statement, signer, self.house.keys[signer.party].sm2, self.house.keys[signer.party].evm
                )
            ),
        )


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    found = Told(tmp_path)
    yield found
    found.book.close()
    found.house.close()


def fewer(told: Told, *roles: tuple[Role, str]) -> tuple[Signer, ...]:
    return sorted_signers(tuple(told.house.signer(role, party) for role, party in roles))


def shrunk(told: Told, act: Act, target: State, **more: object) -> Signed:
    """Provider and seller leave the consumer off the list and sign for everybody."""
    mine = fewer(told, (Role.PROVIDER, PROVIDER), (Role.OPERATOR, SELLER))
    return told.agreed_by(told.house.act(told.identity, act, target, signers=mine, **more), mine)


def unsigned_resume(told: Told) -> Signed:
    return replace(told.by(COURT, Act.RESUME, State.EFFECTIVE), signatures=())


def resume_in_the_courts_name(told: Told) -> Signed:
    real = told.by(COURT, Act.RESUME, State.EFFECTIVE)
    fake = replace(told.house.signer(Role.AUTHORITY, COURT), address=told.house.keys[FAKE].address)
    statement = act_statement(
        real.statement.subject, real.statement.no, real.statement.prev, replace(act_of(real.statement), authority=fake)
    )
    keys = told.house.keys[FAKE]
    return Signed(statement, sign_act(statement, fake, keys.sm2, keys.evm))


FORGED: dict[str, tuple[State, Callable[[Told], Signed]]] = {
    "resumed by another authority": (State.SUSPENDED, lambda t: t.by(FAKE, Act.RESUME, State.EFFECTIVE)),
    "resumed without a signature": (State.SUSPENDED, unsigned_resume),
    "resumed in the court's name by another key": (State.SUSPENDED, resume_in_the_courts_name),
    "suspended once more by somebody who would then resume": (
        State.SUSPENDED, lambda t: t.by(FAKE, Act.SUSPEND, State.SUSPENDED),
    ),
    "suspended into effect": (State.SUSPENDED, lambda t: t.by(FAKE, Act.SUSPEND, State.EFFECTIVE)),
    "void into effect": (State.SUSPENDED, lambda t: t.by(FAKE, Act.VOID, State.EFFECTIVE)),
    "stopped by nobody": (State.EFFECTIVE, lambda t: replace(t.by(COURT, Act.SUSPEND, State.SUSPENDED), signatures=())),
    "ended without the consumer": (State.EFFECTIVE, lambda t: shrunk(t, Act.TERMINATE, State.TERMINATED)),
    "amended without the consumer": (
        State.EFFECTIVE,
        lambda t: shrunk(t, Act.AMEND, State.EFFECTIVE, terms=t.house.terms(t.house.listed(), limit=10**6)),
    ),
    "expired before its term ends": (
        State.EFFECTIVE,
        lambda t: t.house.sign(
            t.house.act(t.identity, Act.EXPIRE, State.EXPIRED), (t.house.signer(Role.PROVIDER, PROVIDER),)
        ),
    ),
    "for another chain": (
        State.EFFECTIVE,
        lambda t: t.house.sign(
            t.house.act(t.identity, Act.TERMINATE, State.TERMINATED, domain=Domain(1, "0x" + "ab" * 20))
        ),
    ),
    "of a later revision": (
        State.EFFECTIVE,
        lambda t: t.house.sign(t.house.act(t.identity, Act.TERMINATE, State.TERMINATED, revision=2)),
    ),
    "with the SM2 half alone": (
        State.EFFECTIVE,
        lambda t: _half(t.house.sign(t.house.act(t.identity, Act.TERMINATE, State.TERMINATED))),
    ),
}  # fmt: skip


def _half(signed: Signed) -> Signed:
    return replace(signed, signatures=tuple(item for item in signed.signatures if item.alg == "sm2-sm3"))


@pytest.mark.parametrize("what", FORGED)
def test_follow__a_made_up_act__is_refused_and_nothing_changes(told: Told, what: str) -> None:
    state, forge = FORGED[what]
    if state is State.SUSPENDED:
        told.suspended()
    before = told.book.agreements()
    with pytest.raises((ClearingError, LedgerError)):
        told.follow(forge(told))
    assert told.state is state
    assert [(held.no, held.known, held.terms) for held in told.book.agreements()] == [
        (held.no, held.known, held.terms) for held in before
    ]


def test_follow__what_was_rightly_decided__in_its_order_and_once(told: Told) -> None:
    told.suspended()
    assert told.state is State.SUSPENDED
    resumed = told.by(COURT, Act.RESUME, State.EFFECTIVE)
    told.taken(resumed)
    told.follow(resumed)  # told twice
    assert told.state is State.EFFECTIVE
    terms = told.house.terms(told.house.listed(), limit=2)
    told.taken(told.house.sign(told.house.act(told.identity, Act.AMEND, State.EFFECTIVE, terms=terms)))
    (held,) = told.agreements
    assert (held.revision, held.terms, held.token_sha256) == (2, terms, "a" * 64)
    told.taken(told.by(COURT, Act.VOID, State.VOID))
    assert told.state is State.VOID


def test_follow__an_act_that_was_in_time_there__is_taken_long_after(told: Told) -> None:
    """A connector that was away learns of a deadline's act when it is back."""
    signed = told.house.sign(told.house.act(told.identity, Act.TERMINATE, State.TERMINATED, deadline=NOW + DAY))
    told.now = NOW + 200 * DAY
    told.taken(signed)
    assert told.state is State.TERMINATED


def test_follow__the_authority_that_stopped_may_be_one_never_heard_of(told: Told) -> None:
    """To stop is safe; and it alone may go on, while the court's own stop cannot be put aside by it."""
    told.follow(told.by(FAKE, Act.SUSPEND, State.SUSPENDED))
    assert told.state is State.SUSPENDED


def test_follow__of_an_agreement_from_an_older_state_file__waits_for_the_administrator(told: Told) -> None:
    (held,) = told.agreements
    held.known = None
    with pytest.raises(ClearingError, match="handed in"):
        told.follow(told.by(COURT, Act.SUSPEND, State.SUSPENDED))
