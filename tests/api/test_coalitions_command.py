"""`shuqing settle coalitions` lists what a sampled Shapley step asks a value of: all of it and nothing else."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from api.cli import app
from clearing.errors import BadTerms
from clearing.settlement.weighing import Coalition, Sampling, shapley
from clearing.terms import WHOLE, Step, StepKind

PARTIES = [f"party-{number:02}" for number in range(13)]
START = "5e" * 32


def run(*parties: str, start: str = START, permutations: str = "8") -> tuple[int, str]:
    arguments = ["settle", "coalitions", *parties, "--start", start, "--permutations", permutations]
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.output


def test_coalitions__valued_as_listed__are_all_the_step_asks_for_and_none_too_many() -> None:
    code, said = run(*PARTIES)
    assert code == 0, said
    listed = json.loads(said)
    assert listed == sorted(listed, key=lambda members: (len(members), members))
    assert listed[-1] == PARTIES
    values = [Coalition(tuple(members), str(len(members)), "1", "1") for members in listed]
    step, sampling = Step(StepKind.SHAPLEY, error=0), Sampling(START, 8)
    assert sum(weight.weight for weight in shapley(step, values, "g/1/CNY", sampling).weights) == WHOLE
    for place in range(len(values) - 1):
        with pytest.raises(BadTerms, match="coalitions"):
            shapley(step, values[:place] + values[place + 1 :], "g/1/CNY", sampling)
    assert run(*reversed(PARTIES)) == (0, said)


@pytest.mark.parametrize(
    ("parties", "more", "field"),
    [
        (PARTIES[:12], {}, "parties"),
        ([*PARTIES, PARTIES[0]], {}, "parties"),
        (PARTIES, {"start": "x"}, "sampling.start"),
        (PARTIES, {"permutations": "1"}, "sampling.permutations"),
    ],
)
def test_coalitions__that_no_sampling_asks_for__refused_by_field(
    parties: list[str], more: dict[str, str], field: str
) -> None:
    code, said = run(*parties, **more)
    assert (code, f"Field {field}: " in said) == (2, True), said
