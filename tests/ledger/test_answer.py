"""Answers to "all facts of X": a true one passes, and one that hides, adds, swaps or moves an act is refused by name.

The forger here owns database and answer, re-canonicalises what he changed, and may use any true answer as material;
he does not own the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ledger import answer, audit, bundle, canonical, completeness, log, signing, store, subject_map
from ledger.answer import NotCovered
from ledger.errors import ChainUnavailable, FieldError
from ledger.facts import Fact, Signed, Statement
from ledger.verify import Report
from tests.ledger.builders import NOW, ORIGIN, World, introduce, key, state

Document = dict[str, Any]


def say(session: Session, subject: str, text: str) -> Fact:
    return state(session, "entry/v1", subject, {"text": text}, "party:A")


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[World, Session]]:
    """Forty subjects; note:1 has three acts in the published map, and a fourth since."""
    world = World()
    with world.session() as session:
        for i in range(40):
            say(session, f"note:{i}", "一")
        say(session, "note:1", "二")
        say(session, "note:1", "三")
        world.cover(session)
        world.publish(session)
        say(session, "note:1", "四")
        yield world, session
    world.engine.dispose()


@pytest.fixture(scope="module")
def world(told: tuple[World, Session]) -> World:
    return told[0]


@pytest.fixture(scope="module")
def true(told: tuple[World, Session]) -> Callable[[str], Document]:
    def made(subject: str) -> Document:
        found = answer.assemble(told[1], ORIGIN, subject)
        return dict(canonical.decode(found.bytes()[:-1]))

    return made


def check(world: World, document: Document) -> Report:
    return answer.verify_answer(canonical.encode(document) + b"\n", world.trust(), chain=world.chain)


def refused_at(world: World, document: Document) -> str:
    report = check(world, document)
    assert not report.intact
    assert report.failed is not None
    assert report.status.code == "UNKNOWN"
    return report.failed.code


def test_present__all_acts_and_the_one_since__complete(world: World, true: Callable[[str], Document]) -> None:
    document = true("note:1")
    assert [len(document[name]) for name in ("facts", "newer")] == [3, 1]
    report = check(world, document)
    assert report.intact, report.failed
    assert (report.status.code, report.status.as_of) == ("COMPLETE", NOW)
    assert "3" in report.status.reason
    assert "42" in report.status.reason
    assert any("not yet covered" in limit for limit in report.not_proved)


@pytest.mark.parametrize("subject", [f"note:{i}" for i in range(100, 140)])
def test_absent__another_leaf_or_nothing_there__none(
    world: World, true: Callable[[str], Document], subject: str
) -> None:
    document = true(subject)
    report = check(world, document)
    assert report.intact, report.failed
    assert report.status.code == "NONE"


def test_absent__stated_since__none_in_the_map_and_one_newer(world: World, told: tuple[World, Session]) -> None:
    with told[1].begin_nested() as savepoint:
        say(told[1], "note:500", "新")
        document = canonical.decode(answer.assemble(told[1], ORIGIN, "note:500").bytes()[:-1])
        savepoint.rollback()
    report = check(world, document)
    assert (report.intact, report.status.code) == (True, "NONE")
    assert any("not yet covered" in limit for limit in report.not_proved)


def test_withheld__digests_in_place_of_acts__still_complete(world: World, told: tuple[World, Session]) -> None:
    found = answer.assemble(told[1], ORIGIN, "note:1", lambda fact: fact.body["text"] == "二")
    assert [row.why for row in found.facts] == ["withheld", "", "withheld"]
    document = canonical.decode(found.bytes()[:-1])
    report = check(world, document)
    assert report.intact, report.failed
    assert any("#0、#2、#3" in limit for limit in report.not_proved)
    document["facts"][0]["closed"]["statement"]["sha256"] = "00" * 32
    assert refused_at(world, document) == "C04"


def _hide(place: int) -> Callable[[Document], object]:
    return lambda d: d["facts"].pop(place)


def _hide_and_recount(place: int) -> Callable[[Document], object]:
    return lambda d: (d["facts"].pop(place), d["leaf"].update(count=2))


def _claim_last(document: Document) -> None:
    last = Fact.of_document(document["facts"][1]["fact"]).statement.digest()
    document["facts"].pop()
    document["leaf"].update(count=2, last=last.document())


def _other_text(document: Document) -> None:
    document["facts"][1]["fact"]["statement"]["body"]["text"] = "改"


def _other_last(document: Document) -> None:
    document["facts"][2]["fact"]["statement"]["body"]["text"] = "改"


def _signature(document: Document) -> None:
    signature = document["facts"][0]["fact"]["signatures"][0]
    signature["value"] = signature["value"][:-1] + ("0" if signature["value"][-1] != "0" else "1")


FORGERIES: dict[str, tuple[Callable[[Document], object], str]] = {
    "the first act hidden": (_hide(0), "C04"),
    "an act in the middle hidden": (_hide(1), "C04"),
    "the last act hidden": (_hide(2), "C04"),
    "hidden, and the count made to fit": (_hide_and_recount(1), "C03"),
    "the last hidden, count and digest made to fit": (_claim_last, "C03"),
    "said to be absent": (lambda d: (d.pop("leaf"), d["facts"].clear()), "C03"),
    "said to be absent, acts shown as newer": (lambda d: d.update(newer=d["facts"] + d["newer"], facts=[]), "C04"),
    "an act altered": (_other_text, "C04"),
    "the last act altered": (_other_last, "C04"),
    "acts swapped": (lambda d: d["facts"].reverse(), "C04"),
    "an act twice": (lambda d: d["facts"].insert(0, d["facts"][0]), "C04"),
    "a newer act hidden in between": (lambda d: d["newer"].append(d["newer"][0]), "C04"),
    "a signature altered": (_signature, "C05"),
    "a sibling left out": (lambda d: d["path"].update(sha256="", sm3=""), "C03"),
    "one hash only": (lambda d: d["path"].pop("sm3"), "C01"),
    "a count of none": (lambda d: d["leaf"].update(count=0), "C01"),
    "another subject's name": (lambda d: d.update(subject="note:2"), "C03"),
    "an absent subject's name": (lambda d: d.update(subject="note:999"), "C03"),
    "a field of nobody's": (lambda d: d.update(more=1), "C01"),
    "another format": (lambda d: d.update(format="shuqing-subject/v2"), "C01"),
    "rows that are none": (lambda d: d.update(facts={}), "C01"),
    "a closed row for no reason": (
        lambda d: d["facts"].__setitem__(
            0, {"closed": {"no": 0, "statement": {"sha256": "0" * 64, "sm3": "0" * 64}, "why": "secret"}}
        ),
        "C01",
    ),
    "a map fact of other words": (lambda d: d["map"]["fact"]["statement"]["body"].update(subjects=1), "C02"),
    "a head of nobody's": (lambda d: d["map"]["head"]["note"].__setitem__(1, "9999"), "C02"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged__refused_by_the_step_it_breaks(world: World, true: Callable[[str], Document], name: str) -> None:
    forge, step = FORGERIES[name]
    document = true("note:1")
    forge(document)
    assert refused_at(world, document) == step


def test_forged__another_subjects_leaf_and_path_for_an_absent_claim__refused(
    world: World, true: Callable[[str], Document]
) -> None:
    """Every true path of every other subject, offered as proof that note:1 has nothing."""
    for i in range(2, 40):
        document = true(f"note:{i}") | {"subject": "note:1", "facts": [], "newer": []}
        assert refused_at(world, document) == "C03"


def test_forged__a_bundle_of_another_fact_as_map__refused(
    world: World, told: tuple[World, Session], true: Callable[[str], Document]
) -> None:
    other = store.facts_of(told[1], "note:3")[0]
    document = true("note:1") | {"map": bundle.assemble(told[1], other.id).document()}
    assert refused_at(world, document) == "C03"


def test_operator_hides_an_act__its_own_map_says_two__whoever_has_the_act_shows_it() -> None:
    """The map of an operator who left an act out is signed, sealed and consistent: only a replay of the log, or the
    bundle of the act, shows that it lies. The audit names the map fact."""
    world = World()
    with world.session() as session:
        for text in ("一", "二", "三"):
            say(session, "note:1", text)
        while log.integrate(session):
            pass
        facts = store.facts_of(session, "note:1")
        leaf = completeness.Leaf(completeness.key_of("note:1"), 2, completeness.joined(facts[1].statement.digest()))
        root = completeness.parted(completeness.hash_of([leaf]))
        subject = subject_map.subject_of(ORIGIN)
        statement = Statement(
            subject_map.KIND, subject, 0, None, {"root": root.document(), "size": 3, "subjects": 1}
        )  # fmt: skip
        signed = Signed(statement, (signing.sign_sm2(key("party:A"), statement, by="party:A"),))
        lie = store.append(session, signed, at=NOW).fact
        world.publish(session)
        named = [finding for finding in audit.maps(session, ORIGIN) if finding.table == "fact"]
        assert [(finding.row, finding.column) for finding in named] == [(lie.id, "body.root")]
        with pytest.raises(NotCovered):
            answer.assemble(session, ORIGIN, "note:1")
    world.engine.dispose()


def test_signer__a_map_signed_by_another__refused() -> None:
    world = World()
    with world.session() as session:
        introduce(session, "party:X", "party:A")
        say(session, "note:1", "一")
        while log.integrate(session):
            pass
        subject_map.cover(session, ORIGIN, signing.SystemSigner(key("party:X"), "party:X"), at=NOW)
        world.publish(session)
        document = canonical.decode(answer.assemble(session, ORIGIN, "note:1").bytes()[:-1])
        assert refused_at(world, document) == "C02"
    world.engine.dispose()


def test_assemble__before_the_first_published_map__not_covered() -> None:
    world = World()
    with world.session() as session:
        say(session, "note:1", "一")
        with pytest.raises(NotCovered):
            answer.assemble(session, ORIGIN, "note:1")
        world.cover(session)
        world.seal(session)
        with pytest.raises(NotCovered):
            answer.assemble(session, ORIGIN, "note:1")
    world.engine.dispose()


@pytest.mark.parametrize("subject", ["", "note", "note:", "note:\ud800", "事项:1", "note:" + "x" * 300, "a b:c"])
def test_assemble__a_text_that_is_no_subject__field_error(told: tuple[World, Session], subject: str) -> None:
    with pytest.raises(FieldError, match=r"statement\.subject"):
        answer.assemble(told[1], ORIGIN, subject)


def test_verify__a_node_that_does_not_answer__is_no_verdict(world: World, true: Callable[[str], Document]) -> None:
    class Silent:
        def __getattr__(self, name: str) -> Any:
            raise ChainUnavailable("no answer")

    data = canonical.encode(true("note:1"))
    with pytest.raises(ChainUnavailable):
        answer.verify_answer(data, world.trust(), chain=Silent())  # type: ignore[arg-type]


def test_recognised__answers_and_nothing_else(true: Callable[[str], Document]) -> None:
    document = true("note:1")
    assert answer.recognised(canonical.encode(document) + b"\n")
    assert not answer.recognised(canonical.encode(document["map"]))
    assert not answer.recognised(b"\xff")
    assert not answer.recognised(b"[]")


def test_size__without_rows__under_ten_kilobytes(true: Callable[[str], Document]) -> None:
    document = true("note:1") | {"facts": [], "newer": []}
    assert len(canonical.encode(document)) < 10_000
