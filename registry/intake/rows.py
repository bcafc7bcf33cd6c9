"""A line of the import file as the body of a draft, with every cell that is wrong named by its heading and rule.

What cannot be turned into the form's value is left as typed, so the form's own types judge it; each wrong cell is named
once. Nothing here asks a database: the papers already handed in come as a table.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import canonical
from ledger.reading import body_of
from registry.asset import Content, DataFile, Twin, content_of
from registry.errors import FileRefused
from registry.form import Attachment, Form, RegistrationType
from registry.intake.columns import (
    APPLICATIONS,
    KEY,
    KEY_LENGTH,
    MAIN,
    RIGHT_ROWS,
    RIGHTS,
    Cell,
    Column,
    heading_of,
    label_of,
)
from registry.intake.problems import problems, readable, shown
from registry.intake.sheets import Book, Line
from registry.party import PartyKind, is_person, masked_name
from registry.rights import RIGHT_NAMES

Papers = Mapping[tuple[str, str], Attachment]
"""Papers handed in by the holder, by (kind, file name): the newest version of each."""

_DAY = re.compile(r"([0-9]{4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,2})\s*日?(?: 00:00:00)?")
_VOLUME = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?)\s*(\S.*)")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_RIGHT_CODES = {name: right.value for right, name in RIGHT_NAMES.items()}
_RIGHT_LABELS = "、".join(_RIGHT_CODES)


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong cell: sheet, number of the line, heading ("" the whole line) and the rule, with what was typed."""

    sheet: str
    number: int
    heading: str
    rule: str

    @property
    def text(self) -> str:
        return f"{self.heading}：{self.rule}" if self.heading else self.rule


@dataclass(frozen=True, slots=True)
class House:
    """What every row of an import shares: the agency applied to, the rule set, who imports, and their papers."""

    agency: str
    scheme: str
    holder: str
    papers: Papers


@dataclass(frozen=True, slots=True)
class Row:
    """A line of sheet 申请: the form it fills in, with its canonical bytes, or its faults."""

    line: Line
    key: str
    form: Form | None
    document: bytes
    faults: tuple[Fault, ...]


def rows_of(name: str, book: Book, house: House) -> Iterator[Row]:
    """Each line of the book as a row, in order. Raises `FileRefused` if a line of 权利 belongs to no application."""
    keys: dict[str, int] = {}
    for line in book.applications:
        keys.setdefault(line.cells[0], line.number)
    rights: dict[str, list[Line]] = defaultdict(list)
    for line in book.rights:
        if not line.cells[0] or line.cells[0] not in keys:
            raise FileRefused(
                name,
                f"“{RIGHTS}”表第 {line.number} 行的{KEY}“{shown(line.cells[0])}”不在“{APPLICATIONS}”表中",
                f"line {line.number} of {RIGHTS} belongs to no application",
            )
        rights[line.cells[0]].append(line)
    for line in book.applications:
        yield _Reading(line, house, rights.get(line.cells[0], []), keys).row()


def draft_id(holder: str, key: str, document: bytes) -> str:
    """The id of an imported draft (32 hex): the same row of the same holder has the same id in whatever file, so
    importing it twice does not double it. It becomes the id of the application."""
    head = canonical.encode({"holder": holder, "key": key})
    return hashlib.sha256(b"shuqing/intake-row/v1\x00" + head + b"\x00" + document).hexdigest()[:32]


def file_cell(file: DataFile) -> str:
    """A data file as one line of the column 数据文件."""
    return f"{file.name}|{file.size}|{file.rows}|{file.digest.sha256}|{file.digest.sm3}"


class _Reading:
    """Reads one line: fills the body, collects the faults."""

    def __init__(self, line: Line, house: House, rights: Sequence[Line], keys: Mapping[str, int]) -> None:
        self.line, self.house, self.rights, self.keys = line, house, rights, keys
        self.faults: list[Fault] = []
        self.body: dict[str, Any] = {
            "scheme": house.scheme,
            "agency": house.agency,
            "type": RegistrationType.INITIAL.value,
            "applicants": [{}],
            "description": {},
            "declarations": {},
            "attachments": [],
            "rights": [],
        }
        self.cells = dict(zip((column.heading for column in MAIN), map(_nfc, line.cells), strict=True))

    def row(self) -> Row:
        key = self.cells[KEY]
        self._key(key)
        for column in MAIN:
            text = self.cells[column.heading]
            if column.path and column.path != "rights":
                self._cell(column, text)
        self._groups()
        self._own_person()
        self._right_rows()
        found = readable(self.body, Form)
        if found is None:
            self._problems()
        if found is None or self.faults:
            return Row(self.line, key, None, b"", tuple(self.faults))
        return Row(self.line, key, *found, ())

    def _wrong(self, heading: str, rule: str) -> None:
        if not any((fault.sheet, fault.heading) == (APPLICATIONS, heading) for fault in self.faults):
            self.faults.append(Fault(APPLICATIONS, self.line.number, heading, rule))

    def _key(self, key: str) -> None:
        if not key:
            self._wrong(KEY, "未填写")
        elif len(key) > KEY_LENGTH:
            self._wrong(KEY, f"不超过{KEY_LENGTH}个字，实为{len(key)}个字")
        elif self.keys[self.line.cells[0]] != self.line.number:
            self._wrong(KEY, f"与第{self.keys[self.line.cells[0]]}行重复，实为“{shown(key)}”")

    def _cell(self, column: Column, text: str) -> None:
        if column.cell is Cell.LINES:
            self._several(column, text)
        elif text or column.required:
            _put(self.body, column.path, self._value(column, text))

    def _value(self, column: Column, text: str) -> Any:
        """The form's value for a cell; what has none is left as typed."""
        if not text:
            return ""
        if column.cell is Cell.DAY:
            return day_typed(text)
        if column.cell is Cell.NUMBER:
            return int(text) if re.fullmatch("[0-9]{1,9}", text) else text
        if column.choices:
            found = dict(column.choices).get(text)
            if found is None:
                self._wrong(
                    column.heading, f"应为{'、'.join(name for name, _ in column.choices)}之一，实为“{shown(text)}”"
                )
            return text if found is None else {"true": True, "false": False}.get(found, found)
        return text

    def _several(self, column: Column, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if column.path == "description.content":
            self._content(column, lines)
        elif column.path == "description.volume":
            _put(self.body, column.path, [self._volume(column, line) for line in lines])
        elif column.path == "description.sources":
            if lines:
                _put(self.body, column.path, [_source(line) for line in lines])
        elif column.path == "attachments":
            found = [self._paper(column, line) for line in lines]
            self.body["attachments"] = [body_of(item) for item in found if item is not None]
        elif lines:
            _put(self.body, column.path, lines)
        if not lines and column.required:
            self._wrong(column.heading, "未填写")

    def _volume(self, column: Column, line: str) -> dict[str, str]:
        found = _VOLUME.fullmatch(line)
        if found is None:
            self._wrong(column.heading, f"应为数字、空格、单位，如“336776 条”，实为“{shown(line)}”")
            return {"number": line, "unit": ""}
        return {"number": found[1].replace(",", ""), "unit": found[2]}

    def _content(self, column: Column, lines: Sequence[str]) -> None:
        files = []
        for line in lines:
            parts = [part.strip() for part in line.split("|")]
            numbers = len(parts) == 5 and all(re.fullmatch("[0-9]{1,15}", part) for part in parts[1:3])
            if not numbers or not parts[0] or not all(_HEX.fullmatch(part) for part in parts[3:]):
                self._wrong(column.heading, f"应为“文件名|字节数|行数|SHA-256|SM3”，实为“{shown(line)}”")
                return
            twin = Twin(parts[3].lower(), parts[4].lower())
            files.append(DataFile(parts[0], int(parts[1]), int(parts[2]), twin))
        if len({file.name for file in files}) != len(files):
            self._wrong(column.heading, "文件名重复")
        elif files:
            content: Content = content_of(tuple(files))
            _put(self.body, column.path, body_of(content))

    def _paper(self, column: Column, line: str) -> Attachment | None:
        kind, mark, name = (part.strip() for part in line.partition("|"))
        if not mark or not kind or not name:
            self._wrong(column.heading, f"应为“材料类型|文件名”，实为“{shown(line)}”")
            return None
        found = self.house.papers.get((kind, name))
        if found is None:
            self._wrong(column.heading, f"没有已上传的材料“{shown(line)}”，请先上传")
        return found

    def _groups(self) -> None:
        """经营情况 and 代理人 are filled in whole or not at all."""
        for group, place in (("applicants[0].business", self.body["applicants"][0].get("business")),
                             ("representative", self.body.get("representative"))):  # fmt: skip
            if place:
                for column in MAIN:
                    if column.path.startswith(f"{group}.") and not self.cells[column.heading]:
                        self._wrong(column.heading, f"未填写（{label_of(group)}各项应同时填写）")

    def _own_person(self) -> None:
        """A natural person who imports need not repeat the own identity in each row."""
        applicant, holder = self.body["applicants"][0], self.house.holder.removeprefix("party:")
        if self._of_person and not applicant.get("party") and is_person(holder):
            applicant["party"] = holder
        if self._of_person and not applicant.get("party"):
            self._wrong("当事方编号", "未填写（他人代为导入的自然人须填写）")

    @property
    def _of_person(self) -> bool:
        return bool(self.body["applicants"][0].get("kind") == PartyKind.NATURAL.value)

    def _right_rows(self) -> None:
        applicant = self.body["applicants"][0]
        holder = applicant.get("party", "") if self._of_person else applicant["id_no"]
        name = masked_name(applicant["name"]) if self._of_person else applicant["name"]
        inline = [part for part in re.split(r"[、,，;；\s]+", self.cells["登记权利"]) if part]
        limits = self.cells["权利限制"]
        if self.rights and (inline or limits):
            self._wrong("登记权利", f"已在“{RIGHTS}”表填写的，“登记权利”“权利限制”应留空")
        if not self.rights and not inline:
            self._wrong("登记权利", f"未填写（应为{_RIGHT_LABELS}，或在“{RIGHTS}”表填写）")
        for right in inline:
            if right not in _RIGHT_CODES:
                self._wrong("登记权利", f"应为{_RIGHT_LABELS}，实为“{shown(right)}”")
        if len(set(inline)) != len(inline):
            self._wrong("登记权利", "同一项权利写了两次")
        if self.rights:
            self.body["rights"] = [self._right(line) for line in self.rights]
        else:
            self.body["rights"] = [
                {
                    "holder_name": name, "holder_id": holder, "right": _RIGHT_CODES[right],
                    "limits": limits,
                }
                for right in inline
                if right in _RIGHT_CODES
            ]  # fmt: skip

    def _right(self, line: Line) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for column, cell in zip(RIGHT_ROWS, line.cells, strict=True):
            text = _nfc(cell)
            if not column.path or (not text and not column.required):
                continue
            if column.cell is Cell.LINES:
                found[column.path] = [part.strip() for part in text.splitlines() if part.strip()]
            elif column.cell is Cell.DAY:
                found[column.path] = day_typed(text)
            else:
                found[column.path] = dict(column.choices).get(text, text)
        return found

    def _problems(self) -> None:
        """What the form's own types find, at the cell it was typed in."""
        for problem in problems(self.body, Form):
            place = re.match(r"rights\[(\d+)\]\.?([a-z_]*)", problem.path)
            if place and self.rights:
                line = self.rights[int(place[1])]
                heading = next((column.heading for column in RIGHT_ROWS if column.path == place[2]), "")
                self.faults.append(Fault(RIGHTS, line.number, heading, problem.zh))
                self._wrong("登记权利", f"“{RIGHTS}”表第{line.number}行有错")
            elif place and place[2] in ("holder_name", "holder_id"):
                continue  # taken over from the applicant, where it is said already
            else:
                heading = "权利限制" if place and place[2] == "limits" else heading_of(problem.path)
                self._wrong(heading, problem.zh if heading else f"{label_of(problem.path)}：{problem.zh}")


def day_typed(text: str) -> str:
    """A day as people type it (2024/1/31, 2024年1月31日) in the form's way; anything else as it is."""
    found = _DAY.fullmatch(text)
    return f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}" if found else text


def _source(line: str) -> dict[str, str]:
    code, mark, authorisation = (part.strip() for part in line.partition("|"))
    return {"certificate": code, "authorisation": authorisation} if mark else {"certificate": code}


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    place: Any = body
    *way, last = path.replace("[0]", ".0").split(".")
    for step in way:
        place = place[int(step)] if step.isdecimal() else place.setdefault(step, {})
    place[last] = value


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())
