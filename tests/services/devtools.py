"""A headless browser driven over its own debugging door: enough to choose files, press a button and look.

The browser may reach 127.0.0.1 and files only; it is started here and ended here, by its pid.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect


@dataclass
class Browser:
    """One page; `requested` are the addresses it asked for, `said` what it wrote to its console."""

    socket: ClientConnection
    requested: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    number: int = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=30))
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message}"
                return dict(message["result"])
            if message.get("method") == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
            if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
                self.said.append(json.dumps(message["params"], ensure_ascii=False)[:500])

    def open(self, url: str) -> None:
        for domain in ("Network", "Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """The value of an expression in the page (a promise is awaited)."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, condition: str, seconds: int = 30) -> None:
        """Waits until an expression of the page holds."""
        end = time.monotonic() + seconds
        while not self.value(f"Boolean({condition})"):
            assert time.monotonic() < end, f"{condition}: {self.value('document.body.innerText')}"
            time.sleep(0.05)

    def choose(self, selector: str, file: Path) -> None:
        """Puts a file into a file input, as a person would."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])

    def picture(self, file: Path) -> None:
        """A picture of the whole page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A fresh browser with a profile of its own under `folder`."""
    profile = folder / "profile"
    process = subprocess.Popen(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--window-size=1100,1600", "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = _port(profile / "DevToolsActivePort", process)
        targets = httpx.get(f"http://127.0.0.1:{port}/json/list", timeout=10).json()
        address = next(item["webSocketDebuggerUrl"] for item in targets if item["type"] == "page")
        with connect(address, max_size=None, open_timeout=10) as socket:
            yield Browser(socket)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + 30
    while True:
        assert process.poll() is None, "the browser ended at once"
        assert time.monotonic() < end, "the browser does not answer"
        if file.exists() and "\n" in (text := file.read_text()):
            return int(text.split("\n", 1)[0])
        time.sleep(0.05)
