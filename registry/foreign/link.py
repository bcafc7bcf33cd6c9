"""An earlier registration of another kind, named by an application, and what it agrees with (guide art. 41).

The agency *may* simplify the review where items agree, and keeps the papers. What agrees is shown to the reviewer;
nothing is copied into the application, and nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from registry.form import Form

LINKED = "foreign-link/v1"
Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]


@dataclass(frozen=True, slots=True)
class ForeignLink:
    """Body of foreign-link/v1: this application rests on that earlier registration; signed by an applicant or staff."""

    application: Hex32
    foreign: Hex32


@dataclass(frozen=True, slots=True)
class Agreement:
    """One item of both papers side by side."""

    item: str
    here: str
    there: str
    agrees: bool


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the reviewer sees of one earlier registration; `relied_upon`: verified, and lately enough."""

    id: str
    issuer_name: str
    paper_type: str
    says: str
    number: str
    version: str
    state: str
    method: str
    as_of: int
    valid_until: str
    relied_upon: bool
    items: tuple[Agreement, ...]


def agreements(form: Form, data_name: str, holder_name: str, holder_id: str) -> tuple[Agreement, ...]:
    """The items of an application beside those of an earlier paper; an identity number the paper lacks is no item."""
    names = [item.name for item in form.applicants]
    numbers = [item.id_no for item in form.applicants]
    items = [
        Agreement("数据名称", form.description.data_name, data_name, form.description.data_name == data_name),
        Agreement("权利人", _joined(names), holder_name, holder_name in names),
    ]
    if holder_id:
        items.append(Agreement("证件号码", _joined(numbers), holder_id, holder_id in numbers))
    return tuple(items)


def _joined(texts: Sequence[str]) -> str:
    return "、".join(texts)
