"""Keeping, forgetting and reading what recommendations rest on; folding the switch."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from clearing.market.recommending import tables
from clearing.market.recommending.reasons import KEPT_SECONDS, RECOMMENDATION_SWITCH, Searched, Switch
from ledger.facts import Fact
from ledger.reading import read
from registry.calendar import day_of


def is_off(session: Session, party: str) -> bool:
    """Did this organisation switch personal recommendations off?"""
    table = tables.unpersonalised
    return session.execute(select(table.c.at).where(table.c.party == party)).first() is not None


def delete_searches(session: Session, party: str) -> None:
    """Deletes every search kept of an organisation."""
    session.execute(delete(tables.search).where(tables.search.c.party == party))


def keep(session: Session, party: str, searched: Searched) -> None:
    """Keeps a search of an organisation."""
    session.execute(
        insert(tables.search).values(
            id=secrets.token_hex(16), party=party, at=searched.at, words=searched.words, industry=searched.industry,
            type=searched.type,
        )
    )  # fmt: skip


def searches(session: Session, party: str, at: int) -> tuple[Searched, ...]:
    """The searches of an organisation in the 90 days before `at`, latest first."""
    table = tables.search
    query = select(table).where(table.c.party == party, table.c.at > at - KEPT_SECONDS)
    rows = session.execute(query.order_by(table.c.at.desc(), table.c.id))
    return tuple(Searched(row.at, row.words, row.industry, row.type) for row in rows)


def forget(session: Session, at: int) -> int:
    """Turns searches older than 90 days into totals of their month; answers how many there were."""
    table, total = tables.search, tables.total
    old = table.c.at <= at - KEPT_SECONDS
    rows = session.execute(select(table.c.at, table.c.industry, table.c.type).where(old)).all()
    for key, count in Counter((day_of(row.at).isoformat()[:7], row.industry, row.type) for row in rows).items():
        which = (total.c.month == key[0]) & (total.c.industry == key[1]) & (total.c.type == key[2])
        known = session.execute(select(total.c["count"]).where(which)).scalar()
        if known is None:
            session.execute(insert(total).values(month=key[0], industry=key[1], type=key[2], count=count))
        else:
            session.execute(update(total).where(which).values(count=known + count))
    session.execute(delete(table).where(old))
    return len(rows)


def _project_switch(session: Session, fact: Fact) -> None:
    party, table = fact.subject.removeprefix("recommendation-switch:"), tables.unpersonalised
    session.execute(delete(table).where(table.c.party == party))
    if not read(Switch, fact.body).on:
        session.execute(insert(table).values(party=party, at=fact.at))


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {RECOMMENDATION_SWITCH: _project_switch}
