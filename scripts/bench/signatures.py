"""Signature checks per second on one core: `signatures()`, or run this module.

Recipe: MESSAGES (400) different messages of 32 bytes, what our signatures cover, under 20 keys; SM2 (GB/T 32918.2
with SM3 and the default user id) by `ledger.sm.verify`, EIP-712 by `ledger.eip712.recover` (the address that signed,
low s demanded), one after the other in one thread. Medians of RUNS (7) passes after a warm-up.

    python -m scripts.bench.signatures
"""

from __future__ import annotations

import json
import secrets
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import eip712, sm

RUNS, MESSAGES, KEYS = 7, 400, 20


def signatures(runs: int = RUNS) -> dict[str, Any]:
    """Checks per second of each kind; every one of them must hold."""
    messages = [secrets.token_bytes(32) for _ in range(MESSAGES)]
    keys = [sm.generate() for _ in range(KEYS)]
    made = [(keys[i % KEYS].public, message, sm.sign(keys[i % KEYS], message)) for i, message in enumerate(messages)]
    privates = [eip712.new_key() for _ in range(KEYS)]
    typed = [
        (eip712.address_of(privates[i % KEYS]), digest, eip712.sign(privates[i % KEYS], digest))
        for i, digest in enumerate(messages)
    ]
    edwards = [Ed25519PrivateKey.generate() for _ in range(KEYS)]
    noted = [(edwards[i % KEYS].public_key(), m, edwards[i % KEYS].sign(m)) for i, m in enumerate(messages)]

    def ed25519(item: Any) -> bool:
        item[0].verify(item[2], item[1])
        return True

    return {
        "sm2_per_s": _rate(lambda item: sm.verify(*item), made, runs),
        "secp256k1_per_s": _rate(lambda item: eip712.recover(item[1], item[2]) == item[0], typed, runs),
        "ed25519_per_s": _rate(ed25519, noted, runs),
        "recipe": " ".join((__doc__ or "").split()),
    }


def _rate(check: Callable[[Any], bool], items: Sequence[Any], runs: int) -> int:
    rates = []
    for run in range(runs + 1):
        started = time.perf_counter()
        for item in items:
            assert check(item)
        if run:
            rates.append(len(items) / (time.perf_counter() - started))
    return round(statistics.median(rates))


if __name__ == "__main__":
    print(json.dumps(signatures(), ensure_ascii=False, indent=1))
