"""Which kinds can be signed at the desk, and the service each is taken in by. One line a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlmodel import Session

from api.bootstrap import System
from api.desk import dealing
from api.desk.waiting import Waiting
from clearing.market import service as market
from clearing.market.agreement import Role, Signer, typed_digest
from clearing.market.delivery import service as delivering
from clearing.market.negotiation.service import Refusal
from clearing.market.shelf import service as shelf
from clearing.pricing import service as pricing
from clearing.settlement import service as settlement
from clearing.settlement.dispute import service as disputing
from clearing.settlement.reporting import service as reporting
from clearing.settlement.service_order import service as ordering
from clearing.settlement.service_order.statements import KINDS
from ledger import eip712
from ledger import store as facts
from ledger.facts import Signature, Signed, Statement
from ledger.store import Appended
from registry import admitting, filing, moving
from registry.afterlife import service as afterlife

Taker = Callable[[Session, System, Waiting, int], Appended | Refusal | None]
"""How a kind is taken in once everybody has signed: (session, system, what waited, instant). None: it goes in with
another statement later; a `Refusal` is one that stays on record."""


def _party(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    """The clerk has looked at the papers and signed; with that the agency confirms by its own key (decisions D14)."""
    agency = system.agency.signer
    statement = waiting.statement
    whole = Signed(statement, (*waiting.signed.signatures, agency.sign(statement)))
    return admitting.register_party(session, system.house, whole, at=at)


def _staff(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return admitting.register_staff(session, system.house, waiting.signed, at=at)


def _application(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return filing.submit_application(session, system.house, waiting.signed, at=at, calendar=system.calendar)


def _move(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return moving.move(session, system.house, waiting.signed, at=at, calendar=system.calendar)


def _objection(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return moving.object_to(session, system.house, waiting.signed, at=at, calendar=system.calendar)


def _decision(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return filing.open_by_agency(session, system.house, waiting.signed, at=at, calendar=system.calendar)


def _remark(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return afterlife.remark(session, system.house, waiting.signed, system.agency.signer, at=at)


def _consent(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return afterlife.consent(session, system.house, waiting.signed, at=at)


def _dispute(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return afterlife.object_to(session, system.house, waiting.signed, system.agency.signer, at=at)


def _dispute_move(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return afterlife.move(session, system.house, waiting.signed, system.agency.signer, at=at, calendar=system.calendar)


def _listing(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return shelf.submit(session, waiting.signed, at=at)


def _listing_move(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return shelf.move(session, waiting.signed, operator=system.settings.operator, at=at)


def _confirmation(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return Appended(settlement.confirm_statement(session, system.office, waiting.signed, at=at), replayed=False)


def _period_inputs(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return settlement.state_inputs(session, system.office, waiting.signed, market.revision_terms, at=at)


def _limits(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return settlement.set_limits(session, system.office, waiting.signed, at=at)


def _guarantee(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return settlement.give_guarantee(session, system.office, waiting.signed, at=at)


def _repaid(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return settlement.take_repaid(session, system.office, waiting.signed, at=at)


def _cover_call(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return Appended(settlement.call_cover(session, system.office, waiting.signed, at=at), replayed=False)


def _instructions(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return Appended(settlement.instruct(session, system.office, waiting.signed, at=at), replayed=False)


def _reissue(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return Appended(settlement.reissue_payments(session, system.office, waiting.signed, at=at), replayed=False)


def _complaint(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    operator = system.settings.operator
    return disputing.take(session, waiting.signed, system.office, operator=operator, at=at)


def _figure_objection(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return reporting.take_objection(
        session, waiting.signed, operator=system.settings.operator, working_days=system.office.working_days, at=at
    )


def _service_order(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return ordering.take(session, waiting.signed, at=at)


def _message(session: Session, system: System, waiting: Waiting, at: int) -> Appended | Refusal:
    return dealing.take(session, system, waiting.signed, waiting.parts, at=at)


def _act(session: Session, system: System, waiting: Waiting, at: int) -> Appended | None:
    """The act a negotiation agreed on waits for FINALISE, which brings it in; any other is taken in by itself."""
    if dealing.is_negotiated(session, waiting.statement):
        return None
    return market.record_act(session, waiting.signed, waiting.parts, domain=system.agreement_domain, at=at)


def _delivery(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    return delivering.take(session, waiting.signed, calendar=system.calendar, at=at)


def _quote(session: Session, system: System, waiting: Waiting, at: int) -> Appended:
    pricing.take_quote(
        session, waiting.signed, waiting.parts, at=at, require_signature=system.require_signature,
        right_in_force=system.right_in_force,
    )  # fmt: skip
    return Appended(facts.facts_of(session, waiting.statement.subject)[-1], False)


TAKERS: Mapping[str, Taker] = {
    "party/v1": _party,
    "staff/v1": _staff,
    "application-submitted/v1": _application,
    "application-move/v1": _move,
    "objection/v1": _objection,
    "register-decision/v1": _decision,
    "remark/v1": _remark,
    "remark-consent/v1": _consent,
    "register-objection/v1": _dispute,
    "register-objection-move/v1": _dispute_move,
    "delivery-act/v1": _delivery,
    "statement-confirmed/v1": _confirmation,
    "period-inputs/v1": _period_inputs,
    "netting-limits/v1": _limits,
    "funding-guarantee/v1": _guarantee,
    "recourse-repaid/v1": _repaid,
    "payment-instructions/v1": _instructions,
    "cover-call/v1": _cover_call,
    "payment-reissue/v1": _reissue,
    "dispute-act/v1": _complaint,
    "credit-objection/v1": _figure_objection,
    "listing-submitted/v1": _listing,
    "listing-move/v1": _listing_move,
    "negotiation-message/v1": _message,
    "agreement-act/v1": _act,
    "price-quote/v1": _quote,
    **dict.fromkeys(KINDS, _service_order),
}


def typed_is_good(statement: Statement, typed: Signature) -> bool:
    """Is this EIP-712 signature that of the address it names? Only acts of agreements have a typed form."""
    signer = Signer(Role(typed.role), typed.by.removeprefix("party:"), typed.key.lower())
    digest = typed_digest(statement, signer, int(typed.nonce))
    return eip712.recover(digest, bytes.fromhex(typed.value)).lower() == signer.address
