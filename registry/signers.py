"""Who signed: the keys in force of parties, staff and connectors, and what a signature must be to count."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from sqlalchemy.orm import Session

from ledger.errors import BadSignature
from ledger.facts import SM2, Signature, Signed, Statement
from ledger.signing import verify_sm2
from registry import store
from registry.agency import Agency
from registry.application import actors_of
from registry.case import Actor
from registry.errors import NotEntitled, Unknown
from registry.form import Form
from registry.handover import store as handover

_NEWEST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class PartyKeys:
    """Public keys in force: SM2 as 04‖x‖y hex, EVM address in lower case ("" for staff and connectors)."""

    sm2: str
    evm: str


def keys_of(session: Session, by: str, at: int) -> PartyKeys:
    """The keys of "party:…", "staff:…" or "connector:…" in force at `at`. Raises `Unknown`."""
    kind, _, identity = by.partition(":")
    if kind == "party":
        party = store.party_at(session, identity, at)
        handover.require_in_office(session, identity, by, at)
        return PartyKeys(party.sm2, party.evm)
    if kind == "staff":
        staff = store.staff_at(session, identity, at)
        if not staff.active:
            raise BadSignature(by, "该经办人已停用 / this member of staff is no longer active")
        handover.require_in_office(session, staff.organisation, by, at)
        return PartyKeys(staff.sm2, "")
    if kind == "connector":
        return PartyKeys(store.connector_at(session, identity, at).sm2, "")
    raise Unknown("签名人 / signer", by)


def require_signature(session: Session, signed: Signed, by: str, role: str = "", *, at: int | None = None) -> None:
    """Raises `BadSignature` unless `by` signed with the SM2 key in force at `at` (default: the newest key)."""
    for signature in signed.signatures:
        if signature.by == by and signature.alg == SM2 and (not role or signature.role == role):
            require_valid(signed.statement, signature, keys_of(session, by, _NEWEST if at is None else at).sm2)
            return
    raise BadSignature(by, f"缺少签名{role and '，角色 ' + role} / no signature{role and ' as ' + role}")


def organisations_of(session: Session, signed: Signed, at: int) -> dict[str, str]:
    """The organisation (USCC) of each member of staff who signed, after every signature was verified with the key in
    force and every staff role with the staff's own. Raises `BadSignature`, `NotEntitled`, `Unknown`."""
    if not signed.signatures:
        raise BadSignature(signed.statement.subject, "没有签名 / no signature")
    organisations: dict[str, str] = {}
    for signature in signed.signatures:
        require_valid(signed.statement, signature, keys_of(session, signature.by, at).sm2)
        if signature.by.startswith("staff:"):
            staff = store.staff_at(session, signature.by.partition(":")[2], at)
            if signature.role not in staff.roles.split():
                raise NotEntitled(
                    signed.statement.kind, f"{signature.by} 没有角色 {signature.role or '–'}。",
                    f"{signature.by} does not have role {signature.role or '–'}",
                )  # fmt: skip
            organisations[signature.by] = staff.organisation
    return organisations


def require_staff(session: Session, signed: Signed, agency: Agency, roles: Set[str], at: int) -> str:
    """Exactly one member of the agency's staff signed, validly and in one of these roles; answers "staff:…".

    Raises `BadSignature` or `NotEntitled`.
    """
    if len(signed.signatures) != 1 or not signed.signatures[0].by.startswith("staff:"):
        raise BadSignature("staff:…", "应由登记机构一名经办人签名 / one member of the agency's staff must sign")
    signature = signed.signatures[0]
    require_valid(signed.statement, signature, keys_of(session, signature.by, at).sm2)
    staff = store.staff_at(session, signature.by.partition(":")[2], at)
    if staff.organisation != agency.uscc or signature.role not in roles & set(staff.roles.split()):
        raise NotEntitled(
            signed.statement.kind, f"应由本登记机构的 {'、'.join(sorted(roles))} 签署。",
            f"a {' or '.join(sorted(roles))} of this agency must sign",
        )  # fmt: skip
    return signature.by


def require_colleague(session: Session, kind: str, by: str, role: str, organisation: str, at: int) -> None:
    """`by` is staff of this organisation and has this role. Raises `NotEntitled`, `Unknown`."""
    if by.startswith("staff:"):
        staff = store.staff_at(session, by.partition(":")[2], at)
        if staff.organisation == organisation and role in staff.roles.split():
            return
    raise NotEntitled(kind, f"应由 {organisation} 的 {role} 签署，{by} 不是。", f"a {role} of {organisation} must sign")


def actors_in(session: Session, signed: Signed, form: Form, at: int) -> tuple[Actor, ...]:
    """Every signature verified with the key in force, as actors on this case."""
    return actors_of(form, signed.signatures, organisations_of(session, signed, at))


def require_valid(statement: Statement, signature: Signature, key: str) -> None:
    """The signature is by this SM2 key and fits the statement. Raises `BadSignature`."""
    if signature.alg != SM2:
        raise BadSignature(signature.by, "登记事项用 SM2 签名 / registration is signed with SM2")
    if signature.key != key:
        raise BadSignature(signature.by, "不是登记在案的公钥 / not the key on record")
    if not verify_sm2(statement, signature):
        raise BadSignature(signature.by, "与内容不符 / does not match the statement")


def require_key(signed: Signed, by: str, key: str) -> None:
    """`by` signed with exactly this key (one signer may sign with two keys when a key changes)."""
    for signature in signed.signatures:
        if signature.by == by and signature.key == key:
            require_valid(signed.statement, signature, key)
            return
    raise BadSignature(by, "缺少登记公钥的 SM2 签名 / no SM2 signature of the key on record")


def require_all(session: Session, signed: Signed, by: set[str], at: int) -> None:
    """Exactly these signers signed, each validly."""
    given = sorted(signature.by for signature in signed.signatures)
    if given != sorted(by):
        raise BadSignature(", ".join(sorted(by)), f"签名人应为其一，实为 {given} / signed by {given}")
    for signature in signed.signatures:
        require_valid(signed.statement, signature, keys_of(session, signature.by, at).sm2)
