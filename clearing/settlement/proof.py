"""What only settlement knows when its facts are checked (D40): statements, their lines, and the close of a cycle."""

from __future__ import annotations

from clearing.settlement.close import CycleClose, commitment_of
from clearing.settlement.onchain import CONTRACT, SettlementFace, close_digest
from clearing.settlement.statement import Line, PartA, read_part
from ledger.bundle import Bundle
from ledger.chain import Chain
from ledger.errors import ChainError, ChainUnavailable, Malformed
from ledger.facts import Fact, Signature, Statement
from ledger.reading import read
from ledger.trust import Trust
from ledger.verify import Refused, Status


class CycleRules:
    """The rules of cycle-closed/v1 (`ledger.verify.KindRules`)."""

    not_proved = ("款项是否已付（除非附银行入账） / payment, unless a bank entry is attached",)

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        """The CycleClose digest on the trusted contract."""
        trusted = trust.chain.contracts.get(CONTRACT)
        if trusted is None:
            raise Malformed("信任文件没有 SettlementBook。 / The trust file has no SettlementBook.")
        return close_digest(read(CycleClose, statement.body), trust.chain.chain_id, trusted.address)

    def status(self, fact: Fact, chain: Chain) -> Status:
        """CLOSED if the book holds this very close, UNKNOWN if none yet; `Refused` if it holds another."""
        try:
            held = SettlementFace().done(chain, fact)
        except ChainUnavailable:
            raise
        except ChainError as error:
            raise Refused("V13", "账簿中的关账 / the close in the book", str(error)) from error
        return Status("CLOSED" if held else "UNKNOWN", "" if held else "NOT_ON_CHAIN", chain.head().time)

    def recompute(self, bundle: Bundle) -> None:
        """The totals are those the commitment hides."""
        body = read(CycleClose, bundle.main.fact.body)
        if commitment_of(body.totals) != body.totals_commitment:
            raise Refused("V14", commitment_of(body.totals), body.totals_commitment)


class StatementRules:
    """The rules of statement/v1 (`ledger.verify.KindRules`)."""

    not_proved = ("款项是否已付（除非附银行入账） / payment, unless a bank entry is attached",)

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        raise Malformed("清分账单只用 SM2 签名。 / A statement is signed with SM2 only.")

    def status(self, fact: Fact, chain: Chain) -> Status:
        return Status("RECORDED", "", chain.head().time)

    def recompute(self, bundle: Bundle) -> None:
        """A part shown has the number it is proved under and concerns the statement's party."""
        body = read(PartA, bundle.main.fact.body)
        for shown in bundle.parts:
            part = read_part(shown.data)
            concerned = {part.party} if isinstance(part, Line) else {part.debtor, part.creditor}
            if part.no != shown.index or body.party not in concerned:
                raise Refused("V14", f"#{shown.index} {body.party}", f"#{part.no} {sorted(concerned)}")
