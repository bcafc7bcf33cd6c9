"""Renews proofs, takes approvals of deletion in."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from ledger import log
from ledger import store as facts
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.reading import body_of, read
from ledger.store import Appended
from registry import signers
from registry import store as registry
from registry.agency import Agency, Signer
from registry.asset import Twin
from registry.certificate import certificate_subject
from registry.errors import NotEntitled
from registry.retention import store
from registry.retention.keeping import (
    DELETION,
    POLICY,
    RENEWAL,
    DeletionApproval,
    Renewal,
    content_digest,
    require_deletable,
)


def renew(session: Session, size: int, lines: Iterable[bytes], signer: Signer, *, at: int) -> Appended:
    """States proof-renewal/v1 for the head of this size; `lines` are the archive lines of the facts under it.

    Raises `FieldError` if there is no such head, or not a line for each of its facts.
    """
    head = log.head_at(session, size)
    if head is None:
        raise FieldError("size", "已签署树头的大小 / the size of a signed head", str(size))
    content, count = content_digest(lines, POLICY.renewal)
    if count != size:
        raise FieldError("lines", str(size), str(count))
    body = Renewal(
        size, Twin.of(head.checkpoint.root), head.checkpoint.at, Twin.of(twin(head.note.encode())), POLICY.renewal,
        content, count, POLICY.version,
    )  # fmt: skip
    subject = f"renewal:{size}"
    no, prev = facts.next_of(session, subject)
    statement = Statement(RENEWAL, subject, no, prev, body_of(body))
    return _take_in(session, Signed(statement, (signer.sign(statement, "system"),)), at)


def approve_deletion(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in deletion-approval/v1 signed by two persons of the agency, a reviewer and an approver.

    Raises `FieldError`, `BadSignature`, `NotEntitled`, and `GuardRefused` while the file must be kept.
    """
    statement = signed.statement
    if statement.kind != DELETION or statement.parts is not None:
        raise FieldError("statement.kind", DELETION, statement.kind)
    body = read(DeletionApproval, statement.body)
    if statement.subject != f"deletion:{body.fact}":
        raise FieldError("statement.subject", f"deletion:{body.fact}", statement.subject)
    if facts.next_of(session, statement.subject)[0]:
        return facts.append(session, signed, at=at)
    roles = []
    for signature in signed.signatures:
        signers.require_signature(session, signed, signature.by, signature.role, at=at)
        kind, _, name = signature.by.partition(":")
        staff = registry.staff_at(session, name, at) if kind == "staff" else None
        if staff is None or staff.organisation != agency.uscc or signature.role not in staff.roles.split():
            raise NotEntitled("删除", f"{signature.by} 不是本机构的经办人。", "not staff of this agency in this role")
        roles.append(signature.role)
    if sorted(roles) != ["approver", "reviewer"]:
        raise NotEntitled("删除", "须由审查人和复核人两人签署。", "two persons sign: reviewer and approver")
    fact = facts.fact(session, body.fact)
    about = {certificate_subject(body.code)} if body.code else set()
    if body.code:
        about.add(f"application:{registry.certificate(session, body.code).application}")
        if fact.subject not in about:
            raise FieldError("body.code", f"{fact.subject} 的凭证 / its certificate", body.code)
    require_deletable(body, store.keeping(session, body.code, at) if body.code else None, at)
    return _take_in(session, signed, at)


def _take_in(session: Session, signed: Signed, at: int) -> Appended:
    taken = facts.append(session, signed, at=at)
    if not taken.replayed:
        store.PROJECTORS[taken.fact.kind](session, taken.fact)
    return taken
