"""The `shuqing` command, and `python -m api`.

What needs no installation is loaded alone: a stranger who signs a message waits for no database driver and no chain.
"""

from __future__ import annotations

import sys
from importlib import import_module

ALONE = {"deals": "api.cli_deals", "connector": "api.cli_connector", "price": "api.cli_price"}
"""Groups of commands that know an address and a key file and nothing else."""


def main() -> None:
    """Runs the command that was typed."""
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in ALONE:
        import_module(ALONE[name]).app(args=sys.argv[2:], prog_name=f"shuqing {name}")
    else:
        import_module("api.cli").app(prog_name="shuqing")


if __name__ == "__main__":
    main()
