"""Views of published credit figures, objections and relations, derived from facts by `reporting.store`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, String, Table, Text

from ledger.tables import derived, metadata

figure = Table(
    "clearing_credit_figure",
    metadata,
    derived("fact_id", String(64), key=True),
    derived("party", String(18), index=True),
    derived("no", BigInteger()),
    derived("at", BigInteger()),
    derived("newest", Boolean()),
    derived("grade", String(8)),
    derived("document", Text()),
)
"""Every published figure; `newest` marks the one in force of each party."""

objection = Table(
    "clearing_credit_objection",
    metadata,
    derived("id", String(32), key=True),
    derived("party", String(18), index=True),
    derived("at", BigInteger()),
    derived("fact_id", String(64)),
    derived("document", Text()),
    derived("answered_at", BigInteger()),
    derived("answer", Text()),
)
"""An objection with its answer; `answered_at` is 0 and `answer` "" while there is none."""

relation = Table(
    "clearing_party_relation",
    metadata,
    derived("first", String(18), key=True),
    derived("second", String(18), key=True),
    derived("related", Boolean()),
    derived("at", BigInteger()),
    derived("fact_id", String(64)),
)
"""What was said last of a pair of parties."""
