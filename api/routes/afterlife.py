"""What happens to a certificate after it was issued, over HTTP: remarks and objections."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session

from api.apikey import Caller, Forbidden
from api.auth import CallerDep, require_own
from api.bodies import SignedDep, describe
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from registry import store as registry
from registry.afterlife import blocking, service, store
from registry.afterlife.dispute import Dispute
from registry.afterlife.remark import state_of
from registry.form import Operation

router = APIRouter(prefix="/api", tags=["afterlife 登记之后"])


@router.post(
    "/remarks",
    openapi_extra=describe("remark/v1", "registry.afterlife.remark.RemarkAct"),
    summary="备注：记载、续展、解除、届满核实 / record, extend, lift a remark, or confirm its end",
)
def remark(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.remark(session, system.house, body.signed, system.agency.signer, at=now))


@router.post(
    "/remarks/consents",
    openapi_extra=describe("remark-consent/v1", "registry.afterlife.remark.Consent"),
    summary="质权人同意 / a pledgee's consent",
)
def consent(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.consent(session, system.house, body.signed, at=now))


@router.get("/remarks", summary="凭证的备注及其限制 / the remarks on a certificate and what they stop")
def remarks(
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    certificate: Annotated[str, Query(max_length=40)],
    operation: Annotated[Operation | None, Query(description="拟办事项 / what is to be done")] = None,
) -> dict[str, Any]:
    """All of them for the agency and the holders, its own for a pledgee; others ask the public check."""
    row = registry.certificate(session, certificate)
    found, holders = store.remarks_of(session, certificate), store.holders(session, row)
    asker = _organisation(session, caller, now)
    inside = asker in holders | {system.house.uscc}
    shown = [item for item in found if inside or item.instrument.issuer_id == asker]
    if not inside and not shown:
        raise _forbidden()
    answer: dict[str, Any] = {
        "as_of": now,
        "certificate": certificate,
        "version": row.version,
        "remarks": [plain(item) | {"state": state_of(item, now).value} for item in shown],
    }
    if operation is not None:
        given = blocking.verdicts(found, operation, now, version=row.version)
        answer |= {
            "operation": operation.value,
            "verdicts": plain(given),
            "stops": plain(store.stops(session, certificate, operation, now)),
        }
    return answer


@router.post(
    "/register-objections",
    openapi_extra=describe("register-objection/v1", "registry.afterlife.dispute.RegisterObjection"),
    summary="登记后异议 / object to a registration",
)
def objection(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(service.object_to(session, system.house, body.signed, system.agency.signer, at=now))


@router.post(
    "/register-objections/moves",
    openapi_extra=describe("register-objection-move/v1", "registry.afterlife.dispute.DisputeAct"),
    summary="登记后异议的办理 / a move of an objection to a registration",
)
def objection_move(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    taken = service.move(
        session, system.house, body.signed, system.agency.signer, at=now, calendar=system.calendar
    )  # fmt: skip
    return appended(taken)


@router.get("/register-objections/{objection}", summary="登记后异议的状态 / state of an objection to a registration")
def objection_state(
    objection: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    found = store.dispute(session, objection)
    if _organisation(session, caller, now) not in _sides(found) | {system.house.uscc}:
        raise _forbidden()
    return plain(found)  # type: ignore[no-any-return]


def _sides(found: Dispute) -> frozenset[str]:
    objector = found.objector.removeprefix("party:")
    return frozenset({*found.registrants, found.representative, objector} - {""})


def _organisation(session: Session, caller: Caller, now: int) -> str:
    """The USCC the caller acts for; "" for a connector, which has no say here."""
    kind, _, name = caller.holder.partition(":")
    if kind == "staff":
        return registry.staff_at(session, name, now).organisation
    return name if kind == "party" else ""


def _forbidden() -> Forbidden:
    return Forbidden("只有相关各方和登记机构可以查看。 / Only those concerned and the agency may look.")
