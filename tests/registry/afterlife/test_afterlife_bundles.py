"""Bundles of certificates and of what happened to them, as the installation hands them out: every verifier believes the
genuine ones under the published trust file, and refuses, at the same step, other signers and another predecessor."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest

from api import bootstrap
from api.proofs import bundle_of
from api.trust_file import REQUIRED, VOUCHERS
from ledger import canonical, checkpoint, disclosure, verify
from ledger import store as facts
from ledger.digest import twin
from ledger.facts import Fact, PartsRoot, Signed, Statement
from ledger.trust import Identity, Trust
from registry import store as views
from registry.afterlife import dispute_moves
from registry.afterlife import remark as remarks
from registry.afterlife.dispute import MOVE, Conclusion, DisputeAct
from registry.afterlife.remark import Consentable, RemarkKind
from registry.case import Answer, Role
from registry.certificate import ENTRY, RECORD
from registry.form import Held, RegistrationType
from registry.rights import Right
from scripts import verify_bundle as vb
from tests.ledger.builders import World
from tests.registry.afterlife.afterlife_house import OBJECTOR, REGISTRANT, After, after, opened, pledge_of
from tests.registry.registry_house import (
    AGENCY,
    AUTHORITY,
    DEVELOPER,
    PROVIDER,
    RIVAL,
    an_item,
    applicant,
    attachment,
    judgment,
    open_house,
)
from tests.scripts.page import node_answers

KNOWN = frozenset({f"party:{AGENCY}", f"party:{AUTHORITY}"})
HELD = [Role.REVIEWER, Role.APPROVER]


@dataclass
class Scene:
    """A house with a long history, published; `genuine` are its facts, before any test states a forged one."""

    later: After
    world: World
    transferred: str
    genuine: tuple[Fact, ...]

    def publish(self) -> None:
        self.world.publish(self.later.house.session, at=self.later.house.now)

    @property
    def trust(self) -> Trust:
        keys = self.later.house.keys
        roles = {AGENCY: ("agency",), AUTHORITY: ("deposit-authority",)}
        identities = {f"party:{code}": Identity(keys[f"party:{code}"].public, roles=roles[code]) for code in roles}
        return self.world.trust(identities=identities, required=REQUIRED, vouchers=VOUCHERS)

    def bundle(self, fact: Fact, fields: str | None = None) -> bytes:
        return bundle_of(self.later.house.session, fact.id, KNOWN, fields=fields).bytes()

    def judged(self, data: bytes) -> tuple[str, str]:
        """The first failing step of (library, stand-alone) against the newest head."""
        note = data.decode()
        head, _ = checkpoint.parse("\n".join(canonical.decode(note.strip().encode())["head"]["note"]))
        failed = verify.verify(data, self.trust, head=head, rules=bootstrap.rules()).failed
        asked = self.asked(data)
        own = vb.read_trust(asked["trust"])
        last = vb.run(vb.Case(data, own, None, vb.read_given(asked["head"], own)))[-1]
        return failed.code if failed else "", str(last["code"]) if last["ok"] is False else ""

    def asked(self, data: bytes) -> dict[str, bytes]:
        note = "\n".join(canonical.decode(data.strip())["head"]["note"]).encode()
        return {"bundle": data, "trust": canonical.encode(self.trust.document()), "head": note}

    def paged(self, bundles: list[bytes]) -> list[str]:
        """The first failing step of the verifier page for each."""
        answers = node_answers([self.asked(data) for data in bundles])
        assert all("failed" in answer for answer in answers), answers
        return [answer["failed"] for answer in answers]

    def facts(self, *kinds: str) -> list[Fact]:
        return [fact for fact in self.genuine if fact.kind in kinds]

    def restated(self, fact: Fact, *who: tuple[str, str], body: dict[str, Any] | None = None) -> Fact:
        """The same again as the next act of its subject, signed by whoever; taken in without any service."""
        statement = self.next(fact, body or fact.body)
        return self.stored(statement, *who)

    def next(self, fact: Fact, body: dict[str, Any], parts: list[bytes] | None = None) -> Statement:
        no, prev = facts.next_of(self.later.house.session, fact.subject)
        return Statement(fact.kind, fact.subject, no, prev, body, PartsRoot.over(parts) if parts else None)

    def stored(self, statement: Statement, *who: tuple[str, str], parts: list[bytes] | None = None) -> Fact:
        house = self.later.house
        signatures = tuple(house.signature(statement, by, role) for by, role in who)
        return facts.append(house.session, Signed(statement, signatures), at=house.now, parts=parts or ()).fact


@pytest.fixture(scope="module", autouse=True)
def _remember_signatures() -> Iterator[None]:
    """The stand-alone file repeats the same few verifications; they're pure, so we remember their answers."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sm3", "sm2_verify", "ed25519_verify"):
            patch.setattr(vb, name, lru_cache(maxsize=None)(getattr(vb, name)))
        yield


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A certificate encumbered, disputed, changed, transferred in part and cancelled, by every kind of act there is."""
    later = opened(open_house(tmp_path_factory.mktemp("bundles") / "house.db"))
    house = later.house
    house.hire("swing", "reviewer", "approver")
    for name, role in (("their-reviewer", "reviewer"), ("their-approver", "approver"), ("their-clerk", "intake")):
        house.hire(name, role, organisation=RIVAL)
    pledge = later.record(RemarkKind.PLEDGE, paper=pledge_of(RIVAL), to_day=later.today)
    later.extend(pledge, after(later.today, 5), paper=pledge_of(RIVAL))
    later.consent(pledge, Consentable.CHANGE_DESCRIPTION, f"party:{RIVAL}")
    later.consent(pledge, Consentable.LIFT, "staff:reviewer", "staff:approver", paper=attachment("质权人同意"))
    seizure = later.record(RemarkKind.PRESERVATION, to_day=later.today)
    later.record(RemarkKind.AGREED, to_day=later.today)
    house.now += 86_400
    assert later.timers() == ["E-04", "E-04"]
    later.confirm(seizure)
    later.lift(pledge, paper=pledge_of(RIVAL))

    disputed = later.object()
    later.move(disputed, DisputeAct("O-02", items=(an_item(),)), "staff:clerk")
    later.move(disputed, DisputeAct("O-02", answers=(Answer(1, "已补"),)), OBJECTOR)
    later.notify(disputed)
    later.contest(disputed)
    later.move(disputed, DisputeAct("O-05", items=(an_item(),)), "staff:reviewer")
    later.conclude(disputed, Conclusion.UPHELD)
    later.accept(disputed, OBJECTOR)
    later.reject(disputed, REGISTRANT)
    later.correct(objection=disputed, instrument=judgment(later.today))
    concluded = later.to_conclusion(Conclusion.NOT_UPHELD)
    later.accept(concluded, OBJECTOR)
    later.accept(concluded, REGISTRANT)
    lost = later.to_conclusion(Conclusion.UPHELD)
    later.reject(lost, REGISTRANT)
    later.move(
        lost, DisputeAct("O-10", instrument=judgment(later.today), reason="驳回"), "staff:reviewer", "staff:approver"
    )
    contact = later.object("staff:clerk")
    house.now += 86_400
    later.notify(contact)
    later.move(contact, DisputeAct("O-11", papers=(attachment("撤回书"),)), "staff:clerk")
    silent = later.object()
    later.notify(silent)
    house.now += 40 * 86_400
    assert later.timers() == ["O-06"]
    later.move(silent, DisputeAct("O-11"), OBJECTOR)

    receiver = applicant(DEVELOPER, "宁波某某数据元件有限公司（演示）")
    form = house.draft(later.code, RegistrationType.TRANSFER, moved=(Held(PROVIDER, Right.USE),), receivers=(receiver,))
    case = house.file(form)
    house.accept(case)
    house.publish(case)
    house.now += 14 * 86_400
    house.timers()
    transferred = house.deposit(case).code
    admitted = later.object(rights=(Right.HOLD, Right.OPERATE))
    later.notify(admitted)
    later.move(admitted, DisputeAct("O-04"), REGISTRANT)
    later.record(RemarkKind.TEMP_CONTROL, rights=(Right.HOLD, Right.OPERATE))
    later.cancel(move="Z-03", objection=admitted)
    made = Scene(later, World(engine=house.engine), transferred, tuple(facts.all_facts(house.session)))
    made.publish()
    yield made
    house.session.close()
    house.engine.dispose()


AFTER = (
    "remark/v1",
    "remark-consent/v1",
    "register-objection/v1",
    MOVE,
    "register-decision/v1",
)
CERTIFICATE = (ENTRY, "register-ending/v1", "certificate-status/v1", "deposit-receipt/v1")


@pytest.mark.clause("G23", "G29", "G37", "A15", "A16")
def test_bundles__of_every_act_about_encumbered_disputed_and_cancelled_certificates__intact_everywhere(
    scene: Scene,
) -> None:
    """The history makes every move of both tables by every sort of signer that it has."""
    found = scene.facts(*AFTER, *CERTIFICATE)
    made = {(fact.kind, fact.body.get("move", "")) for fact in found}
    assert {kind for kind, _ in made} == {*AFTER, *CERTIFICATE}
    assert {move for kind, move in made if kind == "remark/v1"} == {rule.move for rule in remarks.RULES}
    assert {move for kind, move in made if kind == MOVE} == {rule.move for rule in dispute_moves.RULES}
    assert views.certificate(scene.later.house.session, scene.later.code).ended == "CANCELLED"
    bundles = [scene.bundle(fact) for fact in found]
    for fact, data in zip(found, bundles, strict=True):
        assert scene.judged(data) == ("", ""), (fact.kind, fact.body.get("move"))
    assert set(scene.paged(bundles)) == {""}


def test_rules__published_for_every_row_of_both_tables(scene: Scene) -> None:
    """By whom a row is signed stands in the table; the rule that applies to its move wants just that."""
    tables = [("remark/v1", remarks.RULES), (MOVE, dispute_moves.RULES)]
    for kind, rules in tables:
        for row in rules:
            texts = [rule.split(" ", 1)[1] for rule in REQUIRED[kind] if row.move in rule.split(" ")[0]]
            assert len(texts) == 1, row.move
            offered = set(texts[0].split(" or "))
            wanted = {_demand(signers) for signers in row.signers}
            assert wanted <= offered | ({"role:agency"} if "any:party" in offered else set()), row.move


def _demand(signers: frozenset[Role]) -> str:
    if signers & {Role.APPLICANT, Role.REPRESENTATIVE, Role.OBJECTOR}:
        return "any:party"
    if signers == {Role.SYSTEM}:
        return "role:agency"
    return f"staff:{'|'.join(role.value for role in [*HELD, Role.INTAKE] if role in signers)}@agency"


SYSTEM = ((f"party:{AGENCY}", "system"),)
TWO = (("staff:reviewer", "reviewer"), ("staff:approver", "approver"))
WRONG: dict[str, tuple[tuple[str, str], ...]] = {
    "one of two": TWO[:1],
    "two of one capacity": (TWO[0], ("staff:second", "reviewer")),
    "one person in both": (("staff:swing", "reviewer"), ("staff:swing", "approver")),
    "another organisation's": (("staff:their-reviewer", "reviewer"), ("staff:their-approver", "approver")),
    "one of another organisation": (TWO[0], ("staff:their-approver", "approver")),
    "in a capacity not held": (TWO[0], ("staff:clerk", "approver")),
    "without capacity": (("staff:reviewer", ""), ("staff:approver", "")),
    "and a party": (*TWO, (REGISTRANT, "")),
    "and a third": (*TWO, ("staff:second", "reviewer")),
    "the clerk": (("staff:clerk", "intake"),),
}
PARTY, CLERK = ((OBJECTOR, ""),), (("staff:clerk", "intake"),)
CASES: list[tuple[str, str, dict[str, tuple[tuple[str, str], ...]]]] = [
    ("remark/v1", "E-01", WRONG | {"system": SYSTEM, "party": PARTY}),
    ("remark/v1", "E-04", {name: WRONG[name] for name in ("and a third", "the clerk")} | {"two": TWO, "party": PARTY}),
    ("remark-consent/v1", "", WRONG),
    ("register-objection/v1", "", WRONG | {"two": TWO, "clerk and party": (*CLERK, *PARTY)} | {"the clerk": TWO[:1]}),
    (MOVE, "O-03", {**WRONG, "the clerk": (("staff:their-clerk", "intake"),), "party": PARTY}),
    (MOVE, "O-04", WRONG | {"two": TWO}),
    (MOVE, "O-06", WRONG | {"two": TWO, "party": PARTY}),
    (MOVE, "O-07", WRONG | {"system": SYSTEM, "party": PARTY}),
    (MOVE, "O-10", WRONG | {"party": PARTY}),
    ("register-decision/v1", "", WRONG | {"system": SYSTEM, "party": PARTY}),
]


@pytest.mark.parametrize(("kind", "move", "wrong"), CASES, ids=[f"{kind} {move}" for kind, move, _ in CASES])
def test_bundles__signed_by_others__refused_for_their_signers_everywhere(
    scene: Scene, kind: str, move: str, wrong: dict[str, tuple[tuple[str, str], ...]]
) -> None:
    fact = next(item for item in scene.facts(kind) if not move or item.body["move"] == move)
    forged = {name: scene.restated(fact, *who) for name, who in wrong.items()}
    scene.publish()
    bundles = {name: scene.bundle(item) for name, item in forged.items()}
    for name, data in bundles.items():
        assert scene.judged(data) == ("V07", "V07"), name
    assert set(scene.paged(list(bundles.values()))) == {"V07"}


# Predecessors ---------------------------------------------------------------------------------------------------------

Document = dict[str, Any]


def both(**changes: Any) -> Callable[[Document, Document], None]:
    """The same change of the predecessor in the entry and in its record."""

    def change(body: Document, record: Document) -> None:
        for document in (body, record):
            document["predecessor"] |= changes

    return change


def entry(**changes: Any) -> Callable[[Document, Document], None]:
    return lambda body, record: body["predecessor"].update(changes)


def record(**changes: Any) -> Callable[[Document, Document], None]:
    return lambda body, record: record["predecessor"].update(changes)


def dropped(*where: int) -> Callable[[Document, Document], None]:
    def change(*documents: Document) -> None:
        for place in where:
            del documents[place]["predecessor"]

    return change


def top(**changes: Any) -> Callable[[Document, Document], None]:
    return lambda body, record: body.update(changes)


OTHER = "SJ3312026079999"
MUTANTS: dict[str, Callable[[Document, Document], None]] = {
    "of another version": entry(version=7),
    "of another version, in the record": record(version=7),
    "of another version, in both": both(version=7),
    "with no such end, in both": both(status="LAPSED"),
    "of another code": entry(code=OTHER),
    "of another code, in the record": record(code=OTHER),
    "with three, in both": both(successors=3),
    "with none, in both": both(successors=0),
    "as text, in both": both(version="1"),
    "of version 0, in both": both(version=0),
    "with a field of its own, in both": both(note="x"),
    "left out": dropped(0),
    "left out of the record": dropped(1),
    "another type": top(type="初次登记"),
    "no such type": top(type="年检"),
    "a version too far": top(version=9),
    "no version": top(version=0),
    "no code": top(code="SJ3312026130001"),
    "over before it begins": top(valid_until=1),
    "an unknown field": top(price=1),
}
CHANGED_ONLY: dict[str, Callable[[Document, Document], None]] = {
    "of another code, in both": both(code=OTHER),
    "left out of both": dropped(0, 1),
}


def _mutated(scene: Scene, fact: Fact, change: Callable[[Document, Document], None]) -> Fact:
    """The entry again with another meaning, its record's digest and parts right, signed by the agency itself."""
    body = copy.deepcopy(fact.body)
    stored = facts.parts_of(scene.later.house.session, fact.id)
    document = disclosure.document_of(body["fields"], stored)
    change(body, document)
    body["fields"] = list(disclosure.names_of(document))
    body["record_digest"] = twin(canonical.encode({"record": document, "tag": RECORD})).document()
    parts = list(disclosure.parts_of(document))
    return scene.stored(scene.next(fact, body, parts), (f"party:{AGENCY}", "system"), parts=parts)


def _entries(scene: Scene) -> dict[str, Fact]:
    """The entry of the changed certificate, of the one that received a right, and what the giver's became."""
    found = {(fact.body["code"], fact.body["version"]): fact for fact in scene.facts(ENTRY)}
    code = scene.later.code
    return {"changed": found[code, 2], "kept": found[code, 3], "received": found[scene.transferred, 1]}


@pytest.mark.clause("G34", "G35", "T-04", "T-05", "B-03")
@pytest.mark.parametrize("which", ["changed", "kept", "received"])
def test_later_version__another_predecessor__refused_at_the_same_step_everywhere(scene: Scene, which: str) -> None:
    genuine = _entries(scene)[which]
    assert genuine.body["predecessor"]["successors"] == (1 if which == "changed" else 2)
    own = genuine.body["predecessor"]
    mutants = MUTANTS | {
        "with another end": entry(status="CANCELLED"),
        "with another end, in the record": record(status="CANCELLED"),
        "with another number of successors": entry(successors=3 - own["successors"]),
    }
    if which == "received":
        del mutants["of another version, in both"]  # a lie that contradicts nothing but the register itself
        mutants |= {"of its own code, in both": both(code=scene.transferred), "a second version": top(version=2)}
    else:
        mutants |= CHANGED_ONLY
    made = {name: _mutated(scene, genuine, change) for name, change in mutants.items()}
    scene.publish()
    bundles = {name: scene.bundle(fact) for name, fact in made.items()}
    for name, data in bundles.items():
        assert scene.judged(data) == ("V14", "V14"), name
    assert set(scene.paged(list(bundles.values()))) == {"V14"}
    assert scene.judged(scene.bundle(genuine)) == ("", "")


def test_later_version__with_its_predecessor_hidden__the_number_is_judged_and_no_more(scene: Scene) -> None:
    genuine = _entries(scene)["changed"]
    shown = "rights,holders"
    cases = {"a version too far": "V14", "of another version": "V14", "of another code": "V14", "with another end": ""}
    mutants = MUTANTS | {"with another end": entry(status="TRANSFERRED")}
    made = {name: _mutated(scene, genuine, mutants[name]) for name in cases}
    scene.publish()
    bundles = {name: scene.bundle(fact, shown) for name, fact in made.items()}
    assert {name: scene.judged(data) for name, data in bundles.items()} == {n: (c, c) for n, c in cases.items()}
    assert scene.paged(list(bundles.values())) == list(cases.values())
