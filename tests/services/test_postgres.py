"""PostgreSQL as a real server: the schema, the guards, many writers at once, and a commit the server refuses."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from msgspec import structs
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from api import bootstrap, checks, jobs, schema
from clearing.usage import store as usage_store
from clearing.usage.record import decode, encode
from ledger import archive, audit, leader, log, merkle, outbox, store
from ledger.digest import TwinDigest
from ledger.errors import Conflict, Erased, Malformed, NotLeader, Stale
from ledger.facts import PartsRoot, Signed, Statement
from registry.party import Staff
from tests.api.house import Platform, open_platform
from tests.api.reporting import line, proved, send, stored
from tests.ledger.builders import NOW, World, sign
from tests.registry.registry_house import AGENCY
from tests.services.server import Server

pytestmark = pytest.mark.services

WRITERS = 8
SIGNER = "party:91330100MA2026001N"


@pytest.fixture
def unqueued(address: str) -> Iterator[Engine]:
    """Connections as another program would open them: the server's defaults, nobody waits for anybody."""
    engine = create_engine(address, pool_size=WRITERS)
    yield engine
    engine.dispose()


def act(subject: str, no: int = 0, prev: TwinDigest | None = None, **body: object) -> Signed:
    return sign(Statement("note/v1", subject, no, prev, body), SIGNER)


def together(work: Callable[[int], object], writers: int = WRITERS) -> list[object]:
    """`work(0)` … `work(7)` at the same moment, each in a thread of its own; an exception is an answer too."""
    start = threading.Barrier(writers)

    def one(number: int) -> object:
        start.wait()
        try:
            return work(number)
        except (Conflict, Stale) as error:
            return error

    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(one, range(writers)))


def sound(engine: Engine) -> None:
    """Everything stored is in the tree exactly once, in a chain without gaps, under a root anybody can recompute."""
    with Session(engine) as session:
        while log.integrate(session):
            pass
        session.commit()
        assert list(audit.facts(session)) == []
        ids = [fact.digest() for fact in store.all_facts(session)]
        assert len(set(ids)) == len(ids) == store.count(session) == log.size(session)
        assert outbox.backlog(session) == 0
        size = log.size(session)
        assert merkle.root(log.reader(session), size) == merkle.MemoryTree(ids).root()


def test_lease__eight_claims_at_once__one_gets_it_and_a_later_term_shuts_it_out(writer: Engine) -> None:
    for round_ in range(5):

        def claim(number: int, now: int = 10 * round_) -> leader.Lease | None:
            with Session(writer) as session:
                found = leader.claim(session, "publisher", f"w{number}", now=now, lasts=10)
                session.commit()
            return found

        taken = [found for found in together(claim) if isinstance(found, leader.Lease)]
        assert [lease.term for lease in taken] == [round_ + 1]
    with Session(writer) as session:
        leader.require(session, taken[0])
        leader.claim(session, "publisher", "other", now=100, lasts=10)
        with pytest.raises(NotLeader, match="other"):
            leader.require(session, taken[0])


def test_migrate__from_nothing__is_what_the_metadata_says(writer: Engine, server: Server) -> None:
    with writer.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_object": _ours}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, SQLModel.metadata) == []
    made = create_engine(server.database())
    SQLModel.metadata.create_all(made)
    one, other = inspect(writer), inspect(made)
    for table in schema.TABLES:
        for question in ("get_pk_constraint", "get_foreign_keys", "get_unique_constraints", "get_indexes"):
            assert getattr(one, question)(table.name) == getattr(other, question)(table.name), (table.name, question)
    assert _triggers(writer) == _triggers(made) != []
    made.dispose()


def _ours(_item: object, name: str | None, *_rest: object) -> bool:
    """The index of the register's search is an expression, which the metadata does not hold; it is compared below."""
    return name not in {"register_line_grams", "market_line_grams", "demand_line_grams"}


def _triggers(engine: Engine) -> list[tuple[str, str]]:
    """Triggers and the text of their functions."""
    query = text(
        "SELECT pg_get_triggerdef(t.oid), p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE NOT t.tgisinternal ORDER BY 1"
    )
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query)]


def test_migrate__twice__changes_nothing(server: Server) -> None:
    url = server.database()
    bootstrap.migrate(url)
    before = create_engine(url)
    triggers = _triggers(before)
    bootstrap.migrate(url)
    assert _triggers(before) == triggers
    assert len(triggers) == 4
    before.dispose()


REFUSED = (
    "UPDATE fact SET bytes = 'x'::bytea", "UPDATE fact SET at = at + 1", "UPDATE fact SET at = at + 1, bytes = NULL",
    "DELETE FROM fact", "TRUNCATE fact CASCADE", "TRUNCATE part", "UPDATE part SET bytes = 'x'::bytea",
    "UPDATE part SET fact_id = 'x'", "DELETE FROM part",
    "INSERT INTO part SELECT * FROM part ON CONFLICT (fact_id) DO UPDATE SET bytes = 'x'::bytea",
    "INSERT INTO fact SELECT * FROM fact ON CONFLICT (id) DO UPDATE SET at = 0",
)  # fmt: skip


def test_guards__every_way_to_change_a_fact__refused__and_erasure_lawful(writer: Engine) -> None:
    parts = [b'{"n":1}', b'{"n":2}']
    signed = sign(Statement("note/v1", "note:a", 0, None, {}, PartsRoot.over(parts)), SIGNER)
    with Session(writer) as session:
        fact = store.append(session, signed, at=NOW, parts=parts).fact
        session.commit()
    for statement in REFUSED:
        with pytest.raises(DBAPIError, match="append-only"), writer.begin() as connection:
            connection.execute(text(statement))
    with Session(writer) as session:
        assert store.parts_of(session, fact.id) == parts
        store.erase(session, fact.id)
        session.commit()
        with pytest.raises(Erased):
            store.fact(session, fact.id)
    with pytest.raises(DBAPIError, match="append-only"), writer.begin() as connection:
        connection.execute(text("UPDATE fact SET bytes = 'x'::bytea"))


def test_reader__cannot_write__and_sees_one_moment(writer: Engine, reader: Engine) -> None:
    with Session(reader) as session:
        assert store.count(session) == 0
        with Session(writer) as other:
            store.append(other, act("note:a"), at=NOW)
            other.commit()
        assert store.count(session) == 0
    with Session(reader) as session:
        assert store.count(session) == 1
        with pytest.raises(DBAPIError, match="read-only"):
            store.append(session, act("note:b"), at=NOW)


@pytest.mark.parametrize("engines", ["writer", "unqueued"])
def test_append__eight_say_the_same__one_fact(engines: str, request: pytest.FixtureRequest) -> None:
    engine = request.getfixturevalue(engines)
    prev, signed = None, None
    for no in range(5):
        signed = act("note:same", no, prev, n=no)
        prev = signed.statement.digest()
        answers = together(lambda _, signed=signed: _append(engine, signed))
        assert Counter(answers) == {("new", no): 1, ("replayed", no): WRITERS - 1}
    sound(engine)


@pytest.mark.parametrize("engines", ["writer", "unqueued"])
def test_append__eight_contradict_each_other__one_fact_and_seven_conflicts(
    engines: str, request: pytest.FixtureRequest
) -> None:
    engine = request.getfixturevalue(engines)
    prev = None
    for no in range(5):
        offers = [act("note:fight", no, prev, writer=number) for number in range(WRITERS)]
        answers = together(lambda number, offers=offers: _append(engine, offers[number]))
        assert Counter(type(answer) for answer in answers) == {tuple: 1, Conflict: WRITERS - 1}
        with Session(engine) as session:
            following, prev = store.next_of(session, "note:fight")
        assert following == no + 1
        assert prev in [offer.statement.digest() for offer in offers]
    sound(engine)


@pytest.mark.parametrize("engines", ["writer", "unqueued"])
def test_append__eight_write_one_chain_and_their_own__no_number_twice_and_nothing_lost(
    engines: str, request: pytest.FixtureRequest
) -> None:
    """Each adds ten acts to one chain, looking again when another was faster, and ten to a chain of its own, while a
    ninth moves facts into the tree."""
    engine = request.getfixturevalue(engines)

    def work(number: int) -> int:
        if number == WRITERS:
            for _ in range(30):
                with Session(engine) as session:
                    log.integrate(session, 7)
                    session.commit()
            return 0
        lost = 0
        for round_ in range(10):
            for subject in ("note:one", f"note:own-{number}"):
                while not _add(engine, subject, number, round_):
                    lost += 1
        return lost

    together(work, WRITERS + 1)
    with Session(engine) as session:
        assert store.next_of(session, "note:one")[0] == WRITERS * 10
        said = Counter(fact.statement.body["writer"] for fact in store.facts_of(session, "note:one"))
        assert said == dict.fromkeys(range(WRITERS), 10)
        for number in range(WRITERS):
            rounds = [fact.statement.body["round"] for fact in store.facts_of(session, f"note:own-{number}")]
            assert rounds == list(range(10))
    sound(engine)


def _append(engine: Engine, signed: Signed) -> tuple[str, int]:
    with Session(engine) as session:
        done = store.append(session, signed, at=NOW)
        session.commit()
        return ("replayed" if done.replayed else "new", done.fact.statement.no)


def _add(engine: Engine, subject: str, writer: int, round_: int) -> bool:
    with Session(engine) as session:
        no, prev = store.next_of(session, subject)
        signed = act(subject, no, prev, writer=writer, round=round_)
        try:
            store.append(session, signed, at=NOW)
        except (Conflict, Stale):
            return False
        session.commit()
        return True


def test_writers__look_before_they_write__each_sees_all_before(writer: Engine) -> None:
    """What a service decides from what it read still holds when it is stored: the writers stand in a queue."""

    def work(number: int) -> int:
        with Session(writer) as session:
            seen = store.count(session)
            store.append(session, act(f"note:looked-{number}", seen=seen), at=NOW)
            session.commit()
            return seen

    assert sorted(map(str, together(work))) == [str(number) for number in range(WRITERS)]
    sound(writer)


def test_writer__the_one_before_never_ends__gives_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PATIENCE", 1)
    engine = bootstrap.engine(address, write=True)
    with Session(engine) as first, Session(engine) as second:
        store.count(first)
        with pytest.raises(OperationalError, match="lock timeout"):
            store.count(second)
    engine.dispose()


def test_integrate__a_lower_number_is_still_open__comes_later_and_once(unqueued: Engine) -> None:
    """Sequence numbers are drawn before commit: 1 may become visible after 2. The outbox, not a high-water mark, says
    what waits."""
    slow = Session(unqueued)
    first = store.append(slow, act("note:slow"), at=NOW).fact
    _append(unqueued, act("note:fast"))
    with Session(unqueued) as session:
        assert log.integrate(session) == 1
        session.commit()
    slow.commit()
    slow.close()
    rolled_back = Session(unqueued)
    store.append(rolled_back, act("note:never"), at=NOW)
    rolled_back.rollback()
    with Session(unqueued) as session:
        assert log.integrate(session) == 1
        assert log.index_of(session, first.id) == 1
        session.commit()
        assert log.integrate(session) == 0
    sound(unqueued)


def test_log__tiles_rebuilt_and_audited_in_slices__nothing_found_but_what_was_changed(
    writer: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit reads leaves through an open cursor while it looks tiles up; SQLite's and PostgreSQL's differ there."""
    monkeypatch.setattr(log, "CHUNK", 50)
    monkeypatch.setattr(audit, "CHUNK", 50)
    world = World()
    with Session(writer) as session:
        for number in range(300):
            store.append(session, act(f"note:n{number}"), at=NOW)
            if number in (99, 255, 299):
                world.seal(session, at=NOW + number)
        assert list(audit.log(session, world.log_trust(), world.witnesses())) == []
        assert log.rebuild(session) == 300
        assert list(audit.log(session, world.log_trust(), world.witnesses())) == []
        session.execute(text("UPDATE tile SET sm3 = set_byte(sm3, 40, 0) WHERE level = 0 AND position = 1"))
        session.execute(text("DELETE FROM tile WHERE level = 1"))
        found = [(f.row, f.column) for f in audit.log(session, world.log_trust(), world.witnesses())]
        assert found == [("0/1", "sm3"), ("1/0", "*")]
    world.engine.dispose()


def test_integrate__two_at_once__every_fact_once(writer: Engine) -> None:
    for number in range(200):
        _append(writer, act(f"note:n{number}"))

    def work(_: int) -> int:
        moved = 0
        for _ in range(60):
            with Session(writer) as session:
                moved += log.integrate(session, 13)
                session.commit()
        return moved

    assert sum(map(int, map(str, together(work, 2)))) == 200
    sound(writer)


@pytest.fixture
def platform(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """The HTTP platform of the other tests; the environment puts it on PostgreSQL, the SQLite file stays unused."""
    monkeypatch.setenv("SHUQING_DATABASE_URL", address)
    unused = tmp_path / "unused.db"
    unused.touch()
    with open_platform(tmp_path / "home", unused, peopled=False) as opened:
        assert opened.system.engine.dialect.name == "postgresql"
        opened.people()
        yield opened


def test_commit__the_server_refuses_it__no_2xx_and_nothing_stored(platform: Platform) -> None:
    """Decisions D1 with nothing simulated: a deferred constraint raises when COMMIT is already under way."""
    platform.token(f"party:{AGENCY}")
    before = platform.count()
    body = Staff(AGENCY, platform.keys["staff:clerk"].public, ("intake",))
    signed = platform.signed("staff/v1", "staff:late", body, (f"party:{AGENCY}", ""))
    with platform.system.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION full() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$ "
                "LANGUAGE plpgsql"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON fact DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION full()"
            )
        )
    answer = platform.post("/api/staff", signed.document(), f"party:{AGENCY}")
    assert answer.status_code == 500
    assert "未写入" in answer.json()["message"]
    assert platform.count() == before
    with platform.system.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER late ON fact"))
    assert platform.post("/api/staff", signed.document(), f"party:{AGENCY}").json()["replayed"] is False
    assert platform.count() == before + 1


def test_requests__forty_at_once__all_stored_once(platform: Platform) -> None:
    by = f"party:{AGENCY}"
    platform.token(by)
    before = platform.count()
    body = Staff(AGENCY, platform.keys["staff:clerk"].public, ("intake",))
    sent = [platform.signed("staff/v1", f"staff:s{number}", body, (by, "")).document() for number in range(20)] * 2
    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(lambda document: platform.post("/api/staff", document, by), sent))
    assert Counter(answer.status_code for answer in answers) == {200: 40}
    assert Counter(answer.json()["replayed"] for answer in answers) == {False: 20, True: 20}
    assert platform.count() == before + 20


def test_single_records__a_storm_with_duplicates_and_contradictions__each_once_and_proved(platform: Platform) -> None:
    by = "connector:conn-1"
    items = line(platform).more(60)
    false = [decode(encode(structs.replace(item.record, quantity=7))) for item in items[:10]]
    platform.token(by)
    sent = [*items, *items[::2], *false]
    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(lambda item: send(platform, item), sent))
    good = [(item, answer) for item, answer in zip(sent, answers, strict=True) if answer.status_code == 200]
    assert Counter(answer.status_code for answer in answers) == {200: 90, 409: 10}
    taken = {(item.record.seq, answer.content) for item, answer in good}
    assert len(taken) == 60
    assert len({proved(platform, item, answer).fact.id for item, answer in good}) <= 60
    assert [row.seq for row in stored(platform)] == list(range(1, 61))
    with jobs.snapshot(platform.system) as session:
        assert [(f.kind, f.first_seq, f.last_seq) for f in usage_store.findings(session)] == [("UNSIGNED", 1, 60)]
        assert list(checks.facts(platform.system, session)) == []
        assert list(checks.views(platform.system, session)) == []


def test_restore__a_line_no_column_has_room_for__is_malformed(writer: Engine) -> None:
    erased = b'{"erased":{"at":1,"id":"' + b"a" * 65 + (
        b'","kind":"note/v1","no":0,"sm3":"a","statement_sha256":"a","statement_sm3":"a","subject":"note:a"}}\n'
    )  # fmt: skip
    with Session(writer) as session, pytest.raises(Malformed):
        archive.restore(session, [b'{"format":"shuqing-facts/v1","origin":"x"}\n', erased])
