"""What only the registry knows when a register entry is checked: what the chain says of it and what that means."""

from __future__ import annotations

from ledger import disclosure
from ledger.bundle import Bundle
from ledger.chain import Chain
from ledger.errors import Malformed
from ledger.facts import Fact, Signature, Statement
from ledger.reading import read
from ledger.trust import Trust
from ledger.verify import Refused, Status
from registry.certificate import RegisterEntry, record_in
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
        """RightsRegistry's answer, UNKNOWN while it holds no such entry; `Refused` if it holds another in its place."""
        entry = read(RegisterEntry, fact.body)
        key = certificate_key(entry.agency, entry.paper_type, entry.code, entry.version)
        digest = fact.digest()
        answer = chain.read(CONTRACT, "inForce", key)
        known = (int(answer["code"]), int(answer["reason"])) != (0, 0)
        if known and not chain.read(CONTRACT, "matches", key, digest.sha256, digest.sm3):
            raise Refused("V13", f"链上凭证 {entry.code} 的摘要 / the digests on chain", "不符 / they differ")
        return Status(IN_FORCE[answer["code"]], REASONS[answer["reason"]], int(answer["asOf"]))

    def recompute(self, bundle: Bundle) -> None:
        """Code and validity hold together; shown fields are those their numbers name, shown all they fit the digest."""
        statement = bundle.main.fact.statement
        entry = read(RegisterEntry, statement.body)
        if len(entry.fields) != (statement.parts.count if statement.parts else 0):
            raise Refused("V14", f"{len(entry.fields)} 个字段 / fields", str(statement.parts))
        parts = {part.index: part.data for part in bundle.parts}
        disclosure.shown(entry.fields, parts)
        if len(parts) == len(entry.fields):
            record = record_in(entry, list(parts.values()))
            if (record.type, record.predecessor) != (entry.type, entry.predecessor):
                raise Refused("V14", f"{record.type}, {record.predecessor}", f"{entry.type}, {entry.predecessor}")
        read_code(entry.code)
        before = entry.predecessor
        first = before is None or before.code != entry.code
        if entry.version != (1 if first or before is None else before.version + 1):
            raise Refused("V14", f"{entry.code} v{entry.version}", f"前一版本 / predecessor {before}")
        if not entry.valid_from < entry.valid_until:
            raise Refused("V14", "valid_from < valid_until", f"{entry.valid_from}, {entry.valid_until}")
