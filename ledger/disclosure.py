"""Content kept as salted fields, so that its owner can show some of them and nobody can guess the others.

A document with a random `salt` is kept as the parts of a statement: one part for each of its top-level fields, by
name, each the canonical form of {"field": name, "salt": 64 hex, "value": …}. The body of the statement lists the names
in the same order, so a reader sees what is withheld. The salt of a part is HMAC-SHA-256(the document's salt, name)
(decisions D4): the parts follow from the document alone, and one shown part says nothing of another. The document's
own salt is a field too; it unlocks all others, so it is shown with all of them or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger import canonical
from ledger.digest import derive_salt, hex32
from ledger.errors import FieldError
from ledger.facts import require_fields

SALT = "salt"


def names_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the fields in the order of their parts."""
    return tuple(sorted(document))


def parts_of(document: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The parts of a document that has a `salt` (64 hex). Raises `FieldError`."""
    secret = hex32(document.get(SALT), SALT)
    return tuple(
        canonical.encode({"field": name, "salt": derive_salt(secret, name), "value": document[name]})
        for name in names_of(document)
    )


def read_field(part: bytes) -> tuple[str, Any]:
    """Name and value of one field. Raises `Malformed`, `FieldError`."""
    value = canonical.decode(part)
    require_fields(value, "field", {"field", "salt", "value"}, set())
    hex32(value["salt"], "field.salt")
    if not isinstance(value["field"], str):
        raise FieldError("field.field", "名称 / a name", repr(value["field"])[:80])
    return value["field"], value["value"]


def shown(names: Sequence[str], parts: Mapping[int, bytes]) -> dict[str, Any]:
    """The values of the shown parts (by number), each under the name the list gives that number.

    Raises `FieldError` for a part that is another field, or no field.
    """
    values = {}
    for number, data in parts.items():
        name, values_ = read_field(data)
        if number >= len(names) or names[number] != name:
            raise FieldError(f"parts[{number}].field", names[number] if number < len(names) else "—", name[:80])
        values[name] = values_
    return values


def document_of(names: Sequence[str], parts: Sequence[bytes]) -> dict[str, Any]:
    """The whole document of all its parts. Raises `FieldError` unless these are the very parts it makes."""
    document = shown(names, dict(enumerate(parts)))
    if tuple(names) != names_of(document) or parts_of(document) != tuple(parts):
        raise FieldError(
            "parts", "由内容与盐导出的字段 / the fields that follow from content and salt", "不同 / others"
        )
    return document


def choose(names: Sequence[str], wanted: Sequence[str]) -> tuple[int, ...]:
    """The numbers of the wanted fields. Raises `FieldError` for an unknown name, or for the salt without the rest."""
    for name in wanted:
        if name not in names:
            raise FieldError("fields", ", ".join(names) or "—", name[:80])
    if SALT in wanted and set(wanted) != set(names):
        raise FieldError("fields", "盐只能与全部字段一起公开 / the salt only with all fields", ", ".join(wanted))
    return tuple(number for number, name in enumerate(names) if name in set(wanted))
