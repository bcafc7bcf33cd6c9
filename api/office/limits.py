"""净借记限额、双边限额 as text: what stands, to be edited, and what was typed, one line a limit, back to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from api.office import deals
from api.office.typed import yuan_of
from clearing.errors import BadMoney
from clearing.money import yuan
from clearing.settlement import store
from clearing.settlement.netting.limits import Cap, NettingLimits, PairLimit
from ledger import store as facts
from ledger.errors import FieldError
from ledger.facts import Fact

CAP_LINE = "代码 限额（元，最多两位小数） / code, then yuan with at most two decimals"
PAIR_LINE = "付款方代码 收款方代码 限额（元，最多两位小数） / debtor, creditor, then yuan with at most two decimals"


@dataclass(frozen=True, slots=True)
class Standing:
    """The limits in force with the fact that set them."""

    fact: Fact
    body: NettingLimits

    @property
    def parties(self) -> set[str]:
        """Everybody named."""
        return _named(self.body.caps, self.body.pairs)


def standing(session: Session, operator: str) -> Standing | None:
    """What an operator's cycles are netted under from now on; None where no limits were ever set."""
    stood = store.limits(session, operator)
    return None if stood is None else Standing(facts.fact(session, stood.fact), stood.body)


def lines_of(found: Standing | None, given: Mapping[str, str]) -> dict[str, str]:
    """The fields of the form: as they were typed, else as what stands fills them."""
    caps, pairs = (found.body.caps, found.body.pairs) if found else ((), ())
    stands = {
        "caps": " ".join(f"{cap.party} {yuan(cap.fen)}" for cap in caps),
        "pairs": " ".join(f"{item.debtor} {item.creditor} {yuan(item.fen)}" for item in pairs),
    }
    return {
        field: "\n".join(" ".join(words) for words in _lines(given.get(field, text), size))
        for (field, text), size in zip(stands.items(), (2, 3), strict=True)
    }


def typed(fields: Mapping[str, str]) -> tuple[list[Cap], list[PairLimit]]:
    """The limits somebody typed; empty fields lift them all. Raises FieldError naming the line."""
    caps = [Cap(party, fen) for (party,), fen in _read(fields, "caps", 2, CAP_LINE)]
    pairs = [PairLimit(debtor, creditor, fen) for (debtor, creditor), fen in _read(fields, "pairs", 3, PAIR_LINE)]
    return caps, pairs


def require_known(session: Session, caps: Sequence[Cap], pairs: Sequence[PairLimit], at: int) -> None:
    """Everybody named is on record: a code mistyped would limit nobody. Raises FieldError."""
    named = _named(caps, pairs)
    if strangers := sorted(named - deals.names_of(session, named, at).keys()):
        raise FieldError("party", "在册单位的代码 / the code of a party on record", "、".join(strangers)[:200])


def _named(caps: Sequence[Cap], pairs: Sequence[PairLimit]) -> set[str]:
    return {cap.party for cap in caps} | {party for item in pairs for party in (item.debtor, item.creditor)}


def _lines(text: str, size: int) -> list[list[str]]:
    """The lines again: a form as we read it has a space for every line end, and no code has one."""
    words = text.split()
    return [words[start : start + size] for start in range(0, len(words), size)]


def _read(fields: Mapping[str, str], name: str, size: int, expected: str) -> list[tuple[list[str], int]]:
    """(codes, fen) of each line."""
    found = []
    for number, line in enumerate(_lines(fields.get(name, ""), size), 1):
        try:
            fen = yuan_of(line[-1] if len(line) == size else "")
        except BadMoney:
            zh, _, en = expected.partition(" / ")
            where = f"第 {number} 行：{zh} / line {number}: {en}"
            raise FieldError(name, where, " ".join(line)[:80]) from None
        found.append((line[:-1], fen))
    return found
