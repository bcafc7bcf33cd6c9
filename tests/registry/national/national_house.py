"""A registration house connected to the reference national system by files; both with keys and state of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ledger.signing import SystemSigner
from registry.case import Act
from registry.form import publicity_text
from registry.national import service
from registry.national.exchange import Imported
from scripts.counterparties import Clock, store
from scripts.counterparties.deposit_authority import SCHEMA, Authority
from scripts.counterparties.national_system import MORE, NationalSystem, numbered_from
from tests.registry.registry_house import AGENCY, AUTHORITY, CALENDAR, PASSED, TWO, House, open_house


class Connected:
    """House and national system; `exchange` carries one package over and its receipts back."""

    def __init__(self, folder: Path, *, codes: str = "", refused: frozenset[str] = frozenset()) -> None:
        self.house: House = open_house(folder / "registry.db")
        self.house.agency = replace(self.house.agency, national_release=True)
        self.clock = folder / "clock"
        authority = Authority(
            "国家系统（演示）", AUTHORITY, SystemSigner(self.house.keys[f"party:{AUTHORITY}"], f"party:{AUTHORITY}"),
            "0x" + "0" * 40, {}, Clock(self.clock), store(folder / "national", SCHEMA + ";" + MORE),
            numbered_from(codes) if codes else None,
        )  # fmt: skip
        self.agencies: Mapping[str, str] = {AGENCY: self.house.keys[f"party:{AGENCY}"].public}
        self.authority = authority
        self.national = NationalSystem(authority, self.agencies, refused)

    def at(self, text: str) -> None:
        self.house.at(text)
        self.clock.write_text(str(self.house.now))

    def package(self) -> bytes:
        house = self.house
        return service.make_package(house.session, house.agency, house.signer, at=house.now)[1]

    def answered(self, package: bytes) -> bytes:
        self.clock.write_text(str(self.house.now))
        return self.national.answer_package(package)

    def take(self, receipts: bytes) -> Imported:
        house = self.house
        return service.import_receipts(
            house.session, house.agency, receipts, house.signer, at=house.now, calendar=CALENDAR
        )

    def exchange(self) -> Imported:
        return self.take(self.answered(self.package()))

    def publish(self, identity: str) -> None:
        text = publicity_text(self.house.case(identity).form)
        self.house.move(identity, Act("I-15", review=PASSED, publicity=text, release="national"), *TWO)

    def close(self) -> None:
        self.house.session.close()
        self.house.engine.dispose()
