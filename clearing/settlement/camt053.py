"""A bank's statement as ISO 20022 camt.053 → the same `BankFile` and `BankEntry` values as its CSV form.

Read are versions 2, 8 and 10 of the message; between them names of parties and of the status moved, nothing else that
is read here. One file is one whole statement of one CNAPS account in CNY with booked entries only. An entry of several
payments is split into them when their amounts are given and add up. Source: ISO 20022; domain clearing §10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from clearing import money
from clearing.errors import BadMoney
from clearing.settlement.bank_file import BankEntry, BankFile, entry_of, file_of, read_bank_csv
from clearing.settlement.bank_xml import Element, read_xml

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
NAMESPACES = tuple(_NAMESPACE + version for version in ("02", "08", "10"))
SHANGHAI = timezone(timedelta(hours=8))
NO_REASON, IN_WORDS = "MS03", "NARR"
"""ISO 20022 return codes: no reason given; a reason in words or in a code of the bank's own that does not fit."""
_NOT_OURS = "NOTPROVIDED"
_MOST = 140


def read_bank_file(data: bytes) -> tuple[BankFile, tuple[BankEntry, ...]]:
    """Read a bank statement file, camt.053 when it begins like XML, else CSV. Raises BankFileRefused."""
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    return read_camt053(data) if start.startswith(b"<") else read_bank_csv(data)


def read_camt053(data: bytes) -> tuple[BankFile, tuple[BankEntry, ...]]:
    """Read one camt.053 statement.

    The bank is the servicer's 联行号, the entry's key its account servicer reference (`/1`, `/2` … behind it where one
    entry was split). Raises BankFileRefused naming line and element when a total, currency, sign or status does not
    hold, a page is missing, or a reference comes twice.
    """
    _, document = read_xml(data, NAMESPACES)
    message = document.one("BkToCstmrStmt")
    statement = message.one("Stmt")
    for paging in (message.down("GrpHdr/MsgPgntn"), statement.maybe("StmtPgntn")):
        if paging is not None and (paging.text_at("PgNb").lstrip("0"), paging.text_at("LastPgInd")) != ("1", "true"):
            raise paging.refused("one page that is the last", f"{paging.text_at('PgNb')}")
    account = statement.one("Acct")
    own = _other_id(account)
    balances = _balances(statement)
    entries = [pair for entry in statement.many("Ntry") for pair in _entries(entry, own)]
    _check_summary(statement)
    head = {
        "bank": _bank_of(account),
        "account": own,
        "currency": account.text_at("Ccy") or "CNY",
        "opening": money.yuan(balances[0]),
        "closing": money.yuan(balances[1]),
        "first_day": _period_day(statement, "FrDtTm", "OPBD"),
        "last_day": _period_day(statement, "ToDtTm", "CLBD"),
    }
    return file_of(data, head, statement.line, entries)


def _bank_of(account: Element) -> str:
    member = account.down("Svcr/FinInstnId/ClrSysMmbId")
    if member is None:
        raise account.refused("Svcr/FinInstnId/ClrSysMmbId with the 联行号", "none")
    system = member.text_at("ClrSysId/Cd")
    if system not in ("", "CNAPS"):
        raise member.refused("ClrSysId/Cd CNAPS", system)
    return member.one("MmbId").text


def _other_id(account: Element | None) -> str:
    return "" if account is None else account.text_at("Id/Othr/Id")


def _amount(element: Element) -> int:
    """Fen ≥ 0 of an amount with its currency. Decimals beyond the second must be zeros."""
    if element.attributes.get("Ccy") != "CNY":
        raise element.refused('Ccy="CNY"', element.attributes.get("Ccy", "none"))
    found = re.fullmatch(r"([0-9]{1,18})(?:\.([0-9]{1,2})(0{0,3}))?", element.text)
    if found is None:
        raise element.refused("yuan ≥ 0 with at most two decimals")
    try:
        return money.fen(int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")), element.path, least=0)
    except BadMoney as error:
        raise element.refused(error.expected) from error


def _signed(parent: Element, amount: int) -> int:
    side = parent.one("CdtDbtInd")
    if side.text not in ("CRDT", "DBIT"):
        raise side.refused("CRDT | DBIT")
    return amount if side.text == "CRDT" else -amount


def _balance_code(balance: Element) -> str:
    return balance.text_at("Tp/CdOrPrtry/Cd")


def _balances(statement: Element) -> tuple[int, int]:
    """(opening, closing). An opening may be given as OPBD, as the former closing PRCD, or as both, which must agree."""
    found: dict[str, int] = {}
    for balance in statement.many("Bal"):
        code = _balance_code(balance)
        if code not in ("OPBD", "PRCD", "CLBD"):
            continue
        if code in found:
            raise balance.refused(f"{code} once", code)
        found[code] = _signed(balance, _amount(balance.one("Amt")))
    opening = found.get("OPBD", found.get("PRCD"))
    if opening is None or "CLBD" not in found:
        raise statement.refused("Bal of type OPBD (or PRCD) and CLBD", sorted(found))
    if found.get("PRCD", opening) != opening:
        raise statement.refused(f"PRCD = OPBD = {money.yuan(opening)}", money.yuan(found["PRCD"]))
    return opening, found["CLBD"]


def _check_summary(statement: Element) -> None:
    """Compare the bank's own totals, where it gives them, with the entries."""
    summary = statement.maybe("TxsSummry")
    if summary is None:
        return
    sums = {"TtlNtries": [0, 0], "TtlCdtNtries": [0, 0], "TtlDbtNtries": [0, 0]}
    for entry in statement.many("Ntry"):
        amount = _amount(entry.one("Amt"))
        for name in ("TtlNtries", "TtlCdtNtries" if entry.text_at("CdtDbtInd") == "CRDT" else "TtlDbtNtries"):
            sums[name][0] += 1
            sums[name][1] += amount
    for name, (count, total) in sums.items():
        stated = summary.maybe(name)
        if stated is not None:
            _same_count(stated.maybe("NbOfNtries"), count)
            _same_sum(stated.maybe("Sum"), total)


def _same_count(stated: Element | None, count: int) -> None:
    if stated is not None and stated.text.lstrip("0") != str(count).lstrip("0"):
        raise stated.refused(f"{count}, as many as there are")


def _same_sum(stated: Element | None, total: int) -> None:
    """A decimal without currency, compared as fen by integers."""
    if stated is not None:
        found = re.fullmatch(r"([0-9]{1,18})(?:\.([0-9]{1,2})0*)?", stated.text)
        if found is None or int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")) != total:
            raise stated.refused(f"{money.yuan(total)}, their sum")


def _date_of(choice: Element) -> str:
    """The day of a choice between Dt and DtTm, in China's time."""
    day = choice.maybe("Dt")
    return day.text if day is not None else _day_of(choice.one("DtTm"))


def _day_of(moment: Element) -> str:
    try:
        read = datetime.fromisoformat(moment.text)
    except ValueError as error:
        raise moment.refused("a date and time of ISO 8601") from error
    return (read.astimezone(SHANGHAI) if read.tzinfo is not None else read).date().isoformat()


def _period_day(statement: Element, bound: str, code: str) -> str:
    """First or last day: of the period if given, else of the balance."""
    moment = statement.down(f"FrToDt/{bound}")
    if moment is not None:
        return _day_of(moment)
    codes = (code, "PRCD") if code == "OPBD" else (code,)
    for wanted in codes:
        for balance in statement.many("Bal"):
            if _balance_code(balance) == wanted:
                return _date_of(balance.one("Dt"))
    raise statement.refused(f"FrToDt or the date of {code}", "none")


def _entries(entry: Element, own: str) -> Iterator[tuple[int, BankEntry]]:
    """(line, entry) of one booked entry, or of each of the payments it was booked for."""
    status = entry.one("Sts")
    if (status.text_at("Cd") or status.text) != "BOOK":
        raise status.refused("BOOK, a booked entry", status.text_at("Cd") or None)
    total = _amount(entry.one("Amt"))
    amount = _signed(entry, total)
    if not amount:
        raise entry.one("Amt").refused("an amount other than 0")
    booked = _date_of(entry.one("BookgDt"))
    value = entry.maybe("ValDt")
    same = {
        "booking_date": booked,
        "value_date": booked if value is None else _date_of(value),
    }
    reference = entry.text_at("AcctSvcrRef") or entry.text_at("NtryRef")
    details: list[Element] = [item for group in entry.many("NtryDtls") for item in group.many("TxDtls")]
    for group in entry.many("NtryDtls"):
        batch = group.maybe("Btch")
        if batch is not None and group.many("TxDtls"):
            _same_count(batch.maybe("NbOfTxs"), len(group.many("TxDtls")))
            stated = batch.maybe("TtlAmt")
            if stated is not None and len(entry.many("NtryDtls")) == 1 and _amount(stated) != total:
                raise stated.refused(f"{money.yuan(total)}, the amount of its entry")
    parts = [_part(entry, item, total, amount, only=len(details) == 1) for item in details]
    if details and sum(parts) != total:
        raise entry.one("Amt").refused(f"{money.yuan(sum(parts))}, the sum of its payments")
    split = len(details) > 1
    told: list[tuple[Element | None, int]] = list(zip(details, parts, strict=True)) if details else [(None, total)]
    for number, (item, part) in enumerate(told, start=1):
        texts = {
            "reference": f"{reference}/{number}" if split else reference,
            "amount": money.yuan(part if amount > 0 else -part),
            **same,
            **_payment(entry, item, own, incoming=amount > 0),
        }
        line = entry.line if item is None else item.line
        yield line, entry_of(texts, line)


def _part(entry: Element, item: Element, total: int, amount: int, *, only: bool) -> int:
    """Fen > 0 of one payment of an entry; the only one may leave its amount out."""
    stated = item.maybe("Amt") or item.down("AmtDtls/TxAmt/Amt")
    if item.maybe("CdtDbtInd") is not None and (_signed(item, 1) > 0) != (amount > 0):
        raise item.one("CdtDbtInd").refused(entry.text_at("CdtDbtInd"))
    if stated is None:
        if not only:
            raise item.refused("Amt of each payment of a batch entry", "none")
        return total
    part = _amount(stated)
    if not part:
        raise stated.refused("an amount other than 0")
    return part


def _payment(entry: Element, item: Element | None, own: str, *, incoming: bool) -> dict[str, str]:
    """What the entry says of the payment behind it, as texts of ENTRY_COLUMNS."""
    told = entry if item is None else item
    given = told.text_at("Refs/EndToEndId")
    plain = re.fullmatch(r"[A-Za-z0-9]{1,35}", given) and given != _NOT_OURS
    name, account = _other_side(told.maybe("RltdPties"), own, incoming=incoming)
    return {
        "name": name,
        "counter_account": account if re.fullmatch(r"[0-9]{0,32}", account) else "",
        "end_to_end": given if plain else "",
        "return_code": _return_code(told.maybe("RtrInf")),
        "remark": _remark(entry, told),
    }


def _other_side(parties: Element | None, own: str, *, incoming: bool) -> tuple[str, str]:
    """(name, account) of who paid or was paid: debtor of money in, creditor of money out.

    A returned payment keeps the roles of the payment it returns, so the side with our own account is not the other.
    """
    if parties is None:
        return "", ""
    sides = ("Dbtr", "Cdtr") if incoming else ("Cdtr", "Dbtr")
    found = [(_name(parties.maybe(side)), _other_id(parties.maybe(f"{side}Acct"))) for side in sides]
    return found[1] if found[0][1] == own else found[0]


def _name(party: Element | None) -> str:
    if party is None:
        return ""
    return party.text_at("Pty/Nm") or party.text_at("Nm")


def _return_code(returned: Element | None) -> str:
    if returned is None:
        return ""
    code = returned.text_at("Rsn/Cd") or returned.text_at("Rsn/Prtry")
    if not code:
        return NO_REASON
    return code if re.fullmatch(r"[A-Za-z0-9]{1,8}", code) else IN_WORDS


def _remark(entry: Element, told: Element) -> str:
    """Remittance text in one line, else the bank's own note, cut at 140 characters."""
    remittance = told.maybe("RmtInf")
    lines = [] if remittance is None else [item.text for item in remittance.many("Ustrd")]
    text = " ".join(lines) or told.text_at("AddtlTxInf") or entry.text_at("AddtlNtryInf")
    return " ".join(text.split())[:_MOST]
