"""The readings of many agreements in one period, by an engine: the same values `read_meter` gives, one by one.

An engine answers the queries of `plan` over the records it holds. What the plan does not express goes to `read_meter`
itself, with the agreement's records as the engine gives them: an agreement with a limit of uses, where whether a use
counts depends on all before it. What is billed by acceptance has no records here, so it is read elsewhere. `read_meter`
stays the definition; the tests compare every reading with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from clearing.errors import BadTerms, Clash
from clearing.terms import AgreementTerms, BillingBasis, Period, PeriodBasis, Tolerance
from clearing.usage.bulk import plan
from clearing.usage.intake import UseClass
from clearing.usage.metered import MeteredUse
from clearing.usage.metering import BatchRoot, Excluded, Exclusion, MeterReading, read_meter
from clearing.usage.record import Side

Rows = Iterable[tuple[Any, ...]]
_BILLED = {BillingBasis.PROVIDER: "PROVIDE", BillingBasis.CONSUMER: "CONSUME", BillingBasis.BOTH: "BOTH"}


class Engine(Protocol):
    """Where the records lie. `known` is there already: the admitted records, those beyond `high_water` left out."""

    high_water: int

    def give(self, name: str, columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]) -> None:
        """Lay down a small table: (name, type) of its columns and its rows."""

    def step(self, name: str, query: str, kept: bool) -> None:
        """Name what a query says; `kept` asks for its rows to be kept, as several others read them."""

    def rows(self, query: str) -> Rows:
        """The rows of the answer, each a tuple in the order of the columns."""


def read_meters(items: Sequence[AgreementTerms], period: Period, engine: Engine) -> tuple[MeterReading, ...]:
    """The reading of every item in the period, in the order of `items`, as `read_meter` gives it for each.

    The engine's records are admitted ones: at most one digest for each (connector, seq), which the store's key sees to,
    though the same record may stand there several times. Raises `Clash` where two digests show up under one request id
    or in an agreement that both sides report, BadTerms for an item that is billed by acceptance; otherwise as
    `read_meter`.
    """
    for item in items:
        if item.billing not in _BILLED:
            raise BadTerms(f"{item.agreement} billing", " | ".join(_BILLED), item.billing)
    numbered = [(number, item) for number, item in enumerate(items) if item.limit is None]
    found = dict(_by_plan(numbered, period, engine))
    for number, item in enumerate(items):
        if number not in found:
            found[number] = read_meter(item, period, uses_of(engine, item.agreement), engine.high_water)
    return tuple(found[number] for number in range(len(items)))


def uses_of(engine: Engine, agreement: str) -> Iterator[MeteredUse]:
    """Every known record of one agreement."""
    names = [name for name, _ in plan.COLUMNS]
    quoted = agreement.replace("'", "''")
    for row in engine.rows(f"SELECT {', '.join(names)} FROM known WHERE agreement = '{quoted}'"):
        values: Any = dict(zip(names, row, strict=True))
        values["side"], values["use_class"] = Side(values["side"]), UseClass(values["use_class"])
        yield MeteredUse(**values)


def row_of(use: MeteredUse) -> tuple[Any, ...]:
    """A record as a row of `known`."""
    return tuple(_plain(getattr(use, name)) for name, _ in plan.COLUMNS)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Side | UseClass) else value


def _by_plan(
    items: Sequence[tuple[int, AgreementTerms]], period: Period, engine: Engine
) -> Iterator[tuple[int, MeterReading]]:
    engine.give("items", plan.ITEM_COLUMNS, [_item_row(number, item, period) for number, item in items])
    for name, query in plan.STEPS:
        engine.step(name, query, name in plan.KEPT)
    for connector, seq, low, high in engine.rows(plan.CLASHES):
        raise Clash(f"usage record {connector}/{seq}", low, high)
    sums = {row[0]: row[1:] for row in engine.rows(plan.SUMS)}
    excluded: dict[int, list[Excluded]] = {}
    for number, connector, seq, reason in engine.rows(plan.EXCLUDED):
        excluded.setdefault(number, []).append(Excluded(connector, seq, Exclusion(reason)))
    batches: dict[int, list[BatchRoot]] = {}
    for number, batch, sha256, sm3, count in engine.rows(plan.BATCHES):
        batches.setdefault(number, []).append(BatchRoot(batch, int(count), sha256, sm3))
    for number, item in items:
        quantity, held, counted = sums.get(number, (0, 0, 0))
        yield (
            number,
            MeterReading(
                agreement=item.agreement,
                revision=item.revision,
                period=period.name,
                start=period.start,
                end=period.end,
                basis=item.terms.period.basis,
                unit=item.terms.tariff.unit,
                quantity=int(quantity),
                counted=int(counted),
                excluded=tuple(sorted(excluded.get(number, ()), key=lambda one: (one.connector, one.seq))),
                batches=tuple(sorted(batches.get(number, ()), key=lambda one: (one.batch, one.sha256, one.sm3))),
                high_water=engine.high_water,
                held=int(held),
            ),
        )


def _item_row(number: int, item: AgreementTerms, period: Period) -> tuple[Any, ...]:
    tariff, rules, tolerance = item.terms.tariff, item.terms.period, item.terms.tolerance or Tolerance()
    return (
        number, item.agreement, item.revision, _BILLED[item.billing], tariff.unit, tariff.bill_failures,
        rules.late_limit, rules.basis is PeriodBasis.RECEIVED, period.start, period.end,
        tolerance.units, tolerance.ppm, tolerance.seconds,
    )  # fmt: skip
