"""The model texts 示范文本 an agreement is filled into: four types, each immutable once published under its version.

A model has clauses, which speak of the agreement's elements by their names, and particulars: questions of its type that
the parties answer in their own words. What they agree otherwise than a clause says is a deviation, listed with the
agreement. Identity, version and digest of the model, the answers and the deviations are part of the terms and so under
every signature; the whole text can be written again from the terms at any time.

Source: exchange.md §4.2. The texts are ours, written by the types of the national model contracts (参照); nobody has to
use them word for word, which is what deviations are for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

from msgspec import Meta

from clearing.errors import BadTerms
from ledger import canonical
from ledger.digest import twin
from ledger.reading import body_of, read
from registry.asset import Twin

Name = Annotated[str, Meta(pattern=r"^[a-z]{1,40}\Z")]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(min_length=1, max_length=4000)]
Number = Annotated[int, Meta(ge=1, le=999)]
Version = Annotated[int, Meta(ge=1, le=2**31)]


@dataclass(frozen=True, slots=True)
class Clause:
    """One numbered clause of a model."""

    no: Number
    title: Line
    text: Words


@dataclass(frozen=True, slots=True)
class Asked:
    """A particular of a model: its name in the terms, its title, and what it asks the parties to say."""

    name: Name
    title: Line
    asks: Line


@dataclass(frozen=True, slots=True)
class Model:
    """A model text. `roles` says how many parties of each role it takes at least."""

    id: Name
    version: Version
    title: Line
    basis: Line
    roles: dict[str, Annotated[int, Meta(ge=1, le=16)]]
    particulars: tuple[Asked, ...]
    clauses: Annotated[tuple[Clause, ...], Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Particular:
    """The parties' answer to one particular."""

    name: Name
    text: Words


@dataclass(frozen=True, slots=True)
class Deviation:
    """What is agreed instead of the clause with this number."""

    clause: Number
    text: Words


@dataclass(frozen=True, slots=True)
class Template:
    """The model the terms were filled into: which one, under which digest, the answers and what is agreed otherwise."""

    id: Name
    version: Version
    digest: Twin
    particulars: Annotated[tuple[Particular, ...], Meta(max_length=20)] = ()
    deviations: Annotated[tuple[Deviation, ...], Meta(max_length=200)] = ()


@cache
def models() -> Mapping[tuple[str, int], Model]:
    """Every model that was ever published, by id and version."""
    found = {}
    for file in sorted(resources.files(__package__).joinpath("templates").iterdir(), key=lambda file: file.name):
        model = read(Model, json.loads(file.read_text(encoding="utf-8")), file.name)
        found[model.id, model.version] = model
    return found


def digest_of(model: Model) -> Twin:
    """Twin digest of the canonical model."""
    return Twin.of(twin(canonical.encode(body_of(model))))


def model_of(template: Template) -> Model:
    """The model a template names. Raises `BadTerms` if there is none, or it is another text than the one named."""
    model = models().get((template.id, template.version))
    if model is None:
        known = ", ".join(f"{name} {version}" for name, version in models())
        raise BadTerms("terms.template.id", known, f"{template.id} {template.version}")
    if digest_of(model) != template.digest:
        raise BadTerms("terms.template.digest", digest_of(model).sha256, template.digest.sha256)
    return model


def fill(
    identity: str, version: int, answers: Mapping[str, str], deviations: Mapping[int, str] | None = None
) -> Template:
    """The template part of terms: this model with these answers by name. Raises `BadTerms` for an unknown model."""
    model = models().get((identity, version))
    if model is None:
        raise BadTerms("terms.template.id", ", ".join(f"{n} {v}" for n, v in models()), f"{identity} {version}")
    return Template(
        model.id,
        model.version,
        digest_of(model),
        tuple(Particular(asked.name, answers[asked.name]) for asked in model.particulars if asked.name in answers),
        tuple(Deviation(number, text) for number, text in sorted((deviations or {}).items())),
    )


def check_template(template: Template, roles: Mapping[str, int]) -> None:
    """The model exists, every particular is answered once, deviations name its clauses, and the roles are there.

    `roles` counts the agreement's parties by role. Raises `BadTerms`.
    """
    model = model_of(template)
    wanted, given = [asked.name for asked in model.particulars], [item.name for item in template.particulars]
    if given != wanted:
        raise BadTerms("terms.template.particulars", ", ".join(wanted), ", ".join(given))
    numbers = [deviation.clause for deviation in template.deviations]
    known = {clause.no for clause in model.clauses}
    if numbers != sorted(set(numbers)) or not known.issuperset(numbers):
        raise BadTerms("terms.template.deviations", f"clauses 1…{len(known)}, each once, in order", numbers)
    for role, least in model.roles.items():
        if roles.get(role, 0) < least:
            raise BadTerms("terms.parties", f"{least} {role} for {model.title}", roles.get(role, 0))


@dataclass(frozen=True, slots=True)
class Written:
    """A clause as it stands in one agreement; `instead` is what the model says there, "" where nothing deviates."""

    no: int
    title: str
    text: str
    instead: str = ""


def written(template: Template) -> tuple[Written, ...]:
    """The clauses of an agreement, deviations in their places. Raises `BadTerms`."""
    agreed = {item.clause: item.text for item in template.deviations}
    return tuple(
        Written(clause.no, clause.title, agreed.get(clause.no, clause.text), clause.text if clause.no in agreed else "")
        for clause in model_of(template).clauses
    )
