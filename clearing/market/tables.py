"""Views of agreements, all derived from facts by `clearing.market.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Table, Text

from ledger.tables import derived, metadata

agreement = Table(
    "market_agreement",
    metadata,
    derived("id", String(64), key=True),
    derived("state", String(16), index=True),
    derived("revision", BigInteger()),
    derived("since", BigInteger()),
    derived("consumer", String(18), index=True),
    derived("seller", String(18), index=True),
    derived("listing", String(32), index=True),
    derived("certificate", String(200)),
    derived("effective", BigInteger()),
    derived("expiry", BigInteger()),
    derived("last_act_sha256", String(64)),
)

agreement_act = Table(
    "market_agreement_act",
    metadata,
    derived("agreement", String(64), key=True),
    derived("no", BigInteger(), key=True),
    derived("fact_id", String(64)),
    derived("act", String(16)),
    derived("state", String(16)),
    derived("revision", BigInteger()),
    derived("at", BigInteger(), index=True),
)
"""Every act: the state and revision it left the agreement in, and when it was taken in."""

agreement_terms = Table(
    "market_agreement_terms",
    metadata,
    derived("agreement", String(64), key=True),
    derived("revision", BigInteger(), key=True),
    derived("fact_id", String(64)),
    derived("at", BigInteger()),
    derived("negotiation", String(64)),
    derived("sha256", String(64)),
    derived("sm3", String(64)),
    derived("document", Text()),
    Index("ix_market_agreement_terms_negotiation", "negotiation", unique=True),
)
"""The terms of each revision as canonical text, and the negotiation they came from: an id serves once."""

agreement_signer = Table(
    "market_agreement_signer",
    metadata,
    derived("agreement", String(64), key=True),
    derived("position", Integer(), key=True),
    derived("role", String(16)),
    derived("party", String(18), index=True),
    derived("address", String(42)),
    derived("chain_id", BigInteger()),
    derived("contract", String(42)),
)

nonce = Table(
    "market_nonce",
    metadata,
    derived("address", String(42), key=True),
    derived("nonce", String(78), key=True),
    derived("agreement", String(64)),
    derived("no", BigInteger()),
)
"""Nonces spent by each address: a signature is good once (exchange.md §4.5)."""
