"""Integer fen: the only file that divides money.

Every amount is an `int` of fen with |amount| ≤ 10^15 − 1; exact intermediate amounts are `Fraction`s of fen and are
rounded here, once, half up (四舍五入). Source: domain clearing §3, §4, §6; decisions D7, D33.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, gcd

from clearing.errors import BadMoney
from clearing.terms import MAX_FEN, Tax, TaxBasis

_YUAN = re.compile(r"(-?)(0|[1-9][0-9]{0,12})\.([0-9]{2})")


def fen(value: object, field: str = "fen", *, least: int = -MAX_FEN) -> int:
    """The amount itself when it is an integer between `least` and 10^15 − 1. Raises BadMoney otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_FEN:
        raise BadMoney(field, f"an integer of fen from {least} to {MAX_FEN}", value)
    return value


def round_half_up(exact: Fraction) -> int:
    """The fen nearest to an exact amount; a half goes away from zero, so a refund mirrors its charge.

    Raises BadMoney when the result is out of bounds.
    """
    whole = floor(abs(exact) + Fraction(1, 2))
    return fen(whole if exact >= 0 else -whole, "rounded amount")


def fraction_text(exact: Fraction) -> str:
    """`n` or `n/d` in lowest terms, as the canonical form wants it (D7)."""
    return str(exact)


def split(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide one amount ≥ 0 of fen by weight: parts are whole fen and add up to it exactly.

    Left-over fen go to the largest remainders, ties to the smaller party id, so list order has no effect. Over many
    payments this favours the same parties; `settlement.sharing` rounds cumulative entitlements instead.
    Raises BadMoney for a negative amount, a negative weight or weights that sum to 0.
    """
    fen(amount, "amount", least=0)
    total = sum(weights.values())
    if total <= 0 or min(weights.values()) < 0:
        raise BadMoney("weights", "integers ≥ 0 that do not sum to 0", dict(weights))
    parts = {party: divmod(amount * weight, total) for party, weight in weights.items()}
    left = amount - sum(whole for whole, _ in parts.values())
    first = sorted(parts, key=lambda party: (-parts[party][1], party))[:left]
    return {party: whole + (party in first) for party, (whole, _) in parts.items()}


def round_together(exact: Mapping[str, Fraction], ties: Mapping[str, bytes]) -> dict[str, int]:
    """Round exact amounts so that their sum stays: down, then one fen up for the largest fractions (D33).

    `exact` must sum to an integer. Equal fractions are decided by the smaller of `ties`. A whole amount is never moved.
    Raises BadMoney when the sum is no integer or out of bounds.
    """
    total = sum(exact.values(), Fraction(0))
    if total.denominator != 1:
        raise BadMoney("entitlements", "a sum of whole fen", str(total))
    down = {party: floor(amount) for party, amount in exact.items()}
    left = fen(int(total), "total") - sum(down.values())
    first = set(sorted(exact, key=lambda party: (down[party] - exact[party], ties[party]))[:left])
    return {party: whole + (party in first) for party, whole in down.items()}


def round_scaled(parts: Sequence[int], scale: int, tie: Callable[[int], bytes]) -> list[int]:
    """`round_together` for exact amounts of parts[i] / scale fen, in integers: what many or large divisions use.

    `tie(i)` is asked for only where equal fractions compete. One pass and one sort of the fractions.
    Raises BadMoney when the sum is no integer or out of bounds.
    """
    total, rest = divmod(sum(parts), scale)
    if rest:
        raise BadMoney("entitlements", "a sum of whole fen", f"{sum(parts)}/{scale}")
    down = [part // scale for part in parts]
    left = fen(total, "total") - sum(down)
    if not left:
        return down
    fractions = [part % scale for part in parts]
    first = sorted(range(len(parts)), key=fractions.__getitem__, reverse=True)
    least = fractions[first[left - 1]]
    if fractions[first[left]] == least:
        level = sorted((place for place in first if fractions[place] == least), key=tie)
        first = [place for place in first[:left] if fractions[place] > least] + level
    for place in first[:left]:
        down[place] += 1
    return down


def scaled_text(part: int, scale: int) -> str:
    """`fraction_text` of part / scale."""
    common = gcd(part, scale)
    return str(part // common) if common == scale else f"{part // common}/{scale // common}"


def tie_key(lineage: str, party: str) -> bytes:
    """Decides between equal fractions: SHA-256(lineage ‖ party). Fixed, and nobody's list position."""
    return hashlib.sha256(lineage.encode() + party.encode()).digest()


@dataclass(frozen=True, slots=True)
class TaxSplit:
    """One charge (= one invoice line): `net + tax == gross`, all fen."""

    gross: int
    net: int
    tax: int


def split_tax(amount: int, tax: Tax) -> TaxSplit:
    """Separate tax from one rounded amount ≥ 0, half up. The formulas are §6's, in integers.

    `amount` is gross for an inclusive tariff, net for an exclusive one. Raises BadMoney below 0 or out of bounds.
    """
    fen(amount, "amount", least=0)
    if tax.basis is TaxBasis.INCLUSIVE:
        net = (20_000 * amount + 10_000 + tax.bp) // (2 * (10_000 + tax.bp))
        return TaxSplit(amount, net, amount - net)
    added = (2 * amount * tax.bp + 10_000) // 20_000
    return TaxSplit(fen(amount + added, "gross"), amount, added)


def credit(original: TaxSplit, before: TaxSplit, gross: int) -> TaxSplit:
    """The next credit note over `gross` fen of an invoice of which `before` was credited in all (§6).

    Net credited is round(original net × credited gross / original gross) less what was credited, so notes never exceed
    the invoice and the last one closes both net and tax to zero. Raises BadMoney for gross ≤ 0, for more than is left,
    and for a `before` that no row of such notes adds up to.
    """
    fen(original.gross, "original.gross", least=1)
    if original.net + original.tax != original.gross or min(original.net, original.tax) < 0:
        raise BadMoney("original", "net + tax = gross, none below 0", original)
    if not 0 <= before.gross <= original.gross or before != _credited(original, before.gross):
        raise BadMoney("before", "the sum of the credit notes so far", before)
    left = original.gross - before.gross
    if not 1 <= fen(gross, "gross") <= left:
        raise BadMoney("gross", f"1 to {left}", gross)
    after = _credited(original, before.gross + gross)
    return TaxSplit(gross, after.net - before.net, after.tax - before.tax)


def _credited(original: TaxSplit, gross: int) -> TaxSplit:
    net = round_half_up(Fraction(original.net * gross, original.gross))
    return TaxSplit(gross, net, gross - net)


def yuan(amount: int) -> str:
    """Fen as yuan with exactly two decimals: 12345 → `123.45`. No currency mark, no grouping."""
    whole, rest = divmod(abs(fen(amount)), 100)
    return f"{'-' if amount < 0 else ''}{whole}.{rest:02d}"


def parse_yuan(text: str, field: str = "amount") -> int:
    """Yuan with exactly two decimals as fen: `123.45` → 12345. Raises BadMoney on anything else, also on `-0.00`."""
    found = _YUAN.fullmatch(text)
    if found is None or (found[1] and found[2] + found[3] == "000"):
        raise BadMoney(field, "yuan with exactly two decimals, like 123.45", text)
    amount = int(found[2]) * 100 + int(found[3])
    return fen(-amount if found[1] else amount, field)


def efficiency(funding: int, gross: int) -> str:
    """1 − funding / gross as an exact fraction; "0" when nothing is owed."""
    return fraction_text(1 - Fraction(funding, gross)) if gross else "0"
