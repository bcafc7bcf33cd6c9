"""The agreement 数字合约: terms as values, acts as signed statements, and the table of what may follow what.

An act is the fact "agreement-act/v1" about "agreement:<64 hex>". Each signer signs its statement twice: with SM2, which
carries the legal identity, and as the EIP-712 message `AgreementAct`, which the contract checks. Both cover the same
twin digest, so one record proves both. Tariff, plan and policy are copied in; no later stage looks further back.
New terms are the parts of the act's statement, one salted field each (`ledger.disclosure`): every signature covers all
of them, and a party may later prove one field to a third person without showing the others.
Source: exchange.md §4.1, §4.5, §4.6; decisions D13, D16, D22, D32; codes in contracts/codes.json (a test compares).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta

from clearing.errors import BadTerms, NotSigned, WrongMove
from clearing.market.errors import NotEntitled
from clearing.market.policy import Left, Operator, Policy, Rule, Standing, check_policy, policy_digest
from clearing.market.promise import Inspection, ServiceTargets, Silence, check_inspection
from clearing.market.template import Template, check_template
from clearing.terms import BY_QUANTITY, Address, BillingBasis, StepKind, Tariff
from clearing.terms import Terms as SettlementTerms
from clearing.terms import check_terms as check_settlement
from ledger import canonical, disclosure, eip712, signing
from ledger.digest import TwinDigest, twin
from ledger.facts import EIP712, SM2, PartsRoot, Signature, Statement
from ledger.reading import body_of, read
from ledger.sm import Sm2Key
from registry.asset import Twin
from registry.party import check_identity, party_subject
from registry.rights import Right

AGREEMENT_ACT = "agreement-act/v1"
MAX_SIGNERS = 16

Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Seconds = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Long = Annotated[str, Meta(min_length=1, max_length=4000)]
Note = Annotated[str, Meta(max_length=4000)]
FieldName = Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")]


class State(StrEnum):
    """Where an agreement stands; NONE before it is concluded."""

    NONE = "NONE"
    PENDING = "PENDING"
    EFFECTIVE = "EFFECTIVE"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"
    RESCINDED = "RESCINDED"
    VOID = "VOID"


class Act(StrEnum):
    """What is done: 订立 生效 变更 中止 恢复 协商解除 单方解除 无效 履行完毕 期满."""

    CONCLUDE = "CONCLUDE"
    ACTIVATE = "ACTIVATE"
    AMEND = "AMEND"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    TERMINATE = "TERMINATE"
    RESCIND = "RESCIND"
    VOID = "VOID"
    COMPLETE = "COMPLETE"
    EXPIRE = "EXPIRE"


class Role(StrEnum):
    """提供方 使用方 开发方 运营方 经纪 服务方; AUTHORITY decides (监管、仲裁、法院) and is never a party."""

    PROVIDER = "PROVIDER"
    CONSUMER = "CONSUMER"
    DEVELOPER = "DEVELOPER"
    OPERATOR = "OPERATOR"
    BROKER = "BROKER"
    SERVICE = "SERVICE"
    AUTHORITY = "AUTHORITY"


class Signers(StrEnum):
    """Who must sign an act: all signers of the agreement, one of them, or an authority."""

    ALL = "all"
    ONE = "one"
    AUTHORITY = "authority"


STATE_CODES: Mapping[State, int] = {state: code for code, state in enumerate(State)}
ACT_CODES: Mapping[Act, int] = {act: code for code, act in enumerate(Act, start=1)}
ROLE_CODES: Mapping[Role, int] = {
    Role.PROVIDER: 1, Role.CONSUMER: 2, Role.DEVELOPER: 3, Role.OPERATOR: 4, Role.BROKER: 5, Role.SERVICE: 6,
    Role.AUTHORITY: 9,
}  # fmt: skip

_RUNNING = (State.EFFECTIVE, State.SUSPENDED)
MOVES: Mapping[Act, frozenset[tuple[State, State]]] = {
    Act.CONCLUDE: frozenset({(State.NONE, State.PENDING), (State.NONE, State.EFFECTIVE)}),
    Act.ACTIVATE: frozenset({(State.PENDING, State.EFFECTIVE)}),
    Act.AMEND: frozenset((state, state) for state in _RUNNING),
    Act.SUSPEND: frozenset({(State.EFFECTIVE, State.SUSPENDED)}),
    Act.RESUME: frozenset({(State.SUSPENDED, State.EFFECTIVE)}),
    Act.TERMINATE: frozenset((state, State.TERMINATED) for state in (State.PENDING, *_RUNNING)),
    Act.RESCIND: frozenset((state, State.RESCINDED) for state in _RUNNING),
    Act.VOID: frozenset((state, State.VOID) for state in State if state not in (State.NONE, State.VOID)),
    Act.COMPLETE: frozenset((state, State.COMPLETED) for state in _RUNNING),
    Act.EXPIRE: frozenset((state, State.EXPIRED) for state in _RUNNING),
}
SIGNED_BY: Mapping[Act, Signers] = {
    act: Signers.AUTHORITY if act in (Act.SUSPEND, Act.RESUME, Act.VOID)
    else Signers.ONE if act in (Act.RESCIND, Act.EXPIRE)
    else Signers.ALL
    for act in Act
}  # fmt: skip
NEEDS_GROUND = frozenset({Act.SUSPEND, Act.RESUME, Act.RESCIND, Act.VOID})
CARRIES_TERMS = frozenset({Act.CONCLUDE, Act.AMEND})

_BILLED: Mapping[BillingBasis, tuple[Role, ...]] = {
    BillingBasis.BOTH: (Role.PROVIDER, Role.CONSUMER),
    BillingBasis.PROVIDER: (Role.PROVIDER,),
    BillingBasis.CONSUMER: (Role.CONSUMER,),
    BillingBasis.ACCEPTED: (),
}
"""Whose connectors must report under each basis: what nobody reports could never be billed."""

CONTRACT = "AgreementRegistry"


class Forum(StrEnum):
    """Exactly one of the two decides a dispute."""

    ARBITRATION = "arbitration"
    COURT = "court"


class GroundKind(StrEnum):
    """约定 · 法定 · 决定: agreed or statutory right of one side, or a decision of an authority."""

    AGREED = "agreed"
    STATUTORY = "statutory"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class TermsParty:
    """A party of the agreement by USCC and role, with the connectors that may report use for it."""

    party: str
    role: Role
    connectors: tuple[Short, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """The listing version that is licensed: `digest` is the twin digest of its listing-submitted statement.

    `certificate` is the code the right rests on, `granted` the rights given to the user (⊆ those certified).
    """

    listing: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    version: Annotated[int, Meta(ge=1, le=2**31)]
    digest: Twin
    certificate: Short
    granted: Annotated[tuple[Right, ...], Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the data are handed over: mode of §5.2 (M1 API …), where, and when the service runs."""

    mode: Annotated[str, Meta(pattern=r"^M[1-7]\Z")]
    endpoint: Short
    hours: Short


@dataclass(frozen=True, slots=True)
class Dispute:
    """Days of negotiation, then one forum; §6 bundles are accepted as evidence."""

    negotiation_days: Annotated[int, Meta(ge=0, le=365)]
    forum: Forum
    body: Short
    law: Short = "中华人民共和国法律"


@dataclass(frozen=True, slots=True)
class Terms:
    """The whole content of one revision (§4.1). Times are seconds UTC, `[effective, expiry)`.

    `settlement` holds tariff, tax, sharing plan and 账期基准 as values; `policy` is the use policy itself and
    `policy_digest` its twin digest. `conditions` must be met before the agreement takes effect. `salt` is 32 random
    bytes, fresh in every revision, so that the digest on the chain tells nobody the content. `acceptance_days` 0 means
    that no period of inspection was agreed; `inspection` and `targets` say in numbers what is left to words without
    them (`clearing.market.promise`).
    """

    parties: Annotated[tuple[TermsParty, ...], Meta(min_length=2, max_length=MAX_SIGNERS)]
    product: Product
    purposes: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=50)]
    users: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=1000)]
    scope: Long
    environment: Short
    effective: Seconds
    expiry: Seconds
    delivery: Delivery
    service_level: Long
    acceptance_days: Annotated[int, Meta(ge=0, le=730)]
    settlement: SettlementTerms
    billing: BillingBasis
    silence: Silence
    liability: Long
    dispute: Dispute
    policy: Policy
    policy_digest: Twin
    template: Template
    salt: Hex64
    conditions: tuple[Short, ...] = ()
    inspection: Inspection | None = None
    targets: ServiceTargets | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs in which role: USCC and the lower-case address of its secp256k1 key."""

    role: Role
    party: str
    address: Address


@dataclass(frozen=True, slots=True)
class Domain:
    """The chain and contract the act is meant for: a signature is good nowhere else."""

    chain_id: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    contract: Address


@dataclass(frozen=True, slots=True)
class Ground:
    """Why one side or an authority acts; `document` is the digest of the notice or decision, `salt` 32 random bytes."""

    kind: GroundKind
    text: Long
    salt: Hex64
    document: Twin | None = None


@dataclass(frozen=True, slots=True)
class AgreementAct:
    """Body of agreement-act/v1. `signers` is the agreement's list, sorted by (role code, address), in every act.

    `terms_digest` is the twin digest of the canonical terms in force after the act; `fields` names the parts that hold
    them when the act brings new ones. `authority` signs SUSPEND, RESUME and VOID. `deadline` is the last second of log
    integration.
    """

    act: Act
    from_state: State
    to_state: State
    revision: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    negotiation_id: Hex64
    signers: Annotated[tuple[Signer, ...], Meta(min_length=2, max_length=MAX_SIGNERS)]
    domain: Domain
    deadline: Seconds
    terms_digest: Twin
    fields: Annotated[tuple[FieldName, ...], Meta(min_length=1, max_length=64)] | None = None
    ground: Ground | None = None
    authority: Signer | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What stands when an act arrives."""

    state: State
    revision: int
    signers: tuple[Signer, ...]
    domain: Domain
    terms_digest: Twin
    expiry: int


@dataclass(frozen=True, slots=True)
class SignerKeys:
    """The keys on record for a party at the time of the act."""

    sm2: str
    evm: str


def subject_of(agreement: str) -> str:
    """The subject of the agreement with this 64-hex id."""
    return f"agreement:{agreement}"


def id_of(subject: str) -> str:
    """The 64-hex id inside an agreement's subject. Raises `BadTerms`."""
    identity = subject.removeprefix("agreement:")
    if identity == subject or len(identity) != 64 or identity.strip("0123456789abcdef"):
        raise BadTerms("statement.subject", "agreement:<64 hex>", subject)
    return identity


def terms_digest(terms: Terms) -> Twin:
    """Twin digest of the canonical terms: what every signature of every party covers."""
    return Twin.of(twin(canonical.encode(body_of(terms))))


def terms_fields(terms: Terms) -> tuple[str, ...]:
    """What `AgreementAct.fields` says of these terms."""
    return disclosure.names_of(body_of(terms))


def terms_parts(terms: Terms) -> tuple[bytes, ...]:
    """The parts of the statement that brings these terms."""
    return disclosure.parts_of(body_of(terms))


def act_statement(
    subject: str, no: int, prev: TwinDigest | None, act: AgreementAct, terms: Terms | None = None
) -> Statement:
    """The statement of an act that brings `terms`, which travel beside it as `terms_parts(terms)`."""
    if terms is None:
        return Statement(AGREEMENT_ACT, subject, no, prev, body_of(act))
    body = body_of(replace(act, fields=terms_fields(terms)))
    return Statement(AGREEMENT_ACT, subject, no, prev, body, PartsRoot.over(terms_parts(terms)))


def read_terms(statement: Statement, act: AgreementAct, parts: Sequence[bytes]) -> Terms | None:
    """The terms an act brings in its parts, None if it brings none. Raises `BadTerms`, `Malformed`, `FieldError`."""
    root = PartsRoot.over(parts) if parts else None
    _require(root == statement.parts, "statement.parts", "the root over the fields sent", "another")
    _require(bool(parts) == (act.fields is not None), "body.fields", "the names of the parts", act.fields)
    if act.fields is None:
        return None
    _require(len(act.fields) == len(parts), "body.fields", f"{len(parts)} names", len(act.fields))
    return read(Terms, disclosure.document_of(act.fields, parts), "terms")


def sorted_signers(signers: tuple[Signer, ...]) -> tuple[Signer, ...]:
    """The one order of a list of signers: by role code, then address."""
    return tuple(sorted(signers, key=lambda s: (ROLE_CODES[s.role], int(s.address, 16))))


def signers_hash(signers: tuple[Signer, ...]) -> bytes:
    """keccak256(abi.encode(SignerRef[])) of the list as it stands, 32 bytes (decisions D22)."""
    return eip712.signers_hash([(ROLE_CODES[signer.role], signer.address) for signer in signers])


def act_of(statement: Statement) -> AgreementAct:
    """The act a statement carries. Raises `FieldError`, or `BadTerms` for another kind or subject."""
    if statement.kind != AGREEMENT_ACT:
        raise BadTerms("statement.kind", AGREEMENT_ACT, statement.kind)
    id_of(statement.subject)
    return read(AgreementAct, statement.body)


def contract_act(statement: Statement, act: AgreementAct) -> dict[str, Any]:
    """The fields all signatures of the act share, in the names of the contract's struct `Act`."""
    digest = statement.digest()
    prev = statement.prev or TwinDigest(bytes(32), bytes(32))
    ground = twin(canonical.encode(body_of(act.ground))) if act.ground else TwinDigest(bytes(32), bytes(32))
    return {
        "agreementId": bytes.fromhex(id_of(statement.subject)),
        "negotiationId": bytes.fromhex(act.negotiation_id),
        "revision": act.revision,
        "act": ACT_CODES[act.act],
        "fromState": STATE_CODES[act.from_state],
        "toState": STATE_CODES[act.to_state],
        "signersHash": signers_hash(act.signers),
        "termsSha256": bytes.fromhex(act.terms_digest.sha256),
        "termsSm3": bytes.fromhex(act.terms_digest.sm3),
        "actSha256": digest.sha256,
        "actSm3": digest.sm3,
        "prevActSha256": prev.sha256,
        "prevActSm3": prev.sm3,
        "groundSha256": ground.sha256,
        "groundSm3": ground.sm3,
        "deadline": act.deadline,
    }


def typed_act(statement: Statement, signer: Signer, nonce: int) -> dict[str, Any]:
    """The EIP-712 document this signer signs: domain, types, primaryType, message (bytes32 values as bytes)."""
    domain = act_of(statement).domain
    return {
        "domain": eip712.domain(CONTRACT, domain.chain_id, domain.contract),
        "types": {"AgreementAct": [{"name": name, "type": type_} for type_, name in eip712.TYPES["AgreementAct"]]},
        "primaryType": "AgreementAct",
        "message": _message(statement, signer, nonce),
    }


def sign_act(
    statement: Statement,
    signer: Signer,
    sm2_key: Sm2Key,
    evm: bytes | Callable[[bytes], bytes],
    nonce: int | None = None,
) -> tuple[Signature, Signature]:
    """Both signatures of one signer; `evm` is its private secp256k1 key, or what signs digests with it. The nonce is
    random unless given."""
    nonce = secrets.randbits(256) if nonce is None else nonce
    by = party_subject(signer.party)
    digest = typed_digest(statement, signer, nonce)
    value = evm(digest) if callable(evm) else eip712.sign(evm, digest)
    return (
        signing.sign_sm2(sm2_key, statement, by=by, role=signer.role),
        Signature(EIP712, by, signer.address, value.hex(), signer.role, nonce=str(nonce)),
    )


def typed_digest(statement: Statement, signer: Signer, nonce: int) -> bytes:
    """The 32 bytes the secp256k1 signature covers."""
    domain = act_of(statement).domain
    message = _message(statement, signer, nonce)
    return eip712.digest_of(CONTRACT, domain.chain_id, domain.contract, "AgreementAct", message)


def check_terms(terms: Terms) -> None:
    """Refuses terms that contradict themselves or could not be metered or settled. Raises `BadTerms`, `FieldError`."""
    for i, party in enumerate(terms.parties):
        check_identity(party.party, f"terms.parties[{i}].party")
    consumers = [party.party for party in terms.parties if party.role is Role.CONSUMER]
    sellers = {party.party for party in terms.parties if party.role is not Role.CONSUMER}
    roles = {party.role for party in terms.parties}
    _require(Role.AUTHORITY not in roles, "terms.parties.role", "no authority among the parties", "AUTHORITY")
    _require(len(consumers) == 1, "terms.parties", "exactly one CONSUMER", len(consumers))
    _require(Role.PROVIDER in roles, "terms.parties", "a PROVIDER", sorted(roles))
    _require(consumers[0] not in sellers, "terms.parties", "a CONSUMER in no other role", consumers[0])
    _require(terms.effective < terms.expiry, "terms.expiry", f"> {terms.effective}", terms.expiry)
    _require(terms.settlement.buyer == consumers[0], "terms.settlement.buyer", consumers[0], terms.settlement.buyer)
    check_settlement(terms.settlement)
    signing_parties = {party.party for party in terms.parties}
    for i, step in enumerate(terms.settlement.plan.steps):
        if step.kind is StepKind.GUARANTEE:
            field = f"terms.settlement.plan.steps[{i}].guarantor"
            expected = "签署合约的一方，未签署者不承担 / a party of the terms: who does not sign owes nothing"
            _require(step.guarantor in signing_parties, field, expected, step.guarantor)
    if terms.inspection is not None:
        check_inspection(terms.inspection, frozenset(party.party for party in terms.parties))
    effective = terms.settlement.plan.effective
    _require(effective <= terms.effective, "terms.settlement.plan.effective", f"≤ {terms.effective}", effective)
    for reporting in _BILLED[terms.billing]:
        reported = any(party.connectors for party in terms.parties if party.role is reporting)
        _require(reported, "terms.parties.connectors", f"a connector of the {reporting}, whose record is billed", ())
    if terms.billing is BillingBasis.ACCEPTED:
        _check_accepted(terms.settlement.tariff)
    check_policy(terms.policy)
    _require(terms.policy.assignee == consumers[0], "terms.policy.assignee", consumers[0], terms.policy.assignee)
    _require(terms.policy.assigner in sellers, "terms.policy.assigner", "a party that sells", terms.policy.assigner)
    target = terms.product.listing
    _require(terms.policy.target == target, "terms.policy.target", target, terms.policy.target)
    for i, rule in enumerate(terms.policy.permission):
        field = f"terms.policy.permission[{i}].constraints"
        _require(_within(rule, terms), field, "purpose isAnyOf purposes of the terms", rule.action)
    check_template(terms.template, Counter(party.role.value for party in terms.parties))
    digest = Twin.of(policy_digest(terms.policy))
    _require(terms.policy_digest == digest, "terms.policy_digest", digest.sha256, terms.policy_digest.sha256)


def named_in(terms: Terms) -> Iterator[tuple[str, str]]:
    """Whom the terms name beside the parties that sign, with the field: who is paid by the plan, who decides."""
    for i, holder in enumerate(terms.settlement.plan.holders):
        yield f"terms.settlement.plan.holders[{i}].party", holder.party
    if terms.inspection is not None and terms.inspection.decider:
        yield "terms.inspection.decider", terms.inspection.decider


def _check_accepted(tariff: Tariff) -> None:
    """What is accepted is priced by its quantity alone: it may be accepted in months after the agreement has ended, for
    which no amount of a period is owed."""
    expected = "按数量计价，按验收数量计费 / a price by the quantity, where acceptance is billed"
    _require(tariff.kind in BY_QUANTITY, "terms.settlement.tariff.kind", expected, tariff.kind)
    expected = "无账期保底，按验收数量计费 / no minimum of a period, where acceptance is billed"
    _require(not tariff.minimum_fen, "terms.settlement.tariff.minimum_fen", expected, tariff.minimum_fen)


def check_act(
    statement: Statement,
    signatures: tuple[Signature, ...],
    terms: Terms | None,
    before: Before | None,
    keys: Mapping[str, SignerKeys],
    authorities: frozenset[str],
    domain: Domain,
    at: int,
) -> AgreementAct:
    """Everything about an act that needs no registry: form, table, terms, deadline, and exactly the right signatures.

    `terms` are those its parts hold, `before` is the state it meets, `keys` the keys on record by USCC, `authorities`
    the USCCs that may decide, `domain` this platform's chain and contract, `at` seconds UTC.
    Raises `BadTerms`, `WrongMove`, `NotEntitled`, `NotSigned`.
    """
    act = check_unsigned(statement, terms, before, domain, at)
    if SIGNED_BY[act.act] is Signers.AUTHORITY and act.authority and act.authority.party not in authorities:
        raise NotEntitled(act.act, "an authority on record", act.authority.party)
    _check_signatures(statement, act, signatures, keys)
    return act


def check_unsigned(
    statement: Statement, terms: Terms | None, before: Before | None, domain: Domain, at: int
) -> AgreementAct:
    """What `check_act` asks of an act before anybody has signed it: form, table, terms, deadline, list of signers.

    Raises `BadTerms`, `WrongMove`.
    """
    act = act_of(statement)
    if act.domain != domain:
        raise BadTerms("body.domain", _place(domain), _place(act.domain))
    if at > act.deadline:
        raise BadTerms("body.deadline", f"≥ {at}", act.deadline)
    _check_move(statement, act, before)
    _check_content(act, terms, before, at)
    _check_list(act, terms, before)
    return act


def standing(state: State, effective: int, expiry: int, at: int) -> Standing:
    """How the agreement stands for a use at `at`: state and term together."""
    if state is State.SUSPENDED:
        return Standing.SUSPENDED
    if state in (State.NONE, State.PENDING) or (state is State.EFFECTIVE and at < effective):
        return Standing.NOT_YET
    return Standing.EFFECTIVE if state is State.EFFECTIVE and at < expiry else Standing.ENDED


def required_signers(act: AgreementAct) -> tuple[Signer, ...]:
    """Who may sign the act: the authority, or the list of the agreement."""
    if SIGNED_BY[act.act] is Signers.AUTHORITY:
        return (act.authority,) if act.authority else ()
    return act.signers


def _message(statement: Statement, signer: Signer, nonce: int) -> dict[str, Any]:
    shared = contract_act(statement, act_of(statement))
    return eip712.agreement_act(shared, ROLE_CODES[signer.role], signer.address, nonce)


def _check_move(statement: Statement, act: AgreementAct, before: Before | None) -> None:
    state = before.state if before else State.NONE
    if act.from_state is not state:
        raise WrongMove(statement.subject, state, act.from_state)
    if (act.from_state, act.to_state) not in MOVES[act.act]:
        allowed = ", ".join(sorted(f"{a}>{b}" for a, b in MOVES[act.act]))
        raise WrongMove(statement.subject, f"{act.act}: {allowed}", f"{act.from_state}>{act.to_state}")
    expected = (before.revision if before else 0) + (act.act in CARRIES_TERMS)
    if act.revision != expected:
        raise WrongMove(statement.subject, f"revision {expected}", f"revision {act.revision}")
    if before and act.domain != before.domain:
        raise BadTerms("body.domain", _place(before.domain), _place(act.domain))


def _check_content(act: AgreementAct, terms: Terms | None, before: Before | None, at: int) -> None:
    _require(
        (terms is not None) == (act.act in CARRIES_TERMS),
        "body.fields",
        f"terms in {act.act}: {act.act in CARRIES_TERMS}",
        terms is not None,
    )
    _require(
        (act.ground is not None) == (act.act in NEEDS_GROUND),
        "body.ground",
        f"a ground in {act.act}: {act.act in NEEDS_GROUND}",
        act.ground is not None,
    )
    by_authority = SIGNED_BY[act.act] is Signers.AUTHORITY
    _require(
        (act.authority is not None) == by_authority,
        "body.authority",
        f"an authority in {act.act}: {by_authority}",
        act.authority is not None,
    )
    if act.ground and by_authority:
        decided = act.ground.kind is GroundKind.DECISION and act.ground.document is not None
        _require(decided, "body.ground", "a decision with the digest of its document", act.ground.kind)
    if terms is not None:
        digest = terms_digest(terms)
        _require(act.terms_digest == digest, "body.terms_digest", digest.sha256, act.terms_digest.sha256)
        check_terms(terms)
        if before:
            _require(act.terms_digest != before.terms_digest, "terms", "terms that differ", "the same terms")
        else:
            pending = act.to_state is State.PENDING
            _require(
                pending == bool(terms.conditions),
                "body.to_state",
                "PENDING with open conditions, else EFFECTIVE",
                act.to_state,
            )
    elif before:
        same = act.terms_digest == before.terms_digest
        _require(same, "body.terms_digest", before.terms_digest.sha256, act.terms_digest.sha256)
    if act.act is Act.EXPIRE and before:
        _require(at >= before.expiry, "at", f"≥ {before.expiry}, the end of the term", at)


def _check_list(act: AgreementAct, terms: Terms | None, before: Before | None) -> None:
    ordered = sorted_signers(act.signers)
    _require(act.signers == ordered, "body.signers", "sorted by role code, then address", "another order")
    pairs = {(signer.role, signer.address) for signer in act.signers}
    _require(len(pairs) == len(act.signers), "body.signers", "each (role, address) once", "one twice")
    _require(len({signer.address for signer in act.signers}) > 1, "body.signers", "two different keys", "one key")
    if before is not None:
        _require(act.signers == before.signers, "body.signers", "the signers it was concluded with", "others")
    if terms is not None:
        stated = {(party.role, party.party) for party in terms.parties}
        listed = {(signer.role, signer.party) for signer in act.signers}
        _require(
            stated == listed and len(terms.parties) == len(act.signers),
            "body.signers",
            "exactly the parties of the terms",
            sorted(f"{role}:{party}" for role, party in listed),
        )
    if act.authority is not None:
        role = act.authority.role
        _require(role is Role.AUTHORITY, "body.authority.role", Role.AUTHORITY, role)


def _check_signatures(
    statement: Statement, act: AgreementAct, signatures: tuple[Signature, ...], keys: Mapping[str, SignerKeys]
) -> None:
    required = required_signers(act)
    if SIGNED_BY[act.act] is Signers.ONE:
        names = {(signature.by, signature.role) for signature in signatures}
        required = tuple(signer for signer in required if (party_subject(signer.party), signer.role) in names)
        if len(required) != 1:
            raise NotSigned(statement.subject, "exactly one signer of the agreement", str(len(required)))
    expected = {(alg, party_subject(s.party), str(s.role)): s for s in required for alg in (SM2, EIP712)}
    given = [(signature.alg, signature.by, signature.role) for signature in signatures]
    if sorted(given) != sorted(expected):
        raise NotSigned(statement.subject, _names(list(expected)), _names(given))
    for signature in signatures:
        signer = expected[signature.alg, signature.by, signature.role]
        _check_signature(statement, signature, signer, keys.get(signer.party))


def _check_signature(statement: Statement, signature: Signature, signer: Signer, keys: SignerKeys | None) -> None:
    if keys is None:
        raise NotSigned(statement.subject, f"a registered key of {signature.by}", "none")
    if signer.address != keys.evm.lower():
        raise NotSigned(statement.subject, f"address {keys.evm.lower()} of {signature.by}", signer.address)
    if signature.alg == SM2:
        if signature.key != keys.sm2:
            raise NotSigned(statement.subject, f"the SM2 key on record of {signature.by}", signature.key[:16] + "…")
        good = signing.verify_sm2(statement, signature)
    else:
        if signature.key.lower() != signer.address:
            raise NotSigned(statement.subject, signer.address, signature.key)
        digest = typed_digest(statement, signer, int(signature.nonce))
        good = eip712.recover(digest, bytes.fromhex(signature.value)).lower() == signer.address
    if not good:
        raise NotSigned(statement.subject, f"a {signature.alg} signature of {signature.by} over this act", "another")


def _within(rule: Rule, terms: Terms) -> bool:
    """Text and machine policy agree: the permission is bound to purposes the terms name."""
    return any(
        constraint.left is Left.PURPOSE
        and constraint.operator is Operator.ANY
        and isinstance(constraint.right, tuple)
        and set(constraint.right) <= set(terms.purposes)
        for constraint in rule.constraints
    )


def _place(domain: Domain) -> str:
    return f"chain {domain.chain_id}, contract {domain.contract}"


def _names(signatures: list[tuple[str, str, str]]) -> str:
    return ", ".join(sorted(f"{alg} {by} {role}" for alg, by, role in signatures)) or "—"


def _require(holds: bool, field: str, expected: object, given: object) -> None:
    if not holds:
        raise BadTerms(field, str(expected), given)
