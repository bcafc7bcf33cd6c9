"""What only the market knows when an agreement act is checked: its EIP-712 struct, and where the agreement stands."""

from __future__ import annotations

from clearing.errors import ClearingError
from clearing.market.agreement import (
    CONTRACT,
    STATE_CODES,
    act_of,
    check_terms,
    id_of,
    signers_hash,
    terms_digest,
    typed_digest,
)
from ledger import eip712
from ledger.bundle import Bundle
from ledger.chain import Chain
from ledger.errors import Malformed
from ledger.facts import Fact, Signature, Statement
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
        listed = [*act.signers, *([act.authority] if act.authority else [])]
        for signer in listed:
            if (signer.address.lower(), signer.role) == (signature.key.lower(), signature.role):
                return typed_digest(statement, signer, int(signature.nonce))
        raise Malformed(f"{signature.key} 不在签署名单中。 / {signature.key} is not on the list of signers.")

    def status(self, fact: Fact, chain: Chain) -> Status:
        """AgreementRegistry's answer: the state now, whether this act is the last; `Refused` if it knows no such."""
        act = act_of(fact.statement)
        stored = chain.read(CONTRACT, "agreement", bytes.fromhex(id_of(fact.subject)))
        names = {code: state.value for state, code in STATE_CODES.items()}
        if stored["state"] == STATE_CODES[act.from_state] == 0 or stored["revision"] < act.revision:
            raise Refused("V13", f"链上登记的协议 {fact.subject} / the agreement on chain", "没有 / none")
        if bytes(stored["signersHash"]) != signers_hash(act.signers):
            raise Refused("V13", signers_hash(act.signers).hex(), bytes(stored["signersHash"]).hex())
        digest = fact.statement.digest()
        last = bytes(stored["lastActCommitment"]) == eip712.commitment(_PAIR, (digest.sha256, digest.sm3))
        if not last and act.to_state == act.from_state == names[stored["state"]] and stored["revision"] == act.revision:
            raise Refused("V13", "链上最后事项为本事项 / this act as the last on chain", "另一事项 / another act")
        reason = "LAST_ACT" if last else "LATER_ACTS_EXIST"
        return Status(str(names[stored["state"]]).upper(), reason, int(stored["asOf"]))

    def recompute(self, bundle: Bundle) -> None:
        """Terms hold together and are the ones the digest names."""
        act = act_of(bundle.main.fact.statement)
        if act.terms is not None:
            try:
                check_terms(act.terms)
            except ClearingError as error:
                raise Refused("V14", "有效条款 / valid terms", str(error)) from error
            found = terms_digest(act.terms)
            if found != act.terms_digest:
                raise Refused("V14", str(act.terms_digest), str(found))
