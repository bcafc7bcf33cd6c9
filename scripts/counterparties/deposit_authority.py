"""存证机构（演示）: stands in for 国家数据产权登记服务系统; takes publicity texts and deposits, and signs when it did.

GET  /key         {"alg": "sm2-sm3", "by": "party:⟨USCC⟩", "evm", "key", "kind": "deposit-authority", "name",
                  "signer_id"}
POST /possession  {"statement": {…}} → {"signature"}: signs its own party/v1 statement (act 0, own name, USCC and both
                  keys) to prove that it holds the keys, and nothing else
POST /deposits    {"request": {"agency", "application", "authority": own USCC, "record": {"sha256", "sm3"},
                  "requested_at", "subject": "deposit:⟨record sha256⟩"}} → deposit receipt: statement of the kind
                  deposit-receipt/v1 about that subject, act 0, body {"agency", "application", "authority",
                  "deposited_at", "number", "record"}
GET  /deposits/⟨sha256 of the record⟩           the same answer again, or 404
POST /publicity   {"application_digest": {"sha256", "sm3"}, "text": "…"} → publicity receipt: statement of the kind
                  publicity-receipt/v1 about "publicity:⟨application sha256⟩", body {"application_digest", "authority",
                  "number", "released_at", "text_digest"}
GET  /publicity/⟨sha256 of the application⟩     the same answer again, or 404; …/text: the published text

Both receipts are answered as {"signatures": [{"alg", "by", "key", "signer_id", "value"}], "statement": {…}}, the form
every act has (ledger.facts.Signed), so the registry takes them in as they are: SM2 over SM3("shuqing/⟨kind⟩" ‖ 00 ‖
SHA-256(statement bytes) ‖ SM3(statement bytes)), statement bytes canonical. Only the digest of a record is sent here.

A record is deposited once and an application published once: the same request again, also with a later requested_at,
gets the first answer byte for byte (200 instead of 201); other content for the same record or application is refused
with 409. The mark 演示 stands inside each receipt, in its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from ledger import canonical, eip712
from ledger.digest import TwinDigest, twin
from ledger.errors import FieldError
from ledger.facts import Signed, Statement
from ledger.signing import SystemSigner
from scripts.counterparties import (
    NOTICE,
    Answer,
    Clock,
    Refusal,
    Request,
    Route,
    answer,
    evm_key,
    exactly,
    parser,
    serve,
    signed_answer,
    sm2_key,
    sm2_key_document,
    store,
)

USCC = "12990000DEMA00001R"
MAX_TEXT = 100_000
SHANGHAI = timezone(timedelta(hours=8))
SCHEMA = """
CREATE TABLE IF NOT EXISTS receipt (
  no INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL UNIQUE, content TEXT NOT NULL, answer TEXT NOT NULL,
  text TEXT NOT NULL)
"""
_APPLICATION = re.compile(r"[A-Za-z0-9:._-]{1,200}")


@dataclass(frozen=True, slots=True)
class Authority:
    name: str
    uscc: str
    signer: SystemSigner
    evm: str
    key_document: Mapping[str, Any]
    clock: Clock
    transaction: Any
    number_of: Callable[[int, int], str] | None = None
    """(running number, second) → certificate code, where codes are assigned here."""

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/key", self.show_key),
            Route("POST", "/possession", self.prove_possession),
            Route("POST", "/deposits", self.deposit),
            Route("GET", "/deposits/(?P<sha256>[0-9a-f]{64})", self.find_deposit),
            Route("POST", "/publicity", self.publish),
            Route("GET", "/publicity/(?P<sha256>[0-9a-f]{64})", self.find_publicity),
            Route("GET", "/publicity/(?P<sha256>[0-9a-f]{64})/text", self.show_text),
        )

    def show_key(self, request: Request) -> Answer:
        return answer(self.key_document)

    def prove_possession(self, request: Request) -> Answer:
        statement = Statement.of_document(request.document({"statement"})["statement"])
        own = {"evm": self.evm, "name": self.name, "sm2": self.signer.public, "uscc": self.uscc}
        for field, expected, given in (
            ("statement.kind", "party/v1", statement.kind),
            ("statement.subject", f"party:{self.uscc}", statement.subject),
            ("statement.no", "0", str(statement.no)),
            *((f"statement.body.{name}", value, str(statement.body.get(name))) for name, value in own.items()),
        ):
            if given != expected:
                raise FieldError(field, expected, given[:200])
        return answer({"signature": self.signer.sign(statement).document()})

    def deposit(self, request: Request) -> Answer:
        asked = exactly(
            request.document({"request"})["request"],
            {"agency", "application", "authority", "record", "requested_at", "subject"},
            "request",
        )
        record = TwinDigest.of_document(asked["record"], "request.record")
        subject = f"deposit:{record.sha256.hex()}"
        for name, expected in (("authority", self.uscc), ("subject", subject)):
            if asked[name] != expected:
                raise FieldError(f"request.{name}", expected, repr(asked[name])[:80])
        for name in ("agency", "application"):
            if not isinstance(asked[name], str) or not _APPLICATION.fullmatch(asked[name]):
                raise FieldError(f"request.{name}", "1 至 200 个 ASCII 字符 / 1 to 200 ASCII", repr(asked[name])[:80])
        # A request from the future would be answered for ever with a deposit time before it, which its agency refuses.
        now = self.clock.now()
        if type(asked["requested_at"]) is not int or not 0 <= asked["requested_at"] <= now:
            raise FieldError(
                "request.requested_at", f"0…{now}（UTC 秒 / seconds UTC）", repr(asked["requested_at"])[:80]
            )
        content = {name: asked[name] for name in ("agency", "application", "authority", "record")}
        return self.first("deposit-receipt/v1", subject, content, "deposited_at")

    def publish(self, request: Request) -> Answer:
        document = request.document({"application_digest", "text"})
        application = TwinDigest.of_document(document["application_digest"], "application_digest")
        text = document["text"]
        if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT:
            raise FieldError("text", f"1 至 {MAX_TEXT} 字 / 1 to {MAX_TEXT} characters", repr(text)[:80])
        content = {
            "application_digest": application.document(),
            "authority": self.uscc,
            "text_digest": twin(text.encode()).document(),
        }
        subject = f"publicity:{application.sha256.hex()}"
        return self.first("publicity-receipt/v1", subject, content, "released_at", text)

    def find_deposit(self, request: Request) -> Answer:
        return signed_answer(self._stored(f"deposit:{request.path['sha256']}")["answer"])

    def find_publicity(self, request: Request) -> Answer:
        return signed_answer(self._stored(f"publicity:{request.path['sha256']}")["answer"])

    def show_text(self, request: Request) -> Answer:
        text = self._stored(f"publicity:{request.path['sha256']}")["text"]
        return Answer(200, f"【{NOTICE}】\n{text}\n".encode(), "text/plain; charset=utf-8")

    def first(self, kind: str, subject: str, content: dict[str, Any], instant: str, text: str = "") -> Answer:
        """The stored answer for this subject, made and stored now if it is the first; durable before it is given."""
        at, asked = self.clock.now(), canonical.encode(content).decode()
        with self.transaction() as database:
            stored = database.execute("SELECT * FROM receipt WHERE subject = ?", (subject,)).fetchone()
            if stored is None:
                no = database.execute(
                    "INSERT INTO receipt VALUES (NULL, ?, ?, '', ?)", (subject, asked, text)
                ).lastrowid
                year = datetime.fromtimestamp(at, UTC).astimezone(SHANGHAI).year
                body = {**content, "number": f"{NOTICE}-{year}-{no:06d}", instant: at}
                if self.number_of is not None and kind == "deposit-receipt/v1":
                    body["cert_code"] = self.number_of(no, at)
                statement = Statement(kind, subject, 0, None, body)
                signed = Signed(statement, (self.signer.sign(statement),))
                given = canonical.encode(signed.document()).decode()
                database.execute("UPDATE receipt SET answer = ? WHERE no = ?", (given, no))
                return signed_answer(given, 201)
        if stored["content"] != asked:
            raise Refusal(409, "conflict", f"{subject} 已有其他内容，未写入。 / It already has other content.")
        return signed_answer(stored["answer"])

    def _stored(self, subject: str) -> Any:
        with self.transaction() as database:
            stored = database.execute("SELECT * FROM receipt WHERE subject = ?", (subject,)).fetchone()
        if stored is None:
            raise Refusal(404, "not-found", f"没有 {subject}。 / There is no {subject}.")
        return stored


def main() -> None:
    options = parser("存证机构", "国家数据产权登记服务系统替身（演示）")
    options.add_argument("--uscc", default=USCC, help="统一社会信用代码 it signs under (made up)")
    given = options.parse_args()
    key, by = sm2_key(given.home), f"party:{given.uscc}"
    evm = eip712.address_of(evm_key(given.home))
    authority = Authority(
        given.name,
        given.uscc,
        SystemSigner(key, by),
        evm,
        {**sm2_key_document(given.name, "deposit-authority", key), "by": by, "evm": evm},
        Clock(given.clock),
        store(given.home, SCHEMA),
    )
    serve(authority.routes(), given.port)


if __name__ == "__main__":
    main()
