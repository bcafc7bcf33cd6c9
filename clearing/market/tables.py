"""Views of agreements, all derived from facts by `clearing.market.store`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text
from sqlalchemy.types import TypeEngine

from ledger.tables import DERIVED, metadata


def _column(name: str, type_: TypeEngine[Any], *, key: bool = False, index: bool = False) -> Column[Any]:
    return Column(name, type_, primary_key=key, nullable=False, index=index, autoincrement=False, info=DERIVED)


agreement = Table(
    "market_agreement",
    metadata,
    _column("id", String(64), key=True),
    _column("state", String(16), index=True),
    _column("revision", BigInteger()),
    _column("since", BigInteger()),
    _column("consumer", String(18), index=True),
    _column("seller", String(18), index=True),
    _column("listing", String(32), index=True),
    _column("certificate", String(200)),
    _column("effective", BigInteger()),
    _column("expiry", BigInteger()),
    _column("last_act_sha256", String(64)),
)

agreement_act = Table(
    "market_agreement_act",
    metadata,
    _column("agreement", String(64), key=True),
    _column("no", BigInteger(), key=True),
    _column("fact_id", String(64)),
    _column("act", String(16)),
    _column("state", String(16)),
    _column("revision", BigInteger()),
    _column("at", BigInteger(), index=True),
)
"""Every act: the state and revision it left the agreement in, and when it was taken in."""

agreement_terms = Table(
    "market_agreement_terms",
    metadata,
    _column("agreement", String(64), key=True),
    _column("revision", BigInteger(), key=True),
    _column("fact_id", String(64)),
    _column("at", BigInteger()),
    _column("negotiation", String(64)),
    _column("sha256", String(64)),
    _column("sm3", String(64)),
    _column("document", Text()),
    Index("ix_market_agreement_terms_negotiation", "negotiation", unique=True),
)
"""The terms of each revision as canonical text, and the negotiation they came from: an id serves once."""

agreement_signer = Table(
    "market_agreement_signer",
    metadata,
    _column("agreement", String(64), key=True),
    _column("position", Integer(), key=True),
    _column("role", String(16)),
    _column("party", String(18), index=True),
    _column("address", String(42)),
    _column("chain_id", BigInteger()),
    _column("contract", String(42)),
)

nonce = Table(
    "market_nonce",
    metadata,
    _column("address", String(42), key=True),
    _column("nonce", String(78), key=True),
    _column("agreement", String(64)),
    _column("no", BigInteger()),
)
"""Nonces spent by each address: a signature is good once (exchange.md §4.5)."""
