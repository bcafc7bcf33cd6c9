"""The publisher's side of C2SP tlog-witness, against a server that answers as the specification says, or does not.

tests/interop runs the same class against a stock witness.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ledger import checkpoint, merkle, sm
from ledger.checkpoint import Checkpoint, LogKeys
from ledger.digest import TwinDigest, twin
from ledger.merkle import MemoryTree
from ledger.witness import Reason, Refused, TlogWitness

NOW = 1_772_413_200
NAME, KEY = "stock/witness", b"\x0c" * 32
KEYS = LogKeys("log.demo", b"\x01" * 32, sm.from_private(b"\x02" * 32))
TREES = {size: MemoryTree([twin(b"%d" % i) for i in range(size)]) for size in (3, 8, 20)}
SIZE_TYPE = "text/x.tlog.size"

Answer = tuple[int, str, str]


def note_of(size: int) -> str:
    return checkpoint.sign_note(Checkpoint("log.demo", size, TREES[size].root(), NOW), KEYS)


def prove(first: int, second: int) -> list[TwinDigest]:
    return merkle.consistency_path(TREES[second].read, first, second)


def line(note: str, key: bytes = KEY, name: str = NAME) -> str:
    return checkpoint.cosign(note, name, key, NOW) + "\n"


class Stock(HTTPServer):
    """Gives the answers it was told to give, and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[bytes] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Stock

    def do_POST(self) -> None:
        assert self.path == "/w/add-checkpoint"
        self.server.asked.append(self.rfile.read(int(self.headers["Content-Length"])))
        status, kind, body = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Silent."""


@pytest.fixture
def stock() -> Iterator[Stock]:
    with Stock() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client(stock: Stock) -> TlogWitness:
    return TlogWitness(NAME, checkpoint.ed25519_public(KEY), f"http://127.0.0.1:{stock.server_port}/w/", 5)


def test_cosign__body_as_specified_and_line_checked(stock: Stock) -> None:
    witness = client(stock)
    stock.answers = [(200, "", line(note_of(3))), (200, "", "— other AAAAAAAA\n" + line(note_of(8)))]
    for size, old in ((3, 0), (8, 3)):
        note = note_of(size)
        assert witness.cosign(note, prove) + "\n" == line(note)
        hashes = "".join(base64.b64encode(step.sha256).decode() + "\n" for step in prove(old, size))
        assert stock.asked.pop(0).decode() == f"old {old}\n{hashes}\n{note}"


def test_cosign__the_witness_is_elsewhere__asked_again_from_there(stock: Stock) -> None:
    witness = client(stock)
    stock.answers = [(409, SIZE_TYPE, "8\n"), (200, "", line(note_of(20)))]
    witness.cosign(note_of(20), prove)
    assert [body.split(b"\n")[0] for body in stock.asked] == [b"old 0", b"old 8"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((403, "", ""), Reason.BAD_SIGNATURE),
        ((404, "", ""), Reason.UNKNOWN_LOG),
        ((422, "", ""), Reason.INCONSISTENT),
        ((409, "text/plain", "8\n"), Reason.EQUIVOCATION),
        ((409, SIZE_TYPE, "21\n"), Reason.STALE_SIZE),
        ((409, SIZE_TYPE, "-1\n"), Reason.EQUIVOCATION),
        ((400, "", "bad"), Reason.UNAVAILABLE),
        ((500, "", ""), Reason.UNAVAILABLE),
        ((429, "", ""), Reason.UNAVAILABLE),
        ((200, "", ""), Reason.UNAVAILABLE),
        ((200, "", "x" * 70_000), Reason.UNAVAILABLE),
        ((200, "", "— stock/witness !!!\n"), Reason.UNAVAILABLE),
        ((200, "", line(note_of(8))), Reason.UNAVAILABLE),
        ((200, "", line(note_of(20), b"\x0d" * 32)), Reason.UNAVAILABLE),
        ((200, "", line(note_of(20), name="other")), Reason.UNAVAILABLE),
    ],
)
def test_cosign__refused_or_strange__by_name(stock: Stock, answer: Answer, reason: Reason) -> None:
    stock.answers = [answer]
    with pytest.raises(Refused) as caught:
        client(stock).cosign(note_of(20), prove)
    assert caught.value.reason is reason
    assert NAME in str(caught.value)


def test_cosign__same_size_other_root__equivocation(stock: Stock) -> None:
    witness = client(stock)
    stock.answers = [(200, "", line(note_of(20))), (422, "", "")]
    witness.cosign(note_of(20), prove)
    with pytest.raises(Refused) as caught:
        witness.cosign(note_of(20), prove)
    assert caught.value.reason is Reason.EQUIVOCATION


def test_cosign__nobody_there__unavailable() -> None:
    with pytest.raises(Refused) as caught:
        TlogWitness(NAME, checkpoint.ed25519_public(KEY), "http://127.0.0.1:9", 2).cosign(note_of(3), prove)
    assert caught.value.reason is Reason.UNAVAILABLE
