"""Taking in what a filer states about the 备案 of an agreement: load, decide, store the fact, fold it.

Nothing here commits or reads a clock. Source: exchange.md §4.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from clearing import taking
from clearing.errors import BadTerms
from clearing.market import store as agreements
from clearing.market.agreement import CARRIES_TERMS, act_of, terms_digest
from clearing.market.errors import NotEntitled
from clearing.market.filing import store
from clearing.market.filing.filing import AGREEMENT_FILING, AgreementFiling, State, decide, id_of
from clearing.market.filing.report import Filed, report_of
from ledger import store as ledger
from ledger.facts import Signed
from ledger.reading import read
from ledger.store import Appended
from registry.party import party_subject


def take(session: Session, signed: Signed, *, operator: str, at: int) -> Appended:
    """Takes in an agreement-filing/v1 of a party of the agreement's revision, or of the operator (USCC).

    Raises `BadTerms`, `FieldError`, `WrongMove`, `NotEntitled`, `UnknownFact`, `NotSigned`, `BadSignature`, and the
    ledger's `Conflict` and `Stale`.
    """
    statement = taking.of_kind(signed, AGREEMENT_FILING)
    agreement, revision = id_of(statement.subject)
    body = read(AgreementFiling, statement.body)
    taking.require_one(session, signed, party_subject(body.filer), at=at)
    if (first := taking.replay(session, signed, at)) is not None:
        return first
    row = agreements.agreement(session, agreement)
    if revision > row.revision:
        raise BadTerms("statement.subject", f"revision ≤ {row.revision}", revision)
    terms = agreements.terms_of(session, agreement, revision)
    may = {party.party for party in terms.parties} | {operator}
    if body.filer not in may:
        raise NotEntitled(body.act, " | ".join(sorted(may)), body.filer)
    stands = store.find(session, agreement, revision)
    before = stands.state if stands else State.UNFILED
    decide(before, stands.first if stands else None, body, terms_digest(terms), at)
    return taking.take(session, signed, store.PROJECTORS, at=at)


def report(session: Session, agreement: str, revision: int, names: Mapping[str, str], at: int) -> dict[str, Any]:
    """What is reported of a revision as of `at` (seconds UTC); `names` are what parties are called, by USCC. Raises
    `UnknownFact`."""
    row = agreements.agreement(session, agreement)
    terms = agreements.terms_of(session, agreement, revision)
    acts = ledger.facts_of(session, f"agreement:{agreement}")
    brought = [
        fact for fact in acts if fact.body["revision"] == revision and act_of(fact.statement).act in CARRIES_TERMS
    ]
    filed, stands = Filed(agreement, revision, row.state.value), store.find(session, agreement, revision)
    if stands is not None:
        filed = replace(filed, state=stands.state, number=stands.number)
    concluded = brought[-1] if brought else None
    return report_of(filed, terms, concluded, store.acts(session, agreement, revision), names, at)
