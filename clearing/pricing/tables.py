"""The view of pricing: one row per signed quote, derived from facts by `clearing.pricing.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, String, Table

from ledger.tables import derived, metadata

quote = Table(
    "pricing_quote",
    metadata,
    derived("id", String(32), key=True),
    derived("fact_id", String(64)),
    derived("at", BigInteger()),
    derived("issuer", String(64), index=True),
    derived("element", String(200), index=True),
    derived("version", BigInteger()),
    derived("stage", String(16)),
    derived("kind", String(16)),
    derived("scene", String(200)),
    derived("billing_unit", String(200)),
    derived("billing_size", BigInteger()),
    derived("as_of", BigInteger()),
    derived("valid_until", BigInteger()),
    derived("policy", String(200)),
    derived("policy_version", BigInteger()),
    derived("report_sha256", String(64), index=True),
    derived("report_sm3", String(64)),
    derived("evidence_sha256", String(64)),
    derived("evidence_sm3", String(64)),
    derived("guide_fen", BigInteger()),
    derived("agreed_guide_fen", BigInteger()),
    derived("bidding_guide_fen", BigInteger(), nullable=True),
    derived("capped", Boolean()),
    derived("cold_start", Boolean()),
    derived("supersedes", String(64), index=True, nullable=True),
)
"""Guide prices in fen per `billing_size` `billing_unit`. Advice: no column of a bill or an agreement reads them."""
