"""Recomputes a cycle from agreements, usage records, acceptances and what both sides stated of a period, and compares
both numbers at every stage; repairs nothing.

Each stage is recomputed from the stage before *as recomputed*, so one false number at the start shows in everything
that follows from it and one false number at the end shows alone. Source: domain clearing §11, §12.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from clearing.errors import ClearingError, Held
from clearing.market.delivery.accepting import Acceptance
from clearing.settlement import correcting, cover, guarantee, journal, netting, payment, reissue, sharing, stating
from clearing.settlement import notice as notices
from clearing.settlement import statement as statements
from clearing.settlement.correcting import Standing
from clearing.settlement.cover import Asked, CoverCall, RecourseRepaid
from clearing.settlement.cover import Standing as StandingGuarantee
from clearing.settlement.cycle import ORDER, CycleMove, State
from clearing.settlement.guarantee import Ended, GuaranteeCall
from clearing.settlement.hold import Hold
from clearing.settlement.invoice import Invoice
from clearing.settlement.journal import Account, Kind, Transaction
from clearing.settlement.netting import Funded, Run
from clearing.settlement.netting import limits as limiting
from clearing.settlement.netting.default import Default
from clearing.settlement.notice import PartB
from clearing.settlement.payment import Batch
from clearing.settlement.rating import Charge
from clearing.settlement.reissue import ReissueOrder
from clearing.settlement.sharing import Shares
from clearing.settlement.statement import Line, Obligation, ObligationPart, PartA
from clearing.settlement.stating import Due, Stated
from clearing.settlement.weighing import Derived
from clearing.terms import AgreementTerms, SharingPlan
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import MeterReading, read_meter
from ledger.reading import body_of

Part = Line | ObligationPart

_OWN_EVENTS = frozenset({"charge", "share", "guarantee", "tax", "hold", "release", "recourse-repaid"})
"""Events that belong to the period they are posted under."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: which fact or row, which field, what follows from the evidence and what is stored."""

    row: str
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"{self.row} {self.field}：应为 {self.expected}，实为 {self.found}"
            f" / expected {self.expected}, found {self.found}"
        )


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One netting run of a cycle as stored: its fact id and obligations, the instructions it led to with what was paid
    in on them (fen), the call of guarantors for them with what was booked on it, over (entry, party, fen), and the
    default that undid it."""

    fact_id: str
    run: Run
    parts: Sequence[Part]
    batch: tuple[str, Batch] | None
    paid: Mapping[str, int]
    default: tuple[str, Default] | None
    call: tuple[str, CoverCall] | None = None
    covered: Sequence[tuple[str, str, int]] = ()


@dataclass(frozen=True, slots=True)
class Guaranteed:
    """A plan version with a guarantee that is over, as its lineage stood when the cycle was rated: the fact id of its
    last division, None without any, its cumulative net revenue, fen, what each party is entitled to where the weights
    are derived, and what other cycles had called before under each claim, fen."""

    version: Ended
    shares: str | None
    total: int
    entitled: Mapping[str, Fraction]
    called: Mapping[str, int]


EarlierPeriod = tuple[str, MeterReading, Standing | None]
"""The last reading of an earlier period with its fact id, and the charge in force, None where it was held."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything stored about one cycle, as values. Pairs are (fact id, body); `lineages`, `entitled` (of lineages with
    derived weights), `openings` and `earlier` come from before the cycle; `stated` is what both sides signed about each
    agreement, revision and period, as it stood when the cycle was rated; `weights` are those of the charges that the
    cycle corrects; `corrected` are the ids of charges, shares and invoices by which later cycles correct this period;
    `guaranteed` is what guarantees may be called from, `calls` what was called; `credits` are what follows from the
    disputes that ended, of this cycle or not given back at all; `guarantors` stood behind net payers when the cycle was
    netted, `repaid` is what came back to them for it; `holds` what was frozen of the period, with the fact of its
    release or None; `transactions` are the whole journal; `limits` stood when the first of the `runs` was made."""

    move: CycleMove
    readings: Sequence[tuple[str, MeterReading]]
    charges: Sequence[tuple[str, Charge]]
    shares: Sequence[tuple[str, Shares]]
    guaranteed: Sequence[Guaranteed]
    calls: Sequence[tuple[str, GuaranteeCall]]
    lineages: Mapping[str, int]
    entitled: Mapping[str, Mapping[str, Fraction]]
    stated: Mapping[tuple[str, int, str], Stated]
    earlier: Sequence[EarlierPeriod]
    weights: Mapping[str, Derived | None]
    corrected: frozenset[str]
    credits: Sequence[Charge]
    holds: Sequence[tuple[str, Hold, str | None]]
    invoices: Sequence[tuple[str, Invoice]]
    transactions: Sequence[tuple[int, Transaction]]
    statements: Sequence[tuple[str, PartA, Sequence[Part]]]
    openings: Mapping[str, PartA]
    buyers: Mapping[str, str]
    confirmed: frozenset[str]
    runs: Sequence[StoredRun]
    limits: limiting.Stood | None
    reissues: Sequence[tuple[str, ReissueOrder]]
    guarantors: Mapping[str, StandingGuarantee]
    repaid: Sequence[tuple[str, RecourseRepaid]]
    notices: Mapping[str, PartB]


def audit_cycle(
    stored: Stored,
    agreements: Sequence[AgreementTerms],
    uses: Mapping[str, Sequence[MeteredUse]],
    netting_secret: bytes | None = None,
    earlier: Sequence[AgreementTerms] = (),
    ended: Sequence[AgreementTerms] = (),
    accepted: Mapping[tuple[str, int], Sequence[Acceptance]] = MappingProxyType({}),
) -> list[Finding]:
    """All findings of one cycle; empty when everything stored follows from agreements and usage records. `earlier` are
    the agreement revisions of the periods before, which may have been read again, `ended` older ones that something is
    given back under, `accepted` is what was accepted under each revision that bills by it, up to the high-water mark.

    (1) readings (2) charges (3) shares (4) guarantees (5) journal (6) statements (7) netting and notices
    (8) instructions. `netting_secret` lets (7) rebuild the sum tree; without it positions and each notice's own proof
    are checked.
    """
    found: list[Finding] = []
    buyers = {item.agreement: item.terms.buyer for item in (*ended, *earlier, *agreements)}
    stored = replace(stored, buyers={**stored.buyers, **buyers})
    plans = {(item.agreement, item.revision): item.terms.plan for item in (*ended, *earlier, *agreements)}
    if not stored.readings and ORDER.index(stored.move.state) < ORDER.index(State.RATED):
        agreements, earlier = (), ()
    expected = _recompute(stored, agreements, earlier, uses, accepted, plans)
    labels = {name: body.label for name, body in stored.charges}
    found += _compare("reading", expected.readings, [(body.label, name, body) for name, body in stored.readings])
    found += _compare("charge", expected.charges, [(body.label, name, body) for name, body in stored.charges])
    found += _compare(
        "shares", expected.shares, [(labels.get(body.charge, body.charge), name, body) for name, body in stored.shares]
    )
    found += _compare("guarantee", expected.calls, [(body.claim, name, body) for name, body in stored.calls])
    found += _journal(stored, expected)
    found += _statements(stored)
    found += _netting(stored, netting_secret)
    found += _instructions(stored)
    return found


@dataclass(frozen=True, slots=True)
class _Recomputed:
    readings: Sequence[tuple[str, MeterReading]]
    charges: Sequence[tuple[str, Charge]]
    shares: Sequence[tuple[str, Shares]]
    calls: Sequence[tuple[str, GuaranteeCall]]


def _recompute(
    stored: Stored,
    agreements: Sequence[AgreementTerms],
    earlier: Sequence[AgreementTerms],
    uses: Mapping[str, Sequence[MeteredUse]],
    accepted: Mapping[tuple[str, int], Sequence[Acceptance]],
    plans: Mapping[tuple[str, int], SharingPlan],
) -> _Recomputed:
    """Readings and charges in the writer's order, then their shares; ids of stored facts serve only as names."""
    window, mark, booked = stored.move.window, stored.move.high_water or 0, stored.move.period
    names = {body.label: name for name, body in stored.readings}
    readings: list[MeterReading] = []
    due: list[tuple[Due, SharingPlan]] = []
    held: set[tuple[str, int]] = set()
    for item in _ordered(agreements):
        counted = accepted.get((item.agreement, item.revision), ())
        reading = read_meter(item, window, uses.get(item.agreement, ()), mark, counted)
        readings.append(reading)
        stated = stored.stated.get((item.agreement, item.revision, booked))
        try:
            due.append((stating.charged(names.get(reading.label, ""), reading, item, stated), item.terms.plan))
        except Held:
            held.add((item.agreement, item.revision))
    for item in _ordered(earlier):
        counted = accepted.get((item.agreement, item.revision), ())
        for name, before, standing in stored.earlier:
            ours = (before.agreement, before.revision) == (item.agreement, item.revision)
            if not ours or before.end > window.start:
                continue
            again = None
            if correcting.may_change(before, item, window):
                again = correcting.read_again(before, item, uses.get(item.agreement, ()), mark, booked, counted)
            if again is not None:
                readings.append(again)
                name = names.get(again.label, "")
            stated = stored.stated.get((item.agreement, item.revision, before.period))
            try:
                found = correcting.due(
                    name, again or before, item, stated, standing, booked, anew=again is not None
                )  # fmt: skip
            except Held:
                held.add((item.agreement, item.revision))
            else:
                due += [(one, item.terms.plan) for one in found]
    for credit in stored.credits:
        weights = stored.weights.get(credit.corrects.charge) if credit.corrects else None
        if (plan := plans.get((credit.agreement, credit.revision))) is not None:
            due.append((Due(credit, weights), plan))
    shares = _divided(stored, due)
    return _Recomputed(
        [(body.label, body) for body in readings],
        [(one.charge.label, one.charge) for one, _ in due],
        shares,
        [(call.claim, call) for call in _called(stored, shares, held)],
    )


def _called(
    stored: Stored, shares: Sequence[tuple[str, Shares]], held: set[tuple[str, int]]
) -> Iterator[GuaranteeCall]:
    """What is missing to the guarantees of plan versions that are over, from the shares as recomputed."""
    labels = {name: body.label for name, body in stored.charges}
    ids = {labels.get(body.charge, body.charge): name for name, body in stored.shares}
    posted = stored.move.posted
    later = {item.event_id for number, item in stored.transactions if posted is not None and number >= posted}
    for one in stored.guaranteed:
        name, total, entitled = one.shares, one.total, one.entitled
        for label, body in shares:
            if body.lineage == one.version.lineage and ids.get(label) not in later:
                name, total, entitled = ids.get(label, ""), body.after, sharing.entitled_after(body)
        given = sharing.given(one.version.item.terms.plan, one.version.lineage, total, entitled)
        yield from guarantee.due(one.version, given, name, one.called, held, stored.move.period)


def _divided(stored: Stored, due: Sequence[tuple[Due, SharingPlan]]) -> list[tuple[str, Shares]]:
    """The shares of the charges, each lineage on from where it stood before the cycle, in the order that is stored:
    what each party has been given in the end does not depend on it (D33)."""
    ids = {body.label: name for name, body in stored.charges}
    place = {body.charge: number for number, (_, body) in enumerate(stored.shares)}
    totals, entitled = dict(stored.lineages), dict(stored.entitled)
    found = []
    for one, plan in sorted(due, key=lambda pair: place.get(ids.get(pair[0].charge.label, ""), len(place))):
        charge = one.charge
        lineage = sharing.lineage_of(charge.agreement, plan, charge.currency)
        derived = entitled.get(lineage, {}) if plan.derived else None
        shares = sharing.share(
            ids.get(charge.label, ""), charge, plan, totals.get(lineage, 0), weights=one.weights, entitled=derived
        )  # fmt: skip
        totals[lineage], entitled[lineage] = shares.after, sharing.entitled_after(shares)
        found.append((charge.label, shares))
    return found


def _ordered(agreements: Sequence[AgreementTerms]) -> list[AgreementTerms]:
    return sorted(agreements, key=lambda item: (item.agreement, item.revision))


def _compare(
    what: str, expected: Sequence[tuple[str, Any]], stored: Sequence[tuple[str, str, Any]]
) -> Iterator[Finding]:
    have = {label: (name, body) for label, name, body in stored}
    for label, body in expected:
        if label not in have:
            yield Finding(f"{what} {label}", "*", "present", "missing")
            continue
        name, found = have.pop(label)
        yield from _fields(f"{what} {label} ({name})", body_of(body), body_of(found))
    for label, (name, _) in have.items():
        yield Finding(f"{what} {label} ({name})", "*", "absent", "present")


def _fields(row: str, expected: Any, found: Any, path: str = "") -> Iterator[Finding]:
    """The innermost fields that differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(set(expected) | set(found)):
            yield from _fields(row, expected.get(key), found.get(key), f"{path}.{key}" if path else key)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (left, right) in enumerate(zip(expected, found, strict=True)):
            yield from _fields(row, left, right, f"{path}[{number}]")
    elif expected != found:
        yield Finding(row, path or "*", _short(expected), _short(found))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "…"


def _journal(stored: Stored, expected: _Recomputed) -> Iterator[Finding]:
    """Each event of the cycle against the transaction its recomputed fact implies, and none beside them."""
    posted = {(item.event, item.event_id): item for _, item in stored.transactions}
    due: list[Transaction] = []
    charge_ids = {body.label: name for name, body in stored.charges}
    labels = {name: label for label, name in charge_ids.items()}
    shares_ids = {labels.get(body.charge, ""): name for name, body in stored.shares}
    for label, charge in expected.charges:
        due.append(journal.charged(charge_ids.get(label, ""), charge, 0))
    for label, divided in expected.shares:
        due.append(journal.shared(shares_ids.get(label, ""), divided, 0))
    call_ids = {body.claim: name for name, body in stored.calls}
    due += [journal.guaranteed(call_ids.get(claim, ""), call, 0) for claim, call in expected.calls]
    for name, invoice in stored.invoices:
        due.append(
            journal.invoiced(
                name, invoice.issuer, invoice.agreement, invoice.period, invoice.tax, stored.move.currency, 0
            )
        )
    for name, hold, release in stored.holds:
        due.append(journal.held(name, hold, stored.move.currency, 0))
        if release is not None:
            due.append(journal.released(release, hold, stored.move.currency, 0))
    for one in stored.runs:
        due += _of_run(stored, one)
    for name, said in stored.repaid:
        currency = stored.move.currency
        due.append(journal.recourse_repaid(name, said.party, said.guarantor, said.period, said.amount, currency, 0))
    for name, order in stored.reissues:
        again = [(item.party, item.amount) for item in order.batch.instructions]
        due.append(journal.instructed(name, order.batch.period, again, order.batch.currency, 0))
    for item in due:
        row = f"journal {item.event} {item.event_id}"
        found = posted.get((item.event, item.event_id))
        if found is None:
            yield Finding(row, "*", "posted", "missing")
        else:
            yield from _fields(row, _legs(item), _legs(found))
    wanted = {(item.event, item.event_id) for item in due}
    for key, item in posted.items():
        if item.event in _OWN_EVENTS and key not in wanted and _is_of(stored, item):
            yield Finding(f"journal {item.event} {item.event_id}", "*", "absent", "posted")
    difference = sum(posting.amount for _, item in stored.transactions for posting in item.postings)
    if difference:
        yield Finding("journal", "sum of postings", "0", str(difference))


def _of_run(stored: Stored, one: StoredRun) -> Iterator[Transaction]:
    """What a run posts, what its instructions do, and both mirrored by the default that undid it."""
    run = one.run
    items = statements.netted_items(one.parts, stored.buyers)
    posted = [journal.netted(one.fact_id, run.period, items, run.final, run.currency, 0, run.brought)]
    if one.batch is not None:
        name, batch = one.batch
        payouts = [
            (item.party, item.amount) for item in batch.instructions if item.direction is payment.Direction.PAYOUT
        ]
        posted.append(journal.instructed(name, batch.period, payouts, batch.currency, 0))
    yield from posted
    if one.call is not None:
        name, call = one.call
        yield journal.instructed(name, run.period, [], run.currency, 0)
        by = {item.party: item.guarantor for item in call.asked}
        for entry, party, amount in one.covered:
            yield journal.recourse(entry, party, by.get(party, ""), run.period, amount, run.currency, 0)
    if one.default is not None:
        name, body = one.default
        yield from (item.mirror(name, 0) for item in posted)
        if body.returned:
            back = [(item.party, item.by or "", item.amount) for item in body.returned]
            yield journal.cover_returned(name, run.period, back, run.currency, 0)


def _is_of(stored: Stored, item: Transaction) -> bool:
    """Would this charge, share or tax belong to the cycle? Those that correct an earlier period are known by number."""
    return stored.move.period in {posting.account.period for posting in item.postings} and item.event_id not in (
        stored.corrected
    )


def _legs(item: Transaction) -> dict[str, int]:
    totals: dict[str, int] = {}
    for posting in item.postings:
        totals[posting.account.name] = totals.get(posting.account.name, 0) + posting.amount
    return totals


def _statements(stored: Stored) -> Iterator[Finding]:
    """Rebuild part A of every party from the journal and compare bodies, lines and obligations, salts aside."""
    if not stored.statements:
        return
    last = stored.statements[0][1].last
    before = [(number, item) for number, item in stored.transactions if number < last]
    balance = journal.balances(item for _, item in before)
    for account in [item for item in balance if item.stated]:
        if account.agreement not in stored.buyers and account.agreement != journal.NET:
            yield Finding(f"journal {account.name}", "agreement", "an agreement that was charged", account.agreement)
            del balance[account]
    owing = statements.owing(statements.obligations_of(balance, stored.buyers))
    moving = statements.moving(before)
    have = {body.party: (name, body, parts) for name, body, parts in stored.statements}
    for party in sorted(moving.keys() | owing.keys() | stored.openings.keys()):
        opening = stored.openings.get(party)
        first = opening.last if opening else 0
        body, parts = statements.part_a(
            cycle=stored.move.cycle,
            operator=stored.move.operator,
            period=stored.move.period,
            party=party,
            currency=stored.move.currency,
            opening=opening.closing if opening else 0,
            window=(first, last),
            lines=statements.lines_of(party, [item for item in moving.get(party, ()) if item[0] >= first]),
            obligations=owing.get(party, ()),
        )
        if party not in have:
            if parts:
                yield Finding(f"statement {party}", "*", "issued", "missing")
            continue
        name, found, given = have.pop(party)
        row = f"statement {party} ({name})"
        yield from _fields(row, body_of(body), body_of(found))
        yield from _fields(row, body_of(parts), body_of([replace(part, salt="") for part in given]))
    for party, (name, _, _) in have.items():
        yield Finding(f"statement {party} ({name})", "*", "absent", "issued")


def _netting(stored: Stored, secret: bytes | None) -> Iterator[Finding]:
    """Every run from the statements, or from the default of the run before, within the limits that stood; the notices
    against the last."""
    if not stored.runs:
        return
    first = ("netting", stored.runs[0].fact_id)
    posted = next((number for number, item in stored.transactions if (item.event, item.event_id) == first),
                  len(stored.transactions))  # fmt: skip
    balance = journal.balances(item for number, item in stored.transactions if number < posted)
    obligations, held = notices.sort_out(_stated(stored), stored.confirmed, balance, stored.buyers)
    funded: tuple[Funded, ...] = ()
    covered: tuple[Obligation, ...] = ()
    for one in stored.runs:
        obligations, waiting, choice = limiting.applied(obligations, stored.limits, covered)
        obligations = cover.joined(obligations, covered)
        held = notices.merged((*held, *notices.limited(waiting)))
        yield from _run(one, obligations, choice, funded, secret)
        if one.default is None or one.batch is None:
            continue
        brought = _brought(one, funded)
        found = cover.resolved(obligations, brought)
        carried = cover.carried(found, brought, stored.limits)
        demanded = cover.default_of(stored.move.cycle, one.fact_id, one.batch[0], found, carried)
        yield from _fields(f"default ({one.default[0]})", body_of(demanded), body_of(one.default[1]))
        held = (*held, *notices.left(cover.less(found.removed, carried.covered)))
        obligations, funded, covered = found.kept, carried.funded, carried.covered
    last = stored.runs[-1].run
    for party, part_b in sorted(stored.notices.items()):
        left_out = sorted((item for item in held if party in (item.debtor, item.creditor)), key=_held_key)
        given = sorted(part_b.held, key=_held_key)
        silent = {_held_key(item) for item in given if item.limit is None}  # made before notices said which limit
        left_out = [replace(item, limit=None) if _held_key(item) in silent else item for item in left_out]
        yield from _fields(f"notice {party}", body_of(left_out), body_of(given), "held")
        yield from _fields(f"notice {party}", body_of(last.root), body_of(part_b.root), "root")
        if not part_b.proof.leaves:
            continue
        try:
            notices.check(part_b, netting.own_of(party, [item for item in _stated(stored) if party in _pair(item)]))
        except ClearingError as error:
            yield Finding(f"notice {party}", "proof", "a proof that holds", str(error))


def _brought(one: StoredRun, funded: Sequence[Funded]) -> tuple[Funded, ...]:
    """What was there under a run: what counted from before, what parties paid in, and what their guarantors did."""
    paid = {(item.party, item.by): item.amount for item in funded}
    by = {item.party: item.guarantor for item in one.call[1].asked} if one.call else {}
    more = [(party, None, amount) for party, amount in one.paid.items()]
    for party, guarantor, amount in [*more, *((party, by.get(party), amount) for _, party, amount in one.covered)]:
        paid[party, guarantor] = paid.get((party, guarantor), 0) + amount
    return tuple(Funded(party, amount, guarantor) for (party, guarantor), amount in paid.items())


def _run(
    one: StoredRun, obligations: Sequence[Obligation], choice: limiting.Choice | None, funded: Sequence[Funded],
    secret: bytes | None,
) -> Iterator[Finding]:  # fmt: skip
    row = f"netting ({one.fact_id})"
    netted = [
        Obligation(part.debtor, part.creditor, part.amount, part.items)
        for part in one.parts
        if isinstance(part, ObligationPart)
    ]
    yield from _fields(row, body_of(list(obligations)), body_of(netted), "obligations")
    yield from _fields(row, body_of(choice), body_of(one.run.choice), "choice")
    yield from _fields(row, body_of(netting.net(obligations)), body_of(one.run.certificate), "certificate")
    yield from _fields(row, body_of(list(funded)), body_of(list(one.run.funded or ())), "funded")
    if secret is not None and obligations:
        root, _ = netting.sum_tree(obligations, secret)
        yield from _fields(row, body_of(root), body_of(one.run.root), "root")


def _held_key(item: notices.Held) -> tuple[str, str, str]:
    return item.debtor, item.creditor, item.reason


def _stated(stored: Stored) -> list[Obligation]:
    """Every obligation on any statement, once, held ones included."""
    found = {
        (part.debtor, part.creditor): Obligation(part.debtor, part.creditor, part.amount, part.items)
        for _, _, parts in stored.statements
        for part in parts
        if isinstance(part, ObligationPart)
    }
    return [found[pair] for pair in sorted(found)]


def _pair(item: Obligation) -> tuple[str, str]:
    return item.debtor, item.creditor


def _call(stored: Stored, instructions: str, batch: Batch, name: str, call: CoverCall) -> Iterator[Finding]:
    """The call from what each party still owed on its position, and its guarantor from before, when it was made."""
    asked = _asked(stored, batch, name)
    accounts = {item.guarantor: order.account for item, order in zip(call.asked, call.batch.instructions, strict=False)}
    try:
        demanded = cover.call_of(batch, instructions, asked, accounts, call.until)
    except ClearingError as error:
        yield Finding(f"cover call ({name})", "batch.instructions", "those asked", str(error))
    else:
        yield from _fields(f"cover call ({name})", body_of(demanded), body_of(call))


def _asked(stored: Stored, batch: Batch, event_id: str) -> tuple[Asked, ...]:
    """Who was to be called for a batch before the journal had the first transaction of this event."""
    posted = next((number for number, item in stored.transactions if item.event_id == event_id), 0)
    balance = journal.balances(item for number, item in stored.transactions if number < posted)
    payers = [item.party for item in batch.instructions if item.direction is payment.Direction.FUNDING]
    owes = {party: balance.get(Account(Kind.RCV, party, journal.NET, stored.move.period), 0) for party in payers}
    short = {party: amount for party, amount in owes.items() if amount > 0}
    standing = stored.guarantors
    owed = {party: journal.recourse_of(balance, party, one.body.guarantor) for party, one in standing.items()}
    return cover.asked_of(short, standing, owed)


def _instructions(stored: Stored) -> Iterator[Finding]:
    for one in stored.runs:
        if one.batch is None:
            continue
        name, batch = one.batch
        accounts = {item.party: item.account for item in batch.instructions}
        demanded = payment.batch_of(
            stored.move.cycle,
            stored.move.operator,
            stored.move.period,
            one.fact_id,
            stored.move.currency,
            one.run.final,
            batch.account,
            accounts,
            sum(item.amount for item in one.run.funded or ()),
        )
        yield from _fields(f"payment instructions ({name})", body_of(demanded), body_of(batch))
        if one.call is not None:
            yield from _call(stored, name, batch, *one.call)
        elif one.default is not None:
            for asked in _asked(stored, batch, one.default[0]):
                told = f"{asked.guarantor} → {asked.party}"
                yield Finding(f"default ({one.default[0]})", "cover call", told, "missing")
    released = {item.end_to_end: item for one in stored.runs if one.batch for item in one.batch[1].instructions}
    for name, order in stored.reissues:
        for item, old in zip(order.batch.instructions, order.replaces, strict=False):
            first = released.get(old)
            demanded_again = reissue.reissued(first, item.account).instruction if first else None
            yield from _fields(f"payment reissue ({name})", body_of(demanded_again), body_of(item), old)
            released[item.end_to_end] = item
