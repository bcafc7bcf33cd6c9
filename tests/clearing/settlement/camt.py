"""A 演示 camt.053 statement of the entries of a CSV one, as a bank would write it, in the versions that differ."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

BANK, ACCOUNT = "102100099996", "0100000000000001"


def side(amount: str) -> tuple[str, str]:
    """Yuan text with sign → (yuan without sign, CRDT or DBIT)."""
    return (amount[1:], "DBIT") if amount.startswith("-") else (amount, "CRDT")


def money(amount: str) -> str:
    size, way = side(amount)
    return f'<Amt Ccy="CNY">{size}</Amt><CdtDbtInd>{way}</CdtDbtInd>'


def party(tag: str, name: str, version: str) -> str:
    inner = f"<Nm>{escape(name)}</Nm>"
    return f"<{tag}>{inner}</{tag}>" if version == "02" else f"<{tag}><Pty>{inner}</Pty></{tag}>"


def transaction(row: dict[str, str], version: str, *, amount: str = "") -> str:
    """TxDtls of one row; an `amount` is stated where an entry has several."""
    way = side(row["amount"])[1]
    other = "Dbtr" if way == "CRDT" else "Cdtr"
    stated = ""
    if amount and version == "02":
        stated = f'<AmtDtls><TxAmt><Amt Ccy="CNY">{amount}</Amt></TxAmt></AmtDtls>'
    elif amount:
        stated = f'<Amt Ccy="CNY">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd>'
    parties = ""
    if row["name"]:
        account = row["counter_account"]
        number = f"<{other}Acct><Id><Othr><Id>{account}</Id></Othr></Id></{other}Acct>" if account else ""
        parties = f"<RltdPties>{party(other, row['name'], version)}{number}</RltdPties>"
    remark = f"<RmtInf><Ustrd>{escape(row['remark'])}</Ustrd></RmtInf>" if row["remark"] else ""
    code = row["return_code"]
    returned = f"<RtrInf><Rsn><Cd>{code}</Cd></Rsn></RtrInf>" if code else ""
    refs = f"<Refs><EndToEndId>{row['end_to_end'] or 'NOTPROVIDED'}</EndToEndId></Refs>"
    return f"<TxDtls>{refs}{stated}{parties}{remark}{returned}</TxDtls>"


def entry_xml(row: dict[str, str], version: str, details: str) -> str:
    status = "<Sts>BOOK</Sts>" if version == "02" else "<Sts><Cd>BOOK</Cd></Sts>"
    return (
        f"<Ntry>{money(row['amount'])}{status}"
        f"<BookgDt><Dt>{row['booking_date']}</Dt></BookgDt><ValDt><Dt>{row['value_date']}</Dt></ValDt>"
        f"<AcctSvcrRef>{row['reference']}</AcctSvcrRef>"
        f"<BkTxCd><Prtry><Cd>DEMO</Cd></Prtry></BkTxCd><NtryDtls>{details}</NtryDtls></Ntry>"
    )


def balance(code: str, amount: str) -> str:
    return f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{money(amount)}<Dt><Dt>2026-04-15</Dt></Dt></Bal>"


def camt_file(
    opening: str, closing: str, *rows: dict[str, str], version: str = "08", entries: Sequence[str] | None = None,
    summary: str = "",
) -> bytes:  # fmt: skip
    """The whole file; `entries` replaces what would be made of the rows."""
    made = entries if entries is not None else [entry_xml(row, version, transaction(row, version)) for row in rows]
    agent = f"<ClrSysMmbId><ClrSysId><Cd>CNAPS</Cd></ClrSysId><MmbId>{BANK}</MmbId></ClrSysMmbId>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>'
        "<GrpHdr><MsgId>DEMO-1</MsgId><CreDtTm>2026-04-15T18:00:00+08:00</CreDtTm></GrpHdr>"
        "<Stmt><Id>DEMO-1</Id><CreDtTm>2026-04-15T18:00:00+08:00</CreDtTm>"
        f"<Acct><Id><Othr><Id>{ACCOUNT}</Id></Othr></Id><Ccy>CNY</Ccy>"
        f"<Svcr><FinInstnId>{agent}</FinInstnId></Svcr></Acct>"
        f"{balance('OPBD', opening)}{balance('CLBD', closing)}{summary}{''.join(made)}"
        "</Stmt></BkToCstmrStmt></Document>"
    ).encode()
