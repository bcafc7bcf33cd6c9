"""Agreements of the simulated market: drawn, concluded by three parties and amended. Everything is 演示."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import Any

from clearing.market.agreement import Act as Deed
from clearing.market.agreement import Delivery, Role, Signer, State, TermsParty, sorted_signers
from clearing.market.agreement import Product as Licensed
from clearing.market.policy import Action, Constraint, Left, Operator, Policy, Rule, policy_digest
from clearing.terms import BillingBasis
from ledger import sm
from registry.asset import Twin
from registry.rights import Right
from tests.clearing.market import house as houses
from tests.clearing.market.house import DAY
from tests.clearing.settlement.settlement_oracle import WHOLE, Deal, Plan
from tests.clearing.settlement.simulator import (
    CODES,
    GOODS,
    LAST,
    PLATFORM,
    TRIPLES,
    Kind,
    Simulator,
    settlement_terms,
    unit_of,
)
from tests.clearing.usage.batches import Line


def drawn_plan(rng: random.Random, holders: tuple[str, ...], version: int, triple: tuple[str, str, str]) -> Plan:
    """`triple` are the parties that sign, of whom one guarantees."""

    def weights() -> dict[str, int]:
        parts = [0 if rng.random() < 0.15 else rng.randint(1, 1000) for _ in holders]
        total = sum(parts) or 1
        shares = [WHOLE * part // total for part in parts]
        shares[0] += WHOLE - sum(shares)
        return dict(zip(holders, shares, strict=True))

    slices = [(0, weights())]
    if rng.random() < 0.3:
        slices.append((rng.randint(500, 20_000), weights()))
    costs = ((holders[0], rng.randint(1, 3000)),) if rng.random() < 0.3 else ()
    guarantees: list[tuple[str, int, str, str]] = []
    if rng.random() < 0.5:
        funder, *others = rng.sample(holders, len(holders))
        for party in others[: rng.randint(1, len(others))]:
            least = rng.choice((0, rng.randint(1, 300), rng.randint(1, 20_000), rng.randint(1, 200_000)))
            guarantor = rng.choice([one for one in triple if one != party])
            guarantees.append((party, least, funder, guarantor))
    least = max((limit for party, limit, _, _ in guarantees if party == holders[0]), default=1)
    caps = ((holders[0], least + rng.randint(0, 30_000), holders[1]),) if rng.random() < 0.25 else ()
    return Plan(version, holders, tuple(slices), costs, caps, tuple(guarantees))


def drawn_deal(rng: random.Random, revision: int, named: Deal, plan: Plan, at: int) -> Deal:
    """Another price rule under the name, the buyer and the term of `named`."""
    kinds = ("per_unit", "per_unit", "graduated", "volume", "subscription", "fixed")
    kind = rng.choice(kinds[:4] if named.accepted else kinds)
    starts = [0] if kind in ("per_unit", "fixed") else sorted({0, rng.randint(1, 500), rng.randint(501, 5000)})
    tiers = tuple((start, rng.randint(1, 400), rng.choice((1, 3, 7, 10))) for start in starts)
    more: dict[str, Any] = {"inclusive": rng.random() < 0.7, "bp": rng.choice((600, 600, 1300, 300, 0))}
    if kind in ("fixed", "subscription"):
        more["fixed"] = rng.randint(0, 9000)
    if kind == "subscription":
        more["allowance"] = rng.randint(0, 1500)
    if kind == "per_unit" and rng.random() < 0.4:
        more["block"] = rng.choice((10, 25))
    if rng.random() < 0.25 and not named.accepted:
        more["least"] = rng.randint(1, 4000)
    if rng.random() < 0.25:
        more["most"] = (more.get("least") or 0) + rng.randint(1, 60_000)
    issuer = rng.choice(plan.holders[:2])
    tiers = () if kind == "fixed" else tiers
    return Deal(named.agreement, revision, named.buyer, issuer, kind, tiers, plan, at, named.expiry,
                expiry=named.expiry, accepted=named.accepted, **more)  # fmt: skip


class Conclude(Kind):
    """A new agreement about use, signed by its three parties with both of their keys; the term of some is short."""

    weight = 0.8
    first = 3
    what, triples = "agreement", TRIPLES

    def options(self, m: Simulator) -> list[Any]:
        done = self.count(m)
        return [done] if done < len(self.triples) else []

    def count(self, m: Simulator) -> int:
        """The agreements of this kind that are there."""
        return len(m.lines)

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        return options[0]

    def prepared(self, m: Simulator, number: int) -> Deal:
        rng = random.Random(m.name(self.what, "deal", number))
        buyer, provider, seller = self.triples[number]
        holders = (provider, seller, *((PLATFORM,) if rng.random() < 0.6 else ()))
        plan = drawn_plan(rng, holders, 1, self.triples[number])
        expiry = m.at + rng.randint(5, 25) * DAY + rng.randint(0, DAY) if rng.random() < 0.4 else None
        name = m.name(self.what, number)
        accepted = self.triples is GOODS
        return drawn_deal(rng, 1, Deal(name, 1, buyer, seller, "", (), plan, m.at, expiry=expiry, accepted=accepted),
                          plan, m.at)  # fmt: skip

    def act(self, m: Simulator, number: int) -> None:
        self.hire(m, number)
        deed(m, self.prepared(m, number), self.triples[number], Deed.CONCLUDE, self.connectors(number))

    def hire(self, m: Simulator, number: int) -> None:
        m.house.hire_connector(connector_of(number), connector_key(m, number), self.triples[number][1])
        m.session.flush()

    def connectors(self, number: int) -> tuple[str, ...]:
        return (connector_of(number),)

    def know(self, m: Simulator, number: int) -> None:
        deal = self.prepared(m, number)
        m.model.deals[deal.agreement, 1] = deal
        m.triples[deal.agreement] = self.triples[number]
        self.line(m, number, deal)

    def line(self, m: Simulator, number: int, deal: Deal) -> None:
        listing = m.listings[self.triples[number][2], "call"]
        m.lines[deal.agreement] = Line(deal.agreement, listing, "a" * 64, connector_of(number))


class ConcludeGoods(Conclude):
    """A new agreement that bills what is accepted of deliveries; no connector reports anything."""

    first = 1
    what, triples = "goods", GOODS

    def count(self, m: Simulator) -> int:
        return len(m.triples) - len(m.lines)

    def hire(self, m: Simulator, number: int) -> None:
        """Nobody is needed."""

    def connectors(self, number: int) -> tuple[str, ...]:
        return ()

    def line(self, m: Simulator, number: int, deal: Deal) -> None:
        """None."""


def connector_of(number: int) -> str:
    return f"conn-sim-{number}"


def connector_key(m: Simulator, number: int) -> sm.Sm2Key:
    return sm.from_private(hashlib.sha256(f"connector {m.seed} {number}".encode()).digest())


def deed(m: Simulator, deal: Deal, triple: tuple[str, str, str], act: Deed, connectors: tuple[str, ...]) -> None:
    """Concludes or amends under every signature."""
    buyer, provider, seller = triple
    listing, house = m.listings[seller, unit_of(deal)], m.house
    rules = (Rule(Action.READ, (Constraint(Left.PURPOSE, Operator.ANY, ("research",)),
                                Constraint(Left.COUNT, Operator.LTEQ, 10**12))),)  # fmt: skip
    policy = Policy(1, seller, buyer, listing, rules)
    row = houses.shelf_store.listing(m.session, listing)
    base = houses.terms_of(listing, row.digest)
    if deal.accepted:
        base = replace(base, billing=BillingBasis.ACCEPTED, delivery=Delivery("M2", "sftp", "7x24"))
    terms = replace(
        base,
        parties=(
            TermsParty(provider, Role.PROVIDER, connectors),
            TermsParty(buyer, Role.CONSUMER),
            TermsParty(seller, Role.OPERATOR),
        ),
        product=Licensed(listing, 1, row.digest, CODES[seller], (Right.USE,)),
        users=(buyer,),
        effective=deal.since,
        expiry=deal.expiry or LAST,
        settlement=settlement_terms(deal),
        policy=policy,
        policy_digest=Twin.of(policy_digest(policy)),
    )
    roles = ((Role.PROVIDER, provider), (Role.CONSUMER, buyer), (Role.OPERATOR, seller))
    named = sorted_signers(tuple(Signer(role, party, house.keys[party].address) for role, party in roles))
    statement = house.act(deal.agreement, act, State.EFFECTIVE, terms=terms, signers=named, deadline=m.at + DAY)
    house.take(house.sign(statement, named), m.at)


class Amend(Kind):
    """A new revision: other prices, or another version of the plan, or both."""

    weight = 2

    def options(self, m: Simulator) -> list[Any]:
        now = [m.deal_at(agreement, m.at) for agreement in m.triples]
        return [deal for deal in now if deal and deal.since + 10 * DAY < m.at]

    def draw(self, m: Simulator, options: list[Any]) -> Any:
        old = m.rng.choice(options)
        rng = random.Random(m.name("amend", old.agreement, old.revision))
        triple, version = m.triples[old.agreement], old.plan.version + 1
        plan = old.plan if rng.random() < 0.4 else drawn_plan(rng, old.plan.holders, version, triple)
        return drawn_deal(rng, old.revision + 1, old, plan, m.at)

    def act(self, m: Simulator, deal: Deal) -> None:
        line = m.lines.get(deal.agreement)
        deed(m, deal, m.triples[deal.agreement], Deed.AMEND, (line.connector,) if line else ())

    def know(self, m: Simulator, deal: Deal) -> None:
        m.model.deals[deal.agreement, deal.revision - 1].until = deal.since
        m.model.deals[deal.agreement, deal.revision] = deal
