"""Both verifiers refuse every forged bundle of a long stream, and agree at which step (decisions D41)."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from judges import Judges, quick
from mutants import HEAD, NODE, Corpus, Mutant, stream, written
from sqlalchemy import select

from ledger import anchoring, log, outbox, tables
from ledger.bundle import Bundle, Proved
from ledger.facts import Fact
from tests.counts import NIGHT
from tests.played import Played
from tests.telling import Tell

SEED = 20260831
PROCESSES = 2
MUTANTS = 110_000 if NIGHT else 1_500
STEPS = [f"V{number:02d}" for number in range(1, 15)]


def older_bundles(played: Played) -> dict[str, dict[str, Any]]:
    """The demonstration's bundles again, each under an earlier head that every witness signed: as genuine."""
    found: dict[str, dict[str, Any]] = {}
    with played.system() as system, system.reader.connect() as connection:
        session: Any = connection
        table = tables.chain_receipt
        keys = session.execute(select(table.c.key).where(table.c.contract == outbox.HEADS)).scalars().all()
        sizes = sorted(int(key.rpartition(":")[2]) for key in keys)
        for file in sorted(played.out.glob("bundle-*.json")):
            bundle = Bundle.of_bytes(file.read_bytes())
            least = 1 + max(item.index for item in (bundle.main, *bundle.supports))
            for size in [size for size in sizes[:-1] if size >= least][-1:]:
                head = log.head_at(session, size)
                place = anchoring.place_of(session, outbox.HEADS, outbox.head_key(size))
                assert head is not None
                assert place is not None

                def proved(fact: Fact, size: int = size) -> Proved:
                    inclusion = log.prove(session, fact.id, size)
                    return Proved(fact, inclusion.index, tuple(inclusion.path))

                supports = tuple(proved(item.fact) for item in bundle.supports)
                place = replace(place, address=place.address.lower())
                older = Bundle(proved(bundle.main.fact), head.note, place, supports, bundle.parts)
                found[f"older {file.stem.removeprefix('bundle-')}"] = older.document()
    return found


@pytest.fixture(scope="module")
def corpus(played: Played) -> Corpus:
    return Corpus.of_demo(played.out, older_bundles(played))


@pytest.mark.chain
def test_genuine__every_bundle_of_the_corpus__intact_in_both(played: Played, corpus: Corpus) -> None:
    judges = Judges(played.out, played.home, played.rpc, corpus.trust)
    for name, bundle in corpus.bundles.items():
        assert judges.judge(Mutant(name, written(bundle), NODE)) == ("", ""), name
        offline = judges.judge(Mutant(name, written(bundle), HEAD))
        assert offline == (("V10", "V10") if name.startswith("older") else ("", "")), name
    assert len([name for name in corpus.bundles if name.startswith("older")]) >= 3


@pytest.mark.chain
@pytest.mark.timeout(7200)
def test_mutants__both_verifiers_refuse_every_one_at_the_same_step(
    played: Played, corpus: Corpus, tmp_path: Path, tell: Tell
) -> None:
    """Over two processes with a seed each."""
    saved = tmp_path / "older.json"
    saved.write_text(json.dumps({n: b for n, b in corpus.bundles.items() if n.startswith("older")}))
    share = MUTANTS // PROCESSES
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    jobs = [(played.out, played.home, played.rpc, saved, SEED + number, share) for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        answers = list(pool.map(run, jobs))
    total = sum((Counter(steps) for steps, _ in answers), Counter[str]())
    wrong = [line for _, lines in answers for line in lines]
    took = time.monotonic() - started
    tell(f"{total.total()} mutants (seed {SEED}) in {took:.0f} s, {total.total() / took:.0f}/s; first steps:")
    tell(", ".join(f"{step} {total[step]}" for step in STEPS))
    assert wrong == []
    assert total.total() == share * PROCESSES
    assert all(total[step] >= share // 200 for step in STEPS), total


@pytest.mark.chain
def test_mutants__a_slice_against_the_live_node_and_the_plain_algorithms(played: Played, corpus: Corpus) -> None:
    judges = Judges(played.out, played.home, played.rpc, corpus.trust, recorded=False)
    mutants = stream(corpus, SEED - 1)
    for _ in range(60):
        mutant = next(mutant for mutant in mutants if not mutant.believed)
        library, alone = judges.judge(mutant)
        assert library == alone != "", mutant.what


def run(job: tuple[Path, Path, str, Path, int, int]) -> tuple[dict[str, int], list[str]]:
    """One process's share: how often each step failed first, and every mutant the verifiers did not agree to refuse."""
    out, home, rpc, older, seed, count = job
    corpus = Corpus.of_demo(out, json.loads(older.read_text()))
    judges = Judges(out, home, rpc, corpus.trust)
    undo = quick()
    steps: Counter[str] = Counter()
    wrong: list[str] = []
    try:
        mutants = stream(corpus, seed)
        for _ in range(count):
            mutant = next(mutants)
            library, alone = judges.judge(mutant)
            steps[alone or "intact"] += 1
            if library != alone or not alone:
                wrong.append(
                    f"{mutant.what} ({mutant.anchor}): library {library or 'intact'}, alone {alone or 'intact'}"
                )
    finally:
        undo()
    return dict(steps), wrong[:50]
