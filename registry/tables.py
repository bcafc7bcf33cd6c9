"""The registry's tables: views folded from facts, so every column is derived (decisions D2, D3).

`case` holds the whole case as canonical JSON; the columns beside it are what queries need. Due dates are not stored:
they are computed from the case with the calendar of the day they are asked.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

DERIVED = {"class": "derived"}


def derived(type_: Any, *, key: bool = False, index: bool = False, null: bool = False, default: Any = None) -> Any:
    """A column that is folded from facts."""
    column = Column(
        type_, primary_key=key, index=index, nullable=null, info=DERIVED, autoincrement=False, default=default
    )
    return Field(sa_column=column) if default is None else Field(default=default, sa_column=column)


class PartyRow(SQLModel, table=True):
    """A party in one version of its facts; the version in force at an instant is the last one with `from_at` ≤ it.

    `id` is the party identity: the USCC of an organisation, or that of a natural person, whose name is masked.
    """

    __tablename__ = "party"
    id: str = derived(String(18), key=True)
    no: int = derived(Integer, key=True)
    name: str = derived(String(200))
    kind: str = derived(String(20))
    sm2: str = derived(String(130))
    evm: str = derived(String(42), index=True)
    roles: str = derived(Text)
    from_at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class PersonRow(SQLModel, table=True):
    """Which natural person an identity paper belongs to, as the forms filed say (`registry.party.document_of`): one
    person has one party identity and one paper."""

    __tablename__ = "person"
    document: str = derived(String(64), key=True)
    party: str = derived(String(18), index=True)


class StaffRow(SQLModel, table=True):
    """A member of staff in one version of their facts."""

    __tablename__ = "staff"
    id: str = derived(String(64), key=True)
    no: int = derived(Integer, key=True)
    organisation: str = derived(String(18), index=True)
    sm2: str = derived(String(130))
    roles: str = derived(Text)
    active: bool = derived(Boolean)
    from_at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class ConnectorRow(SQLModel, table=True):
    """A connector in one version of its facts."""

    __tablename__ = "connector"
    id: str = derived(String(64), key=True)
    no: int = derived(Integer, key=True)
    owner: str = derived(String(18), index=True)
    sm2: str = derived(String(130))
    software: str = derived(String(200))
    from_at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class ApplicationRow(SQLModel, table=True):
    """An application and the state it is in."""

    __tablename__ = "application"
    id: str = derived(String(32), key=True)
    state: str = derived(String(16), index=True)
    agency: str = derived(String(18))
    data_name: str = derived(String(200))
    content: str = derived(String(64))
    submitted_at: int = derived(BigInteger)
    changed_at: int = derived(BigInteger)
    code: str = derived(String(15))
    type: str = derived(String(10))
    certificate: str = derived(String(15), index=True)
    case: str = derived(Text)


class ClaimRow(SQLModel, table=True):
    """A right that an application asks for its own applicant: the (data, right, holder) of decisions D25."""

    __tablename__ = "claim"
    application: str = derived(String(32), key=True)
    right: str = derived(String(10), key=True)
    holder: str = derived(String(64), key=True)
    content: str = derived(String(64))
    __table_args__ = (Index("ix_claim_triple", "content", "right", "holder"),)


class ObjectionRow(SQLModel, table=True):
    """Which application an objection belongs to; its text stays in the fact."""

    __tablename__ = "objection"
    id: str = derived(String(32), key=True)
    application: str = derived(String(32), index=True)
    received_at: int = derived(BigInteger)


class DepositRow(SQLModel, table=True):
    """A deposit receipt that was taken in."""

    __tablename__ = "deposit"
    record: str = derived(String(64), key=True)
    application: str = derived(String(32), index=True)
    number: str = derived(String(200))
    deposited_at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class CertificateRow(SQLModel, table=True):
    """A certificate version as the register has it; `entry` is the twin digest of its register-entry fact.

    `ended` is the final status it has come to ("": none), since `ended_at`, by the fact `ended_by`; `told` the status
    told last ("": nothing). `renewal_filed_at` is there while a renewal filed in time is pending.
    """

    __tablename__ = "certificate"
    code: str = derived(String(15), key=True)
    version: int = derived(Integer, key=True)
    application: str = derived(String(32), index=True)
    agency: str = derived(String(18))
    agency_name: str = derived(String(200))
    data_name: str = derived(String(200), index=True)
    kind: str = derived(String(10))
    content: str = derived(String(64), index=True)
    public: bool = derived(Boolean)
    deposited_at: int = derived(BigInteger, index=True)
    valid_from: int = derived(BigInteger)
    valid_until: int = derived(BigInteger)
    last_day: str = derived(String(10))
    fact_id: str = derived(String(64))
    entry_sm3: str = derived(String(64))
    type: str = derived(String(10), default="初次登记")
    predecessor: str = derived(String(15), index=True, default="")
    predecessor_version: int = derived(Integer, default=0)
    ended: str = derived(String(16), default="")
    ended_at: int = derived(BigInteger, default=0)
    ended_by: str = derived(String(64), default="")
    renewal_filed_at: int | None = derived(BigInteger, index=True, null=True)
    told: str = derived(String(16), index=True, default="")
    __table_args__ = (Index("ix_certificate_ended", "ended", "valid_until"),)


class HoldingRow(SQLModel, table=True):
    """Who holds which right under a certificate version."""

    __tablename__ = "holding"
    code: str = derived(String(15), key=True)
    version: int = derived(Integer, key=True)
    right: str = derived(String(10), key=True)
    holder: str = derived(String(64), key=True)
    holder_name: str = derived(String(200))
    holder_kind: str = derived(String(20))
    content: str = derived(String(64))
    term_from: str | None = derived(String(10), null=True)
    term_to: str | None = derived(String(10), null=True)
    __table_args__ = (Index("ix_holding_triple", "content", "right", "holder"),)


class IssueRow(SQLModel, table=True):
    """The papers issued for a certificate version, and its place in the status lists, which no other has."""

    __tablename__ = "certificate_issue"
    code: str = derived(String(15), key=True)
    version: int = derived(Integer, key=True)
    issued_at: int = derived(BigInteger)
    token: str = derived(String(200))
    check_url: str = derived(String(200))
    pdf_sha256: str = derived(String(64), index=True)
    pdf_sm3: str = derived(String(64))
    json_sha256: str = derived(String(64), index=True)
    json_sm3: str = derived(String(64))
    status_list: int = derived(Integer)
    status_index: int = derived(Integer)
    fact_id: str = derived(String(64))
    __table_args__ = (UniqueConstraint("status_list", "status_index", name="uq_certificate_issue_place"),)


class ToldRow(SQLModel, table=True):
    """What was told of a certificate version, act by act (`registry.telling`)."""

    __tablename__ = "certificate_told"
    code: str = derived(String(15), key=True)
    no: int = derived(Integer, key=True)
    version: int = derived(Integer)
    status: str = derived(String(16))
    encumbered: bool = derived(Boolean)
    objection: bool = derived(Boolean)
    effective_at: int = derived(BigInteger, index=True)
    fact_id: str = derived(String(64))


class AuthorisationRow(SQLModel, table=True):
    """A use authorisation given by a holder."""

    __tablename__ = "use_authorisation"
    fact_id: str = derived(String(64), key=True)
    code: str = derived(String(15), index=True)
    holder: str = derived(String(64))
    grantee: str = derived(String(64))
    from_at: int = derived(BigInteger)
    to_at: int = derived(BigInteger)


class CodeCounterRow(SQLModel, table=True):
    """The last serial taken in a region, agency digit and month: codes come from here, never from max()+1."""

    __tablename__ = "code_counter"
    region: str = derived(String(2), key=True)
    agency: str = derived(String(1), key=True)
    month: str = derived(String(6), key=True)
    last: int = derived(Integer)
