"""Forms to documents and back: what is typed makes the form it came from, and each wrong field is named beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.bodies import WrongType
from api.office import application_form as forms
from api.office import moves, words
from api.office.fields import flat, read_fields, rows, tidy
from api.sessions import Visitor
from ledger import canonical
from ledger.errors import FieldError, Malformed
from ledger.reading import body_of
from registry.application import RULES, STATED_OTHERWISE, submitted
from registry.asset import Source, Volume
from registry.calendar import day_of
from registry.case import STAFF, Act, Answer, Case, Item, Review, Role, State, World
from registry.form import Declarations, Form, PublicData, Representative, publicity_text
from registry.objection import Decision, Outcome, Raised
from registry.party import IdType, PartyKind
from registry.rights import Basis, Right, RightRow, SourceKind
from registry.scheme import NATIONAL_2026
from tests.api.house import Platform
from tests.api.office import fields_of, person, typed_in
from tests.api.office import words as text_of
from tests.counts import few
from tests.registry.registry_house import (
    AGENCY,
    CALENDAR,
    DEVELOPER,
    PROVIDER,
    a_form,
    an_item,
    applicant,
    attachment,
    moment,
)

NOW = moment("2026-08-03 09:00")
texts = (
    st.text(alphabet=st.sampled_from("数据产权登记 abc；'\"<>&%=+，。0"), min_size=1, max_size=20)
    .map(tidy)
    .filter(bool)
)
names = texts.filter(lambda text: "；" not in text)


@st.composite
def any_form(draw: st.DrawFn) -> Form:
    """Forms of every shape that the page can make."""
    people = draw(st.lists(st.sampled_from([PROVIDER, DEVELOPER]), min_size=1, max_size=2, unique=True))
    applicants = tuple(applicant(code, draw(names)) for code in people)
    if draw(st.booleans()):
        natural = replace(
            applicants[0], kind=PartyKind.NATURAL, id_type=IdType.RESIDENT, id_no="11010519491231002X", business=None
        )
        applicants = (natural, *applicants[1:])
    rights = tuple(
        RightRow(
            item.name, item.id_no, draw(st.sampled_from(Right)), draw(texts),
            draw(st.none() | st.just("2026-01-01")), draw(st.none() | st.just("2027-01-01")),
            draw(st.just("") | texts), tuple(draw(st.lists(names, max_size=2))),
        )
        for item in applicants
    )  # fmt: skip
    form = a_form(applicants=applicants)
    description = replace(
        form.description,
        data_name=draw(texts),
        overview=draw(st.just("") | texts),
        volume=tuple(
            Volume(n, draw(texts)) for n in draw(st.lists(st.sampled_from(["1", "0.5"]), min_size=1, max_size=3))
        ),
        sources=tuple(Source(code, draw(st.just("") | texts)) for code in draw(st.lists(names, max_size=2))),
    )
    return replace(
        form,
        description=description,
        rights=rights,
        source_kind=draw(st.sampled_from(SourceKind)),
        right_basis=draw(st.sampled_from(Basis)),
        declarations=Declarations(draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from(PublicData)), ""),
        attachments=tuple(attachment(kind) for kind in draw(st.lists(names, max_size=3, unique=True))),
        years=draw(st.integers(1, 100)),
        authorised_until=draw(st.none() | st.just("2030-01-01")),
        waiver_reason=draw(st.just("") | texts),
        participants=tuple(draw(st.lists(names, max_size=2))),
        representative=draw(st.none() | st.builds(Representative, names, names)),
    )


@given(any_form())
@settings(max_examples=few(60), deadline=None)
def test_form__typed_on_the_page__is_the_form_again(form: Form) -> None:
    found = forms.checked(fields_of(form), AGENCY, NOW)
    assert found.form == form, found.messages
    assert forms.values_of(body_of(found.form), flat(body_of(found.form))) == fields_of(form)


@given(st.dictionaries(st.sampled_from(sorted(fields_of(a_form()))), st.text(max_size=30), max_size=8))
@settings(max_examples=few(150), deadline=None)
def test_form__whatever_is_typed__never_raises_and_says_why(changes: dict[str, str]) -> None:
    values = fields_of(a_form()) | {name: tidy(value) for name, value in changes.items()}
    found = forms.checked(values, AGENCY, NOW)
    assert (found.form is not None) or found.messages
    assert all(item.zh and not item.zh.isascii() for items in found.messages.values() for item in items)
    for group in forms.groups(values):
        for widget in group.widgets:
            assert widget.value == values.get(widget.name, widget.value)


@pytest.mark.parametrize("name", [w.name for g in forms.groups(fields_of(a_form())) for w in g.widgets if w.required])
def test_form__each_required_field__its_absence_is_said_beside_it(name: str) -> None:
    found = forms.checked(fields_of(a_form()) | {name: ""}, AGENCY, NOW)
    assert found.form is None
    assert found.stops
    assert found.messages[name][0].zh.startswith(("请填写", "请选择"))
    assert set(found.messages) == {name}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("applicants.0.id_no", "91350100M000100Y4Z", "校验位"),
        ("description.time_from", "2026-8-3", "日期应为"),
        ("description.time_from", "2026-02-30", "日期不存在"),
        ("description.volume.0.number", "很多", "应为数字"),
        ("description.region_scope", "月球", "从列表中选择"),
        ("description.data_name", "长" * 201, "不能超过 200"),
        ("description.data_name", "长" * 41, "不宜超过40个字"),
        ("description.content", "[", "数据内容"),
        ("description.content", '[{"name":"x"}]', "必填"),
        ("attachments", "{}", "附件材料"),
        ("years", "9", "申请有效期超过"),
        ("years", "0", "申请有效期"),
    ],
)
def test_form__a_wrong_field__is_named_in_chinese_and_kept(name: str, value: str, says: str) -> None:
    values = fields_of(a_form()) | {name: value}
    found = forms.checked(values, AGENCY, NOW)
    assert any(says in item.zh for item in found.messages[name]), found.messages
    widgets = {w.name: w.value for g in forms.groups(values) for w in g.widgets}
    assert widgets[name] == value


def test_form__files_changed_behind_the_digest__cannot_happen() -> None:
    """The manifest's digest is computed here, never taken from the page."""
    values = fields_of(a_form())
    files = json.loads(values[forms.FILES])
    files[0]["digest"]["sm3"] = "0" * 64
    found = forms.checked(values | {forms.FILES: json.dumps(files)}, AGENCY, NOW)
    assert found.form is not None
    assert found.form.description.content.digest != a_form().description.content.digest
    twice = json.dumps([*files, files[0]])
    assert "文件名不重复" in forms.checked(values | {forms.FILES: twice}, AGENCY, NOW).messages[forms.FILES][0].zh


def test_rows__added_and_removed__the_others_stay_as_typed() -> None:
    values = forms.grown(fields_of(a_form()), "rights")
    assert forms.count(values, "rights") == 4
    assert values["rights.3.holder_id"] == PROVIDER
    less = forms.shrunk(values, "rights", 1)
    assert [row["right"] for row in rows(less, "rights")[:2]] == ["HOLD", "OPERATE"]
    assert forms.grown(values, "elsewhere") == forms.renumbered(values)
    many = values
    for _ in range(200):
        many = forms.grown(many, "description.volume")
    assert forms.count(many, "description.volume") == forms.REPEATED["description.volume"]


def test_page__what_was_typed_is_kept_and_findings_stand_beside_their_fields(platform: Platform) -> None:
    somebody = person(platform, f"party:{PROVIDER}")
    wrong = fields_of(a_form()) | {"applicants.0.phone": "", "description.data_name": "名" * 41}
    answer = somebody.post("/office/drafts", {**wrong, "do": "preview"})
    assert "请填写联系电话" in answer.text
    kept = typed_in(answer.text)
    assert {name: kept.get(name, "") for name in wrong} == wrong
    fixed = kept | {"applicants.0.phone": "0571-00000000", "do": "check"}
    page = text_of(somebody.post("/office/drafts", fixed).text)
    assert "可以提交" in page
    assert "PC-05" in page
    assert "数据名称共41字，不宜超过40个字" in page


# Moves ----------------------------------------------------------------------------------------------------------------


STAFFED = Visitor("staff:x", AGENCY, frozenset(role.value for role in STAFF), "x", "", 0)
PARTY = Visitor(f"party:{PROVIDER}", PROVIDER, frozenset(), "x", "", 0)
RAISED = "e" * 32


def case_in(state: State) -> Case:
    case = submitted("a" * 32, a_form(), NOW)
    return replace(
        case, state=state, open_items=(an_item(),), asked=(1,), released_at=NOW, accepted_on="2026-08-03",
        objections=(Raised(RAISED, NOW),),
    )  # fmt: skip


CELLS = [
    (move, state)
    for move, rule in RULES.items()
    for state in sorted(state for state in rule.sources if state)
    if move not in STATED_OTHERWISE and frozenset({Role.SYSTEM}) not in rule.signers
]
FULL = Act(
    move="I-00",
    reason="理由",
    items=(Item(1, "数据样例", "不足"),),
    deadline=moment("2026-08-18 00:00"),
    answers=(Answer(1, "已补"),),
    accepted_on="2026-08-03",
    days=3,
    cannot_supply=True,
    cannot_verify=True,
    review=Review(True, True, True, "说明"),
    publicity=publicity_text(a_form()),
    decisions=(Decision(RAISED, Outcome.REJECTED, "不成立"),),
    papers=(attachment("其他材料"),),
)


@pytest.mark.parametrize(("move", "state"), CELLS)
def test_move__its_form_asks_for_what_its_row_needs__and_makes_that_act(move: str, state: State) -> None:
    """For every row of the table a person may begin: fill the form with an act, read the act back."""
    case, world = case_in(state), World(AGENCY, NATIONAL_2026, CALENDAR)
    before = moves.Before(case, world, NOW)
    for visitor in (STAFFED, PARTY):
        for chosen in (item for item in moves.possible(case, visitor) if item.rule.move == move):
            wanted = chosen.rule.needs | chosen.rule.may
            ground = sorted(moves.conditions.GROUNDS.get(move, [""]))[0]
            given = {n: getattr(FULL, n) for n in wanted if n not in ("form", "record", "ground")}
            if chosen.own is Role.REVIEWER:
                given.pop("answers", None)
            act = Act(**{**given, "move": move, "ground": ground if "ground" in wanted else ""})
            typed = moves.typed_of(canonical.decode(canonical.encode(body_of(act))))
            asked = {w.name for g in moves.form_of(chosen, before, typed) for w in g.widgets}
            for name in chosen.rule.needs:
                assert any(item == name or item.startswith(f"{name}.") for item in asked), name
            assert moves.act_of(chosen, before, typed) == act
            assert words.MOVES[move]
            assert words.MOVES_EN[move]
            return
    pytest.fail("nobody can begin this move")


@pytest.mark.parametrize(("move", "state"), CELLS)
def test_move__an_empty_form__is_refused_at_a_field_or_by_the_table(move: str, state: State) -> None:
    case, world = case_in(state), World(AGENCY, NATIONAL_2026, CALENDAR)
    before = moves.Before(case, world, NOW)
    for visitor in (STAFFED, PARTY):
        for chosen in moves.possible(case, visitor):
            if chosen.rule.move != move:
                continue
            asked = {w.name for g in moves.form_of(chosen, before, {}) for w in g.widgets}
            refusal = None
            try:
                moves.act_of(chosen, before, {})
            except FieldError as error:
                refusal = error
            if refusal is not None:
                assert refusal.field in asked | {"items"}, refusal.field
                assert not words.told(refusal)[0].isascii()


def test_moves__of_each_person__are_those_of_the_table_for_their_roles() -> None:
    for state in State:
        case = case_in(state)
        for role in STAFF:
            one = Visitor("staff:x", AGENCY, frozenset({role.value}), "x", "", 0)
            expected = {
                move
                for move, rule in RULES.items()
                if state in rule.sources and move not in STATED_OTHERWISE and any(role in s for s in rule.signers)
            }
            assert {item.rule.move for item in moves.possible(case, one)} == expected
        foreign = Visitor("staff:x", DEVELOPER, frozenset(role.value for role in STAFF), "x", "", 0)
        assert moves.possible(case, foreign) == []


@pytest.mark.clause("I-03", "I-05")
def test_slots__all_applicants_where_all_must_agree__two_persons_where_two_decide() -> None:
    two = a_form(applicants=(applicant(PROVIDER, "甲"), applicant(DEVELOPER, "乙")))
    case = replace(case_in(State.CORRECTION), form=two)
    chosen = {item.rule.move: item for item in moves.possible(case, PARTY)}
    both = (f"party:{PROVIDER}", f"party:{DEVELOPER}")
    assert tuple(s.by for s in moves.slots(chosen["I-03"], PARTY, case, Act("I-03"))) == both
    assert tuple(s.by for s in moves.slots(chosen["I-05"], PARTY, case, Act("I-05"))) == both[:1]
    assert tuple(s.by for s in moves.slots(chosen["I-05"], PARTY, case, Act("I-05", form=two))) == both
    review = {item.rule.move: item for item in moves.possible(case_in(State.UNDER_REVIEW), STAFFED)}["I-15"]
    places = moves.slots(review, STAFFED, case_in(State.UNDER_REVIEW), Act("I-15"))
    assert sorted(place.role for place in places) == ["approver", "reviewer"]
    assert [bool(place.by) for place in places] == [True, False]


def test_words__every_move_state_field_and_role_has_a_chinese_name() -> None:
    fields = {name for type_ in (Act, Form, Review, Decision, Item, Answer) for name in type_.__dataclass_fields__}
    assert fields - set(words.FIELDS) - {"form"} == set()
    assert set(words.MOVES) >= set(RULES)
    assert set(words.ROLES) >= {role.value for role in Role}
    grounds = {code for codes in moves.conditions.GROUNDS.values() for code in codes}
    assert grounds <= set(words.VALUES["ground"])
    assert set(words.VALUES["right_basis"]) == {basis.value for basis in Basis}


# Posted fields --------------------------------------------------------------------------------------------------------


def test_fields__read_strictly() -> None:
    kind = "application/x-www-form-urlencoded"
    assert read_fields(kind, b"a=%E6%95%B0%0D%0A%E6%B8%85&b.0.c=+x+") == {"a": "数 清", "b.0.c": "x"}
    assert read_fields(f"{kind}; charset=utf-8", b"") == {}
    with pytest.raises(WrongType):
        read_fields("text/plain", b"a=1")
    for bad in (b"a=%ff", b"\xff=1", b"&".join(b"a=1" for _ in range(3000))):
        with pytest.raises(Malformed):
            read_fields(kind, bad)
    for bad in (b"A=1", b"a..b=1", b"__proto__.x[]=1", b"=1"):
        with pytest.raises(FieldError):
            read_fields(kind, bad)


@given(st.text(max_size=60))
@settings(max_examples=few(200), deadline=None)
def test_tidy__makes_texts_our_documents_take(text: str) -> None:
    if any(0xD800 <= ord(char) <= 0xDFFF or not _kept(char) for char in text):
        return
    canonical.encode({"x": tidy(text)})
    assert tidy(tidy(text)) == tidy(text)


def _kept(char: str) -> bool:
    """What the canonical form refuses and tidy leaves alone is refused later, by name: not this test's matter."""
    return char in "\r\n\t" or not canonical._FORBIDDEN.search(char) or tidy(char) == ""


def test_deadline__preset_by_the_clock_and_read_as_the_end_of_that_day() -> None:
    before = moves.Before(case_in(State.SUBMITTED), World(AGENCY, NATIONAL_2026, CALENDAR), NOW)
    chosen = next(item for item in moves.possible(before.case, STAFFED) if item.rule.move == "I-04")
    laid = {w.name: w for g in moves.form_of(chosen, before, {}) for w in g.widgets}
    assert laid["deadline"].value == "2026-08-17"
    assert day_of(NOW).isoformat() == "2026-08-03"
    december = replace(before, now=moment("2026-12-28 09:00"))
    laid = {w.name: w for g in moves.form_of(chosen, december, {}) for w in g.widgets}
    assert laid["deadline"].value == ""
    assert "2027年工作日安排未公布" in laid["deadline"].help
