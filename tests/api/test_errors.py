"""One table knows HTTP: every error of the packages is in it, and every answer can be sent and read."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import clearing
import ledger
import registry
from api import errors
from api.apikey import Forbidden, Unauthorised
from ledger.errors import ChainUnavailable, FieldError, OneSided

UNIT_TESTS_ONLY = {"ledger.chain.Refused"}
"""A model contract reverts: raised and caught inside the chain in memory (decisions D45)."""
OPTIONAL = {"clearing.usage.bulk.spark"}
"""Needs the extra `scale`, which brings Spark; it has no error of its own."""
OUR_OWN = {"api.auth", "api.bodies", "api.group", "api.pages.guard"}


def modules(package: ModuleType) -> list[ModuleType]:
    names = [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(name) for name in names if name not in OPTIONAL]


def error_classes() -> set[type[Exception]]:
    found = set()
    for module in [item for package in (ledger, registry, clearing) for item in modules(package)] + [
        importlib.import_module(name) for name in OUR_OWN
    ]:
        for _, value in inspect.getmembers(module, inspect.isclass):
            private = value.__name__.startswith("_")
            if issubclass(value, Exception) and value.__module__ == module.__name__ and not private:
                found.add(value)
    return {kind for kind in found if f"{kind.__module__}.{kind.__name__}" not in UNIT_TESTS_ONLY}


@pytest.mark.parametrize("kind", sorted(error_classes(), key=lambda kind: f"{kind.__module__}.{kind.__name__}"))
def test_error_class__is_in_the_table(kind: type[Exception]) -> None:
    assert kind in errors.STATUS, f"{kind.__module__}.{kind.__name__} has no status"
    assert 400 <= errors.STATUS[kind] < 600


def test_private_error_class__answers_as_its_base() -> None:
    class _Inner(ChainUnavailable):
        pass

    assert errors.status_of(_Inner("x")) == 503


def test_table__subclass_of_bad_input__is_never_a_fault_of_ours() -> None:
    for kind, status in errors.STATUS.items():
        if issubclass(kind, FieldError):
            assert status < 500, kind


def test_document__names_field_expected_and_given() -> None:
    document = errors.document(OneSided("root", "both", "one"))
    assert document["error"] == "OneSided"
    assert (document["field"], document["expected"], document["given"]) == ("root", "both", "one")
    assert document["message"].startswith("字段 root")


def test_document__hostile_text__can_be_sent_and_is_short() -> None:
    document = errors.document(FieldError("\ud800" * 10_000, "x", "\udfff"))
    assert len(document["message"]) <= 2000
    for value in document.values():
        value.encode()


def test_status_of_our_own() -> None:
    assert errors.status_of(Unauthorised("x")) == 401
    assert errors.status_of(Forbidden("x")) == 403
