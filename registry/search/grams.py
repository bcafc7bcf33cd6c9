"""Bigrams: every two neighbouring characters of a text as one token that any tokeniser of words leaves alone.

Stock tokenisers take a run of Chinese characters for one word and so find nothing for a part of it. A token here is
four Latin letters for each character; what is neither letter nor digit (in any script) separates runs and is not
searched. Width, case and composition make no difference (NFKC, case folding).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import groupby

MOST_RUNS = 8
"""Words of one question; more are not looked at."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WIDTH = 4
_END = 26**_WIDTH


def runs_of(text: str) -> list[str]:
    """The searched pieces of a text: runs of letters and digits, folded."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return ["".join(run) for wanted, run in groupby(folded, _is_searched) if wanted]


def text_of(fields: Iterable[str]) -> str:
    """What stands in a line to be searched: the runs of all fields, by spaces, which no run holds."""
    return " ".join(run for field in fields for run in runs_of(field))


def grams_of(text: str) -> str:
    """The tokens of a searched text, each once, sorted: pairs of neighbours, and the last character of each run."""
    tokens = {token(run[i : i + 2]) for run in text.split() for i in range(len(run))}
    return " ".join(sorted(tokens))


def tokens_of(run: str) -> list[str]:
    """The tokens a text holding this run must have; a single character begins a token: `abcd*`."""
    if len(run) == 1:
        return [token(run) + "*"]
    return sorted({token(run[i : i + 2]) for i in range(len(run) - 1)})


def token(characters: str) -> str:
    """One or two characters as letters: four for each."""
    return "".join(_spelt(ord(character)) for character in characters)


def _spelt(number: int) -> str:
    letters = ""
    for _ in range(_WIDTH):
        number, place = divmod(number, len(_LETTERS))
        letters = _LETTERS[place] + letters
    return letters


def _is_searched(character: str) -> bool:
    return character.isalnum() and ord(character) < _END
