"""The verifier page: built as committed, alone in the world, and of one mind with the Python verifier.

Node runs the script of the built file itself over genuine bundles, forgeries (those of test_verify_bundle) and hostile
input, with a head and with a node; verdict, first failing step and status must be those of scripts/verify_bundle.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import test_verify_bundle as forgers
from bundle_maker import Made, build, encode
from judges import Judges, given_of, quick
from mutants import NODE, Corpus, Mutant, stream, written
from test_mutants import older_bundles

from ledger import canonical
from scripts import build_verifier_page as builder
from scripts import verify_bundle as vb
from tests.counts import few
from tests.played import Played
from tests.scripts.page import Asked, node_answers

NAMES = forgers.NAMES
HOSTILE = (
    b"", b"{", b"null", b"[]", b"1", b'"a"', b"{}", b'{"a":1.0}', b'{"a":1e3}', b'{"a":NaN}', b'{"a":1,"a":1}',
    b'{"a":-0}', b'{"a":01}', b'{"a":9007199254740992}', b'{"a":' + b"9" * 5000 + b"}", b'{"a":"\\u0041"}', b"\xff",
    b'\xef\xbb\xbf{"a":1}', b"[" * 100_000, b'{"a":' * 50_000, b'["' + b"[" * 200_000, b'{"a":"' + b"\\u0041" * 99_999,
    '{"a":"\u202e"}'.encode(), '{"a":"e\u0301"}'.encode(), b'{"a":"\\ud800"}', b'{"__proto__":1}', b'{"a":[1,]}',
    b'{"a":1,}', b'{"a" 1}', b'{"a":tru}', b'{"a":truex}', b"[1 2]", b'{"constructor":{}}',
    b'"' + b"a" * (1 << 20) + b'"',
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _remember_signatures() -> Iterator[None]:
    """The Python side repeats the same few verifications; they're pure, so we remember their answers."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sm3", "sm2_verify", "ed25519_verify", "evm_address_of"):
            patch.setattr(vb, name, lru_cache(maxsize=None)(getattr(vb, name)))
        yield


@pytest.fixture(scope="module")
def made() -> Made:
    return build()


@pytest.fixture(scope="module")
def other() -> Made:
    """Another genuine world: the same parties by name, all keys different, another log."""
    return build("shuqing/other-log", "other ")


def python_answers(asked: list[Asked]) -> Iterator[dict[str, Any]]:
    for item in asked:
        try:
            trust = vb.read_trust(item["trust"])
            given = vb.read_given(item["head"], trust) if item.get("head") else None
            case = vb.Case(item["bundle"], trust, vb.Node(item["rpc"]) if item.get("rpc") else None, given)
            yield vb.report(case, vb.run(case))
        except (vb.Unusable, vb.Refused) as error:
            yield {"unusable": str(error)}


def outcome(answer: dict[str, Any]) -> tuple[Any, ...]:
    """What both programs must agree on."""
    if "unusable" in answer:
        return ("unusable",)
    steps = [(step["code"], step["ok"]) for step in answer["steps"]]
    return (answer["integrity"], answer["failed"], answer.get("status"), answer.get("as_of"), steps)


def agree(named: dict[str, Asked]) -> Counter[str]:
    """Both programs on every case; answers how often each step failed first ("" for none)."""
    asked, seen = list(named.values()), Counter[str]()
    pairs = zip(named, node_answers(asked), python_answers(asked), strict=True)
    for name, page, python in pairs:
        assert "crash" not in page, f"{name}: {page.get('crash')}"
        assert outcome(page) == outcome(python), f"{name}: {page} {python}"
        seen[python.get("failed", "unusable")] += 1
    return seen


def case(bundle: bytes | dict[str, Any], made: Made, head: str | None = None, rpc: str = "") -> Asked:
    data = bundle if isinstance(bundle, bytes) else encode(bundle)
    given = b"" if rpc else (head or made.note).encode()
    return {"bundle": data, "trust": canonical.encode(made.world.trust()), "head": given, "rpc": rpc}


# the file -------------------------------------------------------------------------------------------------------------


def test_page__builds_to_the_same_bytes_with_the_committed_digests() -> None:
    page = builder.build()
    assert page == builder.build()
    assert builder.DIGESTS.read_text(encoding="utf-8") == builder.digests(page)
    assert builder.QUOTED.findall(builder.README.read_text(encoding="utf-8")) == [builder.digests(page)]
    assert builder.PAGE.read_bytes() == page


def test_page__node_modules_behind_a_link__same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine keeps its packages elsewhere: no path of this one may get into the file."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(builder.SOURCES, folder / "scripts" / "verifier_page")
    (folder / "node_modules").symlink_to((builder.ROOT / "node_modules").resolve())
    monkeypatch.setattr(builder, "ROOT", folder)
    assert builder.digests(builder.build()) == builder.DIGESTS.read_text(encoding="utf-8")


def test_page__loads_nothing_and_its_policy_names_its_own_script_and_style() -> None:
    text = builder.PAGE.read_text(encoding="utf-8")
    outside = text[: text.index("<script>")] + text[text.rindex("</script>") :]
    assert not re.findall(r"<(?:link|img|iframe|object|embed|script)\b[^>]*(?:src|href)=", outside)
    assert not re.findall(r'(?:src|href|action)="(?!")', outside)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', outside)
    assert policy
    for tag in ("script", "style"):
        inner = text[text.index(f"<{tag}>") + len(tag) + 2 : text.rindex(f"</{tag}>")]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy.group(1)
    assert policy.group(1).startswith("default-src 'none'")
    assert "unsafe" not in policy.group(1)


def test_sources__no_markup_from_data_and_no_long_file() -> None:
    for file in builder.SOURCES.glob("*.mjs"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)
        assert len(text.splitlines()) <= 980


def test_lock__exact_versions_and_no_address() -> None:
    stated = json.loads((builder.ROOT / "package.json").read_text(encoding="utf-8"))
    for version in {**stated["devDependencies"], **stated["optionalDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert '"resolved"' not in (builder.ROOT / "package-lock.json").read_text(encoding="utf-8")


# one mind with the Python verifier ------------------------------------------------------------------------------------


def test_genuine__same_report_with_a_head_and_with_a_node(made: Made) -> None:
    cases = {f"{name} head": case(made.bundles[name], made) for name in NAMES}
    with forgers.stub_chain(made) as node:
        cases |= {f"{name} node": case(made.bundles[name], made, rpc=node.url) for name in NAMES}
        seen = agree(cases)
    assert set(seen) == {""}


def test_chain__other_code_head_status_or_answer__same_step(made: Made) -> None:
    for change in (
        lambda node: setattr(node, "chain_id", 1),
        lambda node: setattr(node, "code", {}),
        lambda node: setattr(node, "heads", {}),
        lambda node: setattr(node, "matching", set()),
        lambda node: setattr(node, "in_force", (2, 6, made.world.at)),
        lambda node: setattr(node, "in_force", (9, 1, made.world.at)),
        lambda node: setattr(node, "closed", b"\x01" * 32),
        lambda node: setattr(node, "raw", b"{}"),
        lambda node: setattr(node, "raw", b'{"result":"0xzz"}'),
        lambda node: setattr(node, "raw", b""),
    ):
        with forgers.stub_chain(made) as node:
            change(node)
            agree(
                {name: case(made.bundles[name], made, rpc=node.url) for name in ("certificate", "agreement", "close")}
            )


def test_writings__same_step_refuses(made: Made) -> None:
    cases = {}
    for name in NAMES:
        cases |= {what: case(document, made) for what, document in forgers.other_writings(made, name).items()}
    assert "" not in agree(cases)


def test_forgeries__same_step_refuses(made: Made, other: Made) -> None:
    mutants: dict[str, bytes | dict[str, Any]] = {}
    for name in ("certificate", "agreement", "usage", "line", "close", "note"):
        mutants |= forgers.one_meaning_changed(made, name)
    mutants |= forgers.transplants(made, other)
    names = sorted(mutants)
    chosen = names[:: max(1, len(names) // few(150))]
    cases = {name: case(mutants[name], made) for name in chosen}
    cases |= {name: case(mutant, made) for name, mutant in forgers.hand_made(made).items()}
    cases |= {f"foreign {name}": case(bundle, made) for name, bundle in other.bundles.items()}
    for name, bundle, house in forgers.own_keys(made):
        cases[f"own {name}"] = case(bundle, house)
    seen = agree(cases)
    print(f"\n{sum(seen.values())} forgeries; first failing step: {dict(sorted(seen.items()))}")
    assert set(seen) >= {f"V{number:02d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 12)}
    later = made.world.note(time=made.world.at + 61)
    assert set(agree({name: case(bundle, made, head=later) for name, bundle in made.bundles.items()})) == {"V10"}


@pytest.mark.chain
def test_mutants__of_the_demonstration__page_library_and_program_name_the_same_step(played: Played) -> None:
    """The stream of test_mutants, from real bundles under real heads: asked with a node, or compared with a head."""
    corpus = Corpus.of_demo(played.out, older_bundles(played))
    judges, undo = Judges(played.out, played.home, played.rpc, corpus.trust), quick()
    try:
        genuine = [Mutant(name, written(bundle), NODE) for name, bundle in corpus.bundles.items()]
        forged = islice((mutant for mutant in stream(corpus, 7) if not mutant.believed), few(300))
        mutants = [*genuine, *forged]
        expected = [judges.judge(mutant) for mutant in mutants]
    finally:
        undo()
    trust = json.dumps(corpus.trust, ensure_ascii=False).encode()
    asked = []
    for mutant in mutants:
        size, sha256, sm3, time = given_of(mutant.note or judges.note)
        head = canonical.encode({"size": size, "sha256": sha256, "sm3": sm3, "time": time})
        source = {"rpc": played.rpc} if mutant.anchor == NODE else {"head": head}
        asked.append({"bundle": mutant.data, "trust": trust, **source})
    seen = Counter[str]()
    for mutant, codes, page in zip(mutants, expected, node_answers(asked), strict=True):
        assert (page.get("failed"), page.get("failed")) == codes, f"{mutant.what} ({mutant.anchor}): {page} {codes}"
        seen[page["failed"]] += 1
    print(f"\n{len(mutants)} bundles, three verifiers; first failing step: {dict(sorted(seen.items()))}")
    assert seen[""] == len(genuine)


def test_hostile_input__same_refusal_and_never_a_crash(made: Made) -> None:
    seen = agree({f"bundle {i} {data[:20]!r}": case(data, made) for i, data in enumerate(HOSTILE)})
    assert set(seen) == {"V01"}
    bundle, trust = encode(made.bundles["close"]), canonical.encode(made.world.trust())
    heads = [b"{}", b"\xff", made.note.replace("time 1", "time 2").encode(), b"x\n" * 9, b" " + made.note.encode()]
    asked = {f"head {i}": {"bundle": bundle, "trust": trust, "head": head} for i, head in enumerate(heads)}
    asked |= {
        f"trust {i}": {"bundle": bundle, "trust": data, "head": made.note.encode()} for i, data in enumerate(HOSTILE)
    }
    pretty = json.dumps(made.world.trust(), indent=2, ensure_ascii=False).encode()
    asked["trust pretty"] = {"bundle": bundle, "trust": pretty, "head": made.note.encode()}
    document = made.world.trust()
    for name, change in {
        "k": {"witnesses": {**document["witnesses"], "k": 9}},
        "rule": {"required": {"cycle-closed/v1": ["anybody"]}},
        "nobody": {"required": {}},
        "origin": {"origin": "another/log"},
    }.items():
        changed = canonical.encode({**document, **change})
        asked[f"trust {name}"] = {"bundle": bundle, "trust": changed, "head": made.note.encode()}
    seen = agree(asked)
    assert (seen[""], seen["V07"]) == (1, 1)
