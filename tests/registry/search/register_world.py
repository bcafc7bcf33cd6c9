"""A register of many small certificates for tests, made as facts by the agency's own key, without the seven steps.

Entries are what the projectors read, so a certificate here is the register-entry fact alone: signed, with its record in
its parts, stored and projected as `registry.depositing` does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from sqlalchemy.orm import Session

from ledger import sm, store
from ledger.digest import twin
from ledger.facts import Fact, PartsRoot, Signed, Statement
from ledger.reading import body_of
from ledger.signing import SystemSigner
from registry.asset import AssetKind
from registry.certificate import (
    ENTRY,
    DepositReceipt,
    Holder,
    Record,
    RegisterEntry,
    certificate_subject,
    record_digest,
    record_parts,
    register_entry,
)
from registry.code import month_of, numbered
from registry.form import RegistrationType
from registry.party import PartyKind
from registry.projecting import project
from registry.rights import Basis, Right, RightRow, SourceKind
from registry.scheme import NATIONAL_2026
from tests.registry.registry_house import AGENCY, AUTHORITY, PROVIDER, a_form, moment

KEY = sm.from_private(b"\x07" * 32)
SIGNER = SystemSigner(KEY, f"party:{AGENCY}")
START = moment("2026-08-03 09:00")
AGENCY_NAME = "浙江某某数据登记有限公司（演示）"


@dataclass
class Register:
    """The register of one session; `put` makes the next certificate."""

    session: Session
    serial: int = 0
    entries: dict[str, tuple[RegisterEntry, Record]] = field(default_factory=dict)

    def put(
        self,
        name: str = "2013年全国民航运输航班起降记录数据集",
        overview: str = "概述",
        holder: str = "杭州某某航空数据有限公司",
        *,
        holder_kind: PartyKind = PartyKind.LEGAL,
        industry: str = "交通运输、仓储和邮政业/航空运输业",
        kind: AssetKind = AssetKind.RESOURCE,
        source: SourceKind = SourceKind.COLLECTED,
        rights: Sequence[Right] = (Right.USE,),
        waived: bool = False,
        at: int = START,
        years: int = 5,
        code: str = "",
        version: int = 1,
    ) -> str:
        """A certificate deposited at `at`; with `code`, the next version of it."""
        self.serial += 1
        code = code or str(numbered("33", "1", month_of(at), self.serial))
        data = replace(a_form().description, data_name=name, overview=overview, industry=industry, kind=kind)
        digest = sha256(f"{code}/{version}".encode()).hexdigest()
        record = Record(
            application=digest[:32],
            scheme=NATIONAL_2026.id,
            agency=AGENCY,
            type=RegistrationType.INITIAL,
            holders=(Holder(holder, holder_kind, PROVIDER),),
            description=data,
            source_kind=source,
            right_basis=Basis.M1,
            rights=tuple(RightRow(holder, PROVIDER, right, "无") for right in rights),
            years=years,
            publicity_waived=waived,
            remarks=(),
            facts=(),
            salt=digest,
        )
        receipt = DepositReceipt(AUTHORITY, AGENCY, record.application, record_digest(record), f"演示-{digest[:6]}", at)
        entry = register_entry(
            record, receipt, twin(digest.encode()), code, NATIONAL_2026, AGENCY_NAME, "演示-33-1", "存证服务（演示）"
        )
        entry = replace(entry, version=version)
        self.state(entry, record, at)
        self.entries[code] = (entry, record)
        return code

    def state(self, entry: RegisterEntry, record: Record, at: int) -> Fact:
        parts = record_parts(record)
        subject = certificate_subject(entry.code)
        no, prev = store.next_of(self.session, subject)
        statement = Statement(ENTRY, subject, no, prev, body_of(entry), PartsRoot.over(parts))
        signed = Signed(statement, (SIGNER.sign(statement, "system"),))
        fact = store.append(self.session, signed, at=at, parts=parts).fact
        project(self.session, fact)
        return fact
