"""What tests of the after-life of a certificate say on top of the registration house: every act signed and taken in."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ledger.digest import twin
from ledger.store import Appended
from registry import store as views
from registry import validity
from registry.afterlife import service, store
from registry.afterlife.dispute import (
    MOVE,
    OBJECTION,
    Conclusion,
    Dispute,
    DisputeAct,
    DisputeGround,
    RegisterObjection,
)
from registry.afterlife.instrument import Instrument
from registry.afterlife.remark import (
    CONSENT,
    ISSUERS,
    REMARK,
    Consent,
    Consentable,
    Recorded,
    Remark,
    RemarkAct,
    RemarkKind,
)
from registry.asset import Description, Twin
from registry.calendar import day_of
from registry.certificate import Standing
from registry.depositing import Registered
from registry.form import Form, Held, RegistrationType
from registry.rights import Right
from registry.tables import ToldRow
from tests.registry.registry_house import (
    CALENDAR,
    PROVIDER,
    RIVAL,
    STAFF,
    TWO,
    House,
    a_form,
    attachment,
    decision,
    moment,
)

ALL = tuple(Right)
REGISTRANT, OBJECTOR, CLERK = f"party:{PROVIDER}", f"party:{RIVAL}", "staff:clerk"


@dataclass
class After:
    """A house with one certificate of PROVIDER, deposited on 2026-08-17."""

    house: House
    code: str

    @property
    def today(self) -> str:
        return day_of(self.house.now).isoformat()

    def roles(self, *who: str) -> list[tuple[str, str]]:
        return [(by, STAFF.get(by.removeprefix("staff:"), "")) for by in who]

    # remarks

    def act(self, identity: str, act: RemarkAct, *who: str) -> Appended:
        signed = self.house.signed(REMARK, f"remark:{identity}", act, *self.roles(*(who or TWO)))
        return service.remark(
            self.house.session, self.house.agency, signed, self.house.signer, at=self.house.now
        )  # fmt: skip

    def record(self, kind: RemarkKind, *who: str, paper: Instrument | None = None, **record: Any) -> str:
        """E-01 of a remark on the certificate, from today unless said otherwise; answers its id."""
        identity = secrets.token_hex(16)
        fields = {"rights": ALL, "from_day": self.today} | record
        if not record.get("application"):
            fields.setdefault("certificate", self.code)
        self.act(
            identity, RemarkAct("E-01", record=Recorded(kind, **fields), instrument=paper or instrument(kind)), *who
        )
        return identity

    def extend(self, identity: str, to_day: str, *who: str, paper: Instrument | None = None) -> Appended:
        given = paper or instrument(self.remark(identity).record.kind, "续封")
        return self.act(identity, RemarkAct("E-02", instrument=given, to_day=to_day), *who)

    def lift(self, identity: str, *who: str, paper: Instrument | None = None) -> Appended:
        given = paper or instrument(self.remark(identity).record.kind, "解除")
        return self.act(identity, RemarkAct("E-03", instrument=given), *who)

    def confirm(self, identity: str, *who: str, reason: str = "已向法院核实") -> Appended:
        return self.act(identity, RemarkAct("E-04", reason=reason), *(who or ("staff:reviewer",)))

    def consent(self, identity: str, operation: Consentable, *who: str, **more: Any) -> Appended:
        body = Consent(operation, self.code, self.row.version, **more)
        signed = self.house.signed(CONSENT, f"remark:{identity}", body, *self.roles(*who))
        return service.consent(self.house.session, self.house.agency, signed, at=self.house.now)

    def remark(self, identity: str) -> Remark:
        return store.remark_of(self.house.session, identity)

    # objections

    def object(self, *who: str, **changes: Any) -> str:
        identity = secrets.token_hex(16)
        body = replace(an_objection(self.code), **changes)
        signed = self.house.signed(
            OBJECTION, f"register-objection:{identity}", body, *self.roles(*(who or (OBJECTOR,)))
        )
        service.object_to(self.house.session, self.house.agency, signed, self.house.signer, at=self.house.now)
        return identity

    def move(self, identity: str, act: DisputeAct, *who: str) -> Appended:
        signed = self.house.signed(MOVE, f"register-objection:{identity}", act, *self.roles(*who))
        return service.move(
            self.house.session, self.house.agency, signed, self.house.signer, at=self.house.now, calendar=CALENDAR
        )

    def notify(self, identity: str) -> None:
        self.move(identity, DisputeAct("O-03", papers=(attachment("异议书面通知"),)), CLERK)

    def contest(self, identity: str) -> None:
        self.move(identity, DisputeAct("O-05", reason="不认可", papers=(attachment("说明"),)), REGISTRANT)

    def conclude(self, identity: str, conclusion: Conclusion) -> None:
        papers = (attachment("处理结论"),)
        self.move(identity, DisputeAct("O-07", conclusion=conclusion, reason="经查", papers=papers), *TWO)

    def to_conclusion(self, conclusion: Conclusion) -> str:
        """An objection that was notified, contested and concluded."""
        identity = self.object()
        self.notify(identity)
        self.contest(identity)
        self.conclude(identity, conclusion)
        return identity

    def accept(self, identity: str, by: str) -> None:
        self.move(identity, DisputeAct("O-08"), by)

    def reject(self, identity: str, by: str) -> None:
        self.move(identity, DisputeAct("O-09", reason="不认可结论"), by)

    def dispute(self, identity: str) -> Dispute:
        return store.dispute(self.house.session, identity)

    # endings

    def draft(self, move: str, rights: tuple[Right, ...] = ALL, description: Description | None = None) -> Form:
        """The form of what the agency decides: these rights end, or the description becomes another."""
        if move == "B-04":
            known = self.house.case(self.row.application).form.description
            made = description or replace(known, time_to="2013-11-30")
            return self.house.draft(self.code, RegistrationType.CHANGE, description=made)
        held = views.holdings(self.house.session, self.code, self.row.version)
        ended = tuple(Held(row.holder, Right(row.right)) for row in held if Right(row.right) in rights)
        whole = len(ended) == len(held) and set(rights) <= {item.right for item in ended}
        return self.house.draft(self.code, RegistrationType.CANCELLATION, reason=move, ended=() if whole else ended)

    def decide(
        self, move: str, *who: str, rights: tuple[Right, ...] = ALL, description: Description | None = None, **more: Any
    ) -> str:
        """Two persons open the case; answers its id. Z-04 and Z-05 cite the law and enclose the notice."""
        form = self.draft(move, rights, description)
        ground = more if move in ("Z-04", "Z-05") else {"instrument": None} | more
        return self.house.open_by_agency(decision(move, form, **ground), *who)

    def cancel(self, *who: str, move: str = "Z-04", **more: Any) -> Registered:
        """What two persons decide and the deposit makes of it."""
        return self.house.deposit(self.decide(move, *who, **more))

    def correct(self, *who: str, **more: Any) -> Registered:
        return self.house.deposit(self.decide("B-04", *who, **more))

    # what is there

    @property
    def row(self) -> Any:
        return views.certificate(self.house.session, self.code)

    @property
    def standing(self) -> Standing:
        return views.standing_of(self.house.session, self.row)

    @property
    def status(self) -> str:
        status = validity.certificate_status(self.house.session, self.code, self.house.now).status
        return status.value if status else "–"

    def timers(self) -> list[str]:
        made = service.run_timers(
            self.house.session, self.house.agency, self.house.signer, at=self.house.now, calendar=CALENDAR
        )
        return [fact.body["move"] for fact in made]

    def matters(self) -> list[Any]:
        return service.matters(self.house.session, self.house.agency, at=self.house.now, calendar=CALENDAR)

    def told(self) -> list[tuple[str, bool, bool]]:
        """Everything told of the certificate, in order."""
        rows = self.house.session.query(ToldRow).filter_by(code=self.code).order_by(ToldRow.no)  # type: ignore[arg-type]
        return [(row.status, row.encumbered, row.objection) for row in rows]

    def wait(self, text: str) -> None:
        self.house.now = moment(text)


def opened(house: House) -> After:
    return After(house, house.certificate(a_form()))


def instrument(kind: RemarkKind, number: str = "执保1号", **changes: Any) -> Instrument:
    """A made-up instrument of somebody who may impose this kind of remark."""
    issuer = sorted(ISSUERS[kind])[0]
    fields: dict[str, Any] = {
        "type": issuer, "issuer": f"某某{issuer}（演示）", "issuer_id": f"演示-{issuer}",
        "number": f"（2026）浙01{number}", "issued_on": "2026-08-01",
        "digest": Twin.of(twin(f"{kind} {number}".encode())),
    }  # fmt: skip
    return Instrument(**fields | changes)


def pledge_of(party: str) -> Instrument:
    return instrument(RemarkKind.PLEDGE, "质押1号", issuer="某某银行（演示）", issuer_id=party)


def an_objection(code: str) -> RegisterObjection:
    return RegisterObjection(
        code, "异议人（演示）", "演示联系方式", DisputeGround.OWNERSHIP, ALL, "本公司主张该数据权属",
        (attachment("异议申请书"), attachment("初步证据")),
    )  # fmt: skip


def after(day: str, days: int) -> str:
    return date.fromordinal(date.fromisoformat(day).toordinal() + days).isoformat()
