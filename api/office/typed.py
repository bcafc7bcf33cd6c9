"""What somebody typed into a form, read field by field: a message stands beside every field that is wrong.

Days are days in Beijing: a first day begins at its first second, a last day ends with its last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from api.office.application_form import Message
from clearing import money
from clearing.errors import BadMoney
from clearing.terms import MAX_FEN
from registry.calendar import end_of, start_of

SEPARATOR = "；"


def yuan_of(text: str, *, least: int = 0) -> int:
    """Fen of an amount in yuan with at most two decimals, from `least` fen on. Raises BadMoney."""
    whole, _, rest = text.partition(".")
    return money.fen(money.parse_yuan(f"{whole}.{rest.ljust(2, '0')}"), least=least)


class Typed:
    """The fields of a form; whatever cannot be read leaves a message under its name and gives a blank value."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.messages: dict[str, tuple[Message, ...]] = {}

    def wrong(self, name: str, zh: str, en: str) -> None:
        """Says what is wrong with a field."""
        self.messages[name] = (*self.messages.get(name, ()), Message("S", zh, en))

    def text(self, name: str, *, most: int = 200, required: bool = True) -> str:
        found = self.values.get(name, "")
        if required and not found:
            self.wrong(name, "请填写。", "Required.")
        if len(found) > most:
            self.wrong(name, f"最多 {most} 个字，现为 {len(found)} 个。", f"At most {most} characters.")
        return found

    def number(self, name: str, least: int = 0, most: int = 2**53 - 1, *, blank: int | None = None) -> int:
        """An integer; an empty field gives `blank` if there is one."""
        text = self.values.get(name, "")
        if not text and blank is not None:
            return blank
        if not (text.isascii() and text.isdecimal() and len(text) <= 16 and least <= int(text) <= most):
            self.wrong(name, f"请填写 {least} 至 {most} 的整数。", f"An integer from {least} to {most}.")
            return least
        return int(text)

    def day(self, name: str) -> date | None:
        try:
            return date.fromisoformat(self.values.get(name, ""))
        except ValueError:
            self.wrong(name, "请选择日期。", "Choose a day.")
            return None

    def first(self, name: str) -> int:
        """Seconds UTC at which a first day begins."""
        found = self.day(name)
        return start_of(found) if found else 0

    def last(self, name: str) -> int:
        """The first second after a last day."""
        found = self.day(name)
        return end_of(found) if found else 0

    def yuan(self, name: str, *, blank: bool = False, signed: bool = False) -> int | None:
        """Fen of an amount in yuan with at most two decimals, below zero only if `signed`; None for an empty field
        that may be."""
        text = self.values.get(name, "")
        if not text and blank:
            return None
        try:
            return yuan_of(text, least=-MAX_FEN if signed else 0)
        except BadMoney:
            self.wrong(
                name, "请填写元，最多两位小数，如 0.35；不足一分的单价请写成每若干单位多少元。",
                "Yuan with at most two decimals, like 0.35.",
            )  # fmt: skip
            return 0

    def percent(self, name: str, places: int) -> int:
        """A percentage as an integer with `places` decimals kept: 6.5 with 2 places is 650."""
        text = self.values.get(name, "")
        whole, _, rest = text.partition(".")
        good = whole.isascii() and whole.isdecimal() and len(whole) <= 3 and len(rest) <= places
        if not good or (rest and not (rest.isascii() and rest.isdecimal())):
            self.wrong(name, "请填写百分数，如 6 或 12.5。", "A percentage, like 6 or 12.5.")
            return 0
        return int(whole + rest.ljust(places, "0"))

    def choice(self, name: str, options: Mapping[str, str]) -> str:
        found = self.values.get(name, "")
        if found not in options:
            self.wrong(name, "请选择。", "Choose one.")
            return next(iter(options))
        return found

    def listed(self, name: str, *, most: int = 200, required: bool = True) -> tuple[str, ...]:
        """Texts separated by ；."""
        found = tuple(item.strip() for item in self.values.get(name, "").replace(";", SEPARATOR).split(SEPARATOR))
        found = tuple(item for item in found if item)
        if required and not found:
            self.wrong(name, "请至少填写一项，多项之间用；分开。", "At least one, separated by ；.")
        if any(len(item) > most for item in found):
            self.wrong(name, f"每项最多 {most} 个字。", f"Each at most {most} characters.")
        return found

    def ticked(self, name: str) -> bool:
        return self.values.get(name) == "1"
