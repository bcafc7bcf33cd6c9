"""The Solidity tests (unit, fuzz, invariant) as one test; their summary and gas figures are printed."""

from __future__ import annotations

import re
import subprocess

from tests.chain_fixture import ROOT

FORGE = ROOT / "node_modules" / ".bin" / "forge"


def test_forge__unit_fuzz_and_invariant_tests__all_pass() -> None:
    """We also count the tests: a suite that forge no longer finds would otherwise pass in silence."""
    run = subprocess.run(
        [str(FORGE), "test", "--offline", "-vv", "--color", "never"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    for line in run.stdout.splitlines():
        if line.strip().startswith(("gas:", "shares:")) or line.startswith(("Ran ", "Suite result")):
            print(line.strip())
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    summary = re.search(r"(\d+) tests passed, (\d+) failed, (\d+) skipped", run.stdout)
    assert summary is not None, run.stdout[-2000:]
    passed, failed, skipped = map(int, summary.groups())
    assert (failed, skipped) == (0, 0)
    assert passed >= 98
    invariants = re.findall(r"invariant_\w+\(\) \(runs: \d+, calls: (\d+), reverts: (\d+)\)", run.stdout)
    assert len(invariants) == 4
    assert {reverts for _, reverts in invariants} == {"0"}
    print(f"invariant calls: {sum(int(calls) for calls, _ in invariants)}")
