"""Programs we did not write read our log and cosign it: Tessera's client and fsck, golang.org/x/mod, a stock witness.

The two Go programs here hold no logic of their own. They are built with Go and its module proxy (go.sum pins every
module); without either the tests are skipped and say why. What is not tried: filippo.io/torchwood and litewitness,
which the proxy does not hand out. The witness pins a commit of transparency-dev/merkle that it does not hand out
either, so the last release is laid beside it with the one function that it lacks, for a request we never make.
"""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from api import jobs
from ledger import checkpoint, log
from ledger.checkpoint import Checkpoint
from ledger.digest import twin
from ledger.witness import Reason, Refused, TlogWitness
from tests.api.house import Platform, open_platform, template
from tests.api.published import KEY, NAME, Published

pytestmark = pytest.mark.services

HERE = Path(__file__).resolve().parent
MERKLE = "github.com/transparency-dev/merkle"
UNREACHABLE = (
    "dial tcp",
    "no such host",
    "403 Forbidden",
    "i/o timeout",
    "connection refused",
    "module lookup disabled",
)
LACKING = """package proof

import (
	"errors"

	"github.com/transparency-dev/merkle"
)

// VerifySubtreeConsistency is asked for in sign-subtree only.
func VerifySubtreeConsistency(_ merkle.LogHasher, _, _, _ uint64, _ [][]byte, _, _ []byte) error {
	return errors.New("not in this version")
}
"""


def go(folder: Path, *arguments: str) -> str:
    """Runs the Go command; skips the test when Go or its module proxy is not there."""
    if shutil.which("go") is None:
        pytest.skip("没有 Go，跳过。 / Go is not installed.")
    done = subprocess.run(
        ["go", *arguments], cwd=folder, capture_output=True, text=True, timeout=900, check=False,
        env=os.environ | {"GOFLAGS": "-mod=readonly", "GOWORK": "off"},
    )  # fmt: skip
    if done.returncode and any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip(f"Go 模块代理不可达，跳过。 / The Go module proxy cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("reader") / "reader"
    go(HERE / "reader", "build", "-o", str(program), ".")
    return program


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("witness") / "source"
    shutil.copytree(HERE / "witness", folder)
    go(HERE / "reader", "mod", "download", MERKLE)
    shutil.copytree(go(HERE / "reader", "list", "-m", "-f", "{{.Dir}}", MERKLE), folder / "merkle")
    for path in (folder / "merkle", *(folder / "merkle").rglob("*")):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    (folder / "merkle" / "proof" / "lacking.go").write_text(LACKING)
    go(folder, "build", "-o", str(folder / "witness"), ".")
    return folder / "witness"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with open_platform(tmp_path / "home", template(tmp_path)) as opened:
        yield opened


def keys(platform: Platform) -> tuple[str, ...]:
    """The verifier keys as the log gives them out: its own and the witness's."""
    return tuple(platform.client.get("/log/vkey").text.split())


def read(reader: Path, platform: Platform, old: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the stock reader over the whole log; `old` is a checkpoint it kept from before."""
    command = [str(reader), f"{platform.client.base_url}/log/", *keys(platform)]
    if old:
        file = platform.clock.with_name("old-checkpoint")
        file.write_text(old)
        command.append(str(file))
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_reader__growing_log__signatures_inclusion_fsck_and_consistency(reader: Path, platform: Platform) -> None:
    made = Published(platform)
    kept = ""
    for facts in (1, 240, 3, 300):
        head = made.grow(facts)
        done = read(reader, platform, kept)
        assert done.returncode == 0, done.stderr
        assert done.stdout == head.note
        size = head.checkpoint.size
        assert f"inclusion of {size} entries" in done.stderr
        assert "fsck: every tile and the root follow from the entries" in done.stderr
        assert not kept or f"to {size}\n" in done.stderr
        kept = done.stdout
    assert size > 512


def test_reader__tile_entry_signature_or_history_changed__refused(reader: Path, platform: Platform) -> None:
    made = Published(platform)
    first = made.grow(10).note
    head = made.grow(300)
    assert read(reader, platform, first).returncode == 0
    flip = "substr(sha256, 1, 31) || x'00' || substr(sha256, 33)"
    for table, change in (
        ("tile", f"UPDATE tile SET sha256 = {flip} WHERE level = 0 AND position = 0"),
        ("tile", f"UPDATE tile SET sha256 = {flip} WHERE level = 1"),
        ("tile", "DELETE FROM tile WHERE level = 0 AND position = 1"),
        ("entry", "UPDATE entry SET log_index = 100000 WHERE log_index = 7"),
        ("head", f"UPDATE head SET note = replace(note, char(10) || {head.checkpoint.size}, char(10) || 11)"),
    ):
        with sabotaged(platform.clock.with_name("shuqing.db"), table, change):
            assert read(reader, platform).returncode == 1, change
    other = Checkpoint(head.checkpoint.origin, 9, twin(b"another history"), head.checkpoint.at)
    done = read(reader, platform, checkpoint.sign_note(other, platform.system.log_keys))
    assert done.returncode == 1
    assert "fsck" in done.stderr, "only the history is wrong"
    assert read(reader, platform, first).returncode == 0


@contextmanager
def sabotaged(database: Path, table: str, change: str) -> Iterator[None]:
    """One statement run on the file by another hand; the table's rows are put back afterwards."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as hand:
        rows = hand.execute(f"SELECT * FROM {table}").fetchall()
        assert hand.execute(change).rowcount >= 1
        try:
            yield
        finally:
            hand.execute("BEGIN")
            hand.execute(f"DELETE FROM {table}")
            hand.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
            hand.execute("COMMIT")


@pytest.fixture
def stock(witness: Path, platform: Platform) -> Iterator[Callable[[], TlogWitness]]:
    """The stock witness at work for this platform's log; makes clients that have not asked it yet."""
    public = checkpoint.ed25519_public(KEY)
    hash_ = checkpoint.cosignature_key_id(NAME, public).hex()
    private = f"PRIVATE+KEY+{NAME}+{hash_}+{base64.b64encode(bytes([4]) + KEY).decode()}"
    process = subprocess.Popen(
        [str(witness), "127.0.0.1:0", keys(platform)[0], private], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert process.stdout is not None
        word, url = process.stdout.readline().split()
        assert word == "ready"
        yield lambda: TlogWitness(NAME, public, url, 20)
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_stock_witness__follows_the_worker_and_refuses_another_history(
    reader: Path, stock: Callable[[], TlogWitness], platform: Platform
) -> None:
    made = Published(platform)
    platform.system.witnesses = (stock(),)
    for facts in (3, 1, 260, 300):
        made.seal(facts)
        assert jobs.cosign(platform.system) == 1
        done = read(reader, platform)
        assert done.returncode == 0, done.stderr
        assert NAME in done.stderr
    fresh = stock()
    platform.system.witnesses = (fresh,)
    newest = made.seal(5)
    assert jobs.cosign(platform.system) == 1, "a publisher that starts anew is told from where to prove"
    size = newest.checkpoint.size
    for wrong, reason in (
        (Checkpoint(newest.checkpoint.origin, size, twin(b"another"), newest.checkpoint.at), Reason.EQUIVOCATION),
        (Checkpoint(newest.checkpoint.origin, size + 1, twin(b"another"), newest.checkpoint.at), Reason.INCONSISTENT),
        (Checkpoint(newest.checkpoint.origin, size - 4, twin(b"another"), newest.checkpoint.at), Reason.STALE_SIZE),
    ):
        with pytest.raises(Refused) as caught:
            fresh.cosign(checkpoint.sign_note(wrong, platform.system.log_keys), lambda *_: [])
        assert caught.value.reason is reason
    with platform.reading() as session:
        assert log.latest_cosigned(session, 1) == log.latest(session)
