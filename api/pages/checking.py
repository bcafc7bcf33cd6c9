"""The public check, for page and program alike: the register's answer, how far its proof has come, what may be shown.

Without the token of the paper's QR code nobody gets the register entry itself (its bundle holds identity numbers and
data digests); where publicity was waived, no more than code, status and agency are shown (registration.md 5.4, 5.6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session

from api.views import plain
from ledger import outbox
from ledger.anchoring import Place, place_of
from ledger.digest import TwinDigest
from registry import answering
from registry.catalogue import Check
from registry.form import Operation
from registry.onchain import RegisterEntryFace


@dataclass(frozen=True, slots=True)
class Checked:
    """What may be shown of a check; `state` and `place` are None where nothing is to be shown of the proof."""

    check: Check
    state: outbox.State | None = None
    place: Place | None = None

    def document(self) -> dict[str, Any]:
        """The JSON answer; "anchored" is absent where the proof is not shown, flags where no more than the status is
        shown: an empty list would say that there are none."""
        result: dict[str, Any] = plain(self.check)
        if not self.check.entry_id:
            del result["entry_id"]
        if not self.check.version:
            for name in ("flags", "objection", "stops"):
                del result[name]
        if self.state is not None:
            result |= {"log": self.state.value, "anchored": self.place is not None}
        if self.place is not None:
            result["anchor"] = plain(self.place)
        return result


def checked(
    session: Session,
    code: str,
    now: int,
    *,
    token: str = "",
    file: TwinDigest | None = None,
    purpose: Operation | None = None,
) -> Checked:
    """The check of a code at `now` for a purpose, with a file's digests if one is to be compared. Raises nothing."""
    found = answering.check(session, code, now, file=file, token=token, purpose=purpose)
    if not found.entry_id:
        return Checked(found)
    if found.view is None and not found.token_matches:
        shown = Check(
            found.code, found.status, found.integrity, found.as_of, agency=found.agency, custodian=found.custodian
        )
        return Checked(replace(shown, purpose=purpose, ok=found.ok))
    state = outbox.state_of(session, found.entry_id)
    place = place_of(session, RegisterEntryFace.contract, found.entry_id)
    if not found.token_matches:
        found = replace(found, entry=None, entry_id="")
    return Checked(found, state, place)
