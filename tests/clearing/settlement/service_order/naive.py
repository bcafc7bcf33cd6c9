"""The formulas of domain clearing §5 written again, naively and from its text alone: no stage of ours is imported.

A deduction is written as the text has it: "2" each, "2/w" per completed week, "1+3/w" both.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from itertools import count

WEEK = 7 * 86_400

MONTH_WEIGHTS = {"1": 4, "2": 20, "3": 20, "4": 18, "5": 6, "6": 13, "7": 6, "8": 8, "9": 5, "10": 0}
MONTH = {
    "1": "2/w 2",
    "2": "2/w 1/w 1/w 1/w 2 2 2 5 2 1 2 2 3 2/w 2 5",
    "3": "availability 10 8 6 4 2 1 5 4 1 5 3/w",
    "4": "5 1 5 5 total20-50 2 1 2 0.5 0.5",
    "5": "2 1 1 2",
    "6": "2 1 1 2 2 tenths2 1 1 1 1-3 3 5",
    "7": "2 2 1 3 1",
    "8": "1 1+2/w-1",
    "9": "complaint2 all",
    "10": "total50 total50 total20 total50 total20 +2max10 +3max15 +3-5max15",
}
ORDER_WEIGHTS = {"1": 10, "2": 35, "3": 40, "4": 15, "5": 0}
ORDER = {
    "1": "2 1 2 2",
    "2": "rate performance 1 2 1 5 5 1/w 2/w",
    "3": "2 tenths2 1 2 1 5 1+3/w 2+2/w 2",
    "4": "survey complaint2 2",
    "5": "total50 total50 total20 total50 total20 +1max5 +1max5 +1-2max5",
}


def rows(text: dict[str, str]) -> dict[str, str]:
    """ "1.1" → "2/w"."""
    return {f"{c}.{n}": word for c, words in text.items() for n, word in zip(count(1), words.split(), strict=False)}


def lost(word: str, event: dict[str, object]) -> Fraction:
    """What one event takes (or, for a bonus, gives) by the word of its row; complaints and 不得分 are not here."""
    times = int(event.get("count", 1))  # type: ignore[call-overload]
    share = Fraction(int(event.get("part", 0)), int(event.get("whole", 1)))  # type: ignore[call-overload]
    if word == "availability":
        below, points = Fraction(9999, 10000) - share, Fraction(0)
        while below >= Fraction(1, 10000):
            below, points = below - Fraction(1, 10000), points + Fraction(20, 100)
        return points
    if word.startswith("tenths"):
        return Fraction(2 * (10 * share.numerator // share.denominator))
    if word == "rate":
        return 10 - 10 * share
    if word == "performance":
        return Fraction(10) if share < Fraction(60, 100) else 10 - 10 * share
    if word == "survey":
        found = Fraction(str(event["points"]))
        return Fraction(10 if found < 60 else 6 if found < 80 else 0)
    word = word.removeprefix("total").removeprefix("+").partition("max")[0]
    if "/w" in word:
        base, _, weekly = word.rpartition("+")
        per_week, _, free = weekly.partition("/w")
        weeks = (int(event["done_at"]) - int(event["due_at"])) // WEEK  # type: ignore[call-overload]
        weeks = max(0, weeks - (1 if free else 0))
        return times * (Fraction(base or 0) + weeks * Fraction(per_week))
    if "-" in word:
        return Fraction(str(event["points"]))
    return times * Fraction(word)


def score(events: list[dict[str, object]], text: dict[str, str], weights: dict[str, int]) -> Fraction:
    """The total of a card."""
    words = rows(text)
    left = {name: Fraction(weight) for name, weight in weights.items()}
    total, bonus, complaints, nothing = Fraction(0), {}, {}, set()  # type: ignore[var-annotated]
    for event in events:
        code = str(event["row"])
        word, own = words[code], code.partition(".")[0]
        if word == "all":
            nothing.add(own)
        elif word.startswith("complaint"):
            complaints[own] = complaints.get(own, 0) + int(event.get("count", 1))  # type: ignore[call-overload]
        elif word.startswith("total"):
            total -= lost(word, event)
        elif word.startswith("+"):
            most = Fraction(word.partition("max")[2])
            bonus[code] = min(most, bonus.get(code, Fraction(0)) + lost(word, event))
        else:
            left[own] -= lost(word, event)
    for own, number in complaints.items():
        left[own] = left[own] - 2 if number == 1 else Fraction(0)
    for own in nothing:
        left[own] = Fraction(0)
    total += sum(max(points, Fraction(0)) for points in left.values()) + sum(bonus.values())
    return min(Fraction(100), max(Fraction(0), total))


def coefficient(first: Fraction | None, again: Fraction | None, zeroed: bool) -> Fraction | None:
    """None: held."""
    if first is None:
        return None
    for least, value in ((90, "1"), (80, "0.95"), (70, "0.9"), (60, "0.85")):
        if first >= least:
            return Fraction(value)
    if zeroed:
        return Fraction(0)
    if again is None:
        return None
    return Fraction("0.8") if again >= 60 else Fraction(0)


def month_fen(score_: Fraction) -> int:
    """违约金 of a month in fen: 0, 20万元, 100万元."""
    return 0 if score_ >= 80 else 20 * 10_000 * 100 if score_ >= 60 else 100 * 10_000 * 100


INCIDENT_FEN = {n: wan * 10_000 * 100 for n, wan in {1: 10, 2: 20, 3: 20, 4: 50, 5: 50, 6: 100}.items()}


def left_over(settlement: int, advances: int, penalties: int, negative: str) -> dict[str, int]:
    """Where a 项目周期 leaves buyer and provider, fen: `pay` to the provider, `unused` advances and `open` damages that
    go on, damages `claimed` of the provider at once."""
    claimed = 0
    if settlement < 0 and negative == "carry":
        penalties += -settlement
    if settlement < 0 and negative == "collect":
        claimed = -settlement
    money = max(settlement, 0)
    struck = min(money, penalties)
    used = min(money - struck, advances)
    return {"pay": money - struck - used, "unused": advances - used, "open": penalties - struck, "claimed": claimed}


def book(
    contract: str, buyer: str, provider: str, cycles: list[tuple[str, dict[str, int], dict[str, tuple[int, int]]]],
    paid: Collection[str] = (),
) -> dict[str, int]:  # fmt: skip
    """What stands in the books after these 项目周期 (name, what it left, put in and spent by fee): account → balance in
    fen, debit above 0. Only of the last is anything still to go on; of those `paid` the money has gone over."""
    found: dict[str, int] = {}
    for number, (name, left, fees) in enumerate(cycles):
        last = number == len(cycles) - 1
        unused = left["unused"] if last else 0
        damages = left["claimed"] + (left["open"] if last else 0)
        owed = 0 if name in paid else left["pay"]
        key = f"order/{contract}:{name}"
        found |= {
            f"RCV:{buyer}:{key}": owed, f"PAY:{provider}:{key}": -owed,
            f"ADV:{buyer}:{key}": -unused, f"ADVP:{provider}:{key}": unused,
            f"PEN:{provider}:{key}": damages, f"PAY:{buyer}:{key}": -damages,
        }  # fmt: skip
        for fee, (put_in, spent) in fees.items():
            key = f"order/{contract}/{fee}:{name}"
            found |= {f"REF:{buyer}:{key}": spent - put_in, f"ADVP:{provider}:{key}": put_in - spent}
    return {account: amount for account, amount in found.items() if amount}


def half_up(exact: Fraction) -> int:
    """四舍五入 of an exact amount, a half upwards."""
    whole = exact.numerator // exact.denominator
    return whole + (1 if exact - whole >= Fraction(1, 2) else 0)
