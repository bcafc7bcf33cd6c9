"""Records and batches as a connector would make them, with any field changed on the way."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from clearing.market import store as market
from clearing.market.agreement import Role, TermsParty
from clearing.market.policy import Decision
from clearing.terms import BillingBasis
from clearing.usage import service
from clearing.usage.batch import freeze, receive
from clearing.usage.record import Admitted, Direction, Link, Side, StatusClass, UsageRecord, decode, encode
from clearing.usage.service import Admission, Refusal
from ledger import sm
from ledger import store as ledger
from ledger.facts import Signed
from ledger.sm import Sm2Key
from tests.clearing.market.house import CODE, CONNECTOR, CONSUMER, NOW, PROVIDER, SELLER, House


class Line:
    """A connector's chain: `more` makes the next records of an agreement, linked to those before."""

    def __init__(self, agreement: str, listing: str, policy: str, connector: str = CONNECTOR) -> None:
        self.agreement, self.listing, self.policy, self.connector = agreement, listing, policy, connector
        self.seq, self.prev = 0, None

    def more(self, number: int = 1, **changes: object) -> list[Admitted]:
        made = []
        for _ in range(number):
            fields: dict[str, object] = {
                "connector": self.connector, "seq": self.seq + 1, "agreement": self.agreement, "revision": 1,
                "agr_seq": self.seq + 1, "side": Side.PROVIDE, "direction": Direction.CONSUMPTION,
                "request_id": f"request-{self.seq + 1:06d}", "occurred_at": NOW + 10, "listing": self.listing,
                "version": 1, "certificate": CODE, "policy": self.policy, "purpose": "research",
                "user_ref": "c" * 64, "request": "d" * 64, "counted": self.seq, "decision": Decision.ALLOW,
                "reasons": (), "unit": "call", "quantity": 1, "billable": True, "bytes": 100, "latency_ms": 3,
                "status": StatusClass.OK, "salt": secrets.token_hex(32), "prev": self.prev,
            }  # fmt: skip
            item = decode(encode(UsageRecord(**fields | changes)))  # type: ignore[arg-type]
            self.seq, self.prev = item.record.seq, Link.to(item.digest)
            made.append(item)
        return made


def line_of(house: House, **changes: object) -> Line:
    """A line over a fresh agreement that is in force from NOW."""
    listing = house.listed(unit=changes.get("unit", "call"))
    identity, _ = house.conclude(listing=listing, **changes)
    return Line(identity, listing, market.terms_of(house.session, identity, 1).policy_digest.sha256)


def batch(house: House, records: Sequence[Admitted], key: Sm2Key | None = None) -> tuple[Signed, list[bytes]]:
    """The next signed batch of the connector over these records; `key` is its own if it is not the house's."""
    no, prev = ledger.next_of(house.session, f"connector-log:{records[0].record.connector}")
    return freeze(records, no, prev, key or house.connector), [item.data for item in records]


def admit(
    house: House, records: Sequence[Admitted], at: int = NOW + 60, key: Sm2Key | None = None
) -> Admission | Refusal:
    signed, parts = batch(house, records, key)
    return service.admit(house.session, receive(signed, parts), signer=house.operator, at=at)


class TwoSides:
    """An agreement billed by both sides, with a connector of each: `provide` and `consume` are their lines."""

    CONSUMING = "conn-consumer"

    def __init__(
        self, house: House, *, limit: int = 10**6, billing: BillingBasis = BillingBasis.BOTH, unit: str = "call"
    ) -> None:
        self.house, self.key = house, sm.generate()
        house.hire_connector(self.CONSUMING, self.key, CONSUMER)
        parties = (
            TermsParty(PROVIDER, Role.PROVIDER, (CONNECTOR,)),
            TermsParty(CONSUMER, Role.CONSUMER, (self.CONSUMING,)),
            TermsParty(SELLER, Role.OPERATOR),
        )
        self.provide = line_of(house, parties=parties, limit=limit, billing=billing, unit=unit)
        self.agreement = self.provide.agreement
        self.consume = Line(self.agreement, self.provide.listing, self.provide.policy, self.CONSUMING)

    def report(
        self,
        number: int = 1,
        *,
        at: int = NOW + 60,
        provide: dict[str, object] | None = None,
        consume: dict[str, object] | None = None,
    ) -> None:
        """Both sides report so many uses; what either says otherwise is given."""
        self.send_provided(self.provide.more(number, **(provide or {})), at)
        self.send_consumed(self.consume.more(number, **({"side": Side.CONSUME} | (consume or {}))), at)

    def send_provided(self, records: Sequence[Admitted], at: int = NOW + 60) -> None:
        assert isinstance(admit(self.house, records, at), Admission)

    def send_consumed(self, records: Sequence[Admitted], at: int = NOW + 60) -> None:
        assert isinstance(admit(self.house, records, at, self.key), Admission)
