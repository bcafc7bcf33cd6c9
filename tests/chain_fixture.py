"""A real EVM node for tests: anvil from node_modules, on a free port, stopped by its pid with TERM."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from scripts.demo.world import free_port

ROOT = Path(__file__).resolve().parent.parent
ANVIL = ROOT / "node_modules" / ".bin" / "anvil"


class Node:
    """An anvil with the rules of paris, free gas and big blocks, that can be stopped and started on the same port."""

    def __init__(self, *more: str, chain_id: int = 31337) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [
            str(ANVIL), "--host", "127.0.0.1", "--port", str(self.port), "--prune-history", "--hardfork", "paris",
            "--base-fee", "0", "--gas-price", "0", "--gas-limit", "300000000", "--chain-id", str(chain_id), "--silent",
            *more,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, state: Path | None = None) -> None:
        """Starts with the state in this file, which is written again at a stop (not at a kill); its clock goes on from
        the newest block there, whatever day it is (decisions D42)."""
        command = self._command + (["--state", str(state)] if state is not None else [])
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _wait(self.url, self._process)
        newest: Any = rpc(self.url, "eth_getBlockByNumber", "latest", False)
        if int(newest["number"], 16):
            rpc(self.url, "evm_setTime", int(newest["timestamp"], 16) + 1)

    def stop(self) -> None:
        """Ends with TERM; a second stop does nothing."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Ends without warning."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None


@contextmanager
def anvil(
    *,
    chain_id: int = 31337,
    timestamp: int | None = None,
    block_time: int | None = None,
    state: Path | None = None,
    more: Sequence[str] = (),
) -> Iterator[str]:
    """Runs anvil for the length of a block; yields its RPC address.

    `timestamp` sets the genesis time in seconds, `block_time` the interval (default: a block per transaction), `state`
    a file it loads at start and writes at the end.
    """
    more = list(more)
    if timestamp is not None:
        more += ["--timestamp", str(timestamp)]
    if block_time is not None:
        more += ["--block-time", str(block_time)]
    node = Node(*more, chain_id=chain_id)
    try:
        node.start(state)
        yield node.url
    finally:
        node.stop()


def rpc(url: str, method: str, *params: object) -> object:
    """One JSON-RPC call beside the code under test (to move the clock, to look at raw answers)."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    # No certificate is asked for here, and loading those one trusts takes longer than the call.
    answer = httpx.post(url, json=asked, timeout=10, trust_env=False, verify=False).json()
    assert "error" not in answer, answer
    return answer["result"]


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, "anvil ended at once"
        try:
            rpc(url, "eth_chainId")
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError("anvil does not answer")
