"""What a page or program asks of the public register, read from the address: words, filters, and where to go on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from ledger.errors import FieldError
from registry.asset import AssetKind
from registry.calendar import end_of, start_of
from registry.certificate import Status
from registry.party import check_uscc
from registry.rights import Right
from registry.search.store import FIRST, Wanted

Choice = TypeVar("Choice", bound=StrEnum)

_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_PLACE = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Asked:
    """The question as it was typed, so that a page can show it again, and as the register reads it."""

    typed: dict[str, str]
    wanted: Wanted
    before: int


def asked(
    q: Annotated[str, Query(max_length=80, description="任意字词 / words, or pieces of words")] = "",
    kind: Annotated[str, Query(max_length=20, description="resource | element | product")] = "",
    right: Annotated[str, Query(max_length=20, description="HOLD | USE | OPERATE")] = "",
    agency: Annotated[str, Query(max_length=18, description="登记机构统一社会信用代码 / USCC")] = "",
    status: Annotated[str, Query(max_length=20, description="VALID | LAPSED | …")] = "",
    since: Annotated[str, Query(max_length=10, description="存证日期自 / deposited on or after")] = "",
    until: Annotated[str, Query(max_length=10, description="存证日期至 / deposited on or before")] = "",
    after: Annotated[str, Query(max_length=19, description="上一页给出的 next / the next of the page before")] = "",
) -> Asked:
    """The question in the address. Raises `FieldError` naming what is not understood."""
    if after and not (_PLACE.fullmatch(after) and int(after) <= FIRST):
        raise FieldError("after", "上一页给出的 next / the next of the page before", after)
    typed = {
        "q": q, "kind": kind, "right": right, "agency": agency, "status": status, "since": since, "until": until,
    }  # fmt: skip
    wanted = Wanted(
        words=q,
        kind=_choice(AssetKind, kind, "kind"),
        agency=check_uscc(agency, "agency") if agency else "",
        right=_choice(Right, right, "right"),
        status=_choice(Status, status, "status"),
        since=start_of(_day(since, "since")) if since else None,
        until=end_of(_day(until, "until")) if until else None,
    )
    return Asked({name: value for name, value in typed.items() if value}, wanted, int(after) if after else FIRST)


AskedDep = Annotated[Asked, Depends(asked)]


def _choice(kinds: type[Choice], value: str, field: str) -> Choice | None:
    if not value:
        return None
    try:
        return kinds(value)
    except ValueError:
        raise FieldError(field, " | ".join(kinds), repr(value)[:40]) from None


def _day(text: str, field: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise FieldError(field, "如 2026-09-01 的日期 / a date like 2026-09-01", repr(text)[:40])
