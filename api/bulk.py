"""Signs and submits all good drafts of one holder in one go: one application each, each with its own result.

Run again, it goes on with what is left: a submitted draft is gone, in the transaction that made its application.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlmodel import Session

from api import jobs
from api.bootstrap import System
from api.keyfiles import KeyFile
from ledger.errors import LedgerError
from ledger.facts import Signed
from ledger.reading import read
from ledger.signing import sign_sm2
from registry.case import Role
from registry.errors import RegistryError
from registry.form import Form, publicity_text
from registry.intake import service
from registry.intake.service import Draft, Preview
from registry.party import party_subject
from registry.precheck import Level

CHUNK = 50
"""Applications taken in by one transaction."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a draft: submitted, or why not (Chinese first)."""

    draft: str
    name: str
    submitted: bool
    message: str


def submit_all(system: System, keys: KeyFile, *, red: bool) -> Iterator[Result]:
    """Signs every draft of the key's holder that nothing stops; with `red` also those whose 补正 is likely."""
    after = ""
    while True:
        with jobs.transaction(system) as session:
            some = service.drafts(session, keys.by, after=after, limit=CHUNK)
            results = [_submit(system, session, keys, draft, red=red) for draft in some]
        yield from results
        if len(some) < CHUNK:
            return
        after = some[-1].id


def previews(system: System, holder: str, limit: int) -> Iterator[tuple[Draft, Preview]]:
    """The first drafts of a holder with what would be published of each."""
    with jobs.snapshot(system) as session:
        for draft in service.drafts(session, holder, limit=limit):
            yield draft, service.preview(session, system.house, holder, draft.id, system.clock())


def _submit(system: System, session: Session, keys: KeyFile, draft: Draft, *, red: bool) -> Result:
    at, name = system.clock(), _name(draft)
    try:
        with session.begin_nested():
            seen = service.preview(session, system.house, keys.by, draft.id, at)
            if seen.statement is None:
                return Result(draft.id, name, False, seen.findings[0].zh)
            likely = [item for item in seen.findings if item.level is Level.RED]
            if likely and not red:
                return Result(draft.id, name, False, f"预检提示：{likely[0].zh}（确认后用 --confirm-red 提交）")
            form = read(Form, draft.body)
            signature = sign_sm2(keys.sm2, seen.statement, by=keys.by, role=_role(form, keys.by))
            signed = Signed(seen.statement, (signature,))
            service.submit(
                session, system.house, keys.by, draft.id, signed, service.publicity_digest(publicity_text(form)),
                at=at, calendar=system.calendar,
            )  # fmt: skip
    except (LedgerError, RegistryError) as error:
        return Result(draft.id, name, False, str(error).partition(" / ")[0])
    return Result(draft.id, name, True, "")


def _role(form: Form, by: str) -> str:
    """An agent signs as representative, an applicant as itself."""
    applicants = {party_subject(item.identity) for item in form.applicants}
    return "" if by in applicants or form.representative is None else Role.REPRESENTATIVE.value


def _name(draft: Draft) -> str:
    description = draft.body.get("description")
    name = description.get("data_name") if isinstance(description, dict) else ""
    return name if isinstance(name, str) else ""
