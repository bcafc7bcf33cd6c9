"""A whole registration house for tests: a SQLite file, real SM2 keys, an agency with staff, two parties, an authority.

Nothing is mocked: every statement is signed by the key of whoever makes it and taken in by the real service.
"""

from __future__ import annotations

import atexit
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import Session
from stdnum.cn.uscc import calc_check_digit

from ledger import eip712, rebuild, sm, store
from ledger.digest import twin
from ledger.facts import Signature, Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner, sign_sm2
from registry import admitting, depositing, entries, filing, issuing, moving, precheck
from registry import store as views
from registry.afterlife.instrument import AuthorityType, Instrument
from registry.agency import Agency
from registry.asset import (
    AssetKind,
    DataForm,
    Description,
    RegionScope,
    Source,
    Structure,
    Twin,
    UpdateRate,
    Volume,
    content_of,
    data_file,
)
from registry.calendar import SHANGHAI, day_of, published
from registry.case import DECISION, MOVE, Act, AgencyDecision, Case, Item, Review
from registry.certificate import DEPOSIT_RECEIPT, DepositReceipt, record_digest
from registry.credential.did import Issuer
from registry.form import (
    SUBMITTED,
    Applicant,
    Attachment,
    Business,
    Declarations,
    Form,
    RegistrationType,
    publicity_text,
)
from registry.objection import OBJECTION, Objection
from registry.party import IdType, Party, PartyKind, Staff, commitment_of, identity_of
from registry.rights import Basis, Right, RightRow, SourceKind
from registry.scheme import NATIONAL_2026
from registry.seal import Seal, Sealed
from registry.succession import Wish, announcement_needed
from tests.databases import with_tables
from tests.registry.seal_maker import shared_issuer, shared_seal

FONTS = Path(__file__).parents[2] / "node_modules/@expo-google-fonts/noto-sans-sc"
CALENDAR = published()


def moment(text: str) -> int:
    """Seconds UTC of "2026-08-03 09:00" Beijing time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp())


def uscc(number: int) -> str:
    """A made-up code with a right check digit."""
    first = f"91330100MA{number:07d}"
    return first + calc_check_digit(first)


AGENCY, AUTHORITY, PROVIDER, DEVELOPER, RIVAL = (uscc(n) for n in (1, 2, 3, 4, 5))
STAFF = {
    "clerk": "intake",
    "reviewer": "reviewer",
    "approver": "approver",
    "officer": "deposit_officer",
    "second": "reviewer",
}


@dataclass
class House:
    """The house and its keys; `now` moves forward by hand."""

    engine: Engine
    session: Session
    keys: dict[str, sm.Sm2Key]
    agency: Agency
    signer: SystemSigner
    now: int
    receipts: int = 0
    kept: dict[tuple[str, int], bytes] = field(default_factory=dict)
    seal: Seal = field(default_factory=shared_seal)
    issuer: Issuer = field(default_factory=shared_issuer)

    def signed(self, kind: str, subject: str, body: Any, *who: tuple[str, str], no: int | None = None) -> Signed:
        """A statement next in its subject's chain, signed by each (signer, role)."""
        following, prev = store.next_of(self.session, subject)
        number = following if no is None else no
        document = body if isinstance(body, dict) else body_of(body)
        statement = Statement(kind, subject, number, prev, document)
        return Signed(statement, tuple(self.signature(statement, by, role) for by, role in who))

    def signature(self, statement: Statement, by: str, role: str) -> Signature:
        return sign_sm2(self.keys[by], statement, by=by, role=role)

    def party(self, code: str, name: str, *roles: str) -> None:
        by = f"party:{code}"
        self.keys[by] = sm.generate()
        body = Party(name, PartyKind.LEGAL, code, self.keys[by].public, eip712.address_of(eip712.new_key()), roles)
        who = [(by, "")] if code == AGENCY else [(by, ""), (f"party:{AGENCY}", "")]
        admitting.register_party(self.session, self.agency, self.signed("party/v1", by, body, *who), at=self.now)

    def admit(self, human: Applicant, no: int | None = None) -> None:
        """A natural person asks to be admitted under a fresh key, or under the next version of what it commits to."""
        by = f"party:{human.party}"
        self.keys.setdefault(by, sm.generate())
        evm = eip712.address_of(eip712.new_key())
        body = Party(human.shown, PartyKind.NATURAL, "", self.keys[by].public, evm, (), commitment_of(human.person))
        signed = self.signed("party/v1", by, body, (by, ""), (f"party:{AGENCY}", ""), no=no)
        admitting.register_party(self.session, self.agency, signed, at=self.now)

    def hire(self, name: str, *roles: str, organisation: str = "") -> None:
        by, owner = f"staff:{name}", organisation or AGENCY
        self.keys[by] = sm.generate()
        body = Staff(owner, self.keys[by].public, roles)
        signed = self.signed("staff/v1", by, body, (f"party:{owner}", ""))
        admitting.register_staff(self.session, self.agency, signed, at=self.now)

    def file(self, form: Form, *who: str, identity: str = "") -> str:
        """Submits a form signed by all applicants (or `who`); answers the application id."""
        identity = identity or secrets.token_hex(16)
        signers = who or tuple(f"party:{item.identity}" for item in form.applicants)
        signed = self.signed(SUBMITTED, f"application:{identity}", form, *((by, "") for by in signers))
        filing.submit_application(self.session, self.agency, signed, at=self.now, calendar=CALENDAR)
        return identity

    def act(self, identity: str, act: Act, *who: str) -> Signed:
        """A move as a signed statement; roles follow from the staff's names."""
        signers = [(by, STAFF.get(by.removeprefix("staff:"), "")) for by in who]
        return self.signed(MOVE, f"application:{identity}", act, *signers)

    def move(self, identity: str, act: Act, *who: str) -> store.Appended:
        return moving.move(self.session, self.agency, self.act(identity, act, *who), at=self.now, calendar=CALENDAR)

    def case(self, identity: str) -> Case:
        return views.case(self.session, identity)

    def at(self, text: str) -> None:
        self.now = moment(text)

    def timers(self) -> list[str]:
        made = moving.run_timers(self.session, self.agency, self.signer, at=self.now, calendar=CALENDAR)
        return [fact.body["move"] for fact in made if fact.kind == MOVE]

    def accept(self, identity: str) -> None:
        today = day_of(self.now).isoformat()
        self.move(identity, Act("I-07", accepted_on=today), "staff:clerk")

    def publish(self, identity: str) -> None:
        text = publicity_text(self.case(identity).form)
        self.move(identity, Act("I-15", review=PASSED, publicity=text), *TWO)

    def object(self, identity: str, *who: tuple[str, str], reason: str = "本公司主张该数据权属") -> str:
        objection = secrets.token_hex(16)
        body = Objection(identity, "异议人（演示）", "演示联系方式", reason)
        signed = self.signed(OBJECTION, f"objection:{objection}", body, *(who or ((f"party:{RIVAL}", ""),)))
        moving.object_to(self.session, self.agency, signed, at=self.now, calendar=CALENDAR)
        return objection

    def ask_deposit(self, identity: str) -> None:
        record = record_digest(entries.deposit_record(self.session, identity))
        self.move(identity, Act("I-24", record=record), "staff:officer")

    def receipt(self, identity: str, **changes: Any) -> Signed:
        """What the deposit authority answers: signed by its own key, 演示."""
        request = depositing.deposit_request(self.session, self.agency, identity)
        self.receipts += 1
        number = f"演示-{self.receipts:06d}"
        body = DepositReceipt(
            request.authority,
            request.agency,
            request.application,
            request.record,
            number,
            self.now,
        )
        body = replace(body, **changes)
        statement = Statement(DEPOSIT_RECEIPT, request.subject, 0, None, body_of(body))
        by = f"party:{AUTHORITY}"
        return Signed(statement, (self.signature(statement, by, ""),))

    def deposit(self, identity: str) -> depositing.Registered:
        self.ask_deposit(identity)
        return self.take_receipt(self.receipt(identity))

    def take_receipt(self, signed: Signed) -> depositing.Registered:
        return depositing.record_deposit_receipt(
            self.session, self.agency, signed, self.signer, at=self.now, calendar=CALENDAR
        )

    def drawn(self, code: str, version: int | None = None) -> issuing.Draft:
        """The papers of a version, ready for the seal."""
        return issuing.draft_papers(
            self.session, code, fonts=FONTS, check_url=f"{self.issuer.base}/check", issuer=self.issuer,
            trial=self.seal.trial, at=self.now, version=version,
        )  # fmt: skip

    def draft(self, code: str, kind: RegistrationType, **wish: Any) -> Form:
        """The form of a later registration with its papers, as a holder would complete it."""
        form = filing.draft_form(self.session, code, Wish(kind, **wish), self.now)
        return replace(form, attachments=tuple(attachment(name) for name in precheck.TYPE_PAPERS[kind]))

    def review(self, identity: str) -> None:
        """From the intake to READY, by publicity or by a decision without, as the type wants it."""
        self.accept(identity)
        if announcement_needed(self.case(identity).form, NATIONAL_2026):
            self.publish(identity)
            self.now += 14 * 86400
            assert "I-18" in self.timers()
        else:
            self.move(identity, Act("I-16", review=PASSED, reason="该类登记不公示"), *TWO)

    def later(self, form: Form) -> depositing.Registered:
        """The straight way of a later registration from form to deposit."""
        identity = self.file(form)
        self.review(identity)
        return self.deposit(identity)

    def open_by_agency(self, decision: AgencyDecision, *who: str, identity: str = "") -> str:
        identity = identity or secrets.token_hex(16)
        signers = [(by, STAFF.get(by.removeprefix("staff:"), "")) for by in who or TWO]
        signed = self.signed(DECISION, f"application:{identity}", decision, *signers)
        filing.open_by_agency(self.session, self.agency, signed, at=self.now, calendar=CALENDAR)
        return identity

    def issue(self, code: str, version: int | None = None) -> issuing.Papers:
        """Makes, seals and states the papers; of issued ones, the kept file once more."""
        draft = self.drawn(code, version)
        if draft.issued:
            sealed = Sealed(self.kept[code, draft.version], issuing.issued_seal(self.session, code, draft.version))
        else:
            sealed = self.seal.press(draft.body, draft.picture, reason=code, place=draft.agency, at=self.now)
            self.kept[code, draft.version] = sealed.pdf
        return issuing.issue(
            self.session, self.agency, draft, sealed, signer=self.signer, at=self.now, calendar=CALENDAR
        )

    def certificate(self, form: Form) -> str:
        """The straight way from form to code, waiting out the publicity."""
        identity = self.file(form)
        self.accept(identity)
        self.publish(identity)
        self.now += 14 * 86400
        assert "I-18" in self.timers()
        return self.deposit(identity).code


TWO = ("staff:reviewer", "staff:approver")
PASSED = Review(True, True, True)


def engine_on(path: Path) -> Engine:
    """A SQLite file in WAL mode."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _wal(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")

    return engine


def copied_house(house: House, path: Path) -> House:
    """The same house on a copy of its database, which must be closed: for tests that begin often."""
    shutil.copy(str(house.engine.url.database), path)
    engine = engine_on(path)
    return replace(house, engine=engine, session=Session(engine), keys=dict(house.keys), kept=dict(house.kept))


def open_house(path: Path, now: str = "2026-08-03 09:00") -> House:
    """A house on a SQLite file in WAL mode, with parties and staff that were admitted the day before."""
    return copied_house(_first_house(now), path)


@cache
def _first_house(now: str) -> House:
    """The house that others are copied from: admitting everybody takes longer than most tests."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    path = folder / "first.db"
    with_tables(path)
    engine = engine_on(path)
    keys = {f"party:{AUTHORITY}": sm.generate()}
    agency = Agency(
        uscc=AGENCY,
        name="浙江某某数据登记有限公司（演示）",
        region="33",
        digit="1",
        catalogue_no="演示-33-1",
        authority=AUTHORITY,
        authority_name="存证服务（演示）",
        authority_key=keys[f"party:{AUTHORITY}"].public,
    )
    house = House(engine, Session(engine), keys, agency, None, moment(now) - 86400)  # type: ignore[arg-type]
    house.party(AGENCY, agency.name, "agency")
    house.signer = SystemSigner(house.keys[f"party:{AGENCY}"], f"party:{AGENCY}")
    house.party(PROVIDER, "杭州某某航空数据有限公司（演示）", "provider")
    house.party(DEVELOPER, "宁波某某数据元件有限公司（演示）", "developer")
    house.party(RIVAL, "绍兴某某数据有限公司（演示）", "consumer")
    for name, role in STAFF.items():
        house.hire(name, role)
    house.now = moment(now)
    house.session.commit()
    house.session.close()
    engine.dispose()
    return house


def attachment(kind: str) -> Attachment:
    data = kind.encode()
    return Attachment(kind, f"{kind}.pdf", "application/pdf", len(data), Twin.of(twin(data)))


def applicant(code: str, name: str) -> Applicant:
    business = Business("演示", "2020-01-01", "演示地址", "长期", "数据处理服务", "存续")
    return Applicant(name, PartyKind.LEGAL, IdType.USCC, code, "演示联系人", "0571-00000000", "演示地址", business)


HUMAN, HUMAN_NUMBER = "张三丰", "11010519491231002X"


def a_person(name: str = HUMAN, number: str = HUMAN_NUMBER, salt: str = "5a" * 32, **changes: Any) -> Applicant:
    """A natural person as applicant, with the identity that follows from number, name and salt."""
    made = Applicant(name, PartyKind.NATURAL, IdType.RESIDENT, number, "演示联系人", "0571-00000000", "演示地址")
    made = replace(made, salt=salt, **changes)
    return replace(made, party=identity_of(commitment_of(made.person)))


def by_persons(*people: Applicant, **changes: Any) -> Form:
    """A complete form of these applicants on ground M3 (art. 21(三)), each holding every right."""
    form = a_form()
    rights = tuple(RightRow(item.shown, item.identity, right, "无") for item in people for right in Right)
    return replace(form, **({"applicants": people, "right_basis": Basis.M3, "rights": rights} | changes))


def a_form(
    code: str = PROVIDER,
    name: str = "杭州某某航空数据有限公司（演示）",
    content: bytes = b"year,month,day\n2013,1,1\n",
    sources: tuple[Source, ...] = (),
    rights: tuple[Right, ...] = tuple(Right),
    **changes: Any,
) -> Form:
    """A complete form; derived data when `sources` are given."""
    derived = bool(sources)
    description = Description(
        data_name="2013年全国民航运输航班起降记录数据集（演示）",
        overview="该数据为演示数据提供方整理的2013年航班起降记录，包含计划与实际时刻等具体信息，可用于延误分析。",
        kind=AssetKind.ELEMENT if derived else AssetKind.RESOURCE,
        industry="交通运输、仓储和邮政业/航空运输业",
        industry_code="G56",
        region_scope=RegionScope.NATIONAL,
        time_from="2013-01-01",
        time_to="2013-12-31",
        update_rate=UpdateRate.YEAR,
        volume=(Volume("336776", "条"),),
        form=DataForm.TABLE,
        structure=Structure.STRUCTURED,
        limits="不得再次转售；不得出境",
        content=content_of((data_file("flights.csv", content, content.count(b"\n")),)),
        sources=sources,
    )
    proof = "衍生加工说明" if derived else "合法取得佐证"
    form = Form(
        scheme="national_2026",
        agency=AGENCY,
        type=RegistrationType.INITIAL,
        applicants=(applicant(code, name),),
        description=description,
        source_kind=SourceKind.DERIVED if derived else SourceKind.COLLECTED,
        right_basis=Basis.M6 if derived else Basis.M1,
        rights=tuple(RightRow(name, code, right, "无") for right in rights),
        declarations=Declarations(False, False),
        attachments=tuple(attachment(kind) for kind in (precheck.IDENTITY_PROOF, precheck.SAMPLE, proof)),
        years=5,
    )
    return replace(form, **changes)


def judgment(effective_on: str = "2026-08-20", kind: AuthorityType = AuthorityType.COURT) -> Instrument:
    """A made-up judgment or award and the day it took effect."""
    return Instrument(
        kind, "某某人民法院（演示）", "演示-court", "（2026）浙01民终1号", "2026-08-10",
        Twin.of(twin("判决".encode())), effective_on,
    )  # fmt: skip


def decision(move: str, form: Form, **more: Any) -> AgencyDecision:
    """What two persons of the agency decide, with what the move rests on: a judgment, or the law and a notice."""
    by_law = {"ground": "第三十七条", "notice": attachment("注销通知")}
    ground = by_law if move in ("Z-04", "Z-05") else {"instrument": judgment("2026-08-01")}
    return AgencyDecision(move, form, "登记错误（演示）", **(ground | more))


def an_item(no: int = 1) -> Item:
    return Item(no, "数据样例", "样例不足十行")


def dump(house: House) -> dict[str, list[str]]:
    """Every row of every view, by table."""
    return {
        table.name: sorted(repr(tuple(row)) for row in house.session.execute(select(table)))
        for table in rebuild.view_tables()
    }
