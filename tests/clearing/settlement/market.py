"""A small market on a real database: parties with keys, two agreements, usage, a bank. Everything is 演示."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from clearing import money
from clearing.errors import BadTerms
from clearing.settlement import onchain, service, store
from clearing.settlement.payment import BankAccount, Batch, Direction
from clearing.settlement.service import Office
from clearing.terms import DAY, AgreementTerms, Period, month
from clearing.usage.finding import CHECKER, MAKER
from clearing.usage.intake import UseClass
from clearing.usage.metered import MeteredUse
from clearing.usage.record import Side
from ledger import eip712, sm
from ledger.errors import BadSignature
from ledger.facts import Signature, Signed, Statement
from ledger.reading import read
from ledger.signing import SystemSigner, require_sm2, sign_sm2
from tests.clearing.builders import per_call, plan, ratio, terms
from tests.clearing.settlement.bank import bank_file, entry
from tests.databases import Place

OPERATOR = "OP"
MARCH, APRIL = month("2026-03"), month("2026-04")
BOOK = "0x" + "11" * 20
SUPERVISED = BankAccount("102100099996", "演示银行", "0100000000000001", "演示监管账户")
KEYS = {name: sm.generate() for name in ["party:OP", *(f"party:{p}" for p in "ABCXYZ"), "staff:m", "staff:k"]}
EVM = {"party:OP": eip712.new_key(), "party:AUDIT": eip712.new_key()}


def require(session: Session, signed: Signed, by: str, role: str, at: int) -> None:
    """The register of keys: who is not in it has signed nothing."""
    if by not in KEYS:
        raise BadSignature(by, "no key")
    require_sm2(signed.statement, signed.signatures, by=by, key=KEYS[by].public, role=role)


def on_record(session: Session, named: Iterable[tuple[str, str]], at: int) -> None:
    """The same register: who has a key is in it."""
    for field_, party in named:
        if f"party:{party}" not in KEYS:
            raise BadTerms(field_, "a party on record", party)


def typed_ok(session: Session, statement: Statement, signature: Signature, by: str, at: int) -> bool:
    return onchain.signer_of(statement, signature, 31337, BOOK) == eip712.address_of(EVM[by])


OFFICE = Office(
    signer=SystemSigner(KEYS["party:OP"], "party:OP"),
    secret=b"o" * 32,
    working_days=lambda at, days: at + days * DAY,
    require_signature=require,
    require_on_record=on_record,
    typed_signer_ok=typed_ok,
)

AGREEMENTS = [
    AgreementTerms("g1", 0, terms("X", per_call(), plan(ratio(A=5, B=3, C=2)), issuer="A")),
    AgreementTerms("g2", 0, terms("Y", per_call(7, 3), plan(ratio(A=1, B=1, C=1)), issuer="B")),
    AgreementTerms("g3", 0, terms("A", per_call(2, 1), plan(ratio(X=1), parties="X"), issuer="X")),
]


def use(agreement: str, seq: int, at: int, **changes: object) -> MeteredUse:
    """One call of one agreement, received a minute later."""
    base = MeteredUse(
        connector=f"k-{agreement}", seq=seq, agreement=agreement, revision=0, request_id=f"{agreement}-{seq}",
        side=Side.PROVIDE, unit="call", quantity=1, decision="allow", outcome_ok=True, use_class=UseClass.OK,
        occurred_at=at, received_at=at + 60, batch=f"b-{agreement}", root_sha256="aa", root_sm3="bb", position=10,
        digest=f"d-{agreement}-{seq}",
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@dataclass
class Market:
    """The records of the market by agreement, and its bank account."""

    uses: dict[str, list[MeteredUse]] = field(default_factory=dict)
    balance: int = 0
    references: int = 0

    def of(self, session: Session, agreement: str) -> list[MeteredUse]:
        return self.uses.get(agreement, [])

    def call(self, period: Period, **counts: int) -> None:
        """So many calls per agreement in the period, one per second."""
        for agreement, count in counts.items():
            known = self.uses.setdefault(agreement, [])
            known += [use(agreement, len(known) + n, period.start + n) for n in range(count)]

    def file(self, *entries: tuple[int, str, str]) -> bytes:
        """The next bank file with (fen, end-to-end id, return code) entries."""
        opening, rows = self.balance, []
        for amount, end_to_end, code in entries:
            self.references += 1
            self.balance += amount
            rows.append(entry(f"R{self.references}", money.yuan(amount), end_to_end=end_to_end, return_code=code))
        return bank_file(money.yuan(opening), money.yuan(self.balance), *rows)


@contextmanager
def database(place: Place) -> Iterator[Session]:
    """A session on a fresh database with every table."""
    engine = place.engine()
    with Session(engine) as session:
        yield session
    engine.dispose()


def signed_by(statement: Statement, *who: tuple[str, str]) -> Signed:
    """The statement signed by (by, role) pairs."""
    return Signed(statement, tuple(sign_sm2(KEYS[by], statement, by=by, role=role) for by, role in who))


def to_rated(
    session: Session, market: Market, period: Period, at: int, *, invoices: bool = True, mark: int = 10,
    agreements: Sequence[AgreementTerms] = AGREEMENTS,
) -> str:  # fmt: skip
    """Open, cut off at the high-water mark, rate, invoice; returns the cycle."""
    cycle = service.open_cycle(session, OFFICE, operator=OPERATOR, period=period, grace=DAY, at=period.start).cycle
    service.cut_off(session, OFFICE, cycle=cycle, high_water=mark, at=at)
    service.rate(
        session, OFFICE, cycle=cycle, agreements=agreements, uses=market.of, at=at, earlier=agreements
    )  # fmt: skip
    if invoices:
        invoice(session, period, at)
    return cycle


def invoice(session: Session, period: Period, at: int) -> None:
    """Every charge the cycle posted whose tax waits gets its invoice, a red one where tax is given back."""
    for number, (charge, body) in enumerate(store.uninvoiced(session, period.name)):
        draft = service.draft_invoice(session, charge=charge, number=f"INV{period.name}-{number}", issued_at=at)
        service.record_invoice(session, OFFICE, signed_by(draft, (f"party:{body.invoice_issuer}", "")), at=at)


def to_statements(
    session: Session, market: Market, period: Period, at: int, *, invoices: bool = True, mark: int = 10,
    agreements: Sequence[AgreementTerms] = AGREEMENTS,
) -> str:  # fmt: skip
    """As `to_rated`, then issue; returns the cycle."""
    cycle = to_rated(session, market, period, at, invoices=invoices, mark=mark, agreements=agreements)
    service.issue_statements(session, OFFICE, cycle=cycle, at=at)
    return cycle


def to_netted(
    session: Session, market: Market, period: Period, *, mark: int = 10,
    agreements: Sequence[AgreementTerms] = AGREEMENTS,
) -> str:  # fmt: skip
    """As `to_statements`, every party confirms, the window ends, netted."""
    at = period.end + DAY
    cycle = to_statements(session, market, period, at, mark=mark, agreements=agreements)
    confirm(session, cycle, at + 10)
    service.close_window(session, OFFICE, cycle=cycle, at=at + 20)
    service.net(session, OFFICE, cycle=cycle, at=at + 30)
    return cycle


def confirm(session: Session, cycle: str, at: int, but: str = "") -> None:
    """Every party but those named confirms."""
    for item in store.statements(session, cycle):
        if item.body.party not in but:
            draft = service.draft_confirmation(session, cycle=cycle, party=item.body.party)
            service.confirm_statement(session, OFFICE, signed_by(draft, (f"party:{item.body.party}", "")), at=at)


def account_of(party: str) -> BankAccount:
    return BankAccount("102100099996", "演示银行", f"00{ord(party)}", f"演示{party}公司")


def instruct(session: Session, cycle: str, at: int) -> Batch:
    """Two persons release the instructions."""
    draft = service.draft_instructions(
        session, cycle=cycle, account=SUPERVISED, accounts={party: account_of(party) for party in "ABCXY"}
    )
    signed = signed_by(draft, ("staff:m", MAKER), ("staff:k", CHECKER))
    return read(Batch, service.instruct(session, OFFICE, signed, at=at).body)


def booked(batch: Batch, direction: Direction) -> list[tuple[int, str, str]]:
    """The bank's entries for one direction of a batch."""
    sign = 1 if direction is Direction.FUNDING else -1
    return [(sign * item.amount, item.end_to_end, "") for item in batch.instructions if item.direction is direction]


def close(session: Session, cycle: str, at: int) -> Signed:
    """Operator and auditor sign the close and it is taken in."""
    draft = service.draft_close(
        session, OFFICE, cycle=cycle, auditor=eip712.address_of(EVM["party:AUDIT"]), closed_at=at, deadline=at + DAY
    )
    signatures = tuple(
        onchain.sign_close(EVM[by], draft, by=by, role=role, chain_id=31337, address=BOOK)
        for by, role in (("party:OP", "operator"), ("party:AUDIT", "auditor"))
    )
    signed = Signed(draft, signatures)
    service.close(session, OFFICE, signed, at=at)
    return signed


def whole_cycle(session: Session, market: Market, period: Period, *, mark: int = 10) -> str:
    """Everything from open to closed."""
    at = period.end + DAY
    cycle = to_netted(session, market, period, mark=mark)
    batch = instruct(session, cycle, at + 40)
    service.import_bank_file(session, OFFICE, market.file(*booked(batch, Direction.FUNDING)), at=at + 50)
    service.advance_payments(session, OFFICE, cycle=cycle, at=at + 50)
    service.import_bank_file(session, OFFICE, market.file(*booked(batch, Direction.PAYOUT)), at=at + 60)
    service.advance_payments(session, OFFICE, cycle=cycle, at=at + 60)
    close(session, cycle, at + 70)
    return cycle
