"""The demo bank's statement as ISO 20022 camt.053.001.08, with the same entries as its CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
Parent = ElementTree.Element


def camt053(
    bank: str, account: str, balances: tuple[int, int], days: tuple[str, str], made: str,
    entries: Iterable[Mapping[str, Any]],
) -> bytes:  # fmt: skip
    """`balances` are opening and closing in fen, `days` the first and last, `made` when it was written (ISO 8601).

    `entries` are rows of the bank's own table.
    """
    document = Parent("Document", {"xmlns": NAMESPACE})
    message = ElementTree.SubElement(document, "BkToCstmrStmt")
    name = f"DEMO-{days[0].replace('-', '')}-{days[1].replace('-', '')}"
    put(message, "GrpHdr/MsgId", name)
    put(message[0], "CreDtTm", made)
    statement = ElementTree.SubElement(message, "Stmt")
    put(statement, "Id", name)
    put(statement, "CreDtTm", made)
    holder = ElementTree.SubElement(statement, "Acct")
    put(holder, "Id/Othr/Id", account)
    put(holder, "Ccy", "CNY")
    member = put(holder, "Svcr/FinInstnId/ClrSysMmbId", None)
    put(member, "ClrSysId/Cd", "CNAPS")
    put(member, "MmbId", bank)
    for code, fen, day in zip(("OPBD", "CLBD"), balances, days, strict=True):
        balance = ElementTree.SubElement(statement, "Bal")
        put(balance, "Tp/CdOrPrtry/Cd", code)
        amount(balance, fen)
        put(balance, "Dt/Dt", day)
    for entry in entries:
        _entry(statement, entry)
    data: bytes = ElementTree.tostring(document, encoding="UTF-8", xml_declaration=True)
    return data


def _entry(statement: Parent, entry: Mapping[str, Any]) -> None:
    came_back = bool(entry["return_code"])  # keeps the roles of the payment it returns
    other = "Dbtr" if (entry["amount_fen"] > 0) != came_back else "Cdtr"
    made = ElementTree.SubElement(statement, "Ntry")
    amount(made, entry["amount_fen"])
    put(made, "Sts/Cd", "BOOK")
    put(made, "BookgDt/Dt", entry["day"])
    put(made, "ValDt/Dt", entry["day"])
    put(made, "AcctSvcrRef", entry["reference"])
    put(made, "BkTxCd/Prtry/Cd", "DEMO")
    details = put(made, "NtryDtls/TxDtls", None)
    put(details, "Refs/EndToEndId", entry["instruction"])
    parties = ElementTree.SubElement(details, "RltdPties")
    put(parties, f"{other}/Pty/Nm", entry["name"])
    put(parties, f"{other}Acct/Id/Othr/Id", entry["counter_account"])
    put(details, "RmtInf/Ustrd", entry["remark"])
    if came_back:
        put(details, "RtrInf/Rsn/Cd", entry["return_code"])


def amount(parent: Parent, fen: int) -> None:
    """Amt and CdtDbtInd of fen with a sign."""
    put(parent, "Amt", f"{abs(fen) // 100}.{abs(fen) % 100:02d}").set("Ccy", "CNY")
    put(parent, "CdtDbtInd", "CRDT" if fen >= 0 else "DBIT")


def put(parent: Parent, way: str, text: str | None) -> Parent:
    """Adds the elements a/b/c and returns the last, with its text."""
    for name in way.split("/"):
        parent = ElementTree.SubElement(parent, name)
    parent.text = text
    return parent
