"""Prices being worked out, each of one organisation: operational, never facts. Of a data file only counts are kept."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from api.office.tables import PricingCaseRow
from clearing.pricing.inputs import decode, read_input
from clearing.pricing.manifest import Counted
from ledger import canonical
from ledger.reading import body_of
from registry.errors import Unknown

MOST = 200
"""Cases shown, the latest first."""
MOST_KEPT = 500
"""Cases of one organisation; further ones wait until some are deleted."""


@dataclass(frozen=True, slots=True)
class PricingCase:
    """A case: what is priced under which domain and stage, the name of the file counted, and the form as typed."""

    id: str
    element: str
    version: int
    domain: str
    stage: str
    name: str
    made_by: str
    updated_at: int
    values: Mapping[str, str]


def begin(session: Session, organisation: str, case: PricingCase, counted: Counted) -> PricingCase:
    """Keeps a new case; its id is drawn here."""
    made = replace(case, id=secrets.token_hex(16))
    session.add(
        PricingCaseRow(
            id=made.id, organisation=organisation, element=made.element, version=made.version, domain=made.domain,
            stage=made.stage, name=made.name, made_by=made.made_by, updated_at=made.updated_at,
            typed=_written(made.values), counted=canonical.encode(body_of(counted)).decode(),
        )
    )  # fmt: skip
    session.flush()
    return made


def room(session: Session, organisation: str) -> bool:
    """May this organisation begin another case?"""
    kept = select(PricingCaseRow.id).where(PricingCaseRow.organisation == organisation).limit(MOST_KEPT)
    return len(session.exec(kept).all()) < MOST_KEPT


def get(session: Session, organisation: str, identity: str) -> tuple[PricingCase, Counted]:
    """A case of this organisation with its counts. Raises `Unknown`, also for another's."""
    row = _own(session, organisation, identity)
    return _read(row), read_input(Counted, decode(row.counted.encode(), "counted"), "counted")


def all_of(session: Session, organisation: str) -> list[PricingCase]:
    """The cases of an organisation, the latest first, without their counts."""
    rows = session.exec(
        select(PricingCaseRow)
        .options(defer(PricingCaseRow.counted))  # type: ignore[arg-type]
        .where(PricingCaseRow.organisation == organisation)
        .order_by(col(PricingCaseRow.updated_at).desc(), col(PricingCaseRow.id))
        .limit(MOST)
    )
    return [_read(row) for row in rows]


def keep(session: Session, organisation: str, identity: str, values: Mapping[str, str], *, at: int) -> None:
    """Keeps what was typed, whatever it is. Raises `Unknown`."""
    row = _own(session, organisation, identity)
    row.typed, row.updated_at = _written(values), at
    session.flush()


def discard(session: Session, organisation: str, identity: str) -> None:
    """Deletes a case with its counts. Raises `Unknown`."""
    session.delete(_own(session, organisation, identity))
    session.flush()


def _written(values: Mapping[str, str]) -> str:
    return json.dumps(dict(values), ensure_ascii=False)


def _own(session: Session, organisation: str, identity: str) -> PricingCaseRow:
    row = session.get(PricingCaseRow, identity)
    if row is None or row.organisation != organisation:
        raise Unknown("定价案 / pricing case", identity[:40])
    return row


def _read(row: PricingCaseRow) -> PricingCase:
    return PricingCase(
        row.id, row.element, row.version, row.domain, row.stage, row.name, row.made_by, row.updated_at,
        json.loads(row.typed),
    )  # fmt: skip
