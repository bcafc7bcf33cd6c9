"""Builds the verifier page: one HTML file without any address in it, the same bytes on every machine.

`python -m scripts.build_verifier_page` bundles scripts/verifier_page/ with the locked npm libraries (esbuild, no
network) into api/built/verifier.html, which the server offers and the wheel carries; third-party code is never
committed. The file's digests are committed in scripts/verifier_page/DIGESTS and scripts/README.md: a build that gives
others fails, unless `--record` writes the new ones after a deliberate change.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from pathlib import Path

from ledger.digest import twin

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "scripts" / "verifier_page"
DIGESTS = SOURCES / "DIGESTS"
README = ROOT / "scripts" / "README.md"
QUOTED = re.compile(r"(?<=```page-digests\n).*?(?=```)", re.DOTALL)
PAGE = ROOT / "api" / "built" / "verifier.html"
ESBUILD = ROOT / "node_modules" / "@esbuild" / "linux-x64" / "bin" / "esbuild"
OPTIONS = ("--bundle", "--format=iife", "--target=es2022", "--charset=utf8", "--legal-comments=inline",
           "--preserve-symlinks", "--log-level=warning")  # fmt: skip


def build() -> bytes:
    """The page's bytes. Raises `SystemExit` with a clear message when a tool is missing or something does not fit."""
    if not ESBUILD.exists():
        raise SystemExit("缺少 npm 依赖，请先运行 npm ci。 / npm packages are missing; run npm ci first.")
    command = [str(ESBUILD), "scripts/verifier_page/page.mjs", *OPTIONS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    script, style = done.stdout.decode("utf-8"), (SOURCES / "style.css").read_text(encoding="utf-8")
    if "</script" in script.lower() or "<!--" in script:
        raise SystemExit("脚本会提前结束 script 元素。 / The script would end its own element.")
    # Only this script and style run; the only connections are those to the node the reader types in.
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; connect-src http: https:; "
        "base-uri 'none'; form-action 'none'"
    )
    text = (SOURCES / "index.html").read_text(encoding="utf-8")
    for name, value in (("POLICY", policy), ("STYLE", style), ("SCRIPT", script)):
        text = text.replace("{{" + name + "}}", value, 1)
    return text.encode()


def digests(page: bytes) -> str:
    """The content of DIGESTS."""
    found = twin(page)
    return f"SHA-256 {found.sha256.hex()}\nSM3 {found.sm3.hex()}\n"


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def main(arguments: list[str]) -> None:
    """Builds, compares with DIGESTS (or records them) and writes the page."""
    page = build()
    if arguments == ["--record"]:
        DIGESTS.write_text(digests(page), encoding="utf-8")
        README.write_text(QUOTED.sub(digests(page), README.read_text(encoding="utf-8")), encoding="utf-8")
    elif not DIGESTS.exists() or DIGESTS.read_text(encoding="utf-8") != digests(page):
        raise SystemExit(
            "核验页与 scripts/verifier_page/DIGESTS 记录的摘要不同；确属有意修改时加 --record。"
            f" / The page differs from DIGESTS; after a deliberate change use --record.\n{digests(page)}"
        )
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_bytes(page)
    print(f"{PAGE.relative_to(ROOT)} {len(page)} B\n{digests(page)}", end="")


if __name__ == "__main__":
    main(sys.argv[1:])
