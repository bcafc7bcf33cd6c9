"""The conditions of the moves O-02…O-11, one function each: what is refused, in both languages, or `None`."""

from __future__ import annotations

from registry.afterlife.dispute import Conclusion, Dispute, DisputeMoment, DisputeState, answer_ends
from registry.afterlife.instrument import JUDGES, Instrument
from registry.calendar import day_of, start_of
from registry.case import Role
from registry.moves import Refusal


def every_registrant_signed(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """To agree takes all registrants, or their representative; to disagree one of them is enough."""
    if any(actor.role is Role.REPRESENTATIVE for actor in moment.actors):
        return None
    if not any(actor.role is Role.APPLICANT for actor in moment.actors):
        return None
    missing = sorted(set(dispute.registrants) - {actor.organisation for actor in moment.actors})
    return (f"{', '.join(missing)} 尚未签署。", "a registrant has not signed") if missing else None


def clerk_speaks_for_a_contact(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """A clerk states for the objector only where a clerk filed for it, and on a paper of the objector (D14)."""
    if all(actor.role is not Role.INTAKE for actor in moment.actors):
        return None
    if dispute.objector:
        return "应由异议申请人自行签署。", "the objector signs for itself"
    return None if moment.act.papers else ("须附异议申请人的书面材料。", "the objector's own paper is missing")


def items_are_distinct(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """Item numbers of one list are distinct."""
    numbers = [item.no for item in moment.act.items]
    return ("事项编号重复。", "an item number occurs twice") if len(set(numbers)) != len(numbers) else None


def every_item_answered(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """Each listed item has an answer."""
    missing = sorted({item.no for item in dispute.open_items} - {answer.item for answer in moment.act.answers})
    return (f"第 {missing} 项尚未答复。", "an item is not answered") if missing else None


def time_to_answer(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """A deadline of the notice ends a day at 24:00 and gives no less than C12 (P)."""
    deadline = moment.act.deadline
    if deadline is None:
        return None
    if deadline != start_of(day_of(deadline)):
        return "期限应为某日 24:00。", "a deadline ends a day at 24:00"
    least = answer_ends(moment.now, None, moment.world.scheme, moment.world.calendar)
    if deadline < least:
        return f"期限不应早于 {day_of(least - 1)}。", f"not before the end of {day_of(least - 1)}"
    return None


def explanation_is_given(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """Who disagrees files an explanation (art. 29): words and papers."""
    if not moment.act.reason.strip() or not moment.act.papers:
        return "不认可异议的，应提交相关说明材料。", "an explanation with papers is filed"
    return None


def reason_is_given(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """The reason is given in writing."""
    return None if moment.act.reason.strip() else ("须书面说明理由。", "the reason is given in writing")


def answer_time_over(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """C12 has ended without an answer; silence is never admission."""
    assert dispute.notified_at is not None
    ends = answer_ends(dispute.notified_at, dispute.deadline, moment.world.scheme, moment.world.calendar)
    return ("答复期限未满。", "the time to answer still runs") if moment.now < ends else None


def timer_names_its_rule(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """A timer says under which rule and which calendar it acted (decisions D14)."""
    if moment.act.calendar != moment.world.calendar.version or not moment.act.rule:
        return "计时动作须写明规则和日历版本。", "a timer names rule and calendar"
    return None


def written_conclusion(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """The conclusion is a paper with reasons."""
    if not moment.act.papers:
        return "须附书面处理结论。", "the written conclusion is missing"
    return reason_is_given(dispute, moment)


def side_has_not_answered(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """Each side accepts or rejects the conclusion once."""
    of_objector = all(actor.role in (Role.OBJECTOR, Role.INTAKE) for actor in moment.actors)
    answered = dispute.objector_accepts if of_objector else dispute.registrant_accepts
    return ("该方已表示认可。", "this side has accepted already") if answered else None


def both_accept(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """Only both sides' acceptance closes it (art. 29)."""
    if dispute.registrant_accepts and dispute.objector_accepts:
        return None
    return "双方均认可处理结论方可了结。", "it is closed only when both sides accept"


def acted_on_outcome(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """It is closed with what the agency did on its ground; with nothing, if it was not upheld."""
    nothing = dispute.state is DisputeState.CONCLUDED and dispute.conclusion is Conclusion.NOT_UPHELD
    if nothing:
        return ("异议不成立，无处置事项。", "not upheld: there is nothing to act on") if moment.act.result else None
    if moment.act.result not in moment.world.acted:
        return "尚未据此变更或注销登记。", "the registration was not changed or cancelled on this ground"
    return None


def judgment_in_effect(dispute: Dispute, moment: DisputeMoment) -> Refusal:
    """An instrument of a court or arbitration body, in effect by today (art. 29)."""
    assert moment.act.instrument is not None
    return effective_judgment(moment.act.instrument, moment.now)


def effective_judgment(instrument: Instrument, now: int) -> Refusal:
    """Is this a judgment or award, in effect by the day of `now`?"""
    if instrument.type not in JUDGES:
        return "应为人民法院、仲裁机构的法律文书。", "an instrument of a court or arbitration body"
    if instrument.effective_on is None or instrument.effective_on > day_of(now).isoformat():
        return "法律文书尚未生效。", "the instrument is not in effect"
    return None
