"""Deploy the four contracts and register, under council signatures, who may write to them.

    python scripts/deploy_contracts.py --rpc URL --chain-id N --council COUNCIL.json --parties PARTIES.json
        --relay-key KEYFILE --out contracts/deployments/N.json

COUNCIL.json: {"threshold": 2, "members": ["0x…", …], "keys": ["0x <32 bytes>", …]} with the keys of at least
`threshold` members. PARTIES.json: {"logKey": "0x…", "agencies": {"0x <32 bytes id>": "0x…"}, "operators": {…},
"auditors": ["0x…"], "authorities": ["0x…"]}. KEYFILE is a key file of ours
(`shuqing init` makes keys/relay.json); its secp256k1 key pays.

Run again with the same --out it deploys nothing: it checks that the contracts are there and registers what is missing.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api import keyfiles
from ledger import eip712
from ledger.chain import Call, Deployment, read_deployment
from ledger.errors import ChainError, LedgerError
from ledger.sending import Policy
from ledger.web3_chain import Web3Chain

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "contracts" / "artifacts"
CODES = json.loads((ROOT / "contracts" / "codes.json").read_text("utf-8"))
ACTS = CODES["councilActs"]
DECISION_LIFETIME = 3600


@dataclass(frozen=True, slots=True)
class Council:
    """Addresses of the members, how many must sign, and the private keys of those who sign here."""

    members: tuple[str, ...]
    threshold: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Parties:
    """Who may write: log key, agencies and operators by 32-byte id, auditors and authorities by address."""

    log_key: str
    agencies: Mapping[bytes, str] = field(default_factory=dict)
    operators: Mapping[bytes, str] = field(default_factory=dict)
    auditors: Sequence[str] = ()
    authorities: Sequence[str] = ()


def deploy_all(chain: Web3Chain, council: Council, parties: Parties) -> Deployment:
    """Deploys what the chain's deployment lacks and registers what is not registered; returns the whole deployment.

    Raises ChainError when something is registered already with another key.
    """
    members, unit = list(council.members), chain.deployment.time_unit
    for name, more in (
        ("RightsRegistry", ()),
        ("AgreementRegistry", ()),
        ("EvidenceLog", (parties.log_key,)),
        ("SettlementBook", ()),
    ):
        if name not in chain.deployment.addresses:
            chain.deploy(name, members, council.threshold, unit, *more)
    if chain.read("EvidenceLog", "logKey") != parties.log_key:
        raise ChainError("EvidenceLog 的日志密钥与给定不同。 / EvidenceLog has another log key than the one given.")
    register(chain, council, parties)
    return chain.deployment


def register(chain: Web3Chain, council: Council, parties: Parties) -> None:
    """Registers agencies, authorities, operators and auditors that are not registered yet."""
    for agency_id, key in parties.agencies.items():
        known, _ = chain.read("RightsRegistry", "agency", agency_id)
        if _missing(known, key, "agency", agency_id):
            decide(chain, council, "RightsRegistry", "ADD_AGENCY", agency_id, eip712.word(key))
    for key in parties.authorities:
        if not chain.read("AgreementRegistry", "isAuthority", key):
            decide(chain, council, "AgreementRegistry", "ADD_AUTHORITY", eip712.word(key), bytes(32))
    for operator_id, key in parties.operators.items():
        known = chain.read("SettlementBook", "operatorKey", operator_id)
        if _missing(known, key, "operator", operator_id):
            decide(chain, council, "SettlementBook", "ADD_OPERATOR", operator_id, eip712.word(key))
    for key in parties.auditors:
        if not chain.read("SettlementBook", "isAuditor", key):
            decide(chain, council, "SettlementBook", "ADD_AUDITOR", eip712.word(key), bytes(32))


def decide(chain: Web3Chain, council: Council, contract: str, act: str, subject: bytes, value: bytes) -> None:
    """Signs one council act with the keys at hand and sends it."""
    now = chain.head().time
    message = eip712.council_act(ACTS[act], subject, value, secrets.randbits(256), now + DECISION_LIFETIME)
    digest = eip712.digest_of(contract, chain.chain_id, chain.address(contract), "CouncilAct", message)
    signatures = sorted(
        ((eip712.address_of(key), eip712.sign(key, digest)) for key in council.keys[: council.threshold]),
        key=lambda pair: int(pair[0], 16),
    )
    chain.send(Call(contract, "decide", (tuple(message.values()), signatures)))


def _missing(known: str, key: str, what: str, identity: bytes) -> bool:
    if known == key:
        return False
    if int(known, 16):
        raise ChainError(f"{what} {identity.hex()} 已登记另一密钥 {known}。 / {what} already has another key: {known}.")
    return True


def read_council(text: str) -> Council:
    """The council of a COUNCIL.json."""
    value = json.loads(text)
    return Council(
        members=tuple(eip712.to_checksum(member) for member in value["members"]),
        threshold=value["threshold"],
        keys=tuple(bytes.fromhex(key.removeprefix("0x")) for key in value["keys"]),
    )


def read_parties(text: str) -> Parties:
    """The parties of a PARTIES.json."""
    value = json.loads(text)
    return Parties(
        log_key=eip712.to_checksum(value["logKey"]),
        agencies=_by_id(value.get("agencies", {})),
        operators=_by_id(value.get("operators", {})),
        auditors=tuple(map(eip712.to_checksum, value.get("auditors", []))),
        authorities=tuple(map(eip712.to_checksum, value.get("authorities", []))),
    )


def _by_id(value: Mapping[str, Any]) -> dict[bytes, str]:
    return {bytes.fromhex(name.removeprefix("0x")): eip712.to_checksum(key) for name, key in value.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpc", required=True)
    parser.add_argument("--chain-id", required=True, type=int)
    parser.add_argument("--council", required=True, type=Path)
    parser.add_argument("--parties", required=True, type=Path)
    parser.add_argument("--relay-key", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--time-unit", type=int, choices=(1, 1000), default=1, help="chain clock units per second")
    parser.add_argument("--gas-price", type=int, default=0, help="wei")
    given = parser.parse_args(arguments)
    try:
        if given.out.exists():
            deployment = read_deployment(given.out.read_text("utf-8"), ARTIFACTS)
        else:
            deployment = Deployment(given.chain_id, {}, ARTIFACTS, time_unit=given.time_unit)
        relay = keyfiles.load(given.relay_key).evm
        chain = Web3Chain(given.rpc, deployment, relay, policy=Policy(given.gas_price, given.gas_price))
        council = read_council(given.council.read_text("utf-8"))
        deployment = deploy_all(chain, council, read_parties(given.parties.read_text("utf-8")))
    except (LedgerError, OSError, KeyError, ValueError) as error:
        print(f"部署失败 / deployment failed: {error}", file=sys.stderr)
        return 1
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(deployment.to_json(), "utf-8")
    for name, address in sorted(deployment.addresses.items()):
        print(f"{name} {address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
