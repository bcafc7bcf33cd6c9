"""Who takes part in the demonstration. Every name is made up and marked 演示; every key is made on the first run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stdnum.cn.uscc import calc_check_digit

from api import keyfiles
from api.client import PlatformClient
from api.keyfiles import KeyFile
from ledger import signing
from ledger.facts import PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of


def _code(number: int) -> str:
    first = f"91330100MA{number:07d}"
    return first + str(calc_check_digit(first))


AGENCY, OPERATOR, PROVIDER, DEVELOPER, CONSUMER, BROKER, AUDITOR = (_code(number) for number in range(2026001, 2026008))

NAMES = {
    AGENCY: "浙江数清数据登记有限公司（演示）",
    OPERATOR: "数清数据交易运营有限公司（演示）",
    PROVIDER: "东航路数据资源有限公司（演示）",
    DEVELOPER: "晓时数据元件开发有限公司（演示）",
    CONSUMER: "远行出行服务有限公司（演示）",
    BROKER: "明桥数据经纪有限公司（演示）",
    AUDITOR: "清源会计师事务所（演示）",
}
ROLES = {
    AGENCY: ("agency",), OPERATOR: ("operator",), PROVIDER: ("provider",), DEVELOPER: ("developer",),
    CONSUMER: ("consumer",), BROKER: ("broker",), AUDITOR: ("auditor",),
}  # fmt: skip
STAFF = {
    "intake-1": (AGENCY, "intake"),
    "reviewer-1": (AGENCY, "reviewer"),
    "approver-1": (AGENCY, "approver"),
    "deposit-1": (AGENCY, "deposit_officer"),
    "listing-1": (OPERATOR, "listing_reviewer"),
    "listing-2": (OPERATOR, "listing_approver"),
    "maker-1": (OPERATOR, "payment_maker"),
    "checker-1": (OPERATOR, "payment_checker"),
}

Signer = Callable[[Statement], Signature]


class Actor:
    """One signer with its key file and its API key: drafts the next act, signs it, sends it."""

    def __init__(self, keys: KeyFile, client: PlatformClient) -> None:
        self.keys, self.client = keys, client
        self.by = keys.by

    def signer(self, role: str = "") -> Signer:
        return lambda statement: signing.sign_sm2(self.keys.sm2, statement, by=self.by, role=role)

    def draft(self, kind: str, subject: str, body: Any, parts: Sequence[bytes] = ()) -> Statement:
        """The next act about `subject`, as the platform's log stands."""
        following = self.client.next_of(subject)
        root = PartsRoot.over(parts) if parts else None
        document = body if isinstance(body, dict) else body_of(body)
        return Statement(kind, subject, following.no, following.prev, document, root)

    def state(
        self,
        path: str,
        kind: str,
        subject: str,
        body: Any,
        *,
        role: str = "",
        also: Sequence[Signer] = (),
        parts: Sequence[bytes] = (),
    ) -> Any:
        """Drafts, signs (with the `also` signers) and sends; returns the platform's answer."""
        statement = self.draft(kind, subject, body, parts)
        signatures = tuple(sign(statement) for sign in (self.signer(role), *also))
        return self.send(path, Signed(statement, signatures), parts)

    def send(self, path: str, signed: Signed, parts: Sequence[bytes] = ()) -> Any:
        """Sends what is signed already."""
        document: dict[str, Any] = signed.document()
        if parts:
            document["parts"] = [part.decode() for part in parts]
        return self.client.post(path, document)


def key_file(folder: Path, by: str) -> KeyFile:
    """The key file of a signer, made on first use."""
    path = folder / (by.replace(":", "-") + ".json")
    return keyfiles.load(path) if path.exists() else keyfiles.create(path, by)
