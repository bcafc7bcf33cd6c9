"""The register's search on PostgreSQL: the same answers to the same questions as on SQLite, and as without an index."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from registry import answering
from registry.asset import AssetKind
from registry.certificate import Status
from registry.rights import Right
from registry.search.store import Wanted
from registry.statistics import store as statistics
from tests.registry.search.questions import SYNTAX, answers, fill
from tests.registry.search.register_world import START, Register

pytestmark = pytest.mark.services

NOW = START + 86_400 * 900
WORDS = [
    "航班", "客流", "数据", "据数", "取引", "거래", "𠮷野", "数", "x", "1", "航空数据", "航空 数据",
    "abc", "İSTANBUL", "秘密", "张某", "", *SYNTAX,
]  # fmt: skip
FILTERS = [
    {}, {"kind": AssetKind.ELEMENT}, {"right": Right.OPERATE}, {"status": Status.LAPSED}, {"status": Status.CANCELLED},
    {"since": START + 86_400 * 100, "until": START + 86_400 * 300},
]  # fmt: skip


@pytest.mark.clause("G24", "D29")
def test_search__every_question__as_on_sqlite_and_as_without_an_index(writer: Engine) -> None:
    made = create_engine("sqlite://")
    SQLModel.metadata.create_all(made)
    with Session(writer) as session, Session(made) as other:
        here, there = Register(session), Register(other)
        fill(here, waived=True)
        fill(there, waived=True)
        for word in WORDS:
            if "\x00" in word:
                continue
            for filters in FILTERS:
                wanted = Wanted(word, **filters)  # type: ignore[arg-type]
                found = [answering.catalogue(item.session, NOW, wanted, limit=5) for item in (here, there)]
                assert found[0] == found[1], wanted
                whole = answering.catalogue(session, NOW, wanted, limit=200)
                assert [item.code for item in whole.listings] == answers(here, wanted, NOW), wanted
        assert statistics.figures(session, NOW) == statistics.figures(other, NOW)
    made.dispose()


def test_search__a_word_few_have__is_read_from_the_index(writer: Engine) -> None:
    with Session(writer) as session:
        register = Register(session)
        for number in range(300):
            register.put(f"第{number}份数据", at=START + number)
        session.execute(text("ANALYZE register_line"))
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_indexscan = off"))
        plan = "\n".join(
            session.execute(
                text("EXPLAIN SELECT place FROM register_line WHERE to_tsvector('simple', grams) @@ 'abcd'::tsquery")
            ).scalars()
        )
    assert "register_line_grams" in plan
