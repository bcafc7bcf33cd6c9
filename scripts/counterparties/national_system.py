"""国家数据产权登记服务系统的本地参考实现（演示）: the deposit authority, and packages of everything as files.

All that `deposit_authority` answers, and

POST /packages    the bytes of a package (`shuqing national export`) → a parcel of receipts for all of it: releases,
                  deposits, and the receipt of the package itself. The same package again gets the same answers.
GET  /results     {"results": [fact ids reported so far]}

--agency USCC=KEY says whose packages are believed, by their SM2 public key; may be given more than once. With
--assign-codes PREFIX (e.g. SJ331) the codes are assigned here: field cert_code of each deposit receipt.
--refuse RECORD refuses the deposit of that record (SHA-256), for rehearsing I-26.

Run as a file exchange without a network:  python -m scripts.counterparties.national_system --home DIR … --once IN OUT
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger import canonical, eip712
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.facts import Fact, Signed
from ledger.reading import body_of, read
from ledger.signing import SystemSigner, require_sm2
from registry.calendar import day_of
from registry.national.exchange import (
    DEPOSIT_REFUSAL,
    PACKAGE_FORMAT,
    PACKAGE_RECEIPT,
    PACKAGE_SIGNATURE,
    RECEIPT_FORMAT,
    RESULTS,
    PackageMade,
)
from registry.parcel import Packer, Parcel
from scripts.counterparties import (
    NOTICE,
    Answer,
    Clock,
    Request,
    Route,
    answer,
    evm_key,
    parser,
    serve,
    sm2_key,
    sm2_key_document,
    store,
)
from scripts.counterparties.deposit_authority import SCHEMA, USCC, Authority

MORE = """
CREATE TABLE IF NOT EXISTS result (fact_id TEXT PRIMARY KEY, agency TEXT NOT NULL, package INTEGER NOT NULL)
"""


class NationalSystem:
    """The authority with the register of results; `agencies` by USCC, their SM2 public key."""

    def __init__(self, authority: Authority, agencies: Mapping[str, str], refused: frozenset[str]) -> None:
        self._authority, self._agencies, self._refused = authority, agencies, refused

    def take_package(self, request: Request) -> Answer:
        return Answer(201, self.answer_package(request.body), "application/zip")

    def show_results(self, request: Request) -> Answer:
        with self._authority.transaction() as database:
            rows = database.execute("SELECT fact_id FROM result ORDER BY package, fact_id").fetchall()
        return answer({"results": [row["fact_id"] for row in rows]})

    def answer_package(self, data: bytes) -> bytes:
        """The receipts for a package. Raises `FieldError`, `Malformed`, `BadSignature`, `Refusal`."""
        parcel = Parcel(io.BytesIO(data), PACKAGE_FORMAT)
        parcel.check(PACKAGE_SIGNATURE)
        signed = Signed.of_document(parcel.document(PACKAGE_SIGNATURE))
        made = read(PackageMade, signed.statement.body)
        key = self._agencies.get(made.agency)
        if key is None:
            raise FieldError("agency", f"{sorted(self._agencies)}", made.agency)
        require_sm2(signed.statement, signed.signatures, by=f"party:{made.agency}", key=key)
        digest = parcel.manifest.digest()
        if (made.manifest.sha256, made.manifest.sm3) != (digest.sha256.hex(), digest.sm3.hex()):
            raise FieldError("manifest", made.manifest.sha256, digest.sha256.hex())
        receipts = [self._published(parcel.document(name)) for name in parcel.under("publicity")]
        receipts += [self._deposited(parcel.document(name), made.agency) for name in parcel.under("deposits")]
        with self._authority.transaction() as database:
            for name in parcel.under("results"):
                fact = Fact.of_bytes(parcel.read(name))
                if fact.kind not in RESULTS:
                    raise FieldError(f"{name}.kind", f"{list(RESULTS)}", fact.kind)
                require_sm2(fact.statement, fact.signatures, by=f"party:{made.agency}", key=key)
                row = (fact.id, made.agency, made.number)
                database.execute("INSERT OR IGNORE INTO result VALUES (?, ?, ?)", row)
        content = {
            "agency": made.agency, "authority": self._authority.uscc, "manifest": body_of(made.manifest),
            "package": made.number,
        }  # fmt: skip
        subject = f"package:{made.manifest.sha256}"
        receipts.append(self._authority.first(PACKAGE_RECEIPT, subject, content, "received_at").body)
        return self._packed(receipts)

    def _published(self, document: dict[str, Any]) -> bytes:
        return self._authority.publish(Request({}, {}, canonical.encode(document))).body

    def _deposited(self, document: dict[str, Any], agency: str) -> bytes:
        asked = document["request"]
        if asked.get("agency") != agency:
            raise FieldError("request.agency", agency, repr(asked.get("agency"))[:80])
        if asked["record"]["sha256"] in self._refused:
            return self._refuse(asked)
        return self._authority.deposit(Request({}, {}, canonical.encode(document))).body

    def _refuse(self, asked: dict[str, Any]) -> bytes:
        content = {name: asked[name] for name in ("agency", "application", "authority", "record")}
        content["reason"] = f"{NOTICE}：存证内容与公示不一致"
        subject = f"deposit-refusal:{asked['record']['sha256']}"
        return self._authority.first(DEPOSIT_REFUSAL, subject, content, "refused_at").body

    def _packed(self, receipts: list[bytes]) -> bytes:
        out = io.BytesIO()
        packer = Packer(out)
        for place, data in enumerate(receipts):
            packer.add(f"receipts/{place:05d}.json", [canonical.encode(json.loads(data))])
        by = f"party:{self._authority.uscc}"
        digest = twin(b"".join(receipts)).sha256.hex()
        packer.finish(
            packer.manifest(
                RECEIPT_FORMAT, by, self._authority.clock.now(), {"receipts": len(receipts)},
                {"notice": NOTICE, "receipts": digest},
            )
        )  # fmt: skip
        return out.getvalue()


def numbered_from(prefix: str) -> Any:
    """Codes of the national system itself: prefix, month of the deposit, running number of its own."""
    return lambda no, at: f"{prefix}{day_of(at):%Y%m}{no:04d}"


def _pair(text: str) -> tuple[str, str]:
    uscc, _, key = text.partition("=")
    return uscc, key


def main() -> None:
    options = parser("国家系统参考实现", "国家数据产权登记服务系统替身（演示）")
    options.add_argument("--uscc", default=USCC, help="统一社会信用代码 it signs under (made up)")
    options.add_argument("--agency", action="append", type=_pair, default=[], help="USCC=SM2 public key, 130 hex")
    options.add_argument("--assign-codes", default="", help="region and agency part of the codes assigned here")
    options.add_argument("--refuse", action="append", default=[], help="SHA-256 of a record whose deposit is refused")
    options.add_argument("--once", nargs=2, type=Path, metavar=("IN", "OUT"), help="answer one package file and end")
    given = options.parse_args()
    key, by = sm2_key(given.home), f"party:{given.uscc}"
    evm = eip712.address_of(evm_key(given.home))
    authority = Authority(
        given.name,
        given.uscc,
        SystemSigner(key, by),
        evm,
        {**sm2_key_document(given.name, "national-system", key), "by": by, "evm": evm},
        Clock(given.clock),
        store(given.home, SCHEMA + ";" + MORE),
        numbered_from(given.assign_codes) if given.assign_codes else None,
    )
    system = NationalSystem(authority, dict(given.agency), frozenset(given.refuse))
    if given.once:
        source, target = given.once
        target.write_bytes(system.answer_package(source.read_bytes()))
        return
    routes = (
        *authority.routes(),
        Route("POST", "/packages", system.take_package),
        Route("GET", "/results", system.show_results),
    )
    serve(routes, given.port)


if __name__ == "__main__":
    main()
