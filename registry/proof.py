"""What only the registry knows when a register entry is checked: what the chain says of it and what that means."""

from __future__ import annotations

from ledger.bundle import Bundle
from ledger.chain import Chain
from ledger.errors import Malformed
from ledger.facts import Fact, Signature, Statement
from ledger.reading import read
from ledger.trust import Trust
from ledger.verify import Refused, Status
from registry.certificate import RegisterEntry
from registry.code import read_code
from registry.onchain import CONTRACT, certificate_key

IN_FORCE = {0: "UNKNOWN", 1: "IN_FORCE", 2: "NOT_IN_FORCE", 3: "IN_FORCE_LIMITED"}
REASONS = {
    0: "UNKNOWN_KEY", 1: "VALID", 2: "NOT_YET_VALID", 3: "LAPSED", 4: "SUPERSEDED", 5: "TRANSFERRED", 6: "CANCELLED",
    7: "RENEWAL_PENDING", 8: "ENCUMBERED", 9: "OBJECTION", 10: "ENCUMBERED_AND_OBJECTION", 11: "HISTORY",
}  # fmt: skip
"""contracts/codes.json, inForceCodes and inForceReasons; a test keeps them equal."""


class RegisterEntryRules:
    """The rules of register-entry/v1 (`ledger.verify.KindRules`)."""

    not_proved = (
        "来源声明是否属实 / the truth of the source declaration",
        "存证机构记录优先于链上记录 / the deposit authority's record prevails over the chain's",
    )

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        raise Malformed("登记条目只用 SM2 签名。 / A register entry is signed with SM2 only.")

    def status(self, fact: Fact, chain: Chain) -> Status:
        """RightsRegistry's answer; `Refused` if it does not hold this entry."""
        entry = read(RegisterEntry, fact.body)
        key = certificate_key(entry.record.agency, entry.paper_type, entry.code, entry.version)
        digest = fact.digest()
        if not chain.read(CONTRACT, "matches", key, digest.sha256, digest.sm3):
            raise Refused(
                "V13", f"链上凭证 {entry.code} 的摘要 / the digests on chain", "不符或没有 / differ or absent"
            )
        answer = chain.read(CONTRACT, "inForce", key)
        return Status(IN_FORCE[answer["code"]], REASONS[answer["reason"]], int(answer["asOf"]))

    def recompute(self, bundle: Bundle) -> None:
        """The body reads as a register entry whose code and validity hold together."""
        entry = read(RegisterEntry, bundle.main.fact.body)
        read_code(entry.code)
        if not entry.valid_from < entry.valid_until:
            raise Refused("V14", "valid_from < valid_until", f"{entry.valid_from}, {entry.valid_until}")
