"""The conditions of the moves, one function each: what is refused, in both languages, or `None`.

Their names stand in the table of `registry.application` and in every refusal, so a refusal leads to its article.
`ONLY_FOR` says which of them belong to some types of registration only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from registry.calendar import day_of, start_of
from registry.case import (
    Case,
    Moment,
    Role,
    acceptance_ends,
    awaits_release,
    completion_due,
    deemed_acceptance_day,
    publicity_ends,
)
from registry.errors import CalendarPending
from registry.form import LATER, PublicData, RegistrationType, applicant_ids, publicity_text, right_gaps
from registry.objection import Outcome
from registry.scheme import NATIONAL_2026
from registry.succession import (
    Misfit,
    announcement_needed,
    filed_on,
    misfits,
    section_misfits,
    standing_misfit,
    window_misfit,
)

Refusal = tuple[str, str] | None
Guard = Callable[[Case, Moment], Refusal]

GROUNDS: Mapping[str, frozenset[str]] = {
    move: NATIONAL_2026.grounds(move) for move in sorted({m for r in NATIONAL_2026.reasons.values() for m in r.moves})
}
"""Reasons by move in the default rule set; a case is judged by its own."""


def every_applicant_signed(case: Case, moment: Moment) -> Refusal:
    """All co-applicants, or the representative, signed."""
    if any(actor.role is Role.REPRESENTATIVE for actor in moment.actors):
        return None
    signed = {actor.organisation for actor in moment.actors}
    missing = sorted(applicant_ids(case.form) - signed)
    if missing:
        return f"{', '.join(missing)} 尚未签署。", "an applicant has not signed"
    return None


def agency_is_not_applicant(case: Case, moment: Moment) -> Refusal:
    """G10(七): an agency may not apply to itself."""
    if moment.world.agency in applicant_ids(case.form):
        return "登记机构不得作为登记申请人在本登记机构申请登记。", "an agency may not apply to itself"
    return None


def addressed_to_this_agency(case: Case, moment: Moment) -> Refusal:
    """The form names the agency that decides."""
    if case.form.agency != moment.world.agency:
        return "申请表载明的登记机构不是本机构。", "addressed to another agency"
    return None


def written_in_time(case: Case, moment: Moment) -> Refusal:
    """C01 has not ended; afterwards the application is deemed accepted (art. 17)."""
    try:
        ends = acceptance_ends(case, moment.world)
    except CalendarPending:
        return None
    if moment.now >= ends:
        return (
            "告知期限已满，视为受理，不能再告知补正或不予受理。",
            "the three working days are over; the application is deemed accepted",
        )
    return None


def one_complete_list(case: Case, moment: Moment) -> Refusal:
    """一次性告知: item numbers are distinct; a later list only repeats items of the first."""
    numbers = [item.no for item in moment.act.items]
    if len(set(numbers)) != len(numbers):
        return "补正事项编号重复。", "an item number occurs twice"
    new = sorted(set(numbers) - set(case.asked))
    if case.asked and new:
        return f"补正事项应一次性告知，不得新增第 {new} 项。", "corrections are asked for once and completely"
    return None


def deadline_is_whole_day(case: Case, moment: Moment) -> Refusal:
    """A deadline lies ahead and ends a day at 24:00 Asia/Shanghai."""
    deadline = moment.act.deadline
    assert deadline is not None
    if deadline <= moment.now or deadline != start_of(day_of(deadline)):
        return "期限应为将来某日 24:00。", "a deadline ends a later day at 24:00"
    return None


def every_item_answered(case: Case, moment: Moment) -> Refusal:
    """Each listed item has an answer."""
    missing = sorted({item.no for item in case.open_items} - {answer.item for answer in moment.act.answers})
    if missing:
        return f"第 {missing} 项尚未答复。", "an item is not answered"
    return None


def supplied_or_verified(case: Case, moment: Moment) -> Refusal:
    """The applicant supplied what was asked, or the reviewer verified it through lawful channels and says how."""
    if all(actor.role is Role.REVIEWER for actor in moment.actors):
        if not moment.act.reason.strip():
            return "须写明核实渠道和结果。", "say how it was verified"
        return None
    return every_item_answered(case, moment)


def before_deadline(case: Case, moment: Moment) -> Refusal:
    """The period set in the notice has not ended."""
    if case.deadline is not None and moment.now >= case.deadline:
        return "期限已过。", "the period has ended"
    return None


def deadline_passed(case: Case, moment: Moment) -> Refusal:
    """The period set in the notice has ended."""
    if case.deadline is None or moment.now < case.deadline:
        return "期限未满。", "the period has not ended"
    return None


def same_parties_same_agency(case: Case, moment: Moment) -> Refusal:
    """A new version of the form keeps applicants, agency and scheme, and every applicant signs it."""
    form = moment.act.form
    if form is None:
        return None
    kept = (form.agency, form.scheme, applicant_ids(form), form.type, form.certificate) == (
        case.form.agency, case.form.scheme, applicant_ids(case.form), case.form.type, case.form.certificate,
    )  # fmt: skip
    if not kept:
        return "补正不得更换申请人、登记机构、规则、登记类型或凭证。", "a correction keeps applicants, agency and type"
    return _first_of(section_misfits(form)) or every_applicant_signed(case, moment)


def accepted_today(case: Case, moment: Moment) -> Refusal:
    """受理之日 is the day the applicant is told (art. 17)."""
    if moment.act.accepted_on != day_of(moment.now).isoformat():
        return "受理日期应为告知当日。", "the day of acceptance is the day of notice"
    return None


def deemed_accepted(case: Case, moment: Moment) -> Refusal:
    """C01 has ended without a written notice; 受理之日 is the first working day after it."""
    accepted = deemed_acceptance_day(case, moment.world)
    if moment.now < start_of(date.fromisoformat(accepted)):
        return f"{accepted} 起方视为受理。", f"deemed accepted from {accepted}"
    if moment.act.accepted_on != accepted:
        return f"视为受理之日应为 {accepted}。", f"the deemed day is {accepted}"
    return None


def timer_names_its_rule(case: Case, moment: Moment) -> Refusal:
    """A timer says under which rule and which calendar it acted (decisions D14)."""
    if moment.act.calendar != moment.world.calendar.version or not moment.act.rule:
        return "计时动作须写明规则和日历版本。", "a timer names rule and calendar"
    return None


def known_ground(case: Case, moment: Moment) -> Refusal:
    """The ground is one the move may be based on, and the reason is written."""
    allowed = moment.world.scheme.grounds(moment.act.move)
    if moment.act.ground not in allowed:
        return f"事由应为 {sorted(allowed)} 之一。", f"the ground is one of {sorted(allowed)}"
    if not moment.act.reason.strip():
        return "须书面说明理由。", "the reason is given in writing"
    return None


def ground_is_declared(case: Case, moment: Moment) -> Refusal:
    """NA-1 and NA-2 are facts of the form, not opinions: 无正当理由不得拒绝受理."""
    declared = {
        "NA-1": case.form.declarations.public_data is PublicData.DUTY,
        "NA-2": moment.world.agency in applicant_ids(case.form),
        "NA-3": True,
    }
    if not declared.get(moment.act.ground, False):
        return "申请材料中没有该不予受理事由。", "the form does not show this ground"
    return None


def both_conditions(case: Case, moment: Moment) -> Refusal:
    """Art. 18: the applicant cannot supply **and** the agency cannot verify lawfully."""
    if not (moment.act.cannot_supply and moment.act.cannot_verify):
        return "终止登记须同时具备无法补充和无法核实两项条件。", "termination needs both conditions"
    return None


def extension_within_limit(case: Case, moment: Moment) -> Refusal:
    """Art. 28: at most ten working days in total, decided before C03 ends."""
    limit = moment.world.scheme.max_extension
    if not moment.act.days > 0 or case.extension + moment.act.days > limit:
        return f"延长合计不得超过{limit}个工作日。", f"at most {limit} working days in total"
    ends = completion_due(case, moment.world)
    if ends is not None and moment.now >= ends:
        return "办结期限已过。", "the period has already ended"
    return None


def review_passed(case: Case, moment: Moment) -> Refusal:
    """The three review lists are passed (art. 18–21)."""
    review = moment.act.review
    assert review is not None
    if not (review.description and review.source and review.right):
        return "描述、来源、产权三项审查未全部通过。", "a review list is not passed"
    return None


def matrix_passed(case: Case, moment: Moment) -> Refusal:
    """Every right asked for stands in the matrix of art. 21 with its proofs."""
    gaps = right_gaps(case.form, moment.world.scheme)
    if gaps or not case.form.rights:
        detail = "；".join(f"{gap.rule} {gap.right.value} {gap.detail}" for gap in gaps) or "未申请权利"
        return f"来源与权利矩阵未通过：{detail}。", "the right matrix is not satisfied"
    return None


def source_rights_held(case: Case, moment: Moment) -> Refusal:
    """Derived data: the right of use in every source, in force now (art. 20, 21(六))."""
    if moment.world.source_gaps:
        return (
            "；".join(moment.world.source_gaps),
            "a right of use in a source is missing",
        )
    return None


def text_is_the_form(case: Case, moment: Moment) -> Refusal:
    """What is published is what the form says, with nothing personal."""
    if moment.act.publicity != publicity_text(case.form):
        return "公示内容与申请表不一致。", "the publicity text is not the form's"
    return None


def released_where_connected(case: Case, moment: Moment) -> Refusal:
    """Trap 4: where the national system releases publicity texts, C06 starts at its release and not at the act."""
    if moment.world.national_release != bool(moment.act.release):
        return (
            "公示由国家系统发布的，须注明 release=national；未接入的，不得注明。",
            "release is national exactly where the national system releases publicity texts",
        )
    return None


def waiver_was_asked(case: Case, moment: Moment) -> Refusal:
    """Art. 24: 不公示 only on the applicant's request with good reason, or where this type is not published (P)."""
    if not announcement_needed(case.form, moment.world.scheme):
        return None
    if not case.form.waiver_reason.strip() or not moment.act.reason.strip():
        return "不公示须由申请人提出理由并经机构决定。", "publicity is waived only on request"
    return None


def publicity_released(case: Case, moment: Moment) -> Refusal:
    """There is a publicity to go back to."""
    return ("本案未经公示。", "this case was not published") if case.released_at is None else None


def within_publicity(case: Case, moment: Moment) -> Refusal:
    """C06 has begun and still runs."""
    if awaits_release(case):
        return "公示尚未由国家系统发布。", "the text is not released yet"
    if moment.now >= publicity_ends(case, moment.world):
        return "公示期已满。", "the publicity period is over"
    return None


def publicity_over(case: Case, moment: Moment) -> Refusal:
    """C06 has ended, and the move says on which day."""
    if awaits_release(case):
        return "公示尚未由国家系统发布。", "the text is not released yet"
    if case.released_at is None:
        return None
    ends = publicity_ends(case, moment.world)
    if moment.now < ends:
        return "公示期未满。", "the publicity period still runs"
    if moment.act.ended_on is not None and moment.act.ended_on != day_of(ends - 1).isoformat():
        return "公示截止日不符。", "the last day of publicity differs"
    return None


def every_objection_decided(case: Case, moment: Moment) -> Refusal:
    """The move decides exactly the open objections, each once."""
    open_ids = sorted(raised.id for raised in case.objections if raised.outcome is None)
    if sorted(item.objection for item in moment.act.decisions) != open_ids:
        return f"应逐一处理未决异议 {open_ids}。", "decide exactly the open objections"
    return None


def none_upheld(case: Case, moment: Moment) -> Refusal:
    """All objections were rejected or withdrawn."""
    if any(item.outcome is Outcome.UPHELD for item in moment.act.decisions):
        return "异议成立的，不得继续登记。", "an objection was upheld"
    return None


def some_upheld(case: Case, moment: Moment) -> Refusal:
    """At least one objection was upheld."""
    if not any(item.outcome is Outcome.UPHELD for item in moment.act.decisions):
        return "没有成立的异议。", "no objection was upheld"
    return None


def no_open_objection(case: Case, moment: Moment) -> Refusal:
    """Deposit comes after every objection is decided."""
    if any(raised.outcome is None for raised in case.objections):
        return "尚有未处理的异议。", "an objection is open"
    return None


def nobody_holds_it_twice(case: Case, moment: Moment) -> Refusal:
    """Never two certificates for one (data, right, holder) (decisions D25)."""
    if moment.world.conflicts:
        return (
            f"同一申请人就该数据的同一权利已登记或在办：{', '.join(moment.world.conflicts)}。",
            "the same right in the same data is already registered for this holder",
        )
    return None


def term_still_runs(case: Case, moment: Moment) -> Refusal:
    """The source authorisation, if it ends earlier, has not ended."""
    until = case.form.authorised_until
    if until is not None and day_of(moment.now).isoformat() > until:
        return f"来源授权已于 {until} 届满。", f"the source authorisation ended {until}"
    return None


def officer_is_not_sole_reviewer(case: Case, moment: Moment) -> Refusal:
    """The deposit officer is not the only person who reviewed the case."""
    if set(case.reviewers) == {actor.by for actor in moment.actors}:
        return "存证经办人不得是唯一审查人。", "the deposit officer may not be the only reviewer"
    return None


def record_is_current(case: Case, moment: Moment) -> Refusal:
    """What is sent for deposit is the record of this case as it stands."""
    if moment.act.record is None or moment.act.record != moment.world.record:
        return "存证内容摘要与登记信息不一致。", "the record digest is not that of the case"
    return None


def deposited_as_requested(case: Case, moment: Moment) -> Refusal:
    """A verified receipt of the deposit authority covers exactly the requested record."""
    if case.record is None or moment.world.receipt_record != case.record:
        return "没有与存证请求相符的存证回执。", "no receipt covers the request"
    return None


def code_is_allocated(case: Case, moment: Moment) -> Refusal:
    """The code belongs to the register entry of this case."""
    if not moment.act.code or moment.act.code != moment.world.entry_code:
        return "凭证编码与登记簿不一致。", "the code is not that of the register entry"
    return None


# Of the later types ---------------------------------------------------------------------------------------------------


def section_fits_the_type(case: Case, moment: Moment) -> Refusal:
    """The form has the section of its type, and a transfer both its sides (art. 34 to 37)."""
    return _first_of(section_misfits(case.form))


def certificate_is_in_force(case: Case, moment: Moment) -> Refusal:
    """There is something to transfer, change, renew or cancel: a version in force of this agency's certificate."""
    entry = moment.world.entry
    if entry is None or entry.record.agency != moment.world.agency:
        return "凭证不在本机构登记簿中。", "the certificate is not in this agency's register"
    misfit = standing_misfit(case.form, entry)
    return _first_of((misfit,) if misfit else ())


def filed_in_its_window(case: Case, moment: Moment) -> Refusal:
    """R-01, R-05: filed from six months before the last day of validity to the day before it (art. 36)."""
    assert moment.world.entry is not None
    misfit = window_misfit(case.form, moment.world.entry, filed_on(case), moment.world.scheme)
    return _first_of((misfit,) if misfit else ())


def no_other_renewal(case: Case, moment: Moment) -> Refusal:
    """One renewal of a certificate is decided before the next is filed."""
    assert moment.world.entry is not None
    return ("该凭证的续期登记正在办理。", "a renewal of it is pending") if moment.world.entry.renewal_filed else None


def differs_only_as_allowed(case: Case, moment: Moment) -> Refusal:
    """The form differs from the entry in force in what its type may change, and in nothing else (art. 34 to 37)."""
    assert moment.world.entry is not None
    return _first_of(misfits(case.form, moment.world.entry, by_agency=bool(case.opened_by)))


def still_applies(case: Case, moment: Moment) -> Refusal:
    """What the registration changes is still there to be changed, whatever else was registered meanwhile."""
    assert moment.world.entry is not None
    found = misfits(case.form, moment.world.entry, by_agency=bool(case.opened_by), restated=False)
    return _first_of(found) or filed_in_its_window(case, moment)


def nothing_blocks_it(case: Case, moment: Moment) -> Refusal:
    """No remark or open objection that blocks this kind of registration (registration.md 1.6, 1.7; P)."""
    if moment.world.blocked:
        return f"该凭证存在限制：{'；'.join(moment.world.blocked)}。", "a remark or an objection blocks it"
    return None


def ground_still_stands(case: Case, moment: Moment) -> Refusal:
    """What a decision of the agency rests on is still there: its outcome, or nothing that goes before it (Z-04)."""
    return moment.world.ground_lost


def applied_for(case: Case, moment: Moment) -> Refusal:
    """Only what somebody applied for can be withdrawn by them."""
    return ("登记机构依职权办理的登记不得撤回。", "the agency opened this registration") if case.opened_by else None


def ground_of_the_move(case: Case, moment: Moment) -> Refusal:
    """B-04 opens a 变更, Z-03 to Z-05 a 注销 on just this ground."""
    section = case.form.cancellation
    expected = section.reason if section is not None else "B-04"
    if moment.act.move != expected or case.form.type not in (RegistrationType.CHANGE, RegistrationType.CANCELLATION):
        return f"{moment.act.move} 与登记类型或注销事由不符。", "the move does not fit type and ground"
    return None


def _first_of(found: tuple[Misfit, ...]) -> Refusal:
    return (f"{found[0].rule} {found[0].zh}", found[0].en) if found else None


_FIRST = frozenset({RegistrationType.INITIAL})
_RENEWAL = frozenset({RegistrationType.RENEWAL})
_BY_AGENCY = frozenset({RegistrationType.CHANGE, RegistrationType.CANCELLATION})

ONLY_FOR: Mapping[Guard, frozenset[RegistrationType]] = {
    matrix_passed: _FIRST,
    source_rights_held: _FIRST | _RENEWAL,
    term_still_runs: _FIRST | _RENEWAL,
    certificate_is_in_force: LATER,
    filed_in_its_window: _RENEWAL,
    no_other_renewal: _RENEWAL,
    differs_only_as_allowed: LATER,
    still_applies: LATER,
    nothing_blocks_it: LATER,
    ground_still_stands: _BY_AGENCY,
}
"""Guards of some types only; all others are everybody's. The matrix of art. 21 judges how a right came to be, which no
later registration touches (P); a source right must still be there when a new term begins."""
