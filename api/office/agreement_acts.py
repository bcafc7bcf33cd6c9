"""An agreement as one of its signers sees it: its terms, what has been done, and the acts that can be done now."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session

from api.apikey import Forbidden
from api.desk import dealing
from api.desk.waiting import Slot
from api.office import deals, spoken, terms_form, words
from api.office.spoken import Block
from api.office.typed import Typed
from api.office.widgets import Group, Widget
from api.sessions import Visitor
from clearing.market import service as market
from clearing.market import store
from clearing.market.agreement import (
    MOVES,
    NEEDS_GROUND,
    SIGNED_BY,
    Act,
    AgreementAct,
    Before,
    Domain,
    Ground,
    GroundKind,
    Role,
    Signer,
    Signers,
    Terms,
    act_of,
    act_statement,
    subject_of,
    terms_digest,
    terms_parts,
)
from clearing.market.shelf import store as shelf
from clearing.market.store import AgreementRow
from ledger import store as ledger
from ledger.digest import is_hex
from ledger.facts import Fact, Statement
from ledger.reading import body_of
from registry.asset import Twin
from registry.party import party_subject

OF_PARTIES = (Act.ACTIVATE, Act.AMEND, Act.TERMINATE, Act.RESCIND, Act.COMPLETE, Act.EXPIRE)
OF_AUTHORITY = (Act.SUSPEND, Act.RESUME, Act.VOID)
TOLD: Mapping[Act, str] = {
    Act.ACTIVATE: "生效条件已满足，各方确认合约生效。须全体签署方签署。",
    Act.AMEND: "变更条款。变更自签齐入册时起生效，此前的使用仍按原条款计价。须全体签署方签署。",
    Act.TERMINATE: "协商解除。须全体签署方签署；此前的使用照常结清。",
    Act.RESCIND: "依约定或法定事由单方解除。由本方一方签署，通知到达时生效；对方可以提出争议。",
    Act.COMPLETE: "各方确认履行完毕。须全体签署方签署。",
    Act.EXPIRE: "期限已届满。由任一签署方签署。",
    Act.SUSPEND: "有权机关依决定中止履行，访问随即停止。",
    Act.RESUME: "有权机关依决定恢复履行。",
    Act.VOID: "有权机关依决定确认合约无效或予以撤销。",
}
GROUNDS = {kind.value: words.VALUES["ground.kind"][kind.value] for kind in (GroundKind.AGREED, GroundKind.STATUTORY)}
SIGNING = 30 * 86_400
"""Seconds everybody has to sign an act unless somebody types another day (P)."""


@dataclass(frozen=True, slots=True)
class Held:
    """An agreement for one visitor, an organisation: `own` are the signers it is; `authority` if it may decide on
    agreements of others. `base` are the terms an amendment begins with: those in force, fitted to the listing."""

    visitor: str
    row: AgreementRow
    terms: Terms
    base: Terms
    before: Before
    own: tuple[Signer, ...]
    authority: bool
    acts: tuple[tuple[Fact, AgreementAct], ...]
    names: Mapping[str, str]


def held_of(session: Session, visitor: Visitor, identity: str, at: int) -> Held:
    """The agreement, for its signers and for authorities. Raises `UnknownFact`, `Forbidden`."""
    row, before = store.agreement(session, identity), store.before_of(session, identity)
    assert before is not None
    own = tuple(signer for signer in before.signers if signer.party == visitor.organisation)
    authority = not own and market.is_authority(session, visitor.organisation, at)
    if not own and not authority:
        raise Forbidden(
            "协议只对签署方和有权机关公开。 / An agreement is shown to its signers and to authorities only."
        )
    terms = store.terms_of(session, identity, row.revision)
    acts = tuple((fact, act_of(fact.statement)) for fact in ledger.facts_of(session, subject_of(identity)))
    parties = {signer.party for signer in before.signers} | {row.consumer, row.seller}
    parties |= {holder.party for holder in terms.settlement.plan.holders}
    if (non_tax := terms.settlement.non_tax) is not None:
        parties |= {non_tax.authority, non_tax.issuer}
    listing = shelf.version_of(session, row.listing, terms.product.digest)
    base = terms_form.fitted(terms, listing) if listing else terms
    names = deals.names_of(session, parties, at)
    return Held(visitor.organisation, row, terms, base, before, own, authority, acts, names)


def blocks_of(session: Session, held: Held) -> tuple[Block, ...]:
    """The terms in force in words, beside those of the revision before."""
    earlier = store.terms_of(session, held.row.id, held.row.revision - 1) if held.row.revision > 1 else None
    return spoken.blocks(body_of(held.terms), "terms", held.names, body_of(earlier) if earlier else None)


def possible(held: Held, at: int) -> tuple[Act, ...]:
    """The acts this visitor may draft now, by the table of moves."""
    offered = OF_AUTHORITY if held.authority else OF_PARTIES
    return tuple(
        act for act in offered
        if any(source is held.before.state for source, _ in MOVES[act])
        and (act is not Act.EXPIRE or at >= held.before.expiry)
    )  # fmt: skip


def values_of(held: Held, act: Act, day: str) -> dict[str, str]:
    """What stands in the fields before anybody types; `day` is the last day to sign unless another is typed."""
    terms = terms_form.values_of(held.base) if act is Act.AMEND else {}
    return {**terms, "deadline": day}


def groups(session: Session, held: Held, act: Act, values: Mapping[str, str]) -> tuple[Group, ...]:
    """The fields of an act's form; `values` say how many rows it has."""
    laid: list[Group] = []
    if act is Act.AMEND:
        listing = shelf.version_of(session, held.row.listing, held.terms.product.digest)
        laid += terms_form.groups(held.base, listing, held.names, values)
    if act in NEEDS_GROUND and held.authority:
        laid.append(Group("决定", "Decision", (
            Widget("ground.text", "决定的内容和文号", "Decision", "long", required=True, most=4000),
            Widget("ground.sha256", "决定文书的 SHA-256 摘要", "SHA-256 of the document", required=True, most=64),
            Widget("ground.sm3", "决定文书的 SM3 摘要", "SM3 of the document", required=True, most=64),
        )))  # fmt: skip
    elif act in NEEDS_GROUND:
        laid.append(Group("理由", "Ground", (
            Widget("ground.kind", "事由", "Kind", "choice", tuple(GROUNDS.items()), required=True),
            Widget("ground.text", "具体条款和事实", "Ground", "long", required=True, most=4000),
        )))  # fmt: skip
    last = Widget("deadline", "签署截止日（含当日）", "Last day to sign", "date", required=True)
    return (*laid, Group("签署期限", "Time to sign", (last,), anchor="deadline"))


def drafted(
    session: Session, held: Held, act: Act, typed: Typed, *, domain: Domain, at: int
) -> tuple[Statement, tuple[bytes, ...], tuple[Slot, ...]] | None:
    """The statement of the act the fields make, its parts and where it is signed; None if a message says what is
    wrong. Raises what `market.service.rehearse` raises."""
    before, subject = held.before, subject_of(held.row.id)
    terms = terms_form.read(typed, held.base, amends=True) if act is Act.AMEND else None
    ground = _ground(held, typed) if act in NEEDS_GROUND else None
    deadline = typed.last("deadline") - 1
    if typed.messages:
        return None
    body = AgreementAct(
        act, before.state, next(to for source, to in sorted(MOVES[act]) if source is before.state),
        before.revision + (terms is not None), secrets.token_hex(32), before.signers, before.domain, deadline,
        terms_digest(terms) if terms else before.terms_digest, ground=ground,
        authority=_authority(session, held, at) if SIGNED_BY[act] is Signers.AUTHORITY else None,
    )  # fmt: skip
    statement = act_statement(subject, *ledger.next_of(session, subject), body, terms)
    parts = terms_parts(terms) if terms else ()
    market.rehearse(session, statement, parts, domain=domain, at=at)
    if SIGNED_BY[act] is Signers.ONE:
        own = held.own[0]
        return statement, parts, (Slot(party_subject(own.party), own.role.value, address=own.address),)
    return statement, parts, dealing.slots_of(body)


def _authority(session: Session, held: Held, at: int) -> Signer:
    return Signer(Role.AUTHORITY, held.visitor, market.signer_keys(session, (held.visitor,), at)[held.visitor].evm)


def _ground(held: Held, typed: Typed) -> Ground:
    text, salt = typed.text("ground.text", most=4000), secrets.token_hex(32)
    if not held.authority:
        return Ground(GroundKind(typed.choice("ground.kind", GROUNDS)), text, salt)
    for name in ("ground.sha256", "ground.sm3"):
        if not is_hex(typed.values.get(name), 64):
            typed.wrong(name, "请填写 64 位小写十六进制摘要。", "64 lower-case hex characters.")
    document = Twin(typed.values.get("ground.sha256", ""), typed.values.get("ground.sm3", ""))
    return Ground(GroundKind.DECISION, text, salt, document)
