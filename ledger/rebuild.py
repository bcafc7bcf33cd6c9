"""Views are folds over facts: they can be thrown away and made again, or made again elsewhere and compared.

A *projector* writes the rows one kind of fact implies. Both `reindex` and `audit` rest on the same sentence: replaying
every fact in the order it was taken in gives exactly the rows that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, delete, insert, select, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from ledger import store, tables
from ledger.facts import Fact

Projector = Callable[[Session, Fact], None]

_OWN = "fact part subject_secret outbox entry tile head chain_receipt map_leaf map_node alembic_version"
LEDGER_TABLES = frozenset(_OWN.split())


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what is stored and what the evidence implies."""

    table: str
    row: str
    column: str
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"{self.table}[{self.row}].{self.column}：应为 {self.expected}，实为 {self.found}"
            f" / expected {self.expected}, found {self.found}"
        )


def view_tables() -> list[Table]:
    """The tables of the other packages that hold facts or derived values, parents first."""
    return [
        table
        for table in tables.metadata.sorted_tables
        if table.name not in LEDGER_TABLES and any(column_class(c) != "operational" for c in table.columns)
    ]


def column_class(column: Any) -> str:
    """ "fact", "derived" or "operational" (decisions D3); a column without a class is an error."""
    return str(column.info["class"])


def clear_views(session: Session) -> None:
    """Empties every view; facts and log stay."""
    for table in reversed(view_tables()):
        session.execute(delete(table))
    session.flush()


def fold(source: Session, target: Session, projectors: Mapping[str, Projector]) -> int:
    """Replays every fact of `source` into the views of `target`; returns how many facts were replayed."""
    replayed = 0
    for fact in store.all_facts(source):
        projector = projectors.get(fact.kind)
        if projector is not None:
            projector(target, fact)
        replayed += 1
    target.flush()
    return replayed


def copy_facts(source: Session, target: Session) -> None:
    """Copies facts, parts and log places into an empty database, for projectors that look earlier facts up."""
    for table in (tables.fact, tables.part, tables.entry):
        for chunk in source.execute(select(table).order_by(*table.primary_key.columns)).mappings().partitions(500):
            target.execute(insert(table), [dict(row) for row in chunk])


def differences(stored: Session, rebuilt: Session) -> Iterator[Finding]:
    """Every edited, deleted or inserted view row, by comparing all fact and derived columns."""
    for table in view_tables():
        names = [c.name for c in table.columns if column_class(c) != "operational"]
        key = [c.name for c in table.primary_key.columns]
        have, want = _rows(stored, table, key, names), _rows(rebuilt, table, key, names)
        for row_key, row in want.items():
            if row_key not in have:
                yield Finding(table.name, _name(row_key), "*", "有此行 / the row", "已删除 / deleted")
                continue
            for name in names:
                if have[row_key][name] != row[name]:
                    yield Finding(table.name, _name(row_key), name, _short(row[name]), _short(have[row_key][name]))
        for row_key in have:
            if row_key not in want:
                yield Finding(table.name, _name(row_key), "*", "无此行 / no such row", "被插入 / inserted")


def _rows(session: Session, table: Table, key: list[str], names: list[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    # As stored: a column's type would read 7 as true, or stop at a text where a number should be.
    columns = [type_coerce(table.c[name], NullType()).label(name) for name in dict.fromkeys(key + names)]
    result = session.execute(select(*columns)).mappings()
    return {tuple(row[name] for name in key): {name: row[name] for name in names} for row in result}


def _name(key: tuple[Any, ...]) -> str:
    return "/".join(map(str, key))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
