"""轧差: obligations become one position per party, the fewest needed transfers, and a proof each party can check.

eligibility → positions → certificate → flow → gridlock → limits → default → sum_tree

- `eligibility`: what may be netted, and on which grounds the rest is held back.
- `positions`: what each party is owed less what it owes.
- `certificate`: the payments of each mode, minimum funding, and the separate checker.
- `flow`: payments in parts and the price of a fen at each party.
- `gridlock`: which queued obligations go through together under debit caps and limits of pairs, with its own checker.
- `limits`: the caps and limits that two persons of the operator set, and what of a cycle a run takes under them.
- `default`: funding was missed: who bears what, and the run over the rest.
- `sum_tree`: the Merkle-sum tree of a run, each party's proof and its check (D36).
"""

from clearing.settlement.netting.certificate import (
    Certificate,
    Transfer,
    check_certificate,
    check_payments,
    net,
    novated,
    payments_of,
    transfers_of,
)
from clearing.settlement.netting.positions import Position, bilateral, columns_of, positions_of
from clearing.settlement.netting.sum_tree import (
    Funded,
    LeafProof,
    Proof,
    Run,
    Sibling,
    Sum,
    check_proof,
    own_of,
    participant_secret,
    sum_tree,
)

__all__ = [
    "Certificate",
    "Funded",
    "LeafProof",
    "Position",
    "Proof",
    "Run",
    "Sibling",
    "Sum",
    "Transfer",
    "bilateral",
    "check_certificate",
    "check_payments",
    "check_proof",
    "columns_of",
    "net",
    "novated",
    "own_of",
    "participant_secret",
    "payments_of",
    "positions_of",
    "sum_tree",
    "transfers_of",
]
