"""What a form field looks like: a value for templates. A page lays fields out; it never decides what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Widget:
    """One field: its name in the form, its labels, its kind and help.

    `kind` is one of text, long, date, number, choice, tick, papers, files, fixed (shown, not typed). `options` are
    (value, label) of a choice. `required` only marks: what is missing is said beside the field, and drafts are kept.
    """

    name: str
    zh: str
    en: str
    kind: str = "text"
    options: tuple[tuple[str, str], ...] = ()
    required: bool = False
    help: str = ""
    most: int = 200
    value: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together; a repeated group shows one set of fields for each of its rows.

    `folded` groups are seldom needed and open at a click. `row` is what one row of a repeated group is called. `acts`
    are (value of "do", Chinese, English) of buttons that change the fields and show the form again.
    """

    title: str
    en: str
    widgets: tuple[Widget, ...]
    repeated: str = ""
    help: str = ""
    anchor: str = ""
    folded: bool = False
    row: str = ""
    acts: tuple[tuple[str, str, str], ...] = ()

    def filled(self, values: Mapping[str, str]) -> Group:
        """The same fields with what has been typed; what is shown and not typed stays."""
        return replace(
            self,
            widgets=tuple(
                item if item.kind == "fixed" else replace(item, value=values.get(item.name, ""))
                for item in self.widgets
            ),
        )
