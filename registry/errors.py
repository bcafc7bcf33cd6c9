"""What can go wrong in registration, as one family.

RegistryError
├── Unknown               no such party, staff member, application, objection or certificate
├── IllegalMove           the table of moves has no such step from this state
├── NotEntitled           the actor may not take this step (role, organisation, separation of duties)
├── GuardRefused          the step exists, but its condition is not met
├── CalendarPending       a date needs the working days of a year that is not published yet
├── NotDefined            the rule set of the case does not say what is asked of it
├── CodeExhausted         the 9,999 codes of this region, agency and month are used up
├── DepositRefused        the deposit authority's receipt does not fit the request or its key
├── PaperRefused          a certificate paper cannot be made (a missing glyph, other bytes than issued)
└── FileRefused           a file handed in is not what it says, too large, or not safe to keep

Malformed input is `ledger.errors.FieldError`; wrong signatures are `ledger.errors.BadSignature`.
"""

from __future__ import annotations


class RegistryError(Exception):
    """Base of every error of the registry; its text is Chinese first, English second."""


class Unknown(RegistryError):
    """No such thing is on record."""

    def __init__(self, kind: str, identity: str) -> None:
        self.kind, self.identity = kind, identity
        super().__init__(f"没有登记 {kind} {identity}。 / No {kind} {identity} is on record.")


class IllegalMove(RegistryError):
    """The move does not exist from the state the case is in."""

    def __init__(self, state: str, move: str) -> None:
        self.state, self.move = state, move
        super().__init__(f"状态 {state} 下不能办理 {move}。 / Move {move} is not possible from state {state}.")


class NotEntitled(RegistryError):
    """Whoever signed may not take this step."""

    def __init__(self, move: str, zh: str, en: str) -> None:
        self.move, self.zh, self.en = move, zh, en
        super().__init__(f"{move}：{zh} / {move}: {en}")


class GuardRefused(RegistryError):
    """The condition of a step is not met; `guard` names it."""

    def __init__(self, move: str, guard: str, zh: str, en: str) -> None:
        self.move, self.guard, self.zh, self.en = move, guard, zh, en
        super().__init__(f"{move}：{zh} / {move}: {en}")


class CalendarPending(RegistryError):
    """The working days of `year` are not published; a date is never guessed."""

    def __init__(self, year: int) -> None:
        self.year = year
        super().__init__(
            f"{year}年工作日安排未公布，日期暂不能计算。"
            f" / The working days of {year} are not published; no date is guessed."
        )


class NotDefined(RegistryError):
    """A rule set is asked for a step, clock, limit or name that its source does not lay down; nothing is invented."""

    def __init__(self, scheme: str, zh: str, en: str) -> None:
        self.scheme, self.zh, self.en = scheme, zh, en
        super().__init__(
            f"规则 {scheme} 没有规定{zh}，不能据以办理。"
            f" / Rule set {scheme} does not define {en} and cannot be used for it."
        )


class CodeExhausted(RegistryError):
    """No serial is left this month; the case waits as it is (no month is borrowed, no digit added)."""

    def __init__(self, region: str, agency: str, month: str) -> None:
        self.region, self.agency, self.month = region, agency, month
        super().__init__(
            f"CODE_EXHAUSTED：{region} 地区机构 {agency} 在 {month} 月的 9999 个编号已用完。"
            f" / CODE_EXHAUSTED: all 9999 codes of region {region}, agency {agency}, month {month} are used."
        )


class DepositRefused(RegistryError):
    """The receipt does not prove the deposit that was asked for."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"存证回执不予采信：{zh} / Deposit receipt refused: {en}")


class PaperRefused(RegistryError):
    """The paper cannot be made as it must be."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"凭证未生成：{zh} / Certificate not made: {en}")


class FileRefused(RegistryError):
    """A file handed in is refused whole; nothing of it was kept. `name` is the file's own."""

    def __init__(self, name: str, zh: str, en: str) -> None:
        self.name, self.zh, self.en = name, zh, en
        super().__init__(f"文件“{name}”不予接收：{zh}。 / File {name!r} refused: {en}.")
