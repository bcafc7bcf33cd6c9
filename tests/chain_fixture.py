"""A real EVM node for tests: anvil from node_modules, on a free port, stopped by its pid with TERM."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
ANVIL = ROOT / "node_modules" / ".bin" / "anvil"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def anvil(
    *,
    chain_id: int = 31337,
    timestamp: int | None = None,
    block_time: int | None = None,
    state: Path | None = None,
    more: Sequence[str] = (),
) -> Iterator[str]:
    """Runs anvil with the rules of paris, free gas and big blocks; yields its RPC address.

    `timestamp` sets the genesis time in seconds, `block_time` the interval (default: a block per transaction), `state`
    a file it loads at start and writes at the end.
    """
    port = free_port()
    command = [
        str(ANVIL), "--host", "127.0.0.1", "--port", str(port), "--prune-history", "--hardfork", "paris",
        "--base-fee", "0", "--gas-price", "0", "--gas-limit", "300000000", "--chain-id", str(chain_id), "--silent",
        *more,
    ]  # fmt: skip
    if timestamp is not None:
        command += ["--timestamp", str(timestamp)]
    if block_time is not None:
        command += ["--block-time", str(block_time)]
    if state is not None:
        command += ["--state", str(state)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def rpc(url: str, method: str, *params: object) -> object:
    """One JSON-RPC call beside the code under test (to move the clock, to look at raw answers)."""
    answer = httpx.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, timeout=10).json()
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
