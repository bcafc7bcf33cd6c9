"""Facts as the platform would have taken them in, made from a few words each. Everything is 演示.

Figures read facts and nothing else, so a story needs no database; `stored` puts the same facts into one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from clearing.market.agreement import (
    AGREEMENT_ACT,
    Act,
    AgreementAct,
    Role,
    Signer,
    State,
    TermsParty,
    sorted_signers,
    terms_digest,
    terms_fields,
    terms_parts,
)
from clearing.market.delivery.act import DELIVERY_ACT
from clearing.market.listing import LISTING_MOVE, LISTING_SUBMITTED, ListingMove, Move, ProductType
from clearing.settlement.cycle import CycleMove
from clearing.settlement.cycle import State as CycleState
from clearing.settlement.dispute import opening
from clearing.settlement.dispute.opening import DISPUTE_ACT, Complaint, DisputeAct, Evidence, Topic
from clearing.settlement.payment import BankAccount, BankEntry, Batch, Direction, Instruction
from clearing.settlement.rating import Charge
from clearing.settlement.reporting.material import Told
from clearing.settlement.reporting.objection import PARTY_RELATION, Relation, relation_subject
from clearing.settlement.statement import Item, ObligationPart, PartA, salted
from clearing.terms import PeriodBasis, month
from clearing.usage.metering import BatchRoot, Excluded, Exclusion, MeterReading
from clearing.usage.service_level.notice import OUTAGE_ACT, OutageAct
from ledger import canonical
from ledger import store as ledger
from ledger.facts import Fact, PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of
from registry.asset import Twin
from tests.clearing.market.house import DOMAIN, SELLER, contents_of, listing_of, terms_of

PLATFORM = "OPERATOR"
ZERO = Twin("0" * 64, "0" * 64)
ACCOUNT = BankAccount("102100099996", "演示银行", "0100000000000001", "演示监管账户")


def named(text: str, length: int = 64) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


@dataclass
class Story:
    """Facts in the order they were told."""

    told: list[Told] = field(default_factory=list)
    heads: dict[str, Statement] = field(default_factory=dict)
    count: int = 0

    def fact(
        self, kind: str, subject: str, body: Any, at: int, parts: Sequence[bytes] = (), by: str = "", role: str = ""
    ) -> Fact:
        before = self.heads.get(subject)
        no, prev = (before.no + 1, before.digest()) if before else (0, None)
        document = body if isinstance(body, dict) else body_of(body)
        statement = Statement(kind, subject, no, prev, document, PartsRoot.over(parts) if parts else None)
        self.heads[subject] = statement
        signatures = (Signature("sm2-sm3", by, "04" + "0" * 128, "0" * 128, role, "1234567812345678"),) if by else ()
        fact = Fact(statement, signatures, at, named(f"{subject}#{no}"))
        self.told.append(Told(fact, tuple(parts)))
        return fact

    def cycle(self, name: str, period: str, state: CycleState, at: int, until: int = 0) -> Fact:
        window = month(period)
        move = CycleMove(name, PLATFORM, period, window.start, window.end, "CNY", state, until or at)
        return self.fact("cycle-state/v1", f"cycle:{name}", move, at)

    def agreement(
        self, name: str, provider: str, consumer: str, at: int, *, listing: str = "", service: str = "",
        mode: str = "M1",
    ) -> str:  # fmt: skip
        identity = named(name)
        base = terms_of(listing or "0" * 32, ZERO)
        parties = (
            TermsParty(provider, Role.PROVIDER), TermsParty(consumer, Role.CONSUMER),
            *((TermsParty(service, Role.SERVICE),) if service else ()),
        )  # fmt: skip
        policy = replace(base.policy, assigner=provider, assignee=consumer)
        terms = replace(base, parties=parties, policy=policy, delivery=replace(base.delivery, mode=mode))
        signers = sorted_signers(
            tuple(Signer(one.role, one.party, "0x" + named(one.party, 40)) for one in parties)
        )  # fmt: skip
        act = AgreementAct(
            Act.CONCLUDE, State.NONE, State.EFFECTIVE, 1, named(name + "n"), signers, DOMAIN, at + 10**6,
            terms_digest(terms), terms_fields(terms),
        )  # fmt: skip
        self.fact(AGREEMENT_ACT, f"agreement:{identity}", act, at, terms_parts(terms))
        return identity

    def charge(self, agreement: str, period: str, buyer: str, gross: int, at: int) -> Fact:
        self.count += 1
        body = Charge(
            f"reading{self.count}", agreement, 1, period, buyer, SELLER, "CNY", 1, "call", 1, (), "", str(gross),
            "half_up", gross, gross, 0, 0,
        )  # fmt: skip
        return self.fact("charge/v1", f"charge:{self.count}", body, at)

    def order(
        self, agreement: str, period: str, buyer: str, paid: Mapping[str, int], at: int, *, settled: bool = True
    ) -> Fact:
        """One account period of an agreement netted, and its cycle settled; `paid` is what each payee gets, fen."""
        self.count += 1
        name = f"c{self.count}"
        charge = self.charge(agreement, period, buyer, sum(paid.values()), at - 1)
        lines = [
            ObligationPart("obligation", no, buyer, payee, amount, (Item(agreement, period, amount),))
            if amount > 0
            else ObligationPart("obligation", no, payee, buyer, -amount, (Item(agreement, period, -amount),))
            for no, (payee, amount) in enumerate(sorted(paid.items()))
        ]
        parts = salted(lines, lambda no: named(f"{name}{no}"))
        self.fact("netting/v1", f"netting:{name}", {"cycle": name}, at, parts)
        if settled:
            self.cycle(name, period, CycleState.SETTLED, at)
        return charge

    def payment(self, party: str, amount: int, at: int, due: int, booked: Sequence[tuple[str, int, int]] = ()) -> str:
        """Money asked for at `at` until the day of `due`; `booked` are (bank's day, fen, second of the import)."""
        self.count += 1
        name, identity = f"p{self.count}", f"SQ{named(str(self.count), 32)}".upper()
        item = Instruction(identity, Direction.FUNDING, party, amount, ACCOUNT)
        batch = Batch(name, PLATFORM, "2026-05", "n", "CNY", ACCOUNT, (item,), amount, amount)
        self.fact("payment-instructions/v1", f"instructions:{name}", batch, at)
        self.cycle(name, "2026-05", CycleState.INSTRUCTED, at, due)
        for no, (day, fen, imported) in enumerate(booked):
            entry = BankEntry(f"R{self.count}-{no}", day, day, fen, "演示", "1", identity, "", "")
            part = canonical.encode({"entry": body_of(entry), "salt": named(f"{identity}{no}")})
            self.fact("bank-file/v1", f"bank:{self.count}-{no}", {"closing": 0}, imported, (part,))
        return identity

    def statement(self, party: str, at: int, until: int, confirmed: int = 0) -> Fact:
        self.count += 1
        name = f"s{self.count}"
        body = PartA(name, PLATFORM, "2026-05", party, 0, "CNY", 0, 0, 0, 0, 0, 0, 0, 0, 0)
        fact = self.fact("statement/v1", f"statement:{name}.{party}", body, at)
        self.cycle(name, "2026-05", CycleState.ISSUED, at, until)
        if confirmed:
            self.fact("statement-confirmed/v1", fact.subject, {"statement": fact.id}, confirmed)
        return fact

    def reading(
        self, agreement: str, period: str, at: int, *, differs: Exclusion | None = None, quantity: int = 10
    ) -> Fact:
        window, left = month(period), ()
        if differs is not None:
            left = (Excluded("k", 1, differs),)
        subject = f"reading:{named(agreement + period)}"
        sequence = self.heads[subject].no + 1 if subject in self.heads else 0
        body = MeterReading(
            agreement, 1, period, window.start, window.end, PeriodBasis.OCCURRED, "call", quantity, quantity, left,
            (BatchRoot("b", 1, "aa", "bb"),), 10, sequence,
        )  # fmt: skip
        return self.fact("meter-reading/v1", subject, body, at)

    def dispute(self, agreement: str, filer: str, respondent: str, at: int, charge: str = "", amount: int = 0) -> str:
        self.count += 1
        identity = named(f"dispute{self.count}", 32)
        evidence = (Evidence("1" * 64, ZERO),)
        complaint = (
            Complaint(Topic.STATEMENT, "多计", "退还", evidence, charge=charge, amount=amount) if charge
            else Complaint(Topic.USE, "使用", "更正", evidence, start=1, end=2)
        )  # fmt: skip
        body = DisputeAct(opening.Act.OPEN, opening.Side.FILER, agreement, filer, respondent, complaint)
        self.fact(DISPUTE_ACT, f"dispute:{identity}", body, at)
        return identity

    def said(self, dispute: str, act: opening.Act, side: opening.Side, at: int, **fields: object) -> Fact:
        first = self.heads[f"dispute:{dispute}"].body
        body = DisputeAct(act, side, first["agreement"], first["filer"], first["respondent"], **fields)  # type: ignore[arg-type]
        return self.fact(DISPUTE_ACT, f"dispute:{dispute}", body, at)

    def delivery(self, name: str, body: Any, at: int) -> Fact:
        return self.fact(DELIVERY_ACT, f"delivery:{named(name, 32)}", body, at)

    def listing(
        self, name: str, seller: str, at: int, *, industry: str = "G56", title: str = "演示产品",
        kind: ProductType = ProductType.API,
    ) -> str:  # fmt: skip
        """On the shelf from `at`; its product is `named(name + "p", 32)`."""
        identity = named(name, 32)
        value = listing_of(
            product=named(name + "p", 32), seller=seller, name=title, content=contents_of(industry=industry),
            type=kind,
        )  # fmt: skip
        self.fact(LISTING_SUBMITTED, f"listing:{identity}", value, at, by=f"party:{seller}")
        for move in (Move.TAKE_UP, Move.PASS_FORM):
            self.moved(identity, move, at, role="listing_reviewer")
        self.moved(identity, Move.APPROVE, at, role="listing_approver")
        return identity

    def moved(self, identity: str, move: Move, at: int, *, by: str = "staff:r", role: str = "", rule: str = "") -> Fact:
        return self.fact(
            LISTING_MOVE, f"listing:{identity}", ListingMove(move, "演示", rule=rule), at, by=by, role=role
        )

    def outage(self, name: str, body: OutageAct, at: int) -> Fact:
        return self.fact(OUTAGE_ACT, f"outage:{named(name, 32)}", body, at)

    def relation(self, one: str, other: str, related: bool, at: int) -> Fact:
        first, second = sorted((one, other))
        body = Relation(first, second, related, "演示")
        return self.fact(PARTY_RELATION, relation_subject(one, other), body, at)


def stored(session: Session, story: Story) -> dict[str, str]:
    """Puts a story into a database, unsigned as it is: fact ids of the story → those of the database."""
    found = {}
    for item in story.told:
        fact = item.fact
        taken = ledger.append(session, Signed(fact.statement, fact.signatures), at=fact.at, parts=list(item.parts))
        found[fact.id] = taken.fact.id
    return found
