"""What every office page needs: who looks, a posted form from our own page, the page with the one script it may run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.bodies import read_body, require_type
from api.deps import ReadDep
from api.desk import service as desk
from api.office.fields import MAX_FORM, read_fields
from api.pages.guard import HEADERS
from api.pages.render import page
from api.sessions import HolderDep, Visitor, require_own_page
from ledger import canonical

POLICY = HEADERS["Content-Security-Policy"].replace("script-src 'none'", "script-src 'self'; connect-src 'self'")
assert "script-src 'self'" in POLICY
# Without a referrer browsers also send forms with the origin "null", which `require_own_page` refuses.
SCRIPTED = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}


def office_page(request: Request, name: str, visitor: Visitor | None, status: int = 200, **values: Any) -> HTMLResponse:
    """The page office/`name`.html with its script; `visitor` is who is logged in, perhaps one of the agency's staff."""
    agency = request.app.state.system.settings.agency
    agency_staff = visitor is not None and visitor.is_staff and visitor.organisation == agency
    operates = visitor is not None and visitor.organisation == request.app.state.system.settings.operator
    return page(
        request, f"office/{name}", status, SCRIPTED, visitor=visitor, agency_staff=agency_staff, operates=operates,
        **values,
    )  # fmt: skip


def see(path: str) -> Response:
    """On to another page after a write."""
    return RedirectResponse(path, 303)


async def posted(request: Request, found: HolderDep) -> dict[str, str]:
    """The fields of a form of our own page, sent by who is logged in. Raises `NotLoggedIn`, `Forged`, `FieldError`."""
    body = await read_body(request, MAX_FORM)
    values = read_fields(request.headers.get("content-type", ""), body)
    require_own_page(request, values.pop("csrf", ""))
    return values


FormDep = Annotated[dict[str, str], Depends(posted)]


async def document(request: Request) -> Any:
    """A small JSON document, as our script sends it. Raises `WrongType`, `Malformed`."""
    require_type(request, "application/json")
    return canonical.parse(await read_body(request, MAX_FORM))


JsonDep = Annotated[Any, Depends(document)]


def waiting_count(session: ReadDep, found: HolderDep) -> int:
    """How many statements wait for this person's signature."""
    return len(desk.waits_for(session, found.holder, found.organisation, found.roles))


WaitingDep = Annotated[int, Depends(waiting_count)]
