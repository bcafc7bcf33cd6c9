"""Parties of the made-up market at the office pages: what the browser's script does, in Python with the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clearing.market.agreement import Role, Signer, sign_act
from ledger import canonical
from ledger.facts import EIP712, SM2, Statement
from ledger.signing import sign_sm2
from tests.api.office import JSON, Person, attribute, typed_in, words
from tests.api.shop import BY, Shop, open_shop
from tests.clearing.market.house import SELLER, Keys
from tests.clearing.market.talks import C, P

PRODUCT = "7" * 32
CONNECTOR = "conn-seller"
BUYER, VENDOR = BY[C], BY[P]
TERMS = {
    "endpoint": "https://data.example/delays", "hours": "7x24", "liability": "按约定",
    "particular__ownership": "权利人不变（演示）", "particular__acceptance": "按抽样核对（演示）",
    "particular__personal": "不含",
    "dispute__body": "演示仲裁委员会", "connectors__0": CONNECTOR, "policy__limit": "2000",
}  # fmt: skip
"""What an offer of the seller needs besides what is known already; "__" stands for a dot."""


@dataclass
class Trader(Person):
    """A party of the house who signs with both keys where a place asks for both."""

    own: Keys | None = field(default=None, kw_only=True)

    @property
    def keys(self) -> Keys:
        assert self.own is not None
        return self.own

    def signatures(self, text: str) -> dict[str, object]:
        """What the script sends for the page of a statement."""
        statement = Statement.of_document(canonical.decode(attribute(text, "statement").encode()))
        role, address = attribute(text, "role"), re.search(r'data-address="(0x[0-9a-f]{40})"', text)
        if not address:
            return {"signature": sign_sm2(self.keys.sm2, statement, by=self.by, role=role).document()}
        signer = Signer(Role(role), self.by.removeprefix("party:"), address[1])
        made = {item.alg: item.document() for item in sign_act(statement, signer, self.keys.sm2, self.keys.evm)}
        return {"signature": made[SM2], "typed": made[EIP712]}

    def sign_desk(self, identity: str) -> str:
        """Signs what the page shows; the outcome."""
        return self.send_desk(identity, self.signatures(self.get(f"/office/desk/{identity}")))

    def send_desk(self, identity: str, document: Mapping[str, object], status: int = 200) -> str:
        """Sends signatures; the outcome, or what the refusal says."""
        answer = self.http.post(
            f"/office/desk/{identity}/signatures",
            headers=JSON | {"X-CSRF-Token": self.csrf},
            content=canonical.encode(document),
        )
        assert answer.status_code == status, answer.text
        return str(answer.json().get("outcome", answer.json().get("message")))

    def says(self, path: str, **changed: str) -> str:
        """Opens a form, changes some fields, drafts and signs; the id of what was signed."""
        desk = self.drafted(path, self.filled(path, **changed))
        assert self.sign_desk(desk) == "done", words(self.get(f"/office/desk/{desk}"))
        return desk

    def filled(self, path: str, **changed: str) -> dict[str, str]:
        """What stands in the form of a page, with some fields changed."""
        return typed_in(self.get(path)) | {name.replace("__", "."): text for name, text in changed.items()}


@contextmanager
def open_market(home: Path, empty: Path) -> Iterator[Shop]:
    """The shop with a connector of the seller's own."""
    with open_shop(home, empty) as opened:
        opened.house.hire_connector(CONNECTOR, opened.house.connector, owner=SELLER)
        opened.house.session.commit()
        yield opened


def trader(shop: Shop, by: str) -> Trader:
    """A party of the market who has logged in."""
    own = shop.house.keys[by.removeprefix("party:")]
    shop.platform.keys[by] = own.sm2
    somebody = Trader(shop.platform, by, own=own)
    answer = somebody.log_in()
    assert answer.status_code == 200, answer.text
    return somebody
