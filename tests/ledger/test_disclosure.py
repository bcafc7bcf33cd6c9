"""Salted fields: what is shown is checked, what is withheld cannot be guessed."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import canonical, disclosure
from ledger.digest import twin
from ledger.errors import FieldError, Malformed
from ledger.facts import PartsRoot

DOCUMENT: dict[str, Any] = {"name": "航班", "price": 35, "rows": [1, 2], "salt": "5a" * 32}
NAMES = ("name", "price", "rows", "salt")
PARTS = disclosure.parts_of(DOCUMENT)


def test_parts__one_canonical_field_each__in_the_order_of_the_names() -> None:
    assert disclosure.names_of(DOCUMENT) == NAMES
    assert [disclosure.read_field(part) for part in PARTS] == [(name, DOCUMENT[name]) for name in NAMES]
    assert disclosure.parts_of(dict(reversed(DOCUMENT.items()))) == PARTS
    salts = {canonical.decode(part)["salt"] for part in PARTS}
    assert len(salts) == len(NAMES)
    assert not salts & {DOCUMENT["salt"]}


def test_document__of_all_parts__back_again() -> None:
    assert disclosure.document_of(NAMES, PARTS) == DOCUMENT


def test_shown__some_parts__their_values_by_name() -> None:
    assert disclosure.shown(NAMES, {1: PARTS[1]}) == {"price": 35}
    with pytest.raises(FieldError):
        disclosure.shown(NAMES, {0: PARTS[1]})
    with pytest.raises(FieldError):
        disclosure.shown(NAMES, {9: PARTS[1]})


def test_withheld__a_field_with_a_known_value__still_has_a_digest_nobody_can_compute() -> None:
    """The reader knows every field but one, all their salts, and even the value of the last: not its salt."""
    guess = canonical.encode({"field": "price", "salt": "0" * 64, "value": 35})
    shown = {canonical.decode(part)["salt"] for number, part in enumerate(PARTS) if number not in (1, 3)}
    tries = [guess] + [canonical.encode({"field": "price", "salt": salt, "value": 35}) for salt in shown]
    assert twin(PARTS[1]) not in {twin(attempt) for attempt in tries}


@pytest.mark.parametrize("salt", [None, "", "5a", "5A" * 32, 7])
def test_parts__without_a_good_salt__refused(salt: Any) -> None:
    document = {"name": "x"} | ({} if salt is None else {"salt": salt})
    with pytest.raises(FieldError, match="salt"):
        disclosure.parts_of(document)


def test_document__other_salt_order_or_number__refused() -> None:
    other = canonical.encode(canonical.decode(PARTS[0]) | {"salt": "0" * 64})
    for names, parts in (
        (NAMES, (other, *PARTS[1:])), (NAMES, PARTS[::-1]), (NAMES[::-1], PARTS[::-1]), (NAMES[:3], PARTS[:3]),
    ):  # fmt: skip
        with pytest.raises(FieldError):
            disclosure.document_of(names, parts)
        assert PartsRoot.over(parts).count == len(parts)


@pytest.mark.parametrize("part", [b"", b"[]", b"{}", b'{"field":1,"salt":"x","value":1}', b'{"field":"a","value":1}'])
def test_read_field__anything_else__refused(part: bytes) -> None:
    with pytest.raises(Malformed):
        disclosure.read_field(part)


def test_choose__names_to_numbers__never_the_salt_alone() -> None:
    assert disclosure.choose(NAMES, ("rows", "name")) == (0, 2)
    assert disclosure.choose(NAMES, NAMES) == (0, 1, 2, 3)
    assert disclosure.choose(NAMES, ()) == ()
    for wanted in (("salt",), ("salt", "name"), ("nothing",)):
        with pytest.raises(FieldError, match="fields"):
            disclosure.choose(NAMES, wanted)
