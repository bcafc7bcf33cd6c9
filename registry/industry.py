"""所属行业: 门类 and 大类 of GB/T 4754 (国民经济行业分类) as a table; the form gives both names and the code "G56"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ledger.errors import FieldError
from ledger.reading import read
from registry.rulefile import industry_documents

Text = Annotated[str, Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class Section:
    """A 门类: its letter, its name, and its 大类 by two-digit number."""

    code: Annotated[str, Meta(pattern=r"^[A-Z]\Z")]
    name: Text
    divisions: Mapping[str, Text]


@dataclass(frozen=True, slots=True)
class Industries:
    """One edition of the table."""

    id: Text
    title: Text
    version: Text
    sections: tuple[Section, ...]

    def names(self) -> Iterator[tuple[str, str]]:
        """Every (code, "门类/大类"), e.g. ("G56", "交通运输、仓储和邮政业/航空运输业")."""
        for section in self.sections:
            for number, name in section.divisions.items():
                yield f"{section.code}{number}", f"{section.name}/{name}"

    def has(self, name: str, code: str) -> bool:
        """Are these a name "门类/大类" and a code that belong together? White space around names is overlooked."""
        plain = "/".join(part.strip() for part in name.replace("／", "/").split("/"))
        return (code.strip(), plain) in set(self.names())

    def suggestions(self, name: str, code: str) -> tuple[str, ...]:
        """At most three entries the applicant may have meant: by the code, or by a part of the name."""
        parts = [part.strip() for part in name.replace("／", "/").split("/") if part.strip()]
        by_code = [f"{known} {text}" for known, text in self.names() if known == code.strip()]
        by_name = [f"{known} {text}" for known, text in self.names() for part in parts[-1:] if part in text]
        return tuple(dict.fromkeys(by_code + by_name))[:3]


def table_of(document: object, where: str) -> Industries:
    """A table from its document. Raises `FieldError`."""
    table = read(Industries, document, where)
    numbers = [number for section in table.sections for number in section.divisions]
    if numbers != sorted(set(numbers)) or any(len(number) != 2 or not number.isascii() for number in numbers):
        raise FieldError(
            f"{where}.sections", "两位大类代码递增不重复 / two-digit codes, rising, each once", "不符 / not so"
        )
    letters = [section.code for section in table.sections]
    if letters != sorted(set(letters)):
        raise FieldError(f"{where}.sections", "门类代码递增不重复 / letters rising, each once", " ".join(letters))
    return table


TABLES: Mapping[str, Industries] = {
    table.id: table for table in (table_of(value, f"rules/{stem}.json") for stem, value in industry_documents().items())
}
