"""An independent reading of the formulas: exact fractions, and exp and ln by power series on scaled integers.

Shares no code with clearing.pricing: no Decimal, no `Decimal.exp`, no `Decimal.ln`.
"""

from fractions import Fraction

SCALE = 10**90


def _fixed(x: Fraction) -> int:
    return x.numerator * SCALE // x.denominator


def exp(x: Fraction) -> Fraction:
    halvings = 0
    while abs(x) > Fraction(1, 4):
        x, halvings = x / 2, halvings + 1
    term, total, step = SCALE, SCALE, 1
    fixed = _fixed(x)
    while term:
        term = int(Fraction(term * fixed, SCALE * step))
        total, step = total + term, step + 1
    result = Fraction(total, SCALE)
    for _ in range(halvings):
        result = Fraction(_fixed(result * result), SCALE)
    return result


def _atanh(x: Fraction) -> Fraction:
    fixed = _fixed(x)
    square = fixed * fixed // SCALE
    term, total, odd = fixed, fixed, 1
    while term:
        term = int(Fraction(term * square, SCALE))
        odd += 2
        total += int(Fraction(term, odd))
    return Fraction(total, SCALE)


LN2 = 2 * _atanh(Fraction(1, 3))


def ln(x: Fraction) -> Fraction:
    twos = 0
    while x > 2:
        x, twos = x / 2, twos + 1
    while x < 1:
        x, twos = x * 2, twos - 1
    return twos * LN2 + 2 * _atanh((x - 1) / (x + 1))


def logistic(volume: int, increment: int) -> Fraction:
    return 1 / (1 + exp(Fraction(-volume, increment)))


def entropy(counts: list[int]) -> Fraction:
    """−Σ p·log2 p over plain category counts."""
    total = sum(counts)
    return -sum((Fraction(c, total) * ln(Fraction(c, total)) for c in counts), Fraction(0)) / LN2


def text(x: Fraction) -> str:
    """12 decimals, half even."""
    scaled = round(x * 10**12)
    sign, digits = ("-" if scaled < 0 else ""), str(abs(scaled)).rjust(13, "0")
    return f"{sign}{digits[:-12]}.{digits[-12:]}"


def _mean(columns: list[list[str]]) -> list[Fraction]:
    return [sum((Fraction(column[i]) for column in columns), Fraction(0)) / len(columns) for i in (1, 2)]


def _joint(profile: list[list[int]], threshold: str) -> list[Fraction]:
    counts = [c for c, m in profile for _ in range(m)]
    assert Fraction(len(counts), sum(counts)) <= Fraction(threshold)
    return [entropy(counts), ln(Fraction(len(counts))) / LN2]


def _median(trades: list[list]) -> int:
    line = [price for price, _, weight in sorted(map(tuple, trades)) for _ in range(weight)]
    return line[(len(line) - 1) // 2]


def _adjust(lam: str, history: int, agreed: str, strengths: list[str], positions: list[str]) -> Fraction:
    b = Fraction(lam) * history + (1 - Fraction(lam)) * Fraction(agreed)
    for a, x in zip(strengths, positions, strict=True):
        b *= 1 + Fraction(a) * (Fraction(x) - Fraction(1, 2)) * 2
    return b


def _douglas(value: Fraction, cost: Fraction, a: Fraction) -> Fraction:
    if a in (0, 1):
        return value if a else cost
    return exp(a * ln(value) + (1 - a) * ln(cost)) if value and cost else Fraction(0)


def _half_up(x: Fraction) -> int:
    return int(x + Fraction(1, 2))


F = Fraction
FORMULAS = {
    "volume.logistic@1": logistic,
    "volume.centred@1": lambda n, c: 2 * logistic(n, c) - 1,
    "scale.centred_volume@1": lambda n, c: 2 * logistic(n, c) - 1,
    "quality.weighted_square@1": lambda z, b: sum((F(x) * F(y) for x, y in zip(z, b, strict=True)), F(0)) ** 2,
    "entropy.shannon_bits@1": lambda profile: entropy([c for c, m in profile for _ in range(m)]),
    "columns.mean@1": _mean,
    "columns.joint@1": _joint,
    "density.identity@1": lambda e, top: F(e),
    "density.normalised@1": lambda e, top: min(F(1), F(e) / F(top)) if F(top) else F(0),
    "density.log1p@1": lambda e, top: ln(1 + F(e)),
    "value.product@1": lambda v, q, d: F(v) * F(q) * F(d),
    "cost.domain@1": lambda f, data, model: F(f) * (data + model),
    "joint.linear@1": lambda v, c, w: F(w) * F(v) + (1 - F(w)) * F(c),
    "joint.cobb_douglas@1": lambda v, c, a: _douglas(F(v), F(c), F(a)),
    "joint.cost_plus@1": lambda v, c, w: F(c),
    "agreed.markup@1": lambda r, g: (1 + F(r)) * F(g),
    "decay.half_life@1": lambda age, half: exp(-LN2 * F(age, half)),
    "scarcity.substitutes@1": lambda k: F(1, 1 + k),
    "scarcity.declared@1": F,
    "completeness.dimension@1": F,
    "history.weighted_median@1": _median,
    "market.weighted_adjustment@1": _adjust,
    "bidding.factor@1": lambda b, p: F(b) * F(p),
    "round.half_up_fen@1": lambda x: _half_up(F(x)),
    "round.half_even_fen@1": lambda x: round(F(x)),
    "round.down_fen@1": lambda x: int(F(x)),
    "round.up_fen@1": lambda x: -((-F(x)) // 1),
    "cap.public@1": min,
}
CASES = {
    "volume.logistic@1": [[0, 1000], [1, 1000], [1000, 1000], [336776, 20000], [10**12, 7]],
    "volume.centred@1": [[0, 1000], [1, 1000], [336776, 20000]],
    "scale.centred_volume@1": [[0, 5], [40000, 20000]],
    "quality.weighted_square@1": [
        [["1", "0.9", "0.8", "1", "0", "0.5"], ["0.2", "0.25", "0.25", "0.15", "0.1", "0.05"]],
    ],
    "entropy.shannon_bits@1": [[[[7, 1]]], [[[1, 64]]], [[[3, 1], [1, 1]]], [[[111279, 1], [104662, 1], [10, 3]]]],
    "columns.mean@1": [[[["a", "1", "2"], ["b", "0", "0"], ["c", "3.25", "4"]]]],
    "columns.joint@1": [[[[7, 1]], "0.9"], [[[1, 64]], "1"], [[[10, 9]], "0.1"], [[[40, 1], [3, 5], [1, 30]], "0.9"]],
    "density.identity@1": [["6.3255", "7.2"]],
    "density.normalised@1": [["0", "0"], ["6.3255", "7.2"], ["2.0001", "2"]],
    "density.log1p@1": [["0", "0"], ["6.3255", "7.2"]],
    "value.product@1": [["0.75", "0.81", "6.3255"]],
    "cost.domain@1": [["1.2", 5000000, 300001]],
    "joint.linear@1": [["31000.5", "120000", "0.6"]],
    "joint.cobb_douglas@1": [["31000.5", "120000", "0.6"], ["0", "7", "0.5"], ["3", "7", "0"], ["3", "7", "1"]],
    "joint.cost_plus@1": [["31000.5", "120000", "0"]],
    "agreed.markup@1": [["0.08", "1234.5678"]],
    "decay.half_life@1": [[0, 86400], [86400, 86400], [100000, 63072000]],
    "scarcity.substitutes@1": [[0], [2]],
    "scarcity.declared@1": [["0.35"]],
    "completeness.dimension@1": [["0.997"]],
    "history.weighted_median@1": [
        [[[300, "c", 1], [100, "a", 1], [200, "b", 1]]],
        [[[5, "x", 1], [9, "y", 1]]],
        [[[5, "x", 1], [9, "y", 3]]],
    ],
    "market.weighted_adjustment@1": [["0.3", 900, "1200.5", ["0.1", "0", "0.2", "0.05"], ["1", "0.2", "0.9", "0.5"]]],
    "bidding.factor@1": [["1.05", "1234.5678"]],
    "round.half_up_fen@1": [["0.5"], ["1.5"], ["2.5"], ["2.499999999999999999"]],
    "round.half_even_fen@1": [["0.5"], ["1.5"], ["2.5"], ["2.500000000000000001"]],
    "round.down_fen@1": [["2.999999999999999999"]],
    "round.up_fen@1": [["2.000000000000000001"], ["2"]],
    "cap.public@1": [[100, 90], [80, 90]],
}  # fmt: skip


def expected(id_: str, args: list) -> object:
    result = FORMULAS[id_](*args)
    if isinstance(result, list):
        return [text(item) for item in result]
    return text(result) if isinstance(result, Fraction) and not id_.startswith("round.") else int(result)
