"""A small made-up market (演示): parties with keys, a certificate, a listing, and acts ready to be signed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlmodel import Session

from clearing.market import service, store
from clearing.market.agreement import (
    Act,
    AgreementAct,
    Delivery,
    Dispute,
    Domain,
    Forum,
    Ground,
    GroundKind,
    Product,
    Role,
    Signer,
    State,
    Terms,
    TermsParty,
    act_statement,
    sign_act,
    sorted_signers,
    subject_of,
    terms_digest,
    terms_parts,
)
from clearing.market.listing import Listing, ListingMove, Move, PriceRegime, ProductType, VenueClass
from clearing.market.policy import Action, Constraint, Left, Operator, Policy, Rule, policy_digest
from clearing.market.product import (
    Circulation,
    Commerce,
    Contents,
    DataField,
    Delivering,
    Environment,
    Grant,
    Interface,
    Level,
    Masking,
    Mode,
    Origin,
    Period,
    Proceeds,
    Provenance,
    Security,
    SellerKind,
    UseTerms,
)
from clearing.market.promise import Silence
from clearing.market.shelf import service as shelf
from clearing.market.shelf import store as shelf_store
from clearing.market.template import fill
from clearing.terms import (
    WHOLE,
    BillingBasis,
    Holder,
    SharingPlan,
    Step,
    StepKind,
    Tariff,
    TariffKind,
    Tax,
    TaxBasis,
    Tier,
    Weight,
)
from clearing.terms import Terms as SettlementTerms
from ledger import eip712, signing, sm
from ledger import store as ledger
from ledger.digest import twin
from ledger.facts import PartsRoot, Signature, Signed, Statement
from ledger.reading import body_of
from ledger.sm import Sm2Key
from ledger.store import Appended
from registry.asset import DataForm, Twin, Volume
from registry.party import uscc_is_valid
from registry.rights import Right, SourceKind
from registry.tables import CertificateRow, ConnectorRow, HoldingRow, PartyRow, StaffRow
from tests.databases import with_tables

NOW = 1_780_000_000
DAY = 86_400
DOMAIN = Domain(31337, "0x" + "ab" * 20)
CODE = "420000260600011"
CONNECTOR = "conn-demo-1"
BY_APPROVER = {Move.PUBLISH, Move.APPROVE, Move.REJECT, Move.EMERGENCY, Move.EXPLAIN}


def uscc(seed: int) -> str:
    """A made-up 统一社会信用代码 with a right check digit."""
    stem = f"91420100MA4K2{seed:04d}"
    return next(stem + c for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if uscc_is_valid(stem + c))


SELLER, PROVIDER, CONSUMER, OPERATOR, COURT = (uscc(n) for n in range(1, 6))


@dataclass(frozen=True)
class Keys:
    sm2: Sm2Key
    evm: bytes

    @property
    def address(self) -> str:
        return eip712.address_of(self.evm).lower()


def new_keys() -> Keys:
    return Keys(sm.generate(), eip712.new_key())


class House:
    """An SQLite database with five parties, a reviewer, a connector and one certificate of SELLER with all rights."""

    def __init__(self, place: Path | Engine, domain: Domain = DOMAIN) -> None:
        """In a file of its own, or in the database of an engine that has the tables already."""
        self.domain = domain
        self.parts: dict[PartsRoot | None, tuple[bytes, ...]] = {}
        if isinstance(place, Engine):
            self.engine = place
        else:
            self.engine = create_engine(with_tables(place))
            # A test database need not survive a power loss; the connector's own state keeps the real settings.
            event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.session = Session(self.engine)
        self.keys = {party: new_keys() for party in (SELLER, PROVIDER, CONSUMER, OPERATOR, COURT)}
        self.reviewer, self.approver, self.connector = sm.generate(), sm.generate(), sm.generate()
        self.operator = signing.SystemSigner(self.keys[OPERATOR].sm2, f"party:{OPERATOR}")
        for party, keys in self.keys.items():
            roles = "court" if party == COURT else ""
            self.session.add(
                PartyRow(id=party, no=0, name="演示", kind="法人", sm2=keys.sm2.public, evm=keys.address, roles=roles,
                         from_at=NOW - 90 * DAY, fact_id=party.ljust(64, "0"))
            )  # fmt: skip
        self.hire("rev1", self.reviewer, "listing_reviewer")
        self.hire("app1", self.approver, "listing_approver")
        self.hire_connector(CONNECTOR, self.connector)
        self.session.add(
            CertificateRow(code=CODE, version=1, application="3" * 32, agency=COURT, agency_name="演示",
                           data_name="演示", kind="element", content="4" * 64, public=True, deposited_at=NOW - 60 * DAY,
                           valid_from=NOW - 60 * DAY, valid_until=NOW + 900 * DAY, last_day="2029-01-01",
                           fact_id="5" * 64, entry_sm3="6" * 64)
        )  # fmt: skip
        for right in Right:
            self.session.add(
                HoldingRow(code=CODE, version=1, right=right.value, holder=SELLER, holder_name="演示",
                           holder_kind="法人", content="4" * 64)
            )  # fmt: skip
        self.session.flush()

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()

    def hire(self, name: str, key: Sm2Key, roles: str, organisation: str = OPERATOR) -> None:
        """A member of staff."""
        self.session.add(
            StaffRow(id=name, no=0, organisation=organisation, sm2=key.public, roles=roles, active=True,
                     from_at=NOW - 90 * DAY, fact_id=name.ljust(64, "1"))
        )  # fmt: skip

    def admit(self, party: str, sm2: str) -> None:
        """One more party, known by its SM2 key."""
        self.session.add(
            PartyRow(id=party, no=0, name="演示", kind="法人", sm2=sm2, evm=new_keys().address, roles="",
                     from_at=NOW - 90 * DAY, fact_id=party.ljust(64, "8"))
        )  # fmt: skip

    def hire_connector(self, identity: str, key: Sm2Key, owner: str = PROVIDER) -> None:
        """A connector of PROVIDER, or of another owner."""
        self.session.add(
            ConnectorRow(id=identity, no=0, owner=owner, sm2=key.public, software="shuqing 0",
                         from_at=NOW - 90 * DAY, fact_id="2" * 64)
        )  # fmt: skip

    # listings --------------------------------------------------------------------------------------------------------

    def signed(self, kind: str, subject: str, body: object, by: str, key: Sm2Key, role: str = "") -> Signed:
        no, prev = ledger.next_of(self.session, subject)
        statement = Statement(kind, subject, no, prev, body_of(body))
        return Signed(statement, (signing.sign_sm2(key, statement, by=by, role=role),))

    def submit(self, listing: Listing, identity: str, at: int = NOW, by: str = SELLER) -> Signed:
        key = self.keys[by].sm2
        signed = self.signed("listing-submitted/v1", f"listing:{identity}", listing, f"party:{by}", key)
        shelf.submit(self.session, signed, at=at)
        return signed

    def review(self, identity: str, move: Move, at: int = NOW, reason: str = "", **fields: object) -> Signed:
        """A move of the operator's: by the approver where the table wants one, else by the reviewer."""
        body = ListingMove(move, reason, **fields)  # type: ignore[arg-type]
        if move in BY_APPROVER:
            return self.move(identity, body, "staff:app1", self.approver, "listing_approver", at)
        return self.move(identity, body, "staff:rev1", self.reviewer, "listing_reviewer", at)

    def move(self, identity: str, body: ListingMove, by: str, key: Sm2Key, role: str = "", at: int = NOW) -> Signed:
        signed = self.signed("listing-move/v1", f"listing:{identity}", body, by, key, role)
        shelf.move(self.session, signed, operator=OPERATOR, at=at)
        return signed

    def by_party(
        self, party: str, identity: str, move: Move, at: int = NOW, reason: str = "", **fields: object
    ) -> None:
        body = ListingMove(move, reason, **fields)  # type: ignore[arg-type]
        self.move(identity, body, f"party:{party}", self.keys[party].sm2, "", at)

    def approve(self, identity: str, at: int = NOW) -> None:
        """The review of a version that needs no substantive one, to its end."""
        for move in (Move.TAKE_UP, Move.PASS_FORM, Move.APPROVE):
            self.review(identity, move, at)

    def listed(self, at: int = NOW - DAY, **changes: object) -> str:
        """A listing that is on the shelf; its id."""
        identity = secrets.token_hex(16)
        self.submit(listing_of(**changes), identity, at)
        self.approve(identity, at)
        return identity

    # agreements ------------------------------------------------------------------------------------------------------

    def terms(self, listing: str, **changes: object) -> Terms:
        digest = shelf_store.listing(self.session, listing).digest
        return terms_of(listing, digest, **changes)

    def signer(self, role: Role, party: str) -> Signer:
        return Signer(role, party, self.keys[party].address)

    def signers(self) -> tuple[Signer, ...]:
        roles = ((Role.PROVIDER, PROVIDER), (Role.CONSUMER, CONSUMER), (Role.OPERATOR, SELLER))
        return sorted_signers(tuple(self.signer(role, party) for role, party in roles))

    def act(self, identity: str, act: Act, target: State, **more: object) -> Statement:
        """The next act of the agreement, unsigned; the fields of its terms are kept in `parts`."""
        no, prev = ledger.next_of(self.session, subject_of(identity))
        before = store.before_of(self.session, identity)
        terms = more.pop("terms", None)
        fields: dict[str, object] = {
            "act": act,
            "from_state": before.state if before else State.NONE,
            "to_state": target,
            "revision": (before.revision if before else 0) + (terms is not None),
            "negotiation_id": secrets.token_hex(32),
            "signers": self.signers(),
            "domain": self.domain,
            "deadline": NOW + 365 * DAY,
            "terms_digest": terms_digest(terms) if isinstance(terms, Terms) else before and before.terms_digest,
        }
        body = AgreementAct(**fields | more)  # type: ignore[arg-type]
        statement = act_statement(subject_of(identity), no, prev, body, terms if isinstance(terms, Terms) else None)
        self.parts[statement.parts] = terms_parts(terms) if isinstance(terms, Terms) else ()
        return statement

    def take(self, signed: Signed, at: int) -> Appended:
        """Sends an act with the fields its statement commits to."""
        parts = self.parts.get(signed.statement.parts, ())
        return service.record_act(self.session, signed, parts, domain=self.domain, at=at)

    def sign(self, statement: Statement, signers: tuple[Signer, ...] | None = None) -> Signed:
        signatures: list[Signature] = []
        for signer in self.signers() if signers is None else signers:
            keys = self.keys[signer.party]
            signatures += sign_act(statement, signer, keys.sm2, keys.evm)
        return Signed(statement, tuple(signatures))

    def sent(self, signed: Signed) -> dict[str, object]:
        """The act as a connector is told of it."""
        parts = self.parts.get(signed.statement.parts, ())
        return {"signed": signed.document(), "parts": [part.decode() for part in parts]}

    def conclude(self, at: int = NOW, listing: str = "", **changes: object) -> tuple[str, Signed]:
        """An agreement in force from `at`; its id and the signed act."""
        identity = secrets.token_hex(32)
        terms = self.terms(listing or self.listed(unit=changes.get("unit", "call")), **changes)
        signed = self.sign(self.act(identity, Act.CONCLUDE, State.EFFECTIVE, terms=terms))
        self.take(signed, at)
        return identity, signed

    def by_court(self, identity: str, act: Act, target: State) -> Signed:
        court = self.signer(Role.AUTHORITY, COURT)
        ground = Ground(GroundKind.DECISION, "演示决定", secrets.token_hex(32), Twin.of(twin(b"decision")))
        return self.sign(self.act(identity, act, target, authority=court, ground=ground), (court,))


def contents_of(**changes: object) -> Contents:
    fields: dict[str, object] = {
        "digest": Twin("4" * 64, "4" * 64), "industry": "G56", "theme": "航空运输", "time_from": "2025-01-01",
        "time_to": "2025-12-31", "region": "全国", "volume": (Volume("1000", "条"),), "form": DataForm.TABLE,
        "period": Period.DAY, "updated_on": "2026-05-01",
        "fields": (DataField("origin", "出发机场", "text"), DataField("mean_delay", "平均延误", "integer")),
        "tags": ("航班", "延误"),
    }  # fmt: skip
    return Contents(**fields | changes)  # type: ignore[arg-type]


def listing_of(**changes: object) -> Listing:
    fields: dict[str, object] = {
        "product": "7" * 32, "version": 1, "name": "演示航班延误特征", "overview": "演示", "type": ProductType.API,
        "seller": SELLER, "certificate": CODE, "right": Right.OPERATE, "venue": VenueClass.OPEN,
        "regime": PriceRegime.FREE_PRICING, "unit": "call", "policy": "按次读取",
        "provenance": Provenance(SourceKind.COLLECTED, "自有航班系统采集（演示）", Origin.ENTERPRISE, Grant.WHOLE),
        "content": contents_of(), "security": Security(Level.GENERAL, Circulation.DIRECT, Masking.NOT_PERSONAL),
        "use": UseTerms(("research",), (Environment.OWN,)),
        "delivery": Delivering(
            (Mode.API,), "可用性 99.9%", "演示交付标准 1", "演示技术支持", "技术支持岗",
            Interface("1", "数字合约", "200 成功", "7x24", False, "GET /delays"),
        ),
        "commerce": Commerce(SellerKind.OTHER, "33", "plan-1", Proceeds.OPERATING, "provide-1"),
    }  # fmt: skip
    return Listing(**fields | changes)  # type: ignore[arg-type]


def policy_of(listing: str, limit: int = 5, version: int = 1) -> Policy:
    constraints = (
        Constraint(Left.PURPOSE, Operator.ANY, ("research",)),
        Constraint(Left.COUNT, Operator.LTEQ, limit),
    )
    return Policy(version, SELLER, CONSUMER, listing, (Rule(Action.READ, constraints),))


def terms_of(listing: str, digest: Twin, *, limit: int = 5, unit: str = "call", **changes: object) -> Terms:
    policy = policy_of(listing, limit)
    plan = SharingPlan(
        1, 0, (Holder(PROVIDER, "holder"), Holder(SELLER, "operator")),
        (Step(StepKind.RATIO, weights=(Weight(PROVIDER, WHOLE // 2), Weight(SELLER, WHOLE // 2))),), SELLER,
    )  # fmt: skip
    tariff = Tariff(TariffKind.PER_UNIT, unit, tiers=(Tier(0, 35, 10),))
    base = Terms(
        parties=(
            TermsParty(PROVIDER, Role.PROVIDER, (CONNECTOR,)),
            TermsParty(CONSUMER, Role.CONSUMER),
            TermsParty(SELLER, Role.OPERATOR),
        ),
        product=Product(listing, 1, digest, CODE, (Right.USE,)),
        purposes=("research",),
        users=(CONSUMER,),
        scope="全部字段",
        environment="own",
        effective=NOW - DAY,
        expiry=NOW + 300 * DAY,
        delivery=Delivery("M1", "https://data.example/flights", "7x24"),
        service_level="可用性 99.9%",
        acceptance_days=5,
        settlement=SettlementTerms(CONSUMER, SELLER, tariff, Tax(TaxBasis.INCLUSIVE, 600), plan),
        billing=BillingBasis.PROVIDER,
        silence=Silence.ACCEPT,
        liability="按约定",
        dispute=Dispute(30, Forum.ARBITRATION, "演示仲裁委员会"),
        policy=policy,
        policy_digest=Twin.of(policy_digest(policy)),
        template=fill(
            "provide",
            1,
            {
                "ownership": "权利人不变；使用方得到使用权，衍生成果归使用方（演示）",
                "acceptance": "按字段与抽样核对，数值缺陷使用后方能发现（演示）",
                "personal": "不含",
            },
        ),
        salt=secrets.token_hex(32),
    )
    return replace(base, **changes)  # type: ignore[arg-type]
