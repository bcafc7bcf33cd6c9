"""Packages to the national system and its receipts; a receipt taken in again changes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from ledger import canonical
from ledger import store as facts
from ledger.errors import FieldError, UnknownFact
from ledger.facts import Fact, PartsRoot, Signed, Statement
from ledger.reading import body_of, read
from ledger.signing import require_sm2
from ledger.store import Appended
from registry import depositing
from registry import store as registry
from registry.agency import Agency, Signer
from registry.asset import Twin
from registry.calendar import Calendar
from registry.case import MOVE, State
from registry.certificate import DEPOSIT_RECEIPT
from registry.errors import CodeExhausted, DepositRefused, GuardRefused
from registry.national import store
from registry.national.exchange import (
    DEPOSIT_REFUSAL,
    PACKAGE,
    PACKAGE_FORMAT,
    PACKAGE_RECEIPT,
    PACKAGE_SIGNATURE,
    PARALLEL_EVIDENCE,
    PUBLICITY_RECEIPT,
    RECEIPT_FORMAT,
    DepositRefusal,
    Imported,
    PackageMade,
    PackageReceipt,
    PublicityReceipt,
    SyncStatus,
    Waiting,
    package_subject,
    publicity_request,
    text_digest,
)
from registry.parcel import Packer, Parcel
from registry.party import party_subject

MOST_RESULTS = 50_000
"""Results in one package; what is left goes with the next."""


def waiting(session: Session, agency: Agency, results: int = MOST_RESULTS) -> Waiting:
    """Everything the national system has not answered or acknowledged, at most so many `results`: nothing is lost with
    a package."""
    return Waiting(
        tuple(
            publicity_request(store.newest_publication(session, case.application))
            for case in store.unreleased(session, agency.uscc)
        ),
        tuple(
            depositing.deposit_request(session, agency, case.application)
            for case in registry.cases_in(session, (State.DEPOSITING,))
            if case.form.agency == agency.uscc
        ),
        tuple(store.unreported(session, results)) if results else (),
    )


def sync_status(session: Session, agency: Agency) -> SyncStatus:
    """How far the national system has been told."""
    open_ = waiting(session, agency, results=1)
    made, acknowledged, last = store.packages(session)
    cases = [*store.unreleased(session, agency.uscc), *registry.cases_in(session, (State.DEPOSITING,))]
    since = [case.changed_at for case in cases] + [fact.at for fact in open_.results[:1]]
    return SyncStatus(
        len(open_.publicity), len(open_.deposits), store.count_unreported(session),
        min(since, default=None), made, acknowledged, last,
    )  # fmt: skip


def make_package(session: Session, agency: Agency, signer: Signer, *, at: int) -> tuple[Fact, bytes]:
    """Packs everything that waits and states national-package/v1: the fact and the parcel's bytes.

    Raises `GuardRefused` if nothing waits.
    """
    open_ = waiting(session, agency)
    if not open_.items:
        raise GuardRefused("国家系统", "something_waits", "没有待报送的事项。", "nothing waits for the national system")
    subject = package_subject(agency.uscc)
    no, prev = facts.next_of(session, subject)
    out = io.BytesIO()
    packer = Packer(out)
    for request in open_.publicity:
        document = canonical.encode(body_of(request))
        packer.add(f"publicity/{request.application_digest.sha256}.json", [document])
    for asked in open_.deposits:
        packer.add(f"deposits/{asked.record.sha256}.json", [canonical.encode({"request": body_of(asked)})])
    for fact in open_.results:
        packer.add(f"results/{fact.id}.json", [fact.bytes()])
    counts = {
        "publicity": len(open_.publicity), "deposits": len(open_.deposits), "results": len(open_.results)
    }  # fmt: skip
    about = {"agency": agency.uscc, "authority": agency.authority, "notice": PARALLEL_EVIDENCE, "number": str(no + 1)}
    manifest = packer.manifest(PACKAGE_FORMAT, signer.by, at, counts, about)
    body = PackageMade(agency.uscc, agency.authority, no + 1, Twin.of(manifest.digest()), **counts)
    parts = tuple(canonical.encode(body_of(item)) for item in open_.items)
    statement = Statement(PACKAGE, subject, no, prev, body_of(body), PartsRoot.over(parts))
    signed = Signed(statement, (signer.sign(statement, "system"),))
    packer.add(PACKAGE_SIGNATURE, [canonical.encode(signed.document())], listed=False)
    packer.finish(manifest)
    return _take_in(session, signed, at, parts).fact, out.getvalue()


def take_release(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in publicity-receipt/v1: C06 of that case starts at its release. Raises `DepositRefused`."""
    receipt = read(PublicityReceipt, signed.statement.body)
    _require_own(agency, signed, PUBLICITY_RECEIPT, f"publicity:{receipt.application_digest.sha256}", receipt.authority)
    try:
        published = facts.fact(session, receipt.application_digest.sha256)
    except UnknownFact as error:
        raise DepositRefused("不是本机构提交的公示。", "it is for no publicity of ours") from error
    if published.kind != MOVE or published.body.get("move") != "I-15" or not published.body.get("release"):
        raise DepositRefused("所指事项不是待发布的公示。", "what it names does not wait for a release")
    request = publicity_request(published)
    if (receipt.application_digest, receipt.text_digest) != (
        request.application_digest, Twin.of(text_digest(request))
    ):  # fmt: skip
        raise DepositRefused("发布内容与提交的公示不符。", "another text was released")
    if not published.at <= receipt.released_at <= at:
        raise DepositRefused("发布时间不在提交与收到回执之间。", "its time is not between request and receipt")
    return _take_in(session, signed, at)


def take_refusal(
    session: Session, agency: Agency, signed: Signed, signer: Signer, *, at: int, calendar: Calendar
) -> Appended:
    """Takes in deposit-refusal/v1 and makes I-26 of it: the case waits for a new request. Raises `DepositRefused`."""
    refusal = read(DepositRefusal, signed.statement.body)
    subject = f"deposit-refusal:{refusal.record.sha256}"
    _require_own(agency, signed, DEPOSIT_REFUSAL, subject, refusal.authority)
    if facts.next_of(session, subject)[0]:
        return facts.append(session, signed, at=at)
    case = registry.case(session, refusal.application)
    if case.state is not State.DEPOSITING or case.record != refusal.record:
        raise DepositRefused("没有与之相符的存证请求。", "no request waits for this answer")
    taken = _take_in(session, signed, at)
    depositing.record_deposit_refusal(
        session, agency, case.application, refusal.reason, signer, at=at, calendar=calendar
    )
    return taken


def take_acknowledgement(session: Session, agency: Agency, signed: Signed, *, at: int) -> Appended:
    """Takes in national-package-receipt/v1: what the package reported need not be reported again."""
    receipt = read(PackageReceipt, signed.statement.body)
    _require_own(agency, signed, PACKAGE_RECEIPT, f"package:{receipt.manifest.sha256}", receipt.authority)
    row = store.package(session, receipt.manifest.sha256)
    if row is None or row.number != receipt.package:
        raise DepositRefused("不是本机构的报送包。", "it is for no package of ours")
    return _take_in(session, signed, at)


def import_receipts(
    session: Session, agency: Agency, data: bytes, signer: Signer, *, at: int, calendar: Calendar
) -> Imported:
    """Takes in a parcel of receipts, in its order; the whole of it or nothing.

    A receipt that arrives again counts as known. Deposits for which this month has no code left wait for the next
    import (`waiting`). Raises `Malformed`, `FieldError`, `BadSignature`, `DepositRefused`.
    """
    parcel = Parcel(io.BytesIO(data), RECEIPT_FORMAT)
    parcel.check()
    if parcel.manifest.by != party_subject(agency.authority):
        raise FieldError("manifest.by", party_subject(agency.authority), repr(parcel.manifest.by)[:80])
    done = Imported()
    for name in parcel.under("receipts"):
        signed = Signed.of_document(parcel.document(name))
        done = _TAKERS.get(signed.statement.kind, _unknown)(session, agency, signed, signer, at, calendar, done)
    return done


def _take_one_release(
    session: Session, agency: Agency, signed: Signed, signer: Signer, at: int, calendar: Calendar, done: Imported
) -> Imported:
    replayed = take_release(session, agency, signed, at=at).replayed
    return replace(done, known=done.known + 1) if replayed else replace(done, released=done.released + 1)


def _take_one_deposit(
    session: Session, agency: Agency, signed: Signed, signer: Signer, at: int, calendar: Calendar, done: Imported
) -> Imported:
    try:
        with session.begin_nested():
            made = depositing.record_deposit_receipt(session, agency, signed, signer, at=at, calendar=calendar)
    except CodeExhausted as error:
        return replace(done, waiting=(*done.waiting, f"{signed.statement.subject}：{error}"))
    return (
        replace(done, known=done.known + 1) if made.replayed else replace(done, deposited=(*done.deposited, made.code))
    )


def _take_one_refusal(
    session: Session, agency: Agency, signed: Signed, signer: Signer, at: int, calendar: Calendar, done: Imported
) -> Imported:
    replayed = take_refusal(session, agency, signed, signer, at=at, calendar=calendar).replayed
    return replace(done, known=done.known + 1) if replayed else replace(done, refused=done.refused + 1)


def _take_one_acknowledgement(
    session: Session, agency: Agency, signed: Signed, signer: Signer, at: int, calendar: Calendar, done: Imported
) -> Imported:
    replayed = take_acknowledgement(session, agency, signed, at=at).replayed
    return replace(done, known=done.known + 1) if replayed else replace(done, acknowledged=done.acknowledged + 1)


def _unknown(
    session: Session, agency: Agency, signed: Signed, signer: Signer, at: int, calendar: Calendar, done: Imported
) -> Imported:
    raise FieldError("statement.kind", " | ".join(sorted(_TAKERS)), signed.statement.kind)


_TAKERS: dict[str, Callable[[Session, Agency, Signed, Signer, int, Calendar, Imported], Imported]] = {
    PUBLICITY_RECEIPT: _take_one_release,
    DEPOSIT_RECEIPT: _take_one_deposit,
    DEPOSIT_REFUSAL: _take_one_refusal,
    PACKAGE_RECEIPT: _take_one_acknowledgement,
}


def _require_own(agency: Agency, signed: Signed, kind: str, subject: str, authority: str) -> None:
    """The authority of this agency signed act 0 of this subject, without parts."""
    if signed.statement.kind != kind or signed.statement.parts is not None:
        raise FieldError("statement.kind", f"{kind}，无分项 / without parts", signed.statement.kind)
    if authority != agency.authority:
        raise DepositRefused("回执的存证机构不符。", "another authority")
    if signed.statement.no != 0 or signed.statement.subject != subject:
        raise DepositRefused("回执的主题与内容不符。", "its subject does not belong to its content")
    by = party_subject(agency.authority)
    require_sm2(signed.statement, signed.signatures, by=by, key=agency.authority_key)


def _take_in(session: Session, signed: Signed, at: int, parts: tuple[bytes, ...] = ()) -> Appended:
    taken = facts.append(session, signed, at=at, parts=parts)
    if not taken.replayed:
        store.PROJECTORS[taken.fact.kind](session, taken.fact)
    return taken
