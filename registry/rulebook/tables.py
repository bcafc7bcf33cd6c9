"""Views of the facts that two members of staff state for everybody; every column is derived."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Text
from sqlmodel import Field, SQLModel

from registry.tables import DERIVED


class CalendarYearRow(SQLModel, table=True):
    """The working days of a year in one version; `document` is the body of its fact."""

    __tablename__ = "calendar_year"
    year: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False, info=DERIVED))
    version: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False, info=DERIVED))
    document_no: str = Field(sa_column=Column(String(200), nullable=False, info=DERIVED))
    document: str = Field(sa_column=Column(Text, nullable=False, info=DERIVED))
    from_at: int = Field(sa_column=Column(BigInteger, nullable=False, info=DERIVED))
    fact_id: str = Field(sa_column=Column(String(64), nullable=False, info=DERIVED))


class RuleSetRow(SQLModel, table=True):
    """A version of a rule set as the agency put it into the log."""

    __tablename__ = "rule_set"
    scheme: str = Field(sa_column=Column(String(40), primary_key=True, info=DERIVED))
    version: str = Field(sa_column=Column(String(4), primary_key=True, info=DERIVED))
    sha256: str = Field(sa_column=Column(String(64), nullable=False, info=DERIVED))
    sm3: str = Field(sa_column=Column(String(64), nullable=False, info=DERIVED))
    from_at: int = Field(sa_column=Column(BigInteger, nullable=False, info=DERIVED))
    fact_id: str = Field(sa_column=Column(String(64), nullable=False, info=DERIVED))
