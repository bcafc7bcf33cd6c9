"""The processes of the demonstration and its clock. Every process is started here and ended here, by its pid."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
ANVIL = ROOT / "node_modules" / ".bin" / "anvil"
CHAIN_ID = 31337


class DidNotStart(Exception):
    """A process ended or stayed silent; the text holds the end of what it wrote."""


def free_port() -> int:
    """A port nobody listens on now, and none a system gives to an outgoing connection by itself (Linux gives those from
    32768): one asked of the system could be taken by such a connection before its server starts."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Processes:
    """Children of the demonstration: started one by one, ended together with TERM, each writing to its own log."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: list[str], ready: Callable[[], bool], seconds: int = 90) -> int:
        """Starts a child and waits until `ready`; returns its pid. Raises `DidNotStart`."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self._children[name] = child
        deadline = time.monotonic() + seconds
        while not ready():
            if child.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(f"{name}: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        return child.pid

    def python(self, name: str, module: str, *arguments: str, ready: Callable[[], bool]) -> int:
        """Starts `python -m module arguments` with this interpreter."""
        return self.start(name, [sys.executable, "-m", module, *arguments], ready)

    def kill(self, name: str) -> None:
        """Ends a child without warning, as a power cut would."""
        child = self._children.pop(name)
        child.send_signal(signal.SIGKILL)
        child.wait()

    def stop(self, name: str) -> None:
        """Ends a child with TERM and waits for it."""
        child = self._children.pop(name)
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def stop_all(self) -> None:
        for name in reversed(list(self._children)):
            self.stop(name)


@contextmanager
def processes(logs: Path) -> Iterator[Processes]:
    """Children that are gone when the block is left, whatever happened in it."""
    children = Processes(logs)
    try:
        yield children
    finally:
        children.stop_all()


def answers(url: str) -> Callable[[], bool]:
    """Does anything answer at this address?"""

    def ask() -> bool:
        try:
            return httpx.get(url, timeout=2, trust_env=False, verify=False).status_code < 500
        except httpx.HTTPError:
            return False

    return ask


def rpc(url: str, method: str, *params: object) -> object:
    """One JSON-RPC call to the development node."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer = httpx.post(url, json=body, timeout=10, trust_env=False, verify=False).json()
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer["result"]


def node_answers(url: str) -> Callable[[], bool]:
    """Is the development node up?"""

    def ask() -> bool:
        try:
            return rpc(url, "eth_chainId") == hex(CHAIN_ID)
        except httpx.HTTPError:
            return False

    return ask


def start_anvil(children: Processes, state: Path, at: int) -> str:
    """Starts anvil at the time `at`, keeping its state in a file; returns its address."""
    if not ANVIL.exists():
        raise DidNotStart("缺少 anvil，请运行 make setup。 / anvil is missing: run make setup.")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        str(ANVIL), "--port", str(port), "--chain-id", str(CHAIN_ID), "--hardfork", "paris", "--prune-history",
        "--base-fee", "0", "--gas-price", "0", "--gas-limit", "300000000", "--timestamp", str(at),
        "--state", str(state), "--quiet",
    ]  # fmt: skip
    children.start("anvil", command, node_answers(url))
    return url


class Clock:
    """The demonstration's time: one file every process reads, and the node moved along with it (decisions D42)."""

    def __init__(self, file: Path, start: int) -> None:
        self.file = file
        self.now = start
        self.node = ""
        self._write()

    def move_to(self, second: int) -> None:
        """Moves the time forward to `second`; it never goes back."""
        if second <= self.now:
            return
        self.now = second
        self._write()
        if self.node:
            rpc(self.node, "evm_setNextBlockTimestamp", hex(max(second, self._node_time() + 1)))
            rpc(self.node, "evm_mine")

    def _node_time(self) -> int:
        block = rpc(self.node, "eth_getBlockByNumber", "latest", False)
        assert isinstance(block, dict)
        return int(block["timestamp"], 16)

    def _write(self) -> None:
        part = self.file.with_suffix(".part")
        part.write_text(str(self.now), encoding="ascii")
        os.replace(part, self.file)


def public_keys(url: str) -> dict[str, str]:
    """What a counterparty says its public keys are."""
    keys: dict[str, str] = httpx.get(f"{url}/key", timeout=5, trust_env=False).json()
    return keys


def write_json(path: Path, value: object) -> None:
    """A readable JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
