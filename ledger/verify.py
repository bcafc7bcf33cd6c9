"""Is this bundle what it says? A numbered list of checks; the first that fails ends it and names itself.

The list knows no kinds. What is particular to a kind (its EIP-712 struct, what the contract says of it, how to
recompute it) is registered as `KindRules` by the package that owns the kind (decisions D40). Integrity, status and the
time the answer holds for are three separate answers (exchange specification I6): a matching hash never prints "valid".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger import checkpoint, eip712, merkle
from ledger.bundle import Bundle, Proved, read_document
from ledger.chain import Chain, head_commitment
from ledger.checkpoint import Checkpoint
from ledger.digest import TwinDigest, twin
from ledger.errors import ChainUnavailable, LedgerError, Malformed, OneSided
from ledger.facts import EIP712, SM2, Fact, Signature, Statement
from ledger.outbox import HEADS
from ledger.signers import Accepted, accepted, read_rule
from ledger.signing import verify_sm2
from ledger.trust import Trust

SKEW = 300
"""Seconds by which the clocks of log, witnesses and intake may differ."""


class Refused(LedgerError):
    """One step failed: what was expected and what was found."""

    def __init__(self, code: str, expected: str, got: str) -> None:
        self.code, self.expected, self.got = code, expected, got
        super().__init__(f"{code}：应为 {expected}，实为 {got}。 / {code}: expected {expected}, got {got}.")


@dataclass(frozen=True, slots=True)
class Step:
    """One check: its number, code, Chinese and English name, outcome and, if it failed, expected and got."""

    number: int
    code: str
    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What the chain says of the fact now; `code` UNKNOWN when nobody was asked."""

    code: str
    reason: str = ""
    as_of: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome: steps in order, integrity, status, the time it holds for, trust level and what is not proved.

    `not_checked` names what is in the bundle but could not be checked without a node.
    """

    steps: tuple[Step, ...]
    intact: bool
    status: Status
    trust_level: str
    not_proved: tuple[str, ...]
    not_checked: tuple[str, ...] = ()

    @property
    def failed(self) -> Step | None:
        return next((step for step in self.steps if not step.ok), None)


class KindRules(Protocol):
    """What only the owner of a kind knows."""

    @property
    def not_proved(self) -> tuple[str, ...]:
        """What a verified bundle of this kind still does not prove."""

    def typed_digest(self, statement: Statement, signature: Signature, trust: Trust) -> bytes:
        """The 32-byte EIP-712 digest `signature` must be over. Raises `Malformed` if the kind has none."""

    def status(self, fact: Fact, chain: Chain) -> Status:
        """What the contract says of the fact. Raises `Refused` if it contradicts the fact."""

    def recompute(self, bundle: Bundle) -> None:
        """Kind-specific recomputation. Raises `Refused`."""


@dataclass
class _Case:
    """What the steps share."""

    data: bytes
    trust: Trust
    chain: Chain | None
    head: Checkpoint | None
    rules: Mapping[str, KindRules]
    document: dict[str, Any] = field(init=False)
    bundle: Bundle = field(init=False)
    checkpoint: Checkpoint = field(init=False)
    accepted: Accepted = field(init=False)
    status: Status = field(default_factory=lambda: Status("UNKNOWN"))


def verify(
    data: bytes,
    trust: Trust,
    *,
    chain: Chain | None = None,
    head: Checkpoint | None = None,
    rules: Mapping[str, KindRules] | None = None,
) -> Report:
    """Runs the list over a bundle's bytes. Ask a `chain` of your own, or give a `head` you obtained independently.

    Raises `ChainUnavailable` when the node does not answer; whatever is wrong with the bundle is in the report.
    """
    case = _Case(data, trust, chain, head, rules or {})
    done: list[Step] = []
    for number, (code, name, check) in enumerate(_STEPS, 1):
        try:
            check(case)
        except ChainUnavailable:
            raise  # no answer is no verdict
        except Refused as refused:
            place = _CODES.index(refused.code) if refused.code in _CODES else number - 1
            done.append(Step(place + 1, refused.code, _STEPS[place][1], False, str(refused)))
            break
        except Exception as error:  # the rules of any package may raise theirs: what a bundle breaks is refused
            done.append(Step(number, code, name, False, str(error)))
            break
        done.append(Step(number, code, name, True))
    intact = len(done) == len(_STEPS) and done[-1].ok
    level = "T2" if chain is not None else "T1"
    limits: tuple[str, ...] = ("记录之前内容是否真实 / the truth of the content before it was recorded",)
    if intact and case.bundle.main.fact.kind in case.rules:
        limits += case.rules[case.bundle.main.fact.kind].not_proved
    unchecked = () if chain is not None else ("chain.tx", "chain.block")
    return Report(tuple(done), intact, case.status if intact else Status("UNKNOWN"), level, limits, unchecked)


def _parse(case: _Case) -> None:
    case.document = read_document(case.data)


def _trust(case: _Case) -> None:
    if case.chain is None and case.head is None:
        raise Refused("V02", "自己的节点或树头 / a node or head of your own", "都没有 / neither")
    origin = next(iter(case.document["head"]["note"]), "")
    if origin != case.trust.origin:
        raise Refused("V02", f"日志 / log {case.trust.origin}", origin[:80])


def _statements(case: _Case) -> None:
    try:
        case.bundle = Bundle.of_document(case.document)
    except OneSided as error:
        raise Refused("V04", error.expected, f"{error.field}: {error.given}") from error
    for proved in _all(case):
        signatures = proved.fact.signatures
        if not signatures:
            raise Refused("V03", "至少一个签名 / at least one signature", "没有 / none")
        if len({(s.alg, s.by, s.role) for s in signatures}) != len(signatures):
            raise Refused("V03", "每人每角色每算法一个签名 / one per signer, role and algorithm", "重复 / one twice")
    for support in case.bundle.supports:
        kind = f"{support.fact.subject.partition(':')[0]}/v1"
        if kind != support.fact.kind or kind not in case.trust.vouchers:
            raise Refused("V03", f"身份事实 / an identity fact: {sorted(case.trust.vouchers)}", support.fact.kind)
        others = [signature.by for item in _all(case) if item is not support for signature in item.fact.signatures]
        if support.fact.subject not in others:
            raise Refused("V03", "签署者的身份事实 / the identity of a signer", support.fact.subject)
    root = case.bundle.main.fact.statement.parts
    count = root.count if root is not None else 0
    for part in case.bundle.parts:
        if part.index >= count:
            raise Refused("V03", f"分项序号 / part number < {count}", str(part.index))


def _digests(case: _Case) -> None:
    for proved in _all(case):
        again = Fact.of_bytes(proved.fact.bytes())
        if again.digest() != proved.fact.digest() or again.document() != proved.fact.document():
            raise Refused("V04", again.id, proved.fact.id)


def _messages(case: _Case) -> None:
    for proved in _all(case):
        for signature in proved.fact.signatures:
            if signature.alg == EIP712:
                _typed(case, proved.fact.statement, signature)


def _signatures(case: _Case) -> None:
    signed = [(proved.fact.statement, signature) for proved in _all(case) for signature in proved.fact.signatures]
    for statement, signature in signed:
        if not _valid(case, statement, signature):
            raise Refused("V06", f"{signature.by} 的有效签名 / a valid signature", "与内容不符 / does not match")
    identities = [proved.fact for proved in _all(case) if proved.fact.kind in case.trust.vouchers]
    case.accepted = accepted(case.trust, identities)
    for _, signature in signed:
        if (signature.alg, signature.by, signature.key.lower()) not in case.accepted.keys:
            raise Refused("V06", f"{signature.by} 的受信公钥 / an accepted key", signature.key[:24] + "…")
    if case.accepted.unvouched:
        expected = "身份事实由有权者签署 / identity facts signed by who may state them"
        raise Refused("V06", expected, ", ".join(case.accepted.unvouched))


def _required(case: _Case) -> None:
    fact = case.bundle.main.fact
    rules = [rule for rule in map(read_rule, case.trust.required.get(fact.kind, ())) if rule.applies(fact.body)]
    if not rules:
        none = "信任文件没有 / not in the trust file"
        raise Refused("V07", f"{fact.kind} 的签署规则 / a rule who signs it", none)
    for rule in rules:
        expected = rule.unmet(fact, case.trust, case.accepted)
        if expected:
            given = ", ".join(f"{signature.alg} {signature.by} {signature.role}" for signature in fact.signatures)
            raise Refused("V07", f"{rule.text}: {expected}", given)


def _inclusion(case: _Case) -> None:
    try:
        case.checkpoint = checkpoint.parse(case.bundle.note)[0]
    except Malformed as error:
        raise Refused("V09", "签名检查点 / a signed checkpoint", str(error)) from error
    size, root = case.checkpoint.size, case.checkpoint.root
    for proved in _all(case):
        hash_ = merkle.leaf_hash(proved.fact.digest())
        found = merkle.root_of_path(hash_, proved.index, size, proved.path)
        _same_root("V08", found, root)
    parts = case.bundle.main.fact.statement.parts
    if parts is not None:
        for part in case.bundle.parts:
            found = merkle.root_of_path(merkle.leaf_hash(twin(part.data)), part.index, parts.count, part.path)
            _same_root("V08", found, parts.root)


def _heads_signed(case: _Case) -> None:
    trust = case.trust
    checkpoint.verify_log(case.bundle.note, trust.log.name, trust.log.ed25519, trust.log.sm2)
    valid = checkpoint.verify_witnesses(case.bundle.note, trust.witnesses.keys)
    if len({name for name, _ in valid}) < trust.witnesses.k:
        raise Refused("V09", f"≥ {trust.witnesses.k} 个见证 / witnesses", str(len(valid)))


def _head_agrees(case: _Case) -> None:
    if case.head is not None:
        given, found = case.head, case.checkpoint
        if (given.size, given.root, given.at) != (found.size, found.root, found.at):
            raise Refused("V10", f"{given.size} {given.root.sha256.hex()}", f"{found.size} {found.root.sha256.hex()}")


def _chain(case: _Case) -> None:
    trusted, hint = case.trust.chain, case.bundle.chain
    if HEADS not in trusted.contracts:
        raise Refused(
            "V11", f"{HEADS} 的受信地址 / a trusted address of {HEADS}", "信任文件没有 / not in the trust file"
        )
    place = (trusted.chain_id, trusted.contracts[HEADS].address.lower())
    if (hint.chain_id, hint.address.lower()) != place:
        raise Refused("V11", f"chain {place[0]} {place[1]}", f"chain {hint.chain_id} {hint.address}")
    if case.chain is None:
        return
    if case.chain.chain_id != trusted.chain_id:
        raise Refused("V11", f"chain {trusted.chain_id}", f"chain {case.chain.chain_id}")
    for name, contract in trusted.contracts.items():
        if case.chain.address(name).lower() != contract.address.lower():
            raise Refused("V11", f"{name} {contract.address}", case.chain.address(name))
        if case.chain.code_hash(name) != contract.code_keccak256:
            raise Refused("V11", f"{name} {contract.code_keccak256}", case.chain.code_hash(name))
    point = case.checkpoint
    expected = head_commitment(point.size, point.root.sha256, point.root.sm3, point.at)
    found = bytes(case.chain.read(HEADS, "commitmentAt", point.size))
    if found != expected:
        raise Refused("V11", expected.hex(), found.hex())
    # A block's events are those of transactions that succeeded: the receipt's status, block and log in one question.
    size = {"size": point.size}
    known = hint.block <= case.chain.head().number
    events = case.chain.events(HEADS, "Anchored", first=hint.block, last=hint.block, where=size) if known else ()
    if hint.tx not in {event.tx.lower() for event in events}:
        raise Refused(
            "V11", f"区块 {hint.block} 中 {hint.tx} 锚定 {point.size} / that transaction anchors it in that block",
            "没有 / none",
        )  # fmt: skip


def _times(case: _Case) -> None:
    head_at, at = case.checkpoint.at, case.bundle.main.fact.at
    if at > head_at + SKEW:
        raise Refused("V12", f"≤ {head_at + SKEW}", str(at))
    for support in case.bundle.supports:  # a key counts from the moment it was on record
        if support.fact.at > at + SKEW:
            raise Refused("V12", f"≤ {at + SKEW}", f"{support.fact.subject} {support.fact.at}")
    for name, at in checkpoint.verify_witnesses(case.bundle.note, case.trust.witnesses.keys):
        if at < head_at - SKEW:
            raise Refused("V12", f"≥ {head_at - SKEW}", f"{name} {at}")


def _status(case: _Case) -> None:
    fact = case.bundle.main.fact
    if case.chain is not None and fact.kind in case.rules:
        case.status = case.rules[fact.kind].status(fact, case.chain)


def _kind(case: _Case) -> None:
    fact = case.bundle.main.fact
    if fact.kind in case.rules:
        case.rules[fact.kind].recompute(case.bundle)


_STEPS: tuple[tuple[str, str, Callable[[_Case], None]], ...] = (
    ("V01", "严格解析 / strict parse", _parse),
    ("V02", "信任来源 / trust anchors", _trust),
    ("V03", "陈述形式 / statement form", _statements),
    ("V04", "双摘要 / twin digests", _digests),
    ("V05", "签名原文 / signed messages", _messages),
    ("V06", "签名与公钥 / signatures and keys", _signatures),
    ("V07", "应签者 / required signers", _required),
    ("V08", "路径 / inclusion paths", _inclusion),
    ("V09", "树头与见证 / checkpoint and witnesses", _heads_signed),
    ("V10", "树头一致 / head agrees", _head_agrees),
    ("V11", "链上锚定 / anchored on chain", _chain),
    ("V12", "时间 / times", _times),
    ("V13", "状态 / status", _status),
    ("V14", "类别核对 / kind-specific", _kind),
)
_CODES = [code for code, _, _ in _STEPS]


def _all(case: _Case) -> Iterator[Proved]:
    yield case.bundle.main
    yield from case.bundle.supports


def _typed(case: _Case, statement: Statement, signature: Signature) -> bytes:
    rules = case.rules.get(statement.kind)
    if rules is None:
        raise Refused("V05", f"{statement.kind} 的 EIP-712 结构 / its EIP-712 struct", "未知 / unknown")
    try:
        return rules.typed_digest(statement, signature, case.trust)
    except Malformed as error:
        raise Refused("V05", "可重建的签名结构 / a struct that can be rebuilt", str(error)) from error


def _valid(case: _Case, statement: Statement, signature: Signature) -> bool:
    if signature.alg == SM2:
        return verify_sm2(statement, signature)
    digest = _typed(case, statement, signature)
    return eip712.recover(digest, bytes.fromhex(signature.value)).lower() == signature.key.lower()


def _same_root(code: str, found: TwinDigest | None, expected: TwinDigest) -> None:
    if found is None:
        raise Refused(code, "与位置相符的路径 / a path that fits the place", "长度不符 / wrong length")
    for name in ("sha256", "sm3"):
        if getattr(found, name) != getattr(expected, name):
            raise Refused(code, f"{name} {getattr(expected, name).hex()}", getattr(found, name).hex())
