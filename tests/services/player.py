"""Somebody at a real browser: logging in with a key file, filling in, pressing, signing, looking."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scripts import build_office_page
from tests.services.devtools import Browser, browser
from tests.services.server import Missing, provide

PICTURES = os.environ.get("SHUQING_TEST_PICTURES", "")
"""A folder for the pictures, to look at them; otherwise they are thrown away."""

TOO_WIDE = """[...document.querySelectorAll("main *")]
  .filter((item) => item.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .filter((item) => !item.closest(".scroll"))
  .slice(-5).map((item) => item.outerHTML.slice(0, 120))"""
"""What reaches beyond the right edge, innermost last."""


class Player:
    """One browser that different people use one after the other: logging in, filling in, pressing, looking."""

    def __init__(self, page: Browser, url: str, pictures: Path, downloads: Path) -> None:
        self.page, self.url, self.pictures, self.downloads, self.count = page, url, pictures, downloads, 0

    def go(self, path: str) -> None:
        self.page.call("Page.navigate", url=self.url + path)
        self.wait(f"location.href.startsWith({json.dumps(self.url)}) && document.readyState === 'complete'")

    def wait(self, condition: str, seconds: int = 30) -> None:
        """Waits for a condition across page loads."""
        end = time.monotonic() + seconds
        while True:
            with suppress(AssertionError):
                if self.page.value(f"Boolean({condition})"):
                    return
            assert time.monotonic() < end, (condition, self.text())
            time.sleep(0.05)

    def text(self) -> str:
        return str(self.page.value("document.body.innerText"))

    def fill(self, **fields: str) -> None:
        """Types into fields by their names ("__" for a dot), as a person leaves them: value set, change announced."""
        for name, value in fields.items():
            self.set(f'[name="{name.replace("__", ".")}"]', value)

    def set(self, selector: str, value: str) -> None:
        found = self.page.value(
            f"(() => {{ const at = document.querySelector({json.dumps(selector)}); if (!at) return false;"
            f" at.type === 'checkbox' ? (at.checked = {json.dumps(bool(value))}) : (at.value = {json.dumps(value)});"
            " at.dispatchEvent(new Event('change', {bubbles: true})); return at.type === 'checkbox' || at.value ==="
            f" {json.dumps(value)}; }})()"
        )
        assert found, (selector, value)

    def press(self, selector: str, *, leaves: bool = True) -> None:
        """Presses a button or link; `leaves` waits for the next page."""
        self.page.value("window.before = true")
        pressed = (
            f"(() => {{ const at = document.querySelector({json.dumps(selector)}); at?.click(); return !!at; }})()"
        )
        assert self.page.value(pressed), selector
        if leaves:
            self.wait("!window.before && document.readyState === 'complete'")

    def key(self, name: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            self.page.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code, **more)

    def log_in(self, file: Path, passphrase: str = "", *, keyboard: bool = False, to: str = "") -> None:
        self.go(f"/office/login?next={to}" if to else "/office/login")
        self.page.choose("#key-file", file)
        if keyboard:
            self.page.value("document.getElementById('key-pass').focus()")
            self.page.call("Input.insertText", text=passphrase)
            self.key("Tab", 9)
            assert self.page.value("document.activeElement.matches('[data-key-keep]')")
            self.page.call("Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", text=" ")
            self.page.call("Input.dispatchKeyEvent", type="keyUp", key=" ", code="Space")
            self.page.value("window.before = true")
            for _ in range(2):
                self.key("Tab", 9)
            assert self.page.value("document.activeElement.matches('[data-login-go]')")
            self.key("Enter", 13)
            self.wait("!window.before && document.readyState === 'complete'")
        else:
            self.set("#key-pass", passphrase)
            self.set("[data-key-keep]", "1")
            self.press("[data-login-go]")
        assert self.page.value("!!document.querySelector('[data-logout]')"), self.text()

    def log_out(self) -> None:
        self.press("[data-logout] button")
        assert not self.page.value("!!document.querySelector('[data-logout]')"), self.text()
        assert self.page.value("sessionStorage.length") == 0

    def sign(self, *, done: bool = True) -> None:
        """Reads what is shown, signs it, and sees what has become of it."""
        self.wait("document.querySelector('[data-words] dl')")
        self.press("[data-sign-go]")
        if done:
            assert "已签齐，已办结" in self.text(), self.text()

    def sign_first(self) -> None:
        """What waits first on the desk."""
        self.go("/office/desk")
        self.press("main table a")
        self.sign()

    def picture(self, name: str, width: int = 1100) -> Path:
        """A picture of the whole page at a width, without anything to scroll sideways to."""
        self.count += 1
        self.page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        wide = self.page.value("document.documentElement.scrollWidth")
        assert wide <= width, f"{name}: scrolls sideways at {width}: {self.page.value(TOO_WIDE)}"
        file = self.pictures / f"{self.count:02d}-{name}-{width}.png"
        height = int(self.page.value("document.documentElement.scrollHeight"))
        self.page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.page.picture(file)
        self.page.call("Emulation.clearDeviceMetricsOverride")
        return file


def ready() -> None:
    """A browser to start and the script of the office pages; says what is missing and ends the run otherwise."""
    try:
        if shutil.which("chromium") is None:
            provide()
    except Missing as missing:
        pytest.exit(f"make test-services：{missing}", returncode=1)
    build_office_page.main()


@contextmanager
def opened(folder: Path, url: str) -> Iterator[Player]:
    """A browser of its own at the login page of `url`; what it saves goes below `folder`."""
    pictures = Path(PICTURES) if PICTURES else folder / "pictures"
    pictures.mkdir(exist_ok=True, parents=True)
    (folder / "downloads").mkdir()
    with browser(folder) as page:
        page.open(url + "/office/login")
        page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder / "downloads"))
        yield Player(page, url, pictures, folder / "downloads")
