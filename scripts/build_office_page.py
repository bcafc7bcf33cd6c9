"""Builds the script of the office pages: one file for `/office.js`, bundled from scripts/office_page/ at set-up.

`python -m scripts.build_office_page` bundles with the locked npm libraries (esbuild, no network) into
api/built/office.js, which the server offers and the wheel carries; third-party code is never committed. The bundle is
the same on every machine; its digests are printed, and `GET /office.js` can be compared with them.
"""

from __future__ import annotations

import subprocess

from ledger.digest import twin
from scripts.build_verifier_page import ESBUILD, OPTIONS, ROOT

SCRIPT = ROOT / "api" / "built" / "office.js"


def build() -> bytes:
    """The script's bytes. Raises `SystemExit` with a clear message when a tool is missing or something does not fit."""
    if not ESBUILD.exists():
        raise SystemExit("缺少 npm 依赖，请先运行 npm ci。 / npm packages are missing; run npm ci first.")
    command = [str(ESBUILD), "scripts/office_page/page.mjs", *OPTIONS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    return done.stdout


def main() -> None:
    """Builds the script and writes it."""
    data = build()
    SCRIPT.parent.mkdir(exist_ok=True)
    SCRIPT.write_bytes(data)
    digest = twin(data)
    print(f"{SCRIPT.relative_to(ROOT)} {len(data)} B\nSHA-256 {digest.sha256.hex()}\nSM3 {digest.sm3.hex()}")


if __name__ == "__main__":
    main()
