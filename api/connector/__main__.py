"""`python -m api.connector CONFIG.json`, without what the platform's commands need besides."""

from __future__ import annotations

import sys
from pathlib import Path

from api.connector.serving import run
from ledger.errors import LedgerError

try:
    run(Path(sys.argv[1]))
except (LedgerError, OSError) as error:
    print(error, file=sys.stderr)
    sys.exit(2)
