"""What can go wrong in the ledger, as one family.

LedgerError
├── Malformed            bytes or values outside the canonical profile
│   └── FieldError       one named field of a body is wrong
│       └── OneSided     a digest or path is given for one of the two algorithms only
├── BadSignature         a signature does not belong to its statement and key
├── Conflict             the same act number of a subject already says something else
├── Stale                the act was written against an older state of its subject
├── UnknownFact          no fact with this digest
├── Erased               the fact's body was lawfully erased; only its digest is left
├── StillNeeded          a fact cannot be erased while others rest on it
├── BrokenLog            stored leaves, nodes or heads do not belong together
├── WitnessRefused       too few witnesses cosigned a head
├── NotLeader            another worker publishes now
└── ChainError           the chain did not do what was asked
    ├── ChainUnavailable     no answer in time
    ├── NodeRefused          the node answered with an error of its own
    ├── TransactionReverted  the contract refused, by name
    ├── ForkedLog            the chain holds a head of this log that the database does not
    └── WrongChain           another chain, contract or hash function than configured
"""

from __future__ import annotations

from typing import Any


class LedgerError(Exception):
    """Base of every error the ledger raises; its text is Chinese first, English second."""


class Malformed(LedgerError):
    """A value or byte string lies outside the canonical profile (decisions D7)."""


class FieldError(Malformed):
    """One field is wrong: says which, what was expected and what was given."""

    def __init__(self, field: str, expected: str, given: str) -> None:
        self.field, self.expected, self.given = field, expected, given
        super().__init__(
            f"字段 {field} 不符合要求：应为 {expected}，实为 {given}。"
            f" / Field {field}: expected {expected}, given {given}."
        )


class OneSided(FieldError):
    """SHA-256 or SM3 is missing, or they do not go equally far (decisions D5: refused with a code of its own)."""


class BadSignature(LedgerError):
    """A signature is not valid for its statement, key and role."""

    def __init__(self, by: str, reason: str) -> None:
        self.by, self.reason = by, reason
        super().__init__(f"{by} 的签名无效：{reason}。 / Signature of {by} refused: {reason}.")


class Conflict(LedgerError):
    """The subject already has an act with this number and other content."""

    def __init__(self, subject: str, no: int, existing: str) -> None:
        self.subject, self.no, self.existing = subject, no, existing
        super().__init__(
            f"{subject} 的第 {no} 号事项已存在且内容不同（已存摘要 {existing}），未写入。"
            f" / Act {no} of {subject} already exists with other content ({existing}); nothing was written."
        )


class Stale(LedgerError):
    """The act continues an older state of its subject than the one stored."""

    def __init__(self, subject: str, field: str, expected: Any, given: Any) -> None:
        self.subject, self.field, self.expected, self.given = subject, field, expected, given
        super().__init__(
            f"{subject} 的状态已更新：{field} 应为 {expected}，实为 {given}，请刷新后重试。"
            f" / {subject} has moved on: {field} expected {expected}, given {given}; reload and try again."
        )


class UnknownFact(LedgerError):
    """No fact with this id is stored."""

    def __init__(self, fact_id: str) -> None:
        self.fact_id = fact_id
        super().__init__(f"没有摘要为 {fact_id} 的事实。 / There is no fact {fact_id}.")


class Erased(LedgerError):
    """The fact's bytes were erased under a stated ground; digest and proofs remain."""

    def __init__(self, fact_id: str) -> None:
        self.fact_id = fact_id
        super().__init__(f"事实 {fact_id} 的内容已依法擦除。 / The body of fact {fact_id} was lawfully erased.")


class StillNeeded(LedgerError):
    """Views or sums of other facts rest on the fact that was to be erased; nothing was erased."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"其他事实仍以其为依据，未擦除：{why}。 / Other facts still rest on it, nothing was erased: {why}."
        )


class BrokenLog(LedgerError):
    """Stored leaves, nodes and heads contradict each other."""


class WitnessRefused(LedgerError):
    """Fewer witnesses than the policy asks for cosigned the head; the head is not published (fail closed)."""


class NotLeader(LedgerError):
    """The lease passed to another worker: nothing more is written or sent under the old one."""

    def __init__(self, name: str, worker: str) -> None:
        self.name, self.worker = name, worker
        super().__init__(
            f"{name} 的租约已不属于本进程（现为 {worker or '无'}），已停止写入。"
            f" / The lease {name} is no longer ours (held by {worker or 'nobody'}); nothing was written."
        )


class ChainError(LedgerError):
    """Base of what the chain gateway raises."""


class ChainUnavailable(ChainError):
    """The node did not answer in time or dropped the connection."""


class NodeRefused(ChainError):
    """The node answered a call with a JSON-RPC error: its `message` and `data`."""

    def __init__(self, message: str, data: Any) -> None:
        self.message, self.data = message, data
        super().__init__(f"节点报错：{message}。 / The node answered with an error: {message}.")


class TransactionReverted(ChainError):
    """A transaction or call was executed and refused by the contract.

    `error` is the name of the custom error (or "" if none was decoded), `arguments` its arguments.
    """

    def __init__(self, contract: str, function: str, error: str, arguments: tuple[Any, ...] = ()) -> None:
        self.contract, self.function, self.error, self.arguments = contract, function, error, arguments
        super().__init__(
            f"合约 {contract}.{function} 拒绝执行：{error or '无说明'}{arguments}。"
            f" / {contract}.{function} reverted: {error or 'no reason'}{arguments}."
        )


class ForkedLog(ChainError):
    """The chain holds a head of this log that contradicts the stored one, or that nobody here knows.

    Two histories carry the log's signature, or the database is older than the chain: nothing is anchored until a person
    has decided which one stands.
    """


class WrongChain(ChainError):
    """The node is another chain, or its contracts or hash function are not those configured."""
