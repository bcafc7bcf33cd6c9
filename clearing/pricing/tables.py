"""The view of pricing: one row per signed quote, derived from facts by `clearing.pricing.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, String, Table
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(
    name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False, optional: bool = False
) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=optional, index=index, autoincrement=False, info=DERIVED)


quote = Table(
    "pricing_quote",
    metadata,
    _column("id", String(32), key=True),
    _column("fact_id", String(64)),
    _column("at", BigInteger()),
    _column("issuer", String(64), index=True),
    _column("element", String(200), index=True),
    _column("version", BigInteger()),
    _column("stage", String(16)),
    _column("kind", String(16)),
    _column("scene", String(200)),
    _column("billing_unit", String(200)),
    _column("billing_size", BigInteger()),
    _column("as_of", BigInteger()),
    _column("valid_until", BigInteger()),
    _column("policy", String(200)),
    _column("policy_version", BigInteger()),
    _column("report_sha256", String(64), index=True),
    _column("report_sm3", String(64)),
    _column("evidence_sha256", String(64)),
    _column("evidence_sm3", String(64)),
    _column("guide_fen", BigInteger()),
    _column("agreed_guide_fen", BigInteger()),
    _column("bidding_guide_fen", BigInteger(), optional=True),
    _column("capped", Boolean()),
    _column("cold_start", Boolean()),
    _column("supersedes", String(64), index=True, optional=True),
)
"""Guide prices in fen per `billing_size` `billing_unit`. Advice: no column of a bill or an agreement reads them."""
