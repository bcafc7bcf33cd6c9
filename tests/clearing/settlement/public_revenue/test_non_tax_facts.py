"""Non-tax revenue as signed facts: who states what, what is refused with nothing written, the books, and the audit."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import insert, update

from clearing.errors import BadMoney, BadTerms, Clash, UnknownFact, WrongMove
from clearing.market.errors import NotEntitled
from clearing.settlement import statement as cycle_statement
from clearing.settlement import store as settlement
from clearing.settlement import tables as settlement_tables
from clearing.settlement.journal import Account, Kind
from clearing.settlement.public_revenue import service, store, tables
from clearing.settlement.public_revenue.allocation import Purpose
from clearing.settlement.public_revenue.book import DUE_NAMES, PURPOSE_NAMES, book_of, book_xlsx
from clearing.settlement.public_revenue.path import State
from clearing.settlement.public_revenue.statements import (
    CHECKER,
    KINDS,
    MAKER,
    Allocation,
    Plan,
    Source,
    body_in,
    due_subject,
    plan_subject,
)
from ledger import sm
from ledger import store as ledger
from ledger.errors import BadSignature, FieldError, LedgerError
from ledger.facts import Statement
from ledger.reading import body_of
from tests.clearing.market.house import CONSUMER, COURT, OPERATOR, PROVIDER, SELLER, House, uscc
from tests.clearing.settlement.public_revenue.collecting import (
    PARTIES,
    T1,
    T2,
    THIRDS,
    TOMORROW,
    YESTERDAY,
    Cashier,
    D,
    P,
    a_due,
    a_notice,
    a_payment,
    a_refund,
    a_ticket,
    a_withdrawal,
    an_allocation,
    naive_given,
    paid_back,
    purposes,
)
from tests.databases import in_order

OTHER = "e" * 32
TWO = [("staff:mak1", MAKER), ("staff:che1", CHECKER)]


@pytest.fixture
def cashier(tmp_path: Path) -> Iterator[Cashier]:
    house = House(tmp_path / "market.db")
    yield Cashier(house)
    house.close()


def facts(cashier: Cashier) -> int:
    return len(ledger.facts_of_kind(cashier.session, *KINDS))


def test_path__from_the_assessment_to_a_full_refund__every_row_sum_and_posting(cashier: Cashier) -> None:
    cashier.play(100)
    assert store.standing(cashier.session, D).state == State.ALLOCATED
    assert settlement.balance(cashier.session) == {}
    assert store.plan(cashier.session, P).total == 100
    decided = cashier.refund(40).fact.id
    debts = {Account(Kind.NTX, COURT, "non-tax", D): 40, Account(Kind.REF, CONSUMER, "non-tax", D): -40}
    assert settlement.balance(cashier.session) == debts
    cashier.say(paid_back(40, decided))
    assert settlement.balance(cashier.session) == {}
    cashier.say(paid_back(60, cashier.refund(60).fact.id, "R-2"))
    assert store.standing(cashier.session, D).state == State.REFUNDED
    assert store.plan(cashier.session, P).total == 0
    events = [(item.event, sorted(leg.amount for leg in item.postings))
              for _, item in settlement.transactions(cashier.session)]  # fmt: skip
    assert events == [
        ("non-tax-assessed", [-100, 100]), ("non-tax-paid", [-100, 100]), ("non-tax-refund", [-40, 40]),
        ("non-tax-refunded", [-40, 40]), ("non-tax-refund", [-60, 60]), ("non-tax-refunded", [-60, 60]),
    ]  # fmt: skip
    row = store.due_rows(cashier.session)[0]
    assert (row["state"], row["paid"], row["ticketed"], row["allocated"], row["refunded"]) == (
        "refunded", 100, 100, 100, 100,
    )  # fmt: skip
    assert list(service.audit(cashier.session)) == []


def test_withdrawn__is_owed_no_more__and_can_be_assessed_again_by_another_document(cashier: Cashier) -> None:
    cashier.say(a_due())
    cashier.say(a_notice())
    assert settlement.balance(cashier.session)[Account(Kind.RCV, CONSUMER, "non-tax", D)] == 100
    cashier.say(a_withdrawal())
    assert settlement.balance(cashier.session) == {}
    with pytest.raises(WrongMove, match="撤销核定"):
        cashier.say(a_payment())
    with pytest.raises(Clash, match="basis"):
        cashier.say(a_due(), due_subject(OTHER))
    cashier.say(a_due(basis="again"), due_subject(OTHER))
    assert list(service.audit(cashier.session)) == []


def test_journal__of_non_tax__is_in_no_statement_and_no_obligation(cashier: Cashier) -> None:
    """Never netted: whatever is open, part A of payer and treasury has no line of it, and nobody is a party by it."""
    cashier.say(a_due())
    numbered = settlement.transactions(cashier.session)
    assert numbered
    assert cycle_statement.moving(numbered) == {}
    assert cycle_statement.lines_of(CONSUMER, numbered) == ()
    assert cycle_statement.obligations_of(settlement.balance(cashier.session), {}) == ()
    assert [account for account in settlement.balance(cashier.session) if account.stated] == []


def test_lineage__over_dues_and_refunds__is_the_oracles_at_every_moment(cashier: Cashier) -> None:
    weights = {"A": 333_333_333, "B": 333_333_333, "C": 333_333_334}
    cashier.plan()
    total, sums = 0, dict.fromkeys(weights, 0)
    for number, fen in enumerate((1, 1, 1, 100, 7)):
        due, key = f"{number:032x}", replace(T1, number=f"{number:010}")
        cashier.collect(fen, due, (key,))
        lines = cashier.allocate(due, key).lines
        total += fen
        for line in lines:
            sums[line.code] += line.amount
        assert sums == naive_given(f"{P}/1/CNY", weights, total)
    back = cashier.refund(55, f"{3:032x}", replace(T1, number=f"{3:010}")).fact
    for line in body_in(back.statement).lines:
        sums[line.code] += line.amount
    assert sums == naive_given(f"{P}/1/CNY", weights, total - 55)
    assert list(service.audit(cashier.session)) == []


def test_plan__a_new_version__is_a_new_lineage__and_refunds_stay_in_their_own(cashier: Cashier) -> None:
    cashier.play(100)
    cashier.plan(purposes({"A": 10**9}), 2)
    cashier.collect(50, OTHER, (T2,))
    stale = service.division(cashier.session, OTHER, T2, P)
    body = an_allocation(stale.lines, T2, 0, version=1)
    with pytest.raises(BadTerms, match="version"):
        cashier.say(body, due_subject(OTHER))
    assert [line.amount for line in cashier.allocate(OTHER, T2).lines] == [50]
    assert [line.code for line in body_in(cashier.refund(10).fact.statement).lines] == ["A", "B", "C"]
    assert store.totals(cashier.session) == {(P, 1): 90, (P, 2): 50}
    assert [one.body.version for one in store.versions(cashier.session, P)] == [1, 2]
    for wrong in (2, 4):
        with pytest.raises(BadTerms, match="version"):
            cashier.say(Plan(PROVIDER, wrong, THIRDS))
    with pytest.raises(BadTerms, match="purposes"):
        cashier.plan(purposes({"A": 10**9 - 1}), 3)
    assert list(service.audit(cashier.session)) == []


def test_draft__made_before_another_allocation__is_refused(cashier: Cashier) -> None:
    cashier.plan()
    cashier.collect(100)
    cashier.collect(100, OTHER, (T2,))
    stale = service.division(cashier.session, OTHER, T2, P)
    cashier.allocate()
    with pytest.raises(BadTerms, match=r"body\.before"):
        cashier.say(an_allocation(stale.lines, T2, stale.before), due_subject(OTHER))
    cashier.allocate(OTHER, T2)


@pytest.mark.parametrize("field", ["amount", "budget_class", "approval", "entitlement", "carry_after", "label", "code"])
def test_allocation__one_field_of_a_line_other_than_computed__is_refused(cashier: Cashier, field: str) -> None:
    cashier.plan()
    cashier.collect(100)
    good = service.division(cashier.session, D, T1, P)
    first, second = good.lines[0], good.lines[1]
    other = {"amount": first.amount + 1, "budget_class": "103", "label": "carry", "code": "Z"}
    changed = replace(first, **{field: other.get(field, second.approval if field == "approval" else "1")})
    lines = (changed, *good.lines[1:])
    if field == "amount":
        lines = (changed, replace(second, amount=second.amount - 1), *good.lines[2:])
    with pytest.raises(BadTerms, match=r"body\.lines"):
        cashier.say(an_allocation(lines))
    for fewer in (good.lines[1:], (*good.lines, good.lines[0])):
        with pytest.raises(BadTerms, match=r"body\.lines"):
            cashier.say(an_allocation(fewer))


def bodies(cashier: Cashier) -> list[tuple[str, Any, str]]:
    """One statement of each kind that its right signers could make now, beside a due that is allocated."""
    names = ("1" * 32, "2" * 32, "3" * 32, "4" * 32, "5" * 32, "6" * 32)
    made = dict(zip(("notice", "withdraw", "pay", "ticket", "allocate", "back"), names, strict=True))
    cashier.play(100)
    for name in made.values():
        cashier.say(a_due(9, name), due_subject(name))
    for name in names[2:]:
        cashier.say(a_notice(9, name[:16]), due_subject(name))
    for name in names[3:]:
        cashier.say(a_payment(9, name, name[:16]), due_subject(name))
    keys = {name: replace(T2, number=name[:10]) for name in names[3:]}
    for name in names[4:]:
        cashier.say(a_ticket(9, keys[name]), due_subject(name))
    cashier.allocate(made["back"], keys[made["back"]])
    refund = cashier.refund(4, made["back"], keys[made["back"]]).fact.id
    division = service.division(cashier.session, made["allocate"], keys[made["allocate"]], P)
    back = service.division(cashier.session, D, T1, refund=3)
    return [
        ("allocation-plan/v1", Plan(PROVIDER, 1, THIRDS), plan_subject("b" * 32)),
        ("non-tax-due/v1", a_due(7, "new"), due_subject("9" * 32)),
        ("non-tax-withdrawal/v1", a_withdrawal(), due_subject(made["withdraw"])),
        ("non-tax-notice/v1", a_notice(9, "88888888"), due_subject(made["notice"])),
        ("non-tax-payment/v1", a_payment(9, "p", made["pay"][:16]), due_subject(made["pay"])),
        ("fiscal-ticket/v1", a_ticket(9, replace(T2, number="7" * 10)), due_subject(made["ticket"])),
        ("purpose-allocation/v1", an_allocation(division.lines, division.ticket, division.before),
         due_subject(made["allocate"])),
        ("non-tax-refund/v1", a_refund(3, back.lines, T1, back.before), due_subject(D)),
        ("non-tax-refund-paid/v1", paid_back(4, refund), due_subject(made["back"])),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_signers__of_each_kind__the_ones_it_asks_for_and_nobody_else(cashier: Cashier, kind: str) -> None:
    house = cashier.house
    cashier.keys["staff:out1"], cashier.keys["staff:mak2"] = sm.generate(), cashier.keys["staff:che1"]
    house.hire("out1", cashier.keys["staff:out1"], f"{MAKER} {CHECKER}", COURT)
    house.hire("mak2", cashier.keys["staff:mak2"], MAKER, PROVIDER)
    house.session.flush()
    [(body, subject)] = [(body, subject) for name, body, subject in bodies(cashier) if name == kind]
    parties = [f"party:{party}" for party in (PROVIDER, CONSUMER, COURT, SELLER, OPERATOR)]
    sets = [[(name, "")] for name in parties]
    sets += [[(parties[0], ""), (parties[2], "")], [("staff:mak1", MAKER)], [("staff:che1", CHECKER)], TWO]
    sets += [[TWO[0], ("staff:out1", CHECKER)], [("staff:mak1", MAKER), ("staff:mak1", MAKER)]]
    sets += [[("staff:mak2", MAKER), ("staff:che1", CHECKER)], [*TWO, (parties[0], "")], []]
    one = {
        "non-tax-payment/v1": COURT, "fiscal-ticket/v1": SELLER, "non-tax-refund-paid/v1": COURT,
        "non-tax-due/v1": PROVIDER, "non-tax-notice/v1": PROVIDER, "non-tax-withdrawal/v1": PROVIDER,
    }  # fmt: skip
    right = [(f"party:{one[kind]}", "")] if kind in one else TWO
    count, accepted = facts(cashier), 0
    assert right in sets
    for by in sorted(sets, key=lambda by: by == right):
        if by == right:
            cashier.say(body, subject, by)
            accepted += 1
            continue
        with pytest.raises((BadSignature, NotEntitled)):
            cashier.say(body, subject, by)
        assert facts(cashier) == count
    assert accepted == 1


def test_payment__by_the_payers_own_bank_entry__signed_by_the_payer_only(cashier: Cashier) -> None:
    cashier.say(a_due())
    cashier.say(a_notice())
    body = a_payment(source=Source.BANK)
    with pytest.raises(BadSignature):
        cashier.say(body, by=[(f"party:{COURT}", "")])
    cashier.say(body, by=[(f"party:{CONSUMER}", "")])
    assert settlement.balance(cashier.session)[Account(Kind.RCV, CONSUMER, "non-tax", D)] == 100, "not discharged yet"


def test_roles__a_party_without_its_role_on_record__is_refused(cashier: Cashier) -> None:
    for more in ({"authority": OPERATOR}, {"treasury": OPERATOR}, {"issuer": OPERATOR}):
        with pytest.raises(NotEntitled, match="role"):
            cashier.say(a_due(**more))
    persons = [("staff:mak9", MAKER), ("staff:che9", CHECKER)]
    for name, role in persons:
        cashier.keys[name] = sm.generate()
        cashier.house.hire(name.removeprefix("staff:"), cashier.keys[name], role, OPERATOR)
    cashier.session.flush()
    with pytest.raises(NotEntitled, match="role"):
        cashier.say(Plan(OPERATOR, 1, THIRDS), plan_subject("b" * 32), persons)
    with pytest.raises(BadTerms, match=r"body\.payer.*on record"):
        cashier.say(a_due(payer=uscc(77)))
    assert facts(cashier) == 0


def test_once__ticket_bank_entry_notice_code_and_basis__serve_once_in_the_whole_installation(cashier: Cashier) -> None:
    cashier.play(100)
    subject = due_subject(OTHER)
    with pytest.raises(Clash, match="basis"):
        cashier.say(a_due(5, D), subject)
    cashier.say(a_due(5, "other"), subject)
    number = store.due_rows(cashier.session)[0]["notice"]
    with pytest.raises(Clash, match="notice code"):
        cashier.say(a_notice(5, number), subject)
    cashier.say(a_notice(5, "77777777"), subject)
    with pytest.raises(Clash, match="bank entry"):
        cashier.say(a_payment(5, f"E-{D}", "77777777"), subject)
    cashier.say(a_payment(5, "E-9", "77777777"), subject)
    count = facts(cashier)
    with pytest.raises(Clash, match=str(T1)):
        cashier.say(a_ticket(5, T1), subject)
    assert facts(cashier) == count
    cashier.say(a_ticket(5, T2), subject)
    with pytest.raises(WrongMove):
        cashier.say(a_ticket(5, replace(T2, number="9" * 10)), subject)
    refund = cashier.refund(1).fact.id
    with pytest.raises(Clash, match="bank entry"):
        cashier.say(paid_back(1, refund, "E-9"))


@pytest.mark.parametrize("fen", [0, -1, -100, 10**15, 10**18, True, 1.5, "100", None])
def test_amount__that_is_no_amount__names_the_field__nothing_written(cashier: Cashier, fen: Any) -> None:
    cashier.plan()
    cashier.collect(100)
    count = facts(cashier)
    for body, subject in ((a_due(1, "x"), due_subject(OTHER)), (a_ticket(1, T2), due_subject(D))):
        with pytest.raises((FieldError, BadMoney, LedgerError), match=r"fen|float|integer"):
            cashier.say(body, subject, fen=fen)
    assert facts(cashier) == count


@pytest.mark.parametrize(
    ("body", "more", "field"),
    [
        (a_due(), {"proceeds_kind": "taxable"}, "proceeds_kind"),
        (a_due(), {"proceeds_kind": "both"}, "proceeds_kind"),
        (a_due(), {"tax": 6}, "body.tax"),
        (a_due(), {"item": "A"}, "item"),
        (a_due(), {"period": "2026-13"}, "period"),
        (a_due(), {"payer": "x"}, "payer"),
        (a_due(), {"origin": "0" * 64}, "fact"),
        (a_due(), {"name": ""}, "name"),
    ],
)
def test_due__with_a_wrong_field__is_refused(cashier: Cashier, body: Any, more: dict[str, Any], field: str) -> None:
    with pytest.raises((BadTerms, FieldError, LedgerError, UnknownFact), match=field):
        cashier.say(body, **more)
    assert facts(cashier) == 0


def test_due__of_what_was_charged__is_taxable__one_amount_one_kind(cashier: Cashier) -> None:
    """A charge, and the reading it was made of, cannot be assessed as non-tax; another fact serves one due."""
    charge, reading = cashier.plan().fact.id, cashier.plan(THIRDS, 2).fact.id
    other = cashier.plan(THIRDS, 3).fact.id
    row = {column.name: "x" for column in settlement_tables.charge.columns if not column.nullable}
    row |= {"fact_id": charge, "reading": reading, "gross": 1, "net": 1, "tax": 0}
    cashier.session.execute(insert(settlement_tables.charge).values(**row))
    for origin in (charge, reading):
        with pytest.raises(BadTerms, match=r"body\.origin"):
            cashier.say(a_due(origin=origin))
    cashier.say(a_due(origin=other))
    with pytest.raises(Clash, match="origin"):
        cashier.say(a_due(5, "second", origin=other), due_subject(OTHER))
    cashier.say(a_withdrawal())
    cashier.say(a_due(5, "second", origin=other), due_subject(OTHER))


def test_days__that_cannot_be__are_refused(cashier: Cashier) -> None:
    cashier.plan()
    cashier.say(a_due())
    for day in (YESTERDAY, "2026-02-30"):
        with pytest.raises(BadTerms, match="due_on"):
            cashier.say(a_notice(due_on=day))
    cashier.say(a_notice())
    for day in (TOMORROW, "2026-02-30"):
        with pytest.raises(BadTerms, match="booked_on"):
            cashier.say(a_payment(booked_on=day))
    cashier.say(a_payment())
    for day in (TOMORROW, YESTERDAY, "2026-02-30"):
        with pytest.raises(BadTerms, match="issued_on"):
            cashier.say(a_ticket(issued_on=day))


def test_statement__the_same_again__gets_the_first_fact__another_is_a_conflict(cashier: Cashier) -> None:
    first = cashier.signed(a_due())
    taken = cashier.send(first)
    again = cashier.send(first)
    assert (again.fact.id, again.replayed) == (taken.fact.id, True)
    statement = Statement(first.statement.kind, first.statement.subject, 0, None, body_of(a_due(99, "y")))
    with pytest.raises(LedgerError):
        cashier.send(replace(first, statement=statement))


@pytest.mark.parametrize(
    ("kind", "subject", "no", "field"),
    [
        ("non-tax-due/v2", due_subject(D), 0, "kind"),
        ("non-tax-due/v1", "non-tax:" + "d" * 31, 0, "subject"),
        ("non-tax-due/v1", plan_subject(D), 0, "subject"),
        ("non-tax-due/v1", due_subject("D" * 32), 0, "subject"),
    ],
)
def test_statement__not_of_its_sort__names_the_field(kind: str, subject: str, no: int, field: str) -> None:
    with pytest.raises(BadTerms, match=field):
        body_in(Statement(kind, subject, no, None, body_of(a_due())))


def test_unknown__due_ticket_and_plan__say_so(cashier: Cashier) -> None:
    with pytest.raises(UnknownFact):
        service.division(cashier.session, D, T1, P)
    cashier.collect(100)
    with pytest.raises(UnknownFact):
        service.division(cashier.session, D, T1, P)
    with pytest.raises(BadTerms, match="ticket"):
        service.division(cashier.session, D, T2, P)
    with pytest.raises(BadTerms, match="ticket"):
        service.division(cashier.session, D, T1, refund=1)
    cashier.plan()
    cashier.allocate()
    with pytest.raises(BadTerms, match=r"refund.*≤ 100"):
        service.division(cashier.session, D, T1, refund=101)
    with pytest.raises(UnknownFact):
        store.plan(cashier.session, P, 7)


def test_views__folded_again_from_the_facts__are_the_same(cashier: Cashier) -> None:
    cashier.play(100)
    cashier.say(paid_back(4, cashier.refund(4).fact.id))
    views = (*store.VIEWS, settlement_tables.journal_transaction, settlement_tables.posting)
    kept = [list(cashier.session.execute(in_order(table))) for table in views]
    for table in views:
        cashier.session.execute(table.delete())
    for item in ledger.facts_of_kind(cashier.session, *KINDS):
        store.PROJECTORS[item.kind](cashier.session, item)
    assert [list(cashier.session.execute(in_order(table))) for table in views] == kept
    assert all(kept)


def test_audit__rows_plans_and_postings_that_were_changed__are_named_with_both_numbers(cashier: Cashier) -> None:
    cashier.play(100)
    cashier.refund(4)
    session = cashier.session
    posting = settlement_tables.posting
    for table, column, value, said in (
        (tables.due, "refunded", 5, "refunded"),
        (tables.due, "state", "allocated", "state"),
        (tables.plan, "total", 97, "total"),
        (posting, "party", SELLER, "journal"),
        (settlement_tables.journal_transaction, "event", "non-tax-other", "journal"),
    ):
        kept = [tuple(row) for row in session.execute(in_order(table))]
        session.execute(update(table).values(**{column: value}) if table is not settlement_tables.journal_transaction
                        else update(table).where(table.c.no == 0).values(**{column: value}))  # fmt: skip
        found = list(service.audit(session))
        assert found, column
        assert all(said in line for line in found), found
        session.execute(table.delete())
        names = [item.name for item in table.columns]
        session.execute(insert(table), [dict(zip(names, row, strict=True)) for row in kept])
        assert list(service.audit(session)) == []
    session.execute(update(posting).where(posting.c.no == 0, posting.c.line == 0).values(amount=101))
    assert any("journal transaction 0" in line for line in service.audit(session))


def test_audit__a_false_allocation_signed_by_both_persons__is_named_line_by_line(cashier: Cashier) -> None:
    """One that went past the check: the right sum, one fen moved from C to A."""
    cashier.plan()
    cashier.collect(100)
    good = service.division(cashier.session, D, T1, P)
    a, b, c = good.lines
    false = an_allocation((replace(a, amount=a.amount + 1), b, replace(c, amount=c.amount - 1)))
    fact = ledger.append(cashier.session, cashier.signed(false), at=cashier.at).fact
    store.PROJECTORS[fact.kind](cashier.session, fact)
    found = list(service.audit(cashier.session))
    assert [line.rpartition(f"{T1} ")[2] for line in found] == [
        "A amount: 应为 / expected 33, 实为 / given 34", "C amount: 应为 / expected 34, 实为 / given 33",
    ]  # fmt: skip


def cells(data: bytes, sheet: str) -> list[list[str]]:
    """Every cell of a sheet, and proof that none is a number or a formula."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for name in packed.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in packed.read(name)
    rows = load_workbook(io.BytesIO(data))[sheet]
    assert {cell.data_type for row in rows.iter_rows() for cell in row if cell.value not in (None, "")} <= {"s"}
    return [["" if cell.value is None else str(cell.value) for cell in row] for row in rows.iter_rows()]


def test_book__rows_sums_and_workbook__text_only_whatever_a_party_typed(cashier: Cashier) -> None:
    cashier.plan((*THIRDS[:2], replace(THIRDS[2], code="C-3")))
    cashier.say(a_due(3, "open", name="=HYPERLINK(1)"), due_subject("f" * 32))
    cashier.say(a_due(5, "gone"), due_subject("0" * 32))
    cashier.say(a_withdrawal(), due_subject("0" * 32))
    cashier.collect(100, D, (T1, T2))
    cashier.allocate(D, T1)
    cashier.allocate(D, T2)
    cashier.refund(40)
    book = service.book(cashier.session, CONSUMER)
    assert service.book(cashier.session, None) == book
    assert service.book(cashier.session, OPERATOR).dues == ()
    sums = book.sums
    assert (sums.due, sums.paid, sums.ticketed, sums.allocated, sums.refunded, sums.net) == (103, 100, 100, 100, 40, 60)
    assert sum(row.net for row in book.purposes) == 60
    data = book_xlsx(book, as_of="2026-06-10")
    assert data == book_xlsx(book, as_of="2026-06-10")
    dues, lines = cells(data, "台账"), cells(data, "用途清分")
    assert (tuple(dues[0]), tuple(lines[0])) == (DUE_NAMES, PURPOSE_NAMES)
    assert ["=HYPERLINK(1)" in row for row in dues].count(True) == 1
    assert (dues[-1][0], dues[-1][1], dues[-1][7], dues[-1][13], dues[-1][17]) == (
        "合计 3 项", "截至 2026-06-10", "1.03", "1.00", "0.40",
    )  # fmt: skip
    assert (len(lines), lines[-1][9], lines[-1][10], lines[-1][11]) == (8, "1.00", "0.40", "0.60")
    assert {row[1] for row in lines[1:-1]} == {str(T1), str(T2)}


def test_book__of_standings_that_do_not_add_up__is_refused(cashier: Cashier) -> None:
    cashier.play(100)
    now = store.standing(cashier.session, D)
    issued = now.tickets[0]
    assert isinstance(issued.allocation, Allocation)
    fewer = replace(issued, allocation=replace(issued.allocation, lines=issued.allocation.lines[1:]))
    more = replace(issued, ticket=replace(issued.ticket, fen=101))
    for wrong in (fewer, more):
        with pytest.raises(BadMoney):
            book_of([replace(now, tickets=(wrong,))])
    assert book_of([now]).sums.net == 100


def test_purpose__without_budget_class_or_approval__is_refused(cashier: Cashier) -> None:
    plan = body_of(Plan(PROVIDER, 1, (Purpose("A", "用途", "103", THIRDS[0].approval, 10**9),)))
    for field, value in (("budget_class", ""), ("budget_class", "10"), ("budget_class", "1030"), ("approval", {})):
        wrong = {**plan["purposes"][0], field: value}
        with pytest.raises(FieldError, match=field):
            body_in(Statement("allocation-plan/v1", plan_subject(P), 0, None, {**plan, "purposes": [wrong]}))
    bare = {key: value for key, value in plan["purposes"][0].items() if key != "approval"}
    with pytest.raises(FieldError, match="approval"):
        body_in(Statement("allocation-plan/v1", plan_subject(P), 0, None, {**plan, "purposes": [bare]}))
    assert PARTIES["authority"] == PROVIDER
