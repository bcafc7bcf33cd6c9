"""What only usage knows when its facts are checked (D40): a record shown is the one its place in the batch names, and
a connector closes and gives heartbeats for itself alone."""

from __future__ import annotations

from clearing.usage.batch import BatchHeader, subject_of
from clearing.usage.closing import read_report
from clearing.usage.record import decode
from ledger.bundle import Bundle
from ledger.chain import Chain
from ledger.errors import FieldError, Malformed
from ledger.facts import Fact, Signature, Statement
from ledger.reading import read
from ledger.trust import Trust
from ledger.verify import Refused, Status


class BatchRules:
    """The rules of usage-batch/v1 (`ledger.verify.KindRules`)."""

    not_proved = ("连接器之外发生的事 / what happened outside the connector",)

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        raise Malformed("连接器只用 SM2 签名。 / A connector signs with SM2 only.")

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


class ReportRules(BatchRules):
    """The rules of usage-period-close/v1 and usage-heartbeat/v1."""

    def recompute(self, bundle: Bundle) -> None:
        """The body agrees with itself and with its subject."""
        try:
            read_report(bundle.main.fact.statement)
        except FieldError as error:
            raise Refused("V14", error.expected, error.given) from error
