"""凭证核发: the papers of a certificate version, drafted, sealed, and stated with their digests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy.orm import Session

from ledger import store as facts
from ledger.digest import twin
from ledger.facts import Fact, PartsRoot, Signed
from ledger.reading import read
from registry import document, store
from registry.agency import Agency, Signer
from registry.asset import Twin
from registry.calendar import Calendar
from registry.case import Act
from registry.certificate import ISSUED, Document, Issue, RegisterEntry, SealMark, certificate_subject
from registry.credential.did import Issuer
from registry.credential.proof import secured
from registry.credential.status_list import place as free_place
from registry.credential.vc import credential
from registry.document import Paper
from registry.duties import store as duties
from registry.entries import entered_record, names_on_file
from registry.errors import PaperRefused, Unknown
from registry.moving import system_move, world_of
from registry.seal import Sealed
from registry.stating import next_statement, take_in


@dataclass(frozen=True, slots=True)
class Draft:
    """The papers of a certificate version before the seal: `body` is the unsigned PDF, `picture` the drawn seal.

    The rest is what certificate-issued/v1 will say; `issued` that it has said so already.
    """

    code: str
    version: int
    agency: str
    body: bytes
    json: bytes
    credential: bytes
    picture: bytes
    entry: Twin
    token: str
    check_url: str
    status_list: int
    status_index: int
    issued: bool


@dataclass(frozen=True, slots=True)
class Papers:
    """The issued papers of a certificate: sealed PDF, JSON document, credential, and the certificate-issued fact."""

    code: str
    pdf: bytes
    json: bytes
    credential: bytes
    fact: Fact
    replayed: bool


def draft_papers(
    session: Session,
    code: str,
    *,
    fonts: Path,
    check_url: str,
    issuer: Issuer,
    trial: bool,
    at: int,
    version: int | None = None,
) -> Draft:
    """凭证核发, first half: PDF body, JSON document and credential of a version (the newest), ready for the seal.

    Writes nothing. Of an issued certificate it makes the same bytes again, from facts alone. Raises `Unknown`,
    `PaperRefused`.
    """
    row = store.certificate(session, code) if version is None else store.certificate_version(session, code, version)
    entry_fact = facts.fact(session, row.fact_id)
    entry, record = read(RegisterEntry, entry_fact.body), entered_record(session, row.fact_id)
    known = store.issue_of(session, row.code, row.version)
    if known is not None:
        body = read(Issue, facts.fact(session, known.fact_id).body)
        check_url, token, trial = body.check_url, body.token, body.seal.trial
        number, index = body.status_list, body.status_index
        (stated,) = facts.parts_of(session, known.fact_id)
    else:
        token = secrets.token_urlsafe(9)
        number, index = free_place(*store.status_taken(session), secrets.randbelow)
        plain = credential(entry, record, entry_fact.digest(), issuer, number, index, document.DECLARATION)
        stated = secured(plain, issuer, at)
    names = names_on_file(session, row, record)
    paper = Paper(entry, record, entry_fact.digest(), check_url, token, stated, trial, names)
    return Draft(
        code=row.code,
        version=row.version,
        agency=entry.agency_name,
        body=document.render_pdf(paper, fonts),
        json=document.render_json(paper),
        credential=stated,
        picture=document.render_seal(entry.agency_name, trial, fonts),
        entry=Twin.of(entry_fact.digest()),
        token=token,
        check_url=check_url,
        status_list=number,
        status_index=index,
        issued=known is not None,
    )


def issue(
    session: Session, agency: Agency, draft: Draft, sealed: Sealed, *, signer: Signer, at: int, calendar: Calendar
) -> Papers:
    """Step 凭证核发: states the digests of sealed PDF, body, JSON and credential; I-27 with the last of a case.

    Again for an issued certificate: the first fact, if body, papers and signed file are those that were issued, else
    `PaperRefused`. The signed file is made once and kept by the caller; only its body can be made again.
    """
    row = store.certificate_version(session, draft.code, draft.version)
    if not sealed.pdf.startswith(draft.body):
        raise PaperRefused("盖章文件与本版本的正文不符。", "the sealed file is not the body of this version")
    documents = (
        _document("body", draft.body), _document("pdf", sealed.pdf), _document("json", draft.json),
        _document("vc", draft.credential),
    )  # fmt: skip
    known = store.issue_of(session, row.code, row.version)
    if known is not None:
        stored = facts.fact(session, known.fact_id)
        if read(Issue, stored.body).documents != documents:
            raise PaperRefused("重新生成的文件与已核发的摘要不一致。", "the bytes differ from those issued")
        return Papers(row.code, sealed.pdf, draft.json, draft.credential, stored, replayed=True)
    duties.require_listed(session, agency.uscc, "I-27")
    number, taken = store.status_taken(session)
    if number == draft.status_list and draft.status_index in taken:
        raise PaperRefused("状态列表位置已被占用，将重新生成。", "its place in the status list was taken meanwhile")
    body = Issue(
        row.code, row.version, draft.entry, documents, draft.token, draft.check_url, draft.status_list,
        draft.status_index, sealed.mark,
    )  # fmt: skip
    parts = (draft.credential,)
    statement = next_statement(session, ISSUED, certificate_subject(row.code), body, PartsRoot.over(parts))
    fact = take_in(session, Signed(statement, (signer.sign(statement, "system"),)), at, parts).fact
    case = store.case(session, row.application)
    if not store.not_issued(session, case.application):
        world = replace(world_of(session, agency, case, at, calendar), entry_code=case.code)
        system_move(session, case, Act("I-27", rule="G27", code=case.code), world, signer, at)
    return Papers(row.code, sealed.pdf, draft.json, draft.credential, fact, replayed=False)


def issued_seal(session: Session, code: str, version: int) -> SealMark:
    """What was stated of the seal on the papers of a version. Raises `Unknown` before they are issued."""
    known = store.issue_of(session, code, version)
    if known is None:
        raise Unknown("已核发的凭证文件 / issued papers", code)
    return read(Issue, facts.fact(session, known.fact_id).body).seal


def _document(form: str, data: bytes) -> Document:
    return Document(form, len(data), Twin.of(twin(data)))
