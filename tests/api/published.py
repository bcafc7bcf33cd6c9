"""A platform whose log grows and is cosigned by a witness whose key the test holds."""

from __future__ import annotations

from dataclasses import dataclass

from api import jobs
from ledger import checkpoint, log, store
from ledger.facts import Signed, Statement
from ledger.log import Head
from ledger.signing import sign_sm2
from ledger.witness import HttpWitness
from tests.api.house import Platform
from tests.registry.registry_house import AGENCY

BY = f"party:{AGENCY}"
NAME, KEY = "witness/test", b"\x07" * 32


@dataclass
class Published:
    """`grow` states facts, seals a head and has it cosigned; `seal` leaves it without."""

    platform: Platform
    count: int = 0

    def __post_init__(self) -> None:
        witness = HttpWitness(NAME, checkpoint.ed25519_public(KEY), "http://127.0.0.1:9")
        system = self.platform.system
        system.witnesses = (witness,)
        system.settings = system.settings.model_copy(update={"witness_quorum": 1})
        statement = Statement("note/v1", "note:0", 0, None, {})
        self._signature = sign_sm2(self.platform.keys[BY], statement, by=BY, role="")

    def seal(self, facts: int) -> Head:
        """Takes in that many facts (signed, but not over this: nothing here looks) and seals a head over everything."""
        system = self.platform.system
        with jobs.transaction(system) as session:
            for _ in range(facts):
                statement = Statement("note/v1", f"note:{self.count}", 0, None, {"n": self.count})
                store.append(session, Signed(statement, (self._signature,)), at=self.platform.now)
                self.count += 1
            while log.integrate(session):
                pass
            head = log.seal(session, system.log_keys, at=self.platform.now)
        assert head is not None
        return head

    def grow(self, facts: int) -> Head:
        """`seal`, then the witness's line is added."""
        head = self.seal(facts)
        note = checkpoint.add_lines(head.note, [checkpoint.cosign(head.note, NAME, KEY, self.platform.now)])
        with jobs.transaction(self.platform.system) as session:
            log.cosigned(session, head.checkpoint.size, note, 1)
        return Head(head.checkpoint, note, 1)
