"""What only the market knows when an agreement act is checked: its EIP-712 struct, and where the agreement stands."""

from __future__ import annotations

from clearing.errors import ClearingError
from clearing.market.agreement import (
    CONTRACT,
    STATE_CODES,
    Terms,
    act_of,
    check_terms,
    id_of,
    signers_hash,
    sorted_signers,
    terms_digest,
    typed_digest,
)
from ledger import disclosure, eip712
from ledger.bundle import Bundle
from ledger.chain import Chain
from ledger.errors import Malformed
from ledger.facts import Fact, Signature, Statement
from ledger.reading import read
from ledger.trust import Trust
from ledger.verify import Refused, Status

_PAIR = ("bytes32", "bytes32")


class AgreementRules:
    """The rules of agreement-act/v1 (`ledger.verify.KindRules`)."""

    not_proved = (
        "条款是否公平 / fairness of the terms",
        "授权书以外的签署权限 / capacity beyond the keys on record",
    )

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        """The AgreementAct digest of the signer whose key and role the signature names, on the trusted contract."""
        act = act_of(statement)
        trusted = trust.chain.contracts.get(CONTRACT)
        place = (act.domain.chain_id, act.domain.contract.lower())
        if trusted is None or place != (trust.chain.chain_id, trusted.address.lower()):
            raise Malformed(f"签名域不是受信合约：{place}。 / The domain is not the trusted contract: {place}.")
        if act.signers != sorted_signers(act.signers):
            raise Malformed("签署方未按角色与地址排序。 / The signers are not sorted by role and address.")
        listed = [*act.signers, *([act.authority] if act.authority else [])]
        for signer in listed:
            if (signer.address.lower(), signer.role) == (signature.key.lower(), signature.role):
                return typed_digest(statement, signer, int(signature.nonce))
        raise Malformed(f"{signature.key} 不在签署名单中。 / {signature.key} is not on the list of signers.")

    def status(self, fact: Fact, chain: Chain) -> Status:
        """AgreementRegistry's answer: the state now, and is this act the last? UNKNOWN while it has no such."""
        act = act_of(fact.statement)
        stored = chain.read(CONTRACT, "agreement", bytes.fromhex(id_of(fact.subject)))
        names = {code: state.value for state, code in STATE_CODES.items()}
        if stored["state"] == 0 or stored["revision"] < act.revision:
            return Status("UNKNOWN", "NOT_ON_CHAIN", int(stored["asOf"]))
        if bytes(stored["signersHash"]) != signers_hash(act.signers):
            raise Refused("V13", signers_hash(act.signers).hex(), bytes(stored["signersHash"]).hex())
        digest = fact.statement.digest()
        last = bytes(stored["lastActCommitment"]) == eip712.commitment(_PAIR, (digest.sha256, digest.sm3))
        reason = "LAST_ACT" if last else "LATER_ACTS_EXIST"
        return Status(str(names[stored["state"]]).upper(), reason, int(stored["asOf"]))

    def recompute(self, bundle: Bundle) -> None:
        """Shown fields are the ones their numbers name; shown all, the terms hold together and fit the digest."""
        statement = bundle.main.fact.statement
        act = act_of(statement)
        names = act.fields or ()
        if len(names) != (statement.parts.count if statement.parts else 0):
            raise Refused("V14", f"{len(names)} 个字段 / fields", str(statement.parts))
        parts = {part.index: part.data for part in bundle.parts}
        disclosure.shown(names, parts)
        if not names or len(parts) < len(names):
            return
        terms = read(Terms, disclosure.document_of(names, list(parts.values())), "terms")
        try:
            check_terms(terms)
        except ClearingError as error:
            raise Refused("V14", "有效条款 / valid terms", str(error)) from error
        found = terms_digest(terms)
        if found != act.terms_digest:
            raise Refused("V14", str(act.terms_digest), str(found))
