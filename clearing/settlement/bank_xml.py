"""The one reader of XML that comes from a bank: a small tree of elements, each knowing its line, or a refusal.

A document type is refused where it begins, so no entity is ever declared, expanded or fetched; size, depth and number
of elements are bounded; only UTF-8 and only the namespace asked for are read. What stands in `SplmtryData`, where the
standard lets anything stand, is skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from xml.parsers import expat

from clearing.errors import BankFileRefused

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 32
MAX_ELEMENTS = 600_000
SPACE = " \t\r\n"
ANYTHING = "SplmtryData"


@dataclass(frozen=True, slots=True)
class Element:
    """One element without its namespace. `path` is Document/…/name, `line` counts from 1, `text` has no outer space."""

    name: str
    path: str
    line: int
    attributes: Mapping[str, str]
    text: str
    children: tuple[Element, ...]

    def many(self, name: str) -> list[Element]:
        """Every child of this name, in order."""
        return [child for child in self.children if child.name == name]

    def maybe(self, name: str) -> Element | None:
        """The child of this name, None without one. Raises BankFileRefused when there are several."""
        found = self.many(name)
        if len(found) > 1:
            raise BankFileRefused(found[1].line, f"{self.path}/{name}", "at most one", len(found))
        return found[0] if found else None

    def one(self, name: str) -> Element:
        """The one child of this name. Raises BankFileRefused without one or with several."""
        found = self.maybe(name)
        if found is None:
            raise BankFileRefused(self.line, f"{self.path}/{name}", "exactly one", "none")
        return found

    def down(self, way: str) -> Element | None:
        """The element at a/b/c below this one, None where the way ends. Raises BankFileRefused for a fork."""
        found: Element | None = self
        for name in way.split("/"):
            found = found.maybe(name) if found is not None else None
        return found

    def text_at(self, way: str) -> str:
        """The text at a/b/c below this one, "" where the way ends."""
        found = self.down(way)
        return "" if found is None else found.text

    def refused(self, expected: str, given: object | None = None) -> BankFileRefused:
        """The error that names this element; `given` is its text unless said otherwise."""
        return BankFileRefused(self.line, self.path, expected, self.text if given is None else given)


class _Builder:
    """Collects what the parser calls out; elements are frozen when they end."""

    def __init__(self, namespaces: Collection[str]) -> None:
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.buffer_text = True
        self.namespaces = namespaces
        self.namespace = ""
        self.open: list[tuple[str, str, int, dict[str, str], list[str], list[Element]]] = []
        self.skipping = 0
        self.count = 0
        self.root: Element | None = None
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.XmlDeclHandler = self.declared
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters

    def path(self, name: str) -> str:
        return f"{self.open[-1][1]}/{name}" if self.open else name

    def refused(self, field: str, expected: str, given: object) -> BankFileRefused:
        return BankFileRefused(self.parser.CurrentLineNumber, field, expected, given)

    def doctype(self, name: str, *_: object) -> None:
        raise self.refused("DOCTYPE", "no document type, so no entities", name)

    def declared(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise self.refused("encoding", "UTF-8", encoding)

    def start(self, full: str, attributes: dict[str, str]) -> None:
        self.count += 1
        namespace, _, name = full.rpartition(" ")
        if self.count > MAX_ELEMENTS:
            raise self.refused(self.path(name), f"at most {MAX_ELEMENTS} elements", self.count)
        if len(self.open) + self.skipping >= MAX_DEPTH:
            raise self.refused(self.path(name), f"at most {MAX_DEPTH} levels", MAX_DEPTH + 1)
        if self.skipping or (self.open and name == ANYTHING):
            self.skipping += 1
            return
        if not self.open and name == "Document" and namespace in self.namespaces:
            self.namespace = namespace
        if not self.namespace or namespace != self.namespace:
            expected = self.namespace or "Document in " + " | ".join(sorted(self.namespaces))
            raise self.refused(self.path(name), expected, namespace or "no namespace")
        self.open.append((name, self.path(name), self.parser.CurrentLineNumber, attributes, [], []))

    def end(self, full: str) -> None:
        if self.skipping:
            self.skipping -= 1
            return
        name, path, line, attributes, pieces, children = self.open.pop()
        text = "".join(pieces).strip(SPACE)
        if text and children:
            raise BankFileRefused(line, path, "elements or text, not both", text[:40])
        element = Element(name, path, line, attributes, text, tuple(children))
        if self.open:
            self.open[-1][5].append(element)
        else:
            self.root = element

    def characters(self, text: str) -> None:
        if not self.skipping and self.open:
            self.open[-1][4].append(text)


def read_xml(data: bytes, namespaces: Collection[str]) -> tuple[str, Element]:
    """(its namespace, the root `Document`) of a file in one of these namespaces.

    Raises BankFileRefused naming line and element for a document type, another namespace or encoding, text beside
    elements, a file over 16 MiB, more than 32 levels or 600,000 elements, or what is not well-formed XML.
    """
    if len(data) > MAX_BYTES:
        raise BankFileRefused(0, "file", f"at most {MAX_BYTES} bytes", len(data))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BankFileRefused(0, "encoding", "UTF-8", str(error)) from error
    builder = _Builder(namespaces)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BankFileRefused(error.lineno, "file", "well-formed XML", expat.ErrorString(error.code)) from error
    assert builder.root is not None  # expat refuses a file without a root
    return builder.namespace, builder.root
