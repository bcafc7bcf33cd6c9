"""Builds the scripts of the office pages, bundled from scripts/office_page/ at set-up.

`python -m scripts.build_office_page` bundles with the locked npm libraries (esbuild, no network) into
api/built/office.js, which every office page runs, and api/built/pictures.js, which the pricing workbench and the pages
of statements run beside it (Apache ECharts, only the charts they draw). The server offers both and the wheel carries
them; third-party code is never committed. The bundles are the same on every machine; their digests are printed, and
`GET /office.js` and `GET /pictures.js` can be compared with them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from ledger.digest import twin
from scripts.build_verifier_page import ESBUILD, OPTIONS, ROOT

BUILT = ROOT / "api" / "built"
SCRIPT, PICTURES = BUILT / "office.js", BUILT / "pictures.js"
SOURCES: dict[Path, tuple[str, ...]] = {
    SCRIPT: ("scripts/office_page/page.mjs",),
    PICTURES: ("scripts/office_page/pictures.mjs", "--minify"),
}
"""What each file is bundled from; the pictures are minified, because most of them is a library's code."""


def build(target: Path = SCRIPT) -> bytes:
    """The bytes of a script. Raises `SystemExit` with a clear message when a tool is missing or something does not
    fit."""
    if not ESBUILD.exists():
        raise SystemExit("缺少 npm 依赖，请先运行 npm ci。 / npm packages are missing; run npm ci first.")
    command = [str(ESBUILD), *SOURCES[target], *OPTIONS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    return done.stdout


def main() -> None:
    """Builds the scripts and writes them."""
    BUILT.mkdir(exist_ok=True)
    for target in SOURCES:
        data = build(target)
        target.write_bytes(data)
        digest = twin(data)
        print(f"{target.relative_to(ROOT)} {len(data)} B\nSHA-256 {digest.sha256.hex()}\nSM3 {digest.sm3.hex()}")


if __name__ == "__main__":
    main()
