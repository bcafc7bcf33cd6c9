"""银行（演示）: keeps accounts, executes payment instructions once each, writes the statement files that are imported.

GET  /key                {"alg": "sm2-sm3", "key", "kind": "bank", "name", "code": 12-digit 联行号, "signer_id"}
PUT  /accounts/⟨no⟩      {"name", "opening_fen"} → 201 {"account", "name", "opening_fen", "balance_fen"}; the same again
                         200, with other content 409
GET  /accounts/⟨no⟩      the same document, or 404
POST /instructions       a CSV file (UTF-8, BOM allowed) of COLUMNS, amounts in yuan with two decimals → 200
                         {"executed": n, "refused": n, "total_fen": fen executed by this call, "rows": [{"row": 2…,
                         "instruction", "status": "executed" | "refused", "code", "message", "amount_fen", "reference",
                         "replayed": bool}, …]}; a file of another form is refused whole with 400
POST /returns            {"instruction", "code"}: an executed instruction comes back (退汇), once → 200 {"reference",
                         "amount_fen"}; the same again gives the first answer; 404 for one that was not executed
GET  /statements/⟨no⟩.csv?from=YYYY-MM-DD&to=YYYY-MM-DD    the entries booked on these days (Asia/Shanghai, inclusive)
GET  /statements/⟨no⟩.xml?from=…&to=…                      the same as ISO 20022 camt.053.001.08

An instruction is executed once for all time by its 指令号: the same row again gets the first answer ("replayed": true),
another row under an executed 指令号 is refused (conflict). A refused row leaves nothing and may be sent again. Codes:
malformed, unknown-payer, unknown-payee, wrong-bank, wrong-payee-name, same-account, insufficient-funds, conflict. All
rows of a file are one transaction. Both accounts are held here: each execution books a debit and a credit.

A statement is UTF-8 CSV: the row bank,account,currency,opening,closing,first_day,last_day and its values, the row
reference,booking_date,value_date,amount,name,counter_account,end_to_end,return_code,remark and one row per entry.
Amounts are yuan with two decimals, money out negative; opening + Σ amounts = closing; references are unique in the
bank. Header X-Shuqing-Signature is canonical JSON {"alg", "key", "signer_id", "value"}: SM2 with tag
"shuqing/bank-statement/v1" over the bytes of the file.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from ledger import canonical
from ledger.errors import FieldError
from ledger.sm import Sm2Key
from scripts.counterparties import (
    NOTICE,
    Answer,
    Clock,
    Refusal,
    Request,
    Route,
    answer,
    parser,
    serve,
    signed_over,
    sm2_key,
    sm2_key_document,
    store,
)  # fmt: skip
from scripts.counterparties.camt_statement import camt053

COLUMNS = ("序号", "付款账号", "收款户名", "收款账号", "开户行", "联行号", "金额(元)", "用途", "指令号")
FILE_COLUMNS = ("bank", "account", "currency", "opening", "closing", "first_day", "last_day")
ENTRY_COLUMNS = (
    "reference", "booking_date", "value_date", "amount", "name", "counter_account", "end_to_end", "return_code",
    "remark",
)  # fmt: skip
STATEMENT_TAG = "shuqing/bank-statement/v1"
MAX_FEN = 10**15 - 1
MAX_ROWS = 10_000
SHANGHAI = timezone(timedelta(hours=8))
SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
  no TEXT PRIMARY KEY, name TEXT NOT NULL, opening_fen INTEGER NOT NULL,
  balance_fen INTEGER NOT NULL CHECK (balance_fen >= 0));
CREATE TABLE IF NOT EXISTS instruction (
  id TEXT PRIMARY KEY, content TEXT NOT NULL, reference TEXT NOT NULL, amount_fen INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entry (
  no INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL UNIQUE, account TEXT NOT NULL REFERENCES account (no),
  day TEXT NOT NULL, amount_fen INTEGER NOT NULL, name TEXT NOT NULL, counter_account TEXT NOT NULL,
  instruction TEXT NOT NULL, return_code TEXT NOT NULL, remark TEXT NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an instruction file; `content` is everything but the running number, as it decides about replays."""

    payer: str
    payee_name: str
    payee: str
    code: str
    amount_fen: int
    purpose: str
    id: str
    content: str


class RowRefused(Exception):
    """One row is not executed."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Bank:
    name: str
    code: str
    key: Sm2Key
    clock: Clock
    transaction: Any

    def show_key(self, request: Request) -> Answer:
        return answer({**sm2_key_document(self.name, "bank", self.key), "code": self.code})

    def open_account(self, request: Request) -> Answer:
        document, no = request.document({"name", "opening_fen"}), request.path["no"]
        name, opening = document["name"], document["opening_fen"]
        if not isinstance(name, str) or not 1 <= len(name) <= 70:
            raise FieldError("name", "1 至 70 字的户名 / a name of 1 to 70 characters", repr(name)[:80])
        if type(opening) is not int or not 0 <= opening <= MAX_FEN:
            raise FieldError("opening_fen", f"0…{MAX_FEN}", repr(opening)[:80])
        with self.transaction() as database:
            account = _account(database, no)
            if account is None:
                database.execute("INSERT INTO account VALUES (?, ?, ?, ?)", (no, name, opening, opening))
                return _show(_account(database, no), 201)
        if (account["name"], account["opening_fen"]) != (name, opening):
            raise Refusal(409, "conflict", f"账户 {no} 已以其他内容开立。 / Account {no} was opened otherwise.")
        return _show(account, 200)

    def show_account(self, request: Request) -> Answer:
        with self.transaction() as database:
            return _show(_required(database, request.path["no"]), 200)

    def instruct(self, request: Request) -> Answer:
        rows = read_file(request.body)
        day = self._today()
        with self.transaction() as database:
            answers = [self._row(database, number, cells, day) for number, cells in enumerate(rows, start=2)]
        done = [item for item in answers if item["status"] == "executed"]
        return answer(
            {
                "executed": len(done),
                "refused": len(answers) - len(done),
                "rows": answers,
                "total_fen": sum(item["amount_fen"] for item in done if not item["replayed"]),
            }
        )

    def send_back(self, request: Request) -> Answer:
        """The receiving bank could not credit the payee: both sides are booked back under the same 指令号."""
        document = request.document({"instruction", "code"})
        name, code = document["instruction"], document["code"]
        if not isinstance(code, str) or not re.fullmatch("[A-Z0-9]{4}", code):
            raise FieldError("code", "四位退汇代码 / a return code of four characters", repr(code)[:40])
        day = self._today()
        with self.transaction() as database:
            query = "SELECT * FROM entry WHERE instruction = ? ORDER BY no"
            booked = database.execute(query, (str(name)[:40],)).fetchall()
            if not booked:
                raise Refusal(404, "not-found", f"未执行过该指令：{name}。 / No such executed instruction.")
            back = [entry for entry in booked if entry["return_code"]]
            for entry in booked[:2] if not back else ():
                account = _required(database, entry["account"])
                other = {"name": entry["name"], "no": entry["counter_account"]}
                row = {"id": entry["instruction"], "purpose": "退汇", "code": code}
                self._book(database, account, -entry["amount_fen"], other, row, day)
            back = back or database.execute(query, (name,)).fetchall()[2:]
        return answer({"reference": back[0]["reference"], "amount_fen": back[0]["amount_fen"]})

    def _booked(self, request: Request) -> tuple[str, tuple[str, str], tuple[int, int], list[sqlite3.Row]]:
        """(account, first and last day, opening and closing, entries) of the statement asked for."""
        query, no = request.only("from", "to"), request.path["no"]
        first, last = _day(query.get("from", ""), "from"), _day(query.get("to", ""), "to")
        today = self._today()
        if not first <= last <= today:
            raise FieldError("to", f"from ≤ to ≤ {today}", f"{first}…{last}")
        with self.transaction() as database:
            account = _required(database, no)
            before = database.execute(
                "SELECT COALESCE(SUM(amount_fen), 0) FROM entry WHERE account = ? AND day < ?", (no, first)
            ).fetchone()[0]
            entries = database.execute(
                "SELECT * FROM entry WHERE account = ? AND day BETWEEN ? AND ? ORDER BY no", (no, first, last)
            ).fetchall()
        opening = account["opening_fen"] + before
        return no, (first, last), (opening, opening + sum(entry["amount_fen"] for entry in entries)), entries

    def statement_xml(self, request: Request) -> Answer:
        no, days, balances, entries = self._booked(request)
        made = datetime.fromtimestamp(self.clock.now(), UTC).astimezone(SHANGHAI).isoformat(timespec="seconds")
        return self._signed(camt053(self.code, no, balances, days, made, entries), "application/xml")

    def statement(self, request: Request) -> Answer:
        no, (first, last), (opening, closing), entries = self._booked(request)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(FILE_COLUMNS)
        writer.writerow((self.code, no, "CNY", yuan(opening), yuan(closing), first, last))
        writer.writerow(ENTRY_COLUMNS)
        writer.writerows(
            (
                entry["reference"], entry["day"], entry["day"], yuan(entry["amount_fen"]), entry["name"],
                entry["counter_account"], entry["instruction"], entry["return_code"], entry["remark"],
            )
            for entry in entries
        )  # fmt: skip
        return self._signed(out.getvalue().encode(), "text/csv; charset=utf-8")

    def _signed(self, data: bytes, form: str) -> Answer:
        signature = canonical.encode(signed_over(STATEMENT_TAG, data, self.key)).decode()
        return Answer(200, data, form, (("X-Shuqing-Signature", signature),))

    def _today(self) -> str:
        return datetime.fromtimestamp(self.clock.now(), UTC).astimezone(SHANGHAI).date().isoformat()

    def _row(self, database: sqlite3.Connection, number: int, cells: tuple[str, ...], day: str) -> dict[str, Any]:
        result: dict[str, Any] = {"row": number, "instruction": cells[8][:40], "replayed": False}
        try:
            row = read_row(cells)
            before = database.execute("SELECT * FROM instruction WHERE id = ?", (row.id,)).fetchone()
            if before is not None and before["content"] != row.content:
                raise RowRefused("conflict", "同一指令号已以其他内容执行。 / Executed before with other content.")
            reference = before["reference"] if before else self._execute(database, row, day)
        except RowRefused as refused:
            return {**result, "status": "refused", "code": refused.code, "message": refused.message}
        return {
            **result, "status": "executed", "code": "ok", "message": "已执行。 / Executed.", "reference": reference,
            "amount_fen": row.amount_fen, "replayed": before is not None,
        }  # fmt: skip

    def _execute(self, database: sqlite3.Connection, row: Row, day: str) -> str:
        payer, payee = _account(database, row.payer), _account(database, row.payee)
        if payer is None:
            raise RowRefused("unknown-payer", f"本行无付款账号 {row.payer}。 / No such paying account.")
        if row.code != self.code:
            raise RowRefused("wrong-bank", f"联行号应为 {self.code}，实为 {row.code}。 / Not an account of this bank.")
        if payee is None:
            raise RowRefused("unknown-payee", f"本行无收款账号 {row.payee}。 / No such receiving account.")
        if payee["name"] != row.payee_name:
            raise RowRefused("wrong-payee-name", "收款户名与账号不符。 / The name is not that of the account.")
        if payer["no"] == payee["no"]:
            raise RowRefused("same-account", "收付款账号相同。 / Payer and payee are one account.")
        if payer["balance_fen"] < row.amount_fen:
            raise RowRefused(
                "insufficient-funds",
                f"余额不足：{yuan(payer['balance_fen'])} < {yuan(row.amount_fen)}。 / Not enough money.",
            )
        if payee["balance_fen"] + row.amount_fen > MAX_FEN:
            raise RowRefused("malformed", "收款账户余额将超出上限。 / The balance would be out of range.")
        told = {"id": row.id, "purpose": row.purpose, "code": ""}
        debit = self._book(database, payer, -row.amount_fen, payee, told, day)
        self._book(database, payee, row.amount_fen, payer, told, day)
        database.execute("INSERT INTO instruction VALUES (?, ?, ?, ?)", (row.id, row.content, debit, row.amount_fen))
        return debit

    def _book(
        self,
        database: sqlite3.Connection,
        account: sqlite3.Row,
        fen: int,
        other: Mapping[str, Any],
        told: Mapping[str, str],
        day: str,
    ) -> str:
        database.execute("UPDATE account SET balance_fen = balance_fen + ? WHERE no = ?", (fen, account["no"]))
        last = database.execute("SELECT COALESCE(MAX(no), 0) FROM entry").fetchone()[0]
        reference = f"DEMO-{day.replace('-', '')}-{last + 1:08d}"
        database.execute(
            "INSERT INTO entry VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reference,
                account["no"],
                day,
                fen,
                other["name"],
                other["no"],
                told["id"],
                told["code"],
                f"{NOTICE} {told['purpose']}".strip(),
            ),
        )
        return reference


def read_file(data: bytes) -> list[tuple[str, ...]]:
    """The rows of an instruction file. Raises `Refusal` 400 naming what is wrong with its form."""
    try:
        rows = [tuple(row) for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal(400, "malformed", f"应为 UTF-8 的 CSV 文件：{error}。 / Expected a CSV file in UTF-8.") from error
    if not rows or rows[0] != COLUMNS:
        raise FieldError("row 1", ",".join(COLUMNS), ",".join(rows[0])[:200] if rows else "空文件 / an empty file")
    if not 1 <= len(rows) - 1 <= MAX_ROWS:
        raise FieldError("rows", f"1…{MAX_ROWS}", str(len(rows) - 1))
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS):
            raise FieldError(f"row {number}", f"{len(COLUMNS)} 列 / columns", str(len(row)))
    return rows[1:]


def read_row(cells: tuple[str, ...]) -> Row:
    """One row, cell by cell. Raises `RowRefused` naming the column, what was expected and what was given."""
    plain = r"[^\x00-\x1f]"
    rules = (
        ("[0-9]{1,9}", "数字 / digits"),
        ("[0-9]{1,32}", "1 至 32 位数字 / 1 to 32 digits"),
        (plain + "{1,70}", "1 至 70 字 / 1 to 70 characters"),
        ("[0-9]{1,32}", "1 至 32 位数字 / 1 to 32 digits"),
        (plain + "{1,70}", "1 至 70 字 / 1 to 70 characters"),
        ("[0-9]{12}", "12 位数字 / 12 digits"),
        (r"(0|[1-9][0-9]{0,12})\.[0-9]{2}", "两位小数的元 / yuan with two decimals"),
        (plain + "{0,130}", "至多 130 字 / at most 130 characters"),
        ("[A-Za-z0-9]{1,35}", "1 至 35 位字母数字 / 1 to 35 letters and digits"),
    )
    for column, cell, (pattern, expected) in zip(COLUMNS, cells, rules, strict=True):
        if not re.fullmatch(pattern, cell):
            raise RowRefused("malformed", f"{column}：应为 {expected}，实为 {cell[:60]!r}。")
    _, payer, payee_name, payee, _, code, amount, purpose, id_ = cells
    fen = int(amount.replace(".", ""))
    if not fen:
        raise RowRefused("malformed", "金额(元)：应大于 0 / more than 0。")
    content = json.dumps(cells[1:], ensure_ascii=False)
    return Row(payer, payee_name, payee, code, fen, purpose, id_, content)


def yuan(fen: int) -> str:
    """Fen as yuan with exactly two decimals, by integers."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _account(database: sqlite3.Connection, no: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = database.execute("SELECT * FROM account WHERE no = ?", (no,)).fetchone()
    return found


def _required(database: sqlite3.Connection, no: str) -> sqlite3.Row:
    account = _account(database, no)
    if account is None:
        raise Refusal(404, "not-found", f"本行无账户 {no}。 / There is no account {no}.")
    return account


def _show(account: sqlite3.Row | None, status: int) -> Answer:
    assert account is not None
    return answer(
        {
            "account": account["no"],
            "balance_fen": account["balance_fen"],
            "name": account["name"],
            "opening_fen": account["opening_fen"],
        },
        status,
    )


def _day(text: str, field: str) -> str:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise FieldError(field, "日期 YYYY-MM-DD / a date YYYY-MM-DD", repr(text)[:40])


def main() -> None:
    options = parser("银行", "演示银行")
    options.add_argument("--code", default="999290000016", help="12-digit 联行号 of this bank")
    given = options.parse_args()
    bank = Bank(given.name, given.code, sm2_key(given.home), Clock(given.clock), store(given.home, SCHEMA))
    routes = (
        Route("GET", "/key", bank.show_key),
        Route("PUT", "/accounts/(?P<no>[0-9]{1,32})", bank.open_account),
        Route("GET", "/accounts/(?P<no>[0-9]{1,32})", bank.show_account),
        Route("POST", "/instructions", bank.instruct),
        Route("POST", "/returns", bank.send_back),
        Route("GET", r"/statements/(?P<no>[0-9]{1,32})\.csv", bank.statement),
        Route("GET", r"/statements/(?P<no>[0-9]{1,32})\.xml", bank.statement_xml),
    )
    serve(routes, given.port)


if __name__ == "__main__":
    main()
