"""`python -m api.connector CONFIG.json`."""

from __future__ import annotations

import sys
from pathlib import Path

from api.connector.serving import run

run(Path(sys.argv[1]))
