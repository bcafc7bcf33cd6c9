"""Figures asked for, published and objected to.

Nothing here commits or reads a clock. Source: exchange.md §8.3; domain clearing §11, §12 invariant 27; decisions D37.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms, Clash, TooEarly, UnknownFact, WrongMove
from clearing.market.errors import Lapsed, NotEntitled
from clearing.settlement import store as settlement
from clearing.settlement.cycle import cycle_id
from clearing.settlement.reporting import activity, assessment, credit, disclosure, store
from clearing.settlement.reporting.activity import window_of
from clearing.settlement.reporting.assessment import UNRATED, Assessment, Totals
from clearing.settlement.reporting.credit import Credit
from clearing.settlement.reporting.definitions import DEFINITIONS, Code, Definition, in_force
from clearing.settlement.reporting.disclosure import Disclosure, disclosed_as_of, year_of
from clearing.settlement.reporting.objection import (
    ANSWER,
    CREDIT_FIGURE,
    OBJECTION,
    OFFICER,
    PARTY_RELATION,
    CreditFigure,
    Objection,
    credit_subject,
    objection_id,
    read_answer,
    read_objection,
    read_relation,
)
from clearing.settlement.reporting.store import Objected, Published
from clearing.settlement.reporting.trades import TradeReport, trade_report
from ledger import store as ledger
from ledger.errors import BadSignature
from ledger.facts import Fact, Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.calendar import day_of, text_of
from registry.errors import CalendarPending, Unknown
from registry.party import party_subject

SETTLED_FOR = 60
"""Seconds an as-of second must lie back, so that every fact of its time is stored: longer than a writer waits."""

WorkingDays = Callable[[int, int], int]
"""(instant, n) → the instant at which n working days have passed; may raise `CalendarPending`."""


@dataclass(frozen=True, slots=True)
class Account:
    """A party's credit as of a second with what was published of it and what it objected to."""

    credit: Credit
    definition: Definition
    published: Published | None
    objections: tuple[Objected, ...]

    @property
    def objected(self) -> bool:
        """有异议: does an objection wait for its answer?"""
        return any(item.answer is None for item in self.objections)


def as_of_at(as_of: int | None, now: int) -> int:
    """The second a figure is computed for; by default the newest that may be. Raises `BadTerms` for a later one."""
    newest = now - SETTLED_FOR
    if as_of is None:
        return newest
    if not 0 < as_of <= newest:
        raise BadTerms("as_of", f"≤ {newest}", as_of)
    return as_of


def account(session: Session, party: str, *, operator: str, as_of: int) -> Account:
    """The credit of a party as of a second with every input, and what was published and objected to. Raises
    `BadTerms` before the definition's first day."""
    definition = in_force(Code.CREDIT, as_of)
    computed = credit.assess(store.material(session, as_of, operator), party, definition)
    return Account(computed, definition, store.newest(session, party), tuple(store.objections(session, party)))


def assess(session: Session, period: str, *, operator: str, as_of: int) -> Assessment:
    """考核统计报表 of a window `YYYY-MM`, `YYYY-Qn` or `YYYY`. Raises `BadTerms`; `TooEarly` before it began."""
    window = window_of(period)
    if window.now.start > as_of:
        raise TooEarly(f"period {period}", window.now.start, as_of)
    return assessment.assessment(store.material(session, as_of, operator), window)


def totals(session: Session, period: str, *, operator: str, as_of: int) -> Totals:
    """The supervisor's totals of a window. Raises as `assess`."""
    window = window_of(period)
    if window.now.start > as_of:
        raise TooEarly(f"period {period}", window.now.start, as_of)
    return assessment.totals(store.material(session, as_of, operator), window)


def disclose(session: Session, year: str, *, operator: str, at: int) -> Disclosure:
    """年度披露 of a year `YYYY`, as everybody sees it: as of the one second its definition fixes. Raises `BadTerms`;
    `UnknownFact` before that second's facts are all stored."""
    window = year_of(year)
    as_of = disclosed_as_of(window)
    if as_of > at - SETTLED_FOR:
        raise UnknownFact(f"annual disclosure 年度披露（自 {text_of(as_of + SETTLED_FOR)} 起 from then on）", year)
    return disclosure.disclosure(store.material(session, as_of, operator), window)


def preview_disclosure(session: Session, year: str, *, operator: str, as_of: int) -> Disclosure:
    """The disclosure of a year as it would be with the facts up to another second, for the operator and supervisors
    only: two of them tell what came between. Raises as `assess`."""
    window = year_of(year)
    if window.now.start > as_of:
        raise TooEarly(f"year {year}", window.now.start, as_of)
    return disclosure.disclosure(store.material(session, as_of, operator), window)


def disclosed_years(at: int) -> list[str]:
    """The years that have a disclosure at `at`, the newest first."""
    first = int(min(item.effective for item in DEFINITIONS if item.code is Code.DISCLOSURE)[:4])
    years = [str(year) for year in range(day_of(at).year, first - 1, -1)]
    return [year for year in years if disclosed_as_of(year_of(year)) <= at - SETTLED_FOR]


def trades(session: Session, period: str, *, operator: str, at: int, party: str = "") -> TradeReport:
    """交易记录报告 of an account period as it stands at `at`; of a party only the deals it is a side of. Raises
    `UnknownFact` for a period without a cycle."""
    state = settlement.cycle(session, cycle_id(operator, period)).state
    deals = [
        item for item in settlement.deals(session, period)
        if not party or party in {item[0].buyer, *(name for name, _, _ in item[1])}
    ]  # fmt: skip
    return trade_report(operator, period, state, deals, at)


def publish(session: Session, *, signer: SystemSigner, operator: str, as_of: int, at: int) -> list[Fact]:
    """States the credit of everybody who has a grade, or had one, as credit-figure/v1; who objects keeps the figure
    objected to until it is answered. Nothing is stated of a party that has a figure of this second or a later one."""
    definition = in_force(Code.CREDIT, as_of)
    facts = store.material(session, as_of, operator)
    waiting = {item.body.party for item in store.objections(session, open_only=True)}
    stated = []
    for party in facts.parties:
        before = store.newest(session, party)
        computed = credit.assess(facts, party, definition)
        if party in waiting or (computed.grade is None and before is None):
            continue
        if before is not None and before.body.as_of >= as_of:
            continue
        stated.append(_state(session, signer, _figure(computed), at))
    return stated


def take_objection(session: Session, signed: Signed, *, operator: str, working_days: WorkingDays, at: int) -> Appended:
    """Takes in a credit-objection/v1 signed by the party: to the figure of its credit in force within ten working days
    of its publication, to another figure at any time, one at a time for each figure.

    Raises `BadTerms`, `FieldError`, `NotSigned`, `BadSignature`, `NotEntitled`, `WrongMove`, `Lapsed`, `UnknownFact`,
    and the ledger's `Conflict`, `Stale`.
    """
    body = read_objection(taking.of_kind(signed, OBJECTION))
    taking.require_one(session, signed, party_subject(body.party), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if body.published is not None:
        _require_published(session, body, operator, working_days, at)
    else:
        as_of_at(body.as_of, at)
        recomputed(session, body, operator=operator)
    _require_single(session, body)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def _require_published(session: Session, body: Objection, operator: str, working_days: WorkingDays, at: int) -> None:
    figure = store.figure(session, body.published or "")
    if figure.body.party != body.party:
        raise NotEntitled(OBJECTION, figure.body.party, body.party)
    if not figure.newest:
        raise WrongMove(body.published or "", "现行的评分 / the figure in force", "已被替代 / replaced")
    until = _appeal_until(figure, working_days)
    if until is not None and at >= until:
        raise Lapsed("published", until - 1, at)
    known = {one.key for one in _credit_again(session, figure.body, operator, ()).inputs}
    for place, key in enumerate(body.inputs):
        if key not in known:
            raise BadTerms(f"body.inputs[{place}]", "该评分的一项记录 / an input of the figure", key[:120])


def _require_single(session: Session, body: Objection) -> None:
    for item in store.objections(session, body.party, open_only=True):
        if (item.body.figure, item.body.period) == (body.figure, body.period):
            raise WrongMove(f"{body.figure}", "没有待答复的异议 / no objection waiting", item.id)


def _appeal_until(figure: Published, working_days: WorkingDays) -> int | None:
    """The first second too late to object; None while the year's calendar is not published: nobody is late then."""
    days = in_force(Code.CREDIT, figure.body.as_of).numbers["appeal_working_days"]
    try:
        return working_days(figure.at, days)
    except CalendarPending:
        return None


def take_answer(session: Session, signed: Signed, *, signer: SystemSigner, operator: str, at: int) -> Appended:
    """Takes in a credit-objection-answer/v1 by one member of the operator's staff in the role credit_officer; of a
    supervisor's where the operator itself objects.

    `recomputed` must be what `recomputed` answers now. Where inputs of a credit figure are set aside, the figure
    computed without them, as of the same second, is stated at once by the system key and names the one it corrects.
    Raises as `take_objection`.
    """
    statement = taking.of_kind(signed, ANSWER)
    body, identity = read_answer(statement), objection_id(statement.subject)
    known = store.objection(session, identity)
    if body.party != known.body.party:
        raise Clash(statement.subject, known.body.party, body.party)
    by = _require_officer(session, signed, at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    if known.answer is not None:
        raise WrongMove(statement.subject, "答复一次 / one answer", "1")
    supervised = known.body.party == operator
    if supervised and not _is_supervisor(session, by, at):
        raise NotEntitled(ANSWER, "监管方经办人：运营方自己的异议 / a supervisor's staff", by)
    if not supervised and by != operator:
        raise NotEntitled(ANSWER, f"运营方经办人 / staff of {operator}", by)
    again = recomputed(session, known.body, operator=operator, set_aside=body.set_aside)
    if body.recomputed != again:
        raise Clash(statement.subject, f"body.recomputed: {again}", body.recomputed)
    taken = taking.take(session, signed, store.PROJECTORS, at=at)
    if known.body.published is not None and body.set_aside:
        figure = store.figure(session, known.body.published)
        corrected = _credit_again(session, figure.body, operator, body.set_aside)
        kept = (*figure.body.set_aside, *body.set_aside)
        _state(session, signer, _figure(corrected, kept, figure.fact_id), at)
    return taken


def take_relation(session: Session, signed: Signed, *, operator: str, at: int) -> Appended:
    """Takes in a party-relation/v1: that two parties are related, by either of them or by the operator's staff in the
    role credit_officer; that they are not, by the latter alone. Raises as `take_objection`."""
    body = read_relation(taking.of_kind(signed, PARTY_RELATION))
    given = [signature.by for signature in signed.signatures]
    own = [party_subject(body.first), party_subject(body.second)]
    if len(given) == 1 and given[0] in own and body.related:
        taking.require_one(session, signed, given[0], at=at)
    elif (by := _require_officer(session, signed, at)) != operator:
        raise NotEntitled(PARTY_RELATION, f"双方之一，或运营方经办人 / either, or staff of {operator}", by)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    taking.require_on_record(session, [("body.first", body.first), ("body.second", body.second)], at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def recomputed(session: Session, body: Objection, *, operator: str, set_aside: tuple[str, ...] = ()) -> str:
    """A figure objected to, computed again from the facts of its second, as the answer must say it; of credit without
    the inputs in `set_aside`, as "grade score". Raises `BadTerms` for an input that is none of the figure's."""
    if body.published is not None:
        found = _credit_again(session, store.figure(session, body.published).body, operator, set_aside)
        return f"{found.grade or UNRATED} {found.score}".strip()
    if set_aside:
        raise BadTerms("body.set_aside", f"仅 {Code.CREDIT} / of {Code.CREDIT} only", set_aside[0][:120])
    facts = store.material(session, body.as_of or 0, operator)
    window = window_of(body.period or "")
    if body.figure is Code.RECONCILED:
        return activity.reconciled(facts, body.party).value
    if body.figure is Code.EFFECTIVE_PARTY:
        return activity.effective_party(facts, body.party, window.now).value
    if body.figure is Code.PARTY_ACTIVITY:
        figure = activity.party_activity(facts, window).get(body.party)
        return figure.value if figure else ""
    shares = activity.contribution(facts, window.now)
    return " ".join(f"{side} {figure.value}" for (party, side), figure in shares.items() if party == body.party)


def verify(session: Session, figure: CreditFigure, *, operator: str) -> bool:
    """Does the figure follow from the facts up to its second, under the version it names (invariant 27)?"""
    computed = _credit_again(session, figure, operator, ())
    return _figure(computed, figure.set_aside, figure.corrects) == figure


def _credit_again(session: Session, figure: CreditFigure, operator: str, set_aside: tuple[str, ...]) -> Credit:
    definition = in_force(Code.CREDIT, figure.as_of)
    facts = store.material(session, figure.as_of, operator)
    before = credit.assess(facts, figure.party, definition, frozenset(figure.set_aside))
    known = {one.key for one in before.inputs}
    for place, key in enumerate(set_aside):
        if key not in known:
            raise BadTerms(f"body.set_aside[{place}]", "该评分的一项记录 / an input of the figure", key[:120])
    return credit.assess(facts, figure.party, definition, frozenset((*figure.set_aside, *set_aside)))


def _figure(computed: Credit, set_aside: tuple[str, ...] = (), corrects: str | None = None) -> CreditFigure:
    return CreditFigure(
        computed.party, computed.definition, computed.as_of, computed.deals, len(computed.inputs),
        credit.document_of(computed.inputs), computed.score, computed.exact, computed.grade or "", set_aside, corrects,
    )  # fmt: skip


def _state(session: Session, signer: SystemSigner, body: CreditFigure, at: int) -> Fact:
    subject = credit_subject(body.party)
    statement = Statement(CREDIT_FIGURE, subject, *ledger.next_of(session, subject), body_of(body))
    return taking.take(session, Signed(statement, (signer.sign(statement),)), store.PROJECTORS, at=at).fact


def _require_officer(session: Session, signed: Signed, at: int) -> str:
    """The organisation of the one member of staff who signed as credit_officer."""
    given = signed.signatures
    if len(given) != 1 or not given[0].by.startswith("staff:") or given[0].role != OFFICER:
        raise BadSignature("staff:…", f"一名经办人，角色 {OFFICER} / one member of staff as {OFFICER}")
    return signers.organisations_of(session, signed, at)[given[0].by]


def _is_supervisor(session: Session, organisation: str, at: int) -> bool:
    try:
        return "supervisor" in registry.party_at(session, organisation, at).roles.split()
    except Unknown:
        return False
