"""The agency's standing, changes, disclosures, complaints, breaches and yearly reports, as views of facts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String, Text
from sqlmodel import SQLModel

from registry.tables import derived


class AgencyProfileRow(SQLModel, table=True):
    """The newest profile of an agency, as canonical JSON."""

    __tablename__ = "agency_profile"
    agency: str = derived(String(64), key=True)
    at: int = derived(BigInteger)
    fact_id: str = derived(String(64))
    profile: str = derived(Text)


class AgencyListingRow(SQLModel, table=True):
    """An agency's place in the catalogue, act by act; the last one counts."""

    __tablename__ = "agency_listing"
    agency: str = derived(String(64), key=True)
    no: int = derived(Integer, key=True)
    state: str = derived(String(16))
    since: str = derived(String(10))
    document_no: str = derived(String(200))
    at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class AgencyChangeRow(SQLModel, table=True):
    """A reported change and where it stands."""

    __tablename__ = "agency_change"
    id: str = derived(String(32), key=True)
    agency: str = derived(String(64), index=True)
    state: str = derived(String(16), index=True)
    change: str = derived(Text)


class DisclosureRow(SQLModel, table=True):
    """A published version of a topic."""

    __tablename__ = "disclosure"
    agency: str = derived(String(64), key=True)
    topic: str = derived(String(16), key=True)
    version: int = derived(Integer, key=True)
    title: str = derived(String(200))
    effective_from: str = derived(String(10))
    file_name: str = derived(String(200))
    sha256: str = derived(String(64), index=True)
    sm3: str = derived(String(64))
    text: str = derived(Text)
    at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class ComplaintRow(SQLModel, table=True):
    """A complaint or opinion and where it stands."""

    __tablename__ = "complaint"
    id: str = derived(String(32), key=True)
    agency: str = derived(String(64), index=True)
    addressee: str = derived(String(20))
    category: str = derived(String(20))
    state: str = derived(String(16), index=True)
    received_at: int = derived(BigInteger)
    closed_at: int | None = derived(BigInteger, null=True)


class BreachRow(SQLModel, table=True):
    """A duty that was missed."""

    __tablename__ = "agency_breach"
    subject: str = derived(String(240), key=True)
    agency: str = derived(String(64), index=True)
    rule: str = derived(String(3))
    due: int = derived(BigInteger)
    about: str = derived(String(200))
    at: int = derived(BigInteger)
    fact_id: str = derived(String(64))


class AnnualReportRow(SQLModel, table=True):
    """A yearly report that was made, in one of its versions."""

    __tablename__ = "annual_report"
    agency: str = derived(String(64), key=True)
    year: int = derived(Integer, key=True)
    no: int = derived(Integer, key=True)
    at: int = derived(BigInteger)
    fact_id: str = derived(String(64))
