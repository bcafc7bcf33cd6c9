"""What only usage knows when a batch is checked (D40): a record shown is the one its place in the batch names."""

from __future__ import annotations

from clearing.usage.batch import BatchHeader, subject_of
from clearing.usage.record import decode
from ledger.bundle import Bundle
from ledger.chain import Chain
from ledger.errors import Malformed
from ledger.facts import Fact, Signature, Statement
from ledger.reading import read
from ledger.trust import Trust
from ledger.verify import Refused, Status


class BatchRules:
    """The rules of usage-batch/v1 (`ledger.verify.KindRules`)."""

    not_proved = ("连接器之外发生的事 / what happened outside the connector",)

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        raise Malformed("使用存证批次只用 SM2 签名。 / A usage batch is signed with SM2 only.")

    def status(self, fact: Fact, chain: Chain) -> Status:
        return Status("RECORDED", "", chain.head().time)

    def recompute(self, bundle: Bundle) -> None:
        """The header names the connector of the subject, each record its connector and number."""
        statement = bundle.main.fact.statement
        header = read(BatchHeader, statement.body)
        if statement.subject != subject_of(header.connector):
            raise Refused("V14", subject_of(header.connector), statement.subject)
        for shown in bundle.parts:
            record = decode(shown.data).record
            place = (header.connector, header.first_seq + shown.index)
            if (record.connector, record.seq) != place:
                raise Refused("V14", str(place), str((record.connector, record.seq)))
