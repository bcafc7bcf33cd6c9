"""Cards folded from facts; the lines that certificates add to them; which cards name which certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from sqlmodel import col

from ledger import canonical
from ledger.facts import Fact
from ledger.reading import body_of, read
from registry.asset import Long, Short
from registry.cards.card import CARD, MOVE_NAMES, Card, CardAct, apply, line_of
from registry.cards.tables import CardCertificateRow, CardLineRow, CardRow
from registry.certificate import STATUS_NAMES, Status
from registry.errors import Unknown
from registry.tables import CertificateRow, ToldRow


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a card's ledger: an act of the holder, or an event of a certificate the card names."""

    at: int
    kind: Short
    text: Long
    fact_id: Short


def _acted(session: Session, fact: Fact) -> None:
    identity, act = fact.subject.partition(":")[2], read(CardAct, fact.body)
    row = session.get(CardRow, identity)
    known = apply(_read(row) if row else None, identity, act, fact.at)
    values = {
        "name": known.basic.name,
        "state": known.state.value,
        "card": canonical.encode(body_of(known)).decode(),
    }
    if row is None:
        session.add(CardRow(id=identity, holder=known.holder, changed_at=fact.at, **values))
    else:
        row.changed_at = fact.at
        for name, value in values.items():
            setattr(row, name, value)
    session.add(
        CardLineRow(
            card=identity, no=fact.statement.no, move=act.move, at=fact.at, text=line_of(act), fact_id=fact.id
        )
    )  # fmt: skip
    if act.rights is not None:
        session.execute(delete(CardCertificateRow).where(col(CardCertificateRow.card) == identity))
        for ref in known.rights.certificate_refs:
            session.add(
                CardCertificateRow(
                    card=identity, issuer=ref.issuer, number=ref.number, paper_type=ref.paper_type,
                    version=ref.version, status=ref.status, as_of=ref.as_of,
                )
            )  # fmt: skip
    session.flush()


PROJECTORS: dict[str, Callable[[Session, Fact], None]] = {CARD: _acted}
TABLES = (CardRow, CardCertificateRow, CardLineRow)


def find(session: Session, identity: str) -> Card | None:
    """A card, if it is on record."""
    row = session.get(CardRow, identity)
    return _read(row) if row else None


def card(session: Session, identity: str) -> Card:
    """A card. Raises `Unknown`."""
    found = find(session, identity)
    if found is None:
        raise Unknown("卡片 / card", identity)
    return found


def cards_of(session: Session, holder: str) -> list[Card]:
    """A holder's cards, last changed first."""
    rows = session.scalars(
        select(CardRow).where(col(CardRow.holder) == holder).order_by(col(CardRow.changed_at).desc(), col(CardRow.id))
    )
    return [_read(row) for row in rows]


def lines_of(session: Session, known: Card) -> list[Line]:
    """The card's ledger, oldest first: its own acts, and since each certificate was named what became of it."""
    acts = session.scalars(select(CardLineRow).where(col(CardLineRow.card) == known.id).order_by(col(CardLineRow.no)))
    lines = [Line(row.at, MOVE_NAMES[row.move], row.text, row.fact_id) for row in acts]
    for ref in known.rights.certificate_refs:
        told = session.scalars(
            select(ToldRow).where(col(ToldRow.code) == ref.number, col(ToldRow.effective_at) > ref.as_of)
        )
        lines += [
            Line(row.effective_at, "凭证变化", f"{row.code} v{row.version} {_told(row)}", row.fact_id) for row in told
        ]
        made = session.scalars(
            select(CertificateRow).where(
                col(CertificateRow.code) == ref.number, col(CertificateRow.version) > ref.version
            )
        )
        lines += [Line(row.deposited_at, "凭证变化", f"{row.code} 新版本 v{row.version}", row.fact_id) for row in made]
    return sorted(lines, key=lambda line: line.at)


def cards_naming(session: Session, number: str) -> list[CardCertificateRow]:
    """Which cards refer to this certificate."""
    query = select(CardCertificateRow).where(col(CardCertificateRow.number) == number)
    return list(session.scalars(query.order_by(col(CardCertificateRow.card))))


def _told(row: ToldRow) -> str:
    flags = [name for name, on in (("权利限制", row.encumbered), ("异议", row.objection)) if on]
    return "、".join([STATUS_NAMES[Status(row.status)], *flags])


def _read(row: CardRow) -> Card:
    return read(Card, canonical.decode(row.card.encode()))
