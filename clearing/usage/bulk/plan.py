"""The metering of many agreements at once, as one SQL text that every engine runs: what `read_meter` says of each.

The text is DuckDB's; Spark gets it through Ibis, which translates it. It is run step by step; each step is a named
table of the ones before it, from two given ones:

- `known`: the admitted records up to the high-water mark, with the columns of `MeteredUse` (COLUMNS)
- `items`: one row for each agreement revision to be read (ITEM_COLUMNS), `side` is whose records are billed

A use that one record alone reports, billed by that side, is added up as it is read (`alone`): the bulk of a month.
What more than one record reports, and every use billed by both sides, is put together use by use (`told` → `event`).
Nothing here is a float: quantities are integers, a tolerance is compared by cross-multiplication.

A hash is only a sieve for request ids that came twice: a collision costs time and changes nothing, so each engine may
have its own. Source: domain clearing §2, invariants 6 and 7; decisions D10, D35.
"""

from __future__ import annotations

COLUMNS = (
    ("connector", "VARCHAR"), ("seq", "BIGINT"), ("agreement", "VARCHAR"), ("revision", "BIGINT"),
    ("request_id", "VARCHAR"), ("side", "VARCHAR"), ("unit", "VARCHAR"), ("quantity", "BIGINT"),
    ("decision", "VARCHAR"), ("outcome_ok", "BOOLEAN"), ("use_class", "VARCHAR"), ("occurred_at", "BIGINT"),
    ("received_at", "BIGINT"), ("batch", "VARCHAR"), ("root_sha256", "VARCHAR"), ("root_sm3", "VARCHAR"),
    ("position", "BIGINT"), ("digest", "VARCHAR"),
)  # fmt: skip
"""Of a record, in the order of `MeteredUse`."""

ITEM_COLUMNS = (
    ("item", "BIGINT"), ("agreement", "VARCHAR"), ("revision", "BIGINT"), ("side", "VARCHAR"), ("unit", "VARCHAR"),
    ("bill_failures", "BOOLEAN"), ("late_limit", "BIGINT"), ("by_receipt", "BOOLEAN"), ("start_at", "BIGINT"),
    ("end_at", "BIGINT"), ("tolerance", "BIGINT"), ("ppm", "BIGINT"), ("seconds", "BIGINT"),
)  # fmt: skip
"""Of an agreement revision: its number here, its name, whose side is billed (`PROVIDE`, `CONSUME` or `BOTH`), what its
terms say about a record, the period [start_at, end_at), and how far two records of a use may differ."""

# The rules of `metered`, of record u and revision i.
_DATED = "CASE WHEN i.by_receipt THEN u.received_at ELSE u.occurred_at END"
_FAULT = """CASE
    WHEN u.decision <> 'allow' OR u.use_class = 'REFUSED' THEN 'REFUSED'
    WHEN u.use_class NOT IN ('OK', 'LATE', 'UNIT', 'FAILED') THEN 'SCOPE'
    WHEN u.received_at - u.occurred_at > i.late_limit THEN 'LATE'
    WHEN u.unit <> i.unit THEN 'UNIT'
    WHEN NOT u.outcome_ok AND NOT i.bill_failures THEN 'FAILED'
    ELSE '' END"""
"""Why a record is not billed whatever the other side says, in the words of a reading; '' if nothing stands against
it."""

_REPEATED = """
SELECT hash(agreement, side, request_id) AS mark FROM known
GROUP BY hash(agreement, side, request_id) HAVING count(*) > 1"""

_SUMMED_ALONE = """
SELECT item, batch, root_sha256, root_sm3, count(*) AS records,
       sum(CASE WHEN fault = '' THEN 1 ELSE 0 END) AS counted,
       sum(CASE WHEN fault = '' THEN quantity ELSE 0 END) AS quantity
FROM alone GROUP BY item, batch, root_sha256, root_sm3"""

_ALONE = f"""
SELECT * FROM (
    SELECT i.item, u.connector, u.seq, u.quantity, u.batch, u.root_sha256, u.root_sm3, {_FAULT} AS fault
    FROM known AS u JOIN items AS i ON u.agreement = i.agreement AND u.revision = i.revision AND u.side = i.side
    LEFT JOIN repeated AS r ON r.mark = hash(u.agreement, u.side, u.request_id)
    WHERE {_DATED} >= i.start_at AND {_DATED} < i.end_at AND r.mark IS NULL
) AS judged WHERE NOT (quantity = 0 AND fault = '')"""
"""A record with a quantity of nothing and no fault is explained by what the other side says: not here. NOT EXISTS says
the same as the left join, but DuckDB answers it by making every record distinct first, four times as slow."""

_ASKED = f"""
SELECT i.item, i.agreement, u.request_id FROM known AS u
JOIN repeated AS r ON r.mark = hash(u.agreement, u.side, u.request_id)
JOIN items AS i ON u.agreement = i.agreement AND u.side = i.side
UNION
SELECT i.item, i.agreement, u.request_id FROM known AS u
JOIN items AS i ON u.agreement = i.agreement AND u.side = i.side
WHERE u.quantity = 0 AND {_FAULT} = ''"""

_TOLD_COLUMNS = f"""i.item, u.connector, u.seq, u.revision, u.request_id, u.side, u.unit, u.quantity, u.decision,
    u.outcome_ok, u.use_class, u.occurred_at, u.received_at, u.batch, u.root_sha256, u.root_sm3, u.digest,
    i.agreement, i.side AS billed_side, i.revision AS own_revision, {_FAULT} AS fault, {_DATED} AS dated,
    {_DATED} >= i.start_at AND {_DATED} < i.end_at AS inside,
    u.decision = 'allow' AND u.outcome_ok AS took_place,
    u.decision = 'allow' AND (u.outcome_ok OR i.bill_failures) AND u.quantity > 0 AS claims,
    u.unit = i.unit AS own_unit"""
_TOLD = f"""
SELECT {_TOLD_COLUMNS} FROM known AS u JOIN items AS i ON u.agreement = i.agreement AND i.side = 'BOTH'
UNION ALL
SELECT {_TOLD_COLUMNS} FROM asked AS a JOIN items AS i ON a.item = i.item
JOIN known AS u ON u.agreement = a.agreement AND u.request_id = a.request_id"""

_CLASHING = """
SELECT connector, seq, min(digest) AS low, max(digest) AS high FROM ranked
GROUP BY agreement, connector, seq HAVING min(digest) <> max(digest)"""

_RANKED = """
SELECT *, row_number() OVER once AS place,
    lag(connector) OVER once AS connector_before, lag(seq) OVER once AS seq_before
FROM (SELECT *, CASE WHEN use_class = 'REPORTER' THEN 1 ELSE 0 END AS unheard,
             CASE WHEN fault = '' THEN 0 ELSE 1 END AS faulty FROM told) AS told
WINDOW once AS (PARTITION BY item, request_id, side, unheard
                ORDER BY faulty, occurred_at, received_at, connector, seq)"""
"""The record of each side that stands for a use comes first; one sent again stands right behind itself."""

_HEARD = """
SELECT * FROM ranked
WHERE connector_before IS NULL OR connector_before <> connector OR seq_before <> seq"""

_PAIR = """
SELECT coalesce(p.item, c.item) AS item, coalesce(p.request_id, c.request_id) AS request_id,
    p.item IS NOT NULL AS provided, c.item IS NOT NULL AS consumed,
    coalesce(p.use_class, '') AS class_p, coalesce(c.use_class, '') AS class_c,
    p.revision AS revision_p, c.revision AS revision_c, p.unit AS unit_p, c.unit AS unit_c,
    p.own_unit AS own_unit, p.took_place AS took_p, c.took_place AS took_c,
    coalesce(p.claims, FALSE) AS claims_p, coalesce(c.claims, FALSE) AS claims_c,
    CASE WHEN p.fault = '' THEN p.quantity ELSE 0 END AS worth_p,
    CASE WHEN c.fault = '' THEN c.quantity ELSE 0 END AS worth_c,
    CASE WHEN p.claims AND p.use_class <> 'TRIAL' THEN p.quantity ELSE 0 END AS stated_p,
    CASE WHEN c.claims AND c.use_class <> 'TRIAL' THEN c.quantity ELSE 0 END AS stated_c,
    p.dated AS dated_p, c.dated AS dated_c, p.inside AS inside_p, c.inside AS inside_c,
    coalesce(p.fault = 'LATE' OR (p.decision = 'allow' AND p.use_class = 'FUTURE'), FALSE)
      OR coalesce(c.fault = 'LATE' OR (c.decision = 'allow' AND c.use_class = 'FUTURE'), FALSE) AS untimely
FROM (SELECT * FROM ranked WHERE place = 1 AND unheard = 0 AND side = 'PROVIDE') AS p
FULL OUTER JOIN (SELECT * FROM ranked WHERE place = 1 AND unheard = 0 AND side = 'CONSUME') AS c
  ON p.item = c.item AND p.request_id = c.request_id"""

_WIDE = "CAST({} AS DECIMAL(19, 0))"
_APART = "(greatest(e.stated_p, e.stated_c) - least(e.stated_p, e.stated_c))"
_MATCH = f"""CASE
    WHEN e.class_p IN ('UNKNOWN', 'STANDING', 'SCOPE') OR e.class_c IN ('UNKNOWN', 'STANDING', 'SCOPE') THEN 'SCOPE'
    WHEN NOT e.consumed THEN CASE WHEN e.claims_p THEN 'P-ONLY' ELSE 'OK' END
    WHEN NOT e.provided THEN CASE WHEN e.claims_c THEN 'C-ONLY' ELSE 'OK' END
    WHEN e.class_p = 'VERSION' OR e.class_c = 'VERSION' OR e.revision_p <> e.revision_c THEN 'VERSION'
    WHEN e.took_p <> e.took_c THEN 'OUTCOME'
    WHEN NOT e.claims_p AND NOT e.claims_c THEN 'OK'
    WHEN e.unit_p <> e.unit_c OR NOT e.own_unit THEN 'UNIT'
    WHEN {_APART} > i.tolerance
      AND {_WIDE.format(_APART)} * 1000000 > {_WIDE.format("greatest(e.stated_p, e.stated_c)")} * i.ppm THEN 'QTY'
    WHEN e.untimely OR (e.inside_p <> e.inside_c AND abs(e.dated_p - e.dated_c) > i.seconds) THEN 'TIME'
    WHEN e.stated_p <> e.stated_c OR e.inside_p <> e.inside_c THEN 'OK-T'
    ELSE 'OK' END"""
"""对账类别, as `reconcile` has it: the first that applies."""

_EVENT = f"""
SELECT item, request_id, match, billed, CASE WHEN match IN ('OK', 'OK-T', 'SCOPE') OR side <> 'BOTH' THEN 0
    ELSE greatest(worth_p, worth_c) - billed END AS held,
    lead_revision = revision AND lead_dated >= start_at AND lead_dated < end_at AS here
FROM (
    SELECT *, CASE WHEN side = 'PROVIDE' THEN worth_p WHEN side = 'CONSUME' THEN worth_c
        WHEN match IN ('OK', 'OK-T', 'QTY', 'UNIT', 'TIME') THEN least(worth_p, worth_c) ELSE 0 END AS billed
    FROM (
        SELECT i.item, e.request_id, i.side, i.revision, i.start_at, i.end_at, e.worth_p, e.worth_c, {_MATCH} AS match,
            CASE WHEN e.provided AND (i.side <> 'CONSUME' OR NOT e.consumed) THEN e.revision_p
                ELSE e.revision_c END AS lead_revision,
            CASE WHEN e.provided AND e.consumed AND i.side = 'BOTH' THEN greatest(e.dated_p, e.dated_c)
                WHEN e.provided AND (i.side <> 'CONSUME' OR NOT e.consumed) THEN e.dated_p
                ELSE e.dated_c END AS lead_dated
        FROM pair AS e JOIN items AS i ON e.item = i.item
    ) AS matched
) AS worth"""
"""What each use comes to; `here`: in this reading."""

_JUDGED = """
SELECT u.item, u.connector, u.seq, u.batch, u.root_sha256, u.root_sm3,
    CASE WHEN u.fault <> '' THEN u.fault
        WHEN u.place > 1 THEN CASE WHEN u.revision = s.revision AND u.unit = s.unit AND u.quantity = s.quantity
            AND u.decision = s.decision AND u.outcome_ok = s.outcome_ok AND u.use_class = s.use_class
            THEN 'DUP' ELSE 'CONFLICT' END
        WHEN e.billed > 0 AND e.here THEN ''
        WHEN e.billed > 0 THEN 'TIME'
        WHEN e.match IN ('OK', 'OK-T') THEN 'QTY'
        ELSE e.match END AS fault
FROM heard AS u
LEFT JOIN event AS e ON u.item = e.item AND u.request_id = e.request_id
LEFT JOIN (SELECT * FROM heard WHERE place = 1 AND unheard = 0) AS s
  ON u.item = s.item AND u.request_id = s.request_id AND u.side = s.side
WHERE u.inside AND u.revision = u.own_revision AND (u.billed_side = 'BOTH' OR u.billed_side = u.side)"""
"""The records of the reading that are not `alone`, each with why it is not counted."""

STEPS = (
    ("repeated", _REPEATED), ("alone", _ALONE), ("summed_alone", _SUMMED_ALONE), ("asked", _ASKED), ("told", _TOLD),
    ("ranked", _RANKED), ("heard", _HEARD), ("pair", _PAIR), ("event", _EVENT), ("judged", _JUDGED),
)  # fmt: skip
KEPT = frozenset({"repeated", "summed_alone", "asked", "ranked", "event", "judged"})
"""The steps whose rows are kept, since several others read them; the rest are only names for what they say."""

CLASHES = _CLASHING
SUMS = """
SELECT item, sum(quantity) AS quantity, sum(held) AS held, sum(counted) AS counted FROM (
    SELECT item, quantity, 0 AS held, counted FROM summed_alone
    UNION ALL
    SELECT item, billed, held, 0 FROM event WHERE here
    UNION ALL
    SELECT item, 0, 0, 1 FROM judged WHERE fault = ''
) AS summed GROUP BY item"""
EXCLUDED = """
SELECT item, connector, seq, fault FROM alone WHERE fault <> ''
UNION ALL
SELECT item, connector, seq, fault FROM judged WHERE fault <> ''"""
BATCHES = """
SELECT item, batch, root_sha256, root_sm3, sum(records) AS records FROM (
    SELECT item, batch, root_sha256, root_sm3, records FROM summed_alone
    UNION ALL
    SELECT item, batch, root_sha256, root_sm3, 1 FROM judged
) AS summed GROUP BY item, batch, root_sha256, root_sm3"""
