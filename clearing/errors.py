"""What can go wrong in clearing: one family, Chinese first, each with its own numbers.

ClearingError
  BadMoney            an amount outside the bounds, or text that is not an amount
  BadTerms            a tariff, plan or period rule that cannot be settled
  Held                what cannot be computed until something is given or decided: never guessed
  Unbalanced          a journal transaction whose postings do not sum to zero
  WrongMove           a cycle asked to do what its state does not allow
  TooEarly            a clock of the cycle has not run out
  Clash               the same key came again with other content
  UnknownFact         a named agreement, cycle, statement or instruction does not exist
  NotSigned           a required signature is missing or belongs to another
  BankFileRefused     a bank file whose sums, order or entries do not hold
  ProofRefused        a netting proof or certificate that does not hold
"""

from __future__ import annotations

from enum import StrEnum


class ClearingError(Exception):
    """Root of the family. `str(error)` is the whole message for a person."""


class BadMoney(ClearingError):
    """An amount is not an integer of fen within the bounds, or its text cannot be read."""

    def __init__(self, field: str, expected: str, given: object) -> None:
        self.field, self.expected, self.given = field, expected, given
        super().__init__(f"金额不合规 bad amount: {field}: expected {expected}, given {given!r}")


class BadTerms(ClearingError):
    """A tariff, sharing plan or period rule is refused at signing, with the field that is wrong."""

    def __init__(self, field: str, expected: str, given: object) -> None:
        self.field, self.expected, self.given = field, expected, given
        super().__init__(f"合约条款不合规 bad terms: {field}: expected {expected}, given {given!r}")


class HoldReason(StrEnum):
    """Why a charge or its division waits."""

    NOT_GIVEN = "NOT_GIVEN"  # what varies by period was not stated for this one
    NO_COEFFICIENT = "NO_COEFFICIENT"  # 符合性审查 failed, or a band that has no coefficient
    ABOVE_CAP = "ABOVE_CAP"  # dearer than the guided price
    NO_CONTRIBUTION = "NO_CONTRIBUTION"  # nobody contributed: an equal split would be a guess
    NO_VALUE = "NO_VALUE"  # all data together are worth nothing
    NEGATIVE = "NEGATIVE"  # somebody's Shapley value is below 0
    IMPRECISE = "IMPRECISE"  # sampled more coarsely than the plan allows


class Held(ClearingError):
    """暂缓: nothing is wrong with the terms, but what they ask for is missing; the charge waits, nothing is guessed."""

    def __init__(self, reason: HoldReason, field: str, expected: str, given: object) -> None:
        self.reason, self.field, self.expected, self.given = reason, field, expected, given
        super().__init__(f"暂缓结算 held: {reason}: {field}: expected {expected}, given {given!r}")


class Unbalanced(ClearingError):
    """Debits and credits of one transaction differ; such a transaction cannot be held in a variable."""

    def __init__(self, currency: str, difference: int) -> None:
        self.currency, self.difference = currency, difference
        super().__init__(f"借贷不平 unbalanced: {currency} postings sum to {difference} fen, expected 0")


class WrongMove(ClearingError):
    """The cycle is in another state than the act needs. No state is skipped or entered twice."""

    def __init__(self, subject: str, expected: str, given: str) -> None:
        self.subject, self.expected, self.given = subject, expected, given
        super().__init__(f"状态不符 wrong state: {subject}: expected {expected}, given {given}")


class TooEarly(ClearingError):
    """A window has not run out yet. Times are seconds UTC."""

    def __init__(self, subject: str, until: int, given: int) -> None:
        self.subject, self.until, self.given = subject, until, given
        super().__init__(f"时限未到 too early: {subject}: expected a time ≥ {until}, given {given}")


class Clash(ClearingError):
    """The same key came again with other content; the first stands and nothing was written."""

    def __init__(self, subject: str, expected: str, given: str) -> None:
        self.subject, self.expected, self.given = subject, expected, given
        super().__init__(f"重复提交内容不同 conflicting repeat: {subject}: expected {expected}, given {given}")


class UnknownFact(ClearingError):
    """Nothing is stored under the name given."""

    def __init__(self, what: str, given: str) -> None:
        self.what, self.given = what, given
        super().__init__(f"查无此项 unknown {what}: given {given!r}")


class NotSigned(ClearingError):
    """A signature that the act needs is missing, wrong or from the same person twice."""

    def __init__(self, subject: str, expected: str, given: str) -> None:
        self.subject, self.expected, self.given = subject, expected, given
        super().__init__(f"缺少签名 not signed as required: {subject}: expected {expected}, given {given}")


class BankFileRefused(ClearingError):
    """A bank file is refused whole; nothing was written. `row` is 0 for the file itself, else counted from 1."""

    def __init__(self, row: int, field: str, expected: str, given: object) -> None:
        self.row, self.field, self.expected, self.given = row, field, expected, given
        super().__init__(f"银行文件拒收 bank file refused: row {row}: {field}: expected {expected}, given {given!r}")


class ProofRefused(ClearingError):
    """A netting proof or certificate fails; `step` is the number in the checker's docstring."""

    def __init__(self, step: int, expected: str, given: object) -> None:
        self.step, self.expected, self.given = step, expected, given
        super().__init__(f"轧差证明不成立 netting proof refused at step {step}: expected {expected}, given {given!r}")
