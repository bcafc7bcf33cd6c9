"""Payment instructions as ISO 20022 pain.001.001.09 for CNAPS: the pay-outs of a batch, or one net payer's funding.

Every identifier is a digest of the batch, so a resend has the same ones and a bank executes it once. A file is released
only after it was read back and its counts and sums, recomputed from its payments, are those of the batch. Accounts are
text with their leading zeros, names exactly the bank's 实收付名. Source: ISO 20022; domain clearing §10.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from xml.etree import ElementTree

from clearing import money
from clearing.errors import BadMoney, BadTerms, BankFileRefused
from clearing.settlement.bank_xml import Element, read_xml
from clearing.settlement.payment import BankAccount, Batch, Direction, Instruction, check_account
from ledger import canonical
from ledger.reading import body_of

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
CNAPS = "CNAPS"
SHANGHAI = timezone(timedelta(hours=8))
MOST_REMITTANCE = 140
"""Characters of remittance text the message holds; a bank's own limit is often lower."""
_PLAIN_ID = r"[A-Za-z0-9]{1,35}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment: its id (≤ 35 letters and digits), fen > 0, the account it goes to, what its receiver reads."""

    end_to_end: str
    amount: int
    account: BankAccount
    remittance: str


@dataclass(frozen=True, slots=True)
class Initiation:
    """A pain.001 of one paying account. `created` is ISO 8601 in China's time, `execution` a day YYYY-MM-DD."""

    message: str
    payment: str
    created: str
    execution: str
    payer: BankAccount
    transfers: tuple[Transfer, ...]

    @property
    def total(self) -> int:
        """Σ amounts, fen."""
        return sum(item.amount for item in self.transfers)


def payout_initiation(
    batch: Batch,
    statements: Mapping[str, str],
    *,
    execution: str,
    created_at: int,
    limit: int = MOST_REMITTANCE,
) -> Initiation:
    """The pay-outs of a batch from the supervised account.

    `statements` names each receiver's statement number, `execution` is the day to pay (YYYY-MM-DD), `created_at`
    seconds UTC, `limit` the receiving bank's longest remittance text. Raises BadTerms for an account, number, day or
    text that does not fit, and BadMoney when the payments do not sum to the batch's pay-outs.
    """
    due = [item for item in batch.instructions if item.direction is Direction.PAYOUT]
    made = _initiation(batch, "", batch.account, [(item, item.account) for item in due], statements, execution,
                       created_at, limit)  # fmt: skip
    if made.total != batch.payout:
        raise BadMoney("payout", money.yuan(made.total), money.yuan(batch.payout))
    return made


def funding_initiation(
    batch: Batch,
    party: str,
    statements: Mapping[str, str],
    *,
    execution: str,
    created_at: int,
    limit: int = MOST_REMITTANCE,
) -> Initiation:
    """What a net payer hands to its own bank to fund the supervised account. Raises as above, and BadTerms when the
    party owes nothing."""
    due = [item for item in batch.instructions if item.direction is Direction.FUNDING and item.party == party]
    if len(due) != 1:
        raise BadTerms("party", "a net payer of this batch", party)
    return _initiation(batch, party, due[0].account, [(due[0], batch.account)], statements, execution, created_at,
                       limit)  # fmt: skip


def _initiation(
    batch: Batch,
    party: str,
    payer: BankAccount,
    due: Sequence[tuple[Instruction, BankAccount]],
    statements: Mapping[str, str],
    execution: str,
    created_at: int,
    limit: int,
) -> Initiation:
    if batch.currency != "CNY":
        raise BadTerms("currency", "CNY", batch.currency)
    digest = hashlib.sha256(canonical.encode(body_of(batch)) + b"|" + party.encode()).hexdigest().upper()
    transfers = []
    for item, to in due:
        if item.party not in statements:
            raise BadTerms("statements", f"the statement number of {item.party}", "missing")
        text = remittance(statements[item.party], batch.period, limit)
        transfers.append(Transfer(item.end_to_end, item.amount, to, text))
    made = Initiation(
        message="SQM" + digest[:32],
        payment="SQP" + digest[32:],
        created=datetime.fromtimestamp(created_at, SHANGHAI).isoformat(),
        execution=execution,
        payer=payer,
        transfers=tuple(transfers),
    )
    _check(made)
    return made


def remittance(statement: str, period: str, limit: int = MOST_REMITTANCE) -> str:
    """附言: statement number and period, nothing about a person. Raises BadTerms when the text exceeds the limit."""
    if not re.fullmatch(r"[A-Za-z0-9./-]{1,64}", statement):
        raise BadTerms("statements", "a number of letters, digits and . / -", statement)
    text = f"清分结算 {period} 账单 {statement}"
    if not 1 <= len(text) <= min(limit, MOST_REMITTANCE):
        raise BadTerms("remittance", f"at most {min(limit, MOST_REMITTANCE)} characters", text)
    return text


def _check(made: Initiation) -> None:
    """What the schema and CNAPS demand of the values. Raises BadTerms or BadMoney naming the field."""
    try:
        well = date.fromisoformat(made.execution).isoformat() == made.execution
    except ValueError:
        well = False
    if not well:
        raise BadTerms("execution", "a day YYYY-MM-DD", made.execution)
    if not made.transfers:
        raise BadTerms("instructions", "at least one payment", "none")
    ids = [item.end_to_end for item in made.transfers]
    for name in (made.message, made.payment, *ids):
        if not re.fullmatch(_PLAIN_ID, name):
            raise BadTerms("end_to_end", "1 to 35 letters and digits", name)
    if len(set(ids)) != len(ids):
        raise BadTerms("end_to_end", "each id once", sorted(name for name in set(ids) if ids.count(name) > 1))
    for field, account in (("payer", made.payer), *((item.end_to_end, item.account) for item in made.transfers)):
        check_account(account, field)
        for text in (account.name, account.bank):
            if text != text.strip():
                raise BadTerms(field, "a name without space at its end", text)
    for item in made.transfers:
        money.fen(item.amount, item.end_to_end, least=1)
    money.fen(made.total, "CtrlSum", least=1)


def pain001_xml(made: Initiation) -> bytes:
    """The file, UTF-8, released only when reading it back gives the same values, counts and sums.

    Raises BadTerms or BadMoney for a value that does not fit, BankFileRefused should the file not say what it must.
    """
    _check(made)
    document = ElementTree.Element("Document", {"xmlns": NAMESPACE})
    root = ElementTree.SubElement(document, "CstmrCdtTrfInitn")
    count, total = str(len(made.transfers)), money.yuan(made.total)
    head = ElementTree.SubElement(root, "GrpHdr")
    _leaf(head, "MsgId", made.message)
    _leaf(head, "CreDtTm", made.created)
    _leaf(head, "NbOfTxs", count)
    _leaf(head, "CtrlSum", total)
    _leaf(head, "InitgPty/Nm", made.payer.name)
    group = ElementTree.SubElement(root, "PmtInf")
    _leaf(group, "PmtInfId", made.payment)
    _leaf(group, "PmtMtd", "TRF")
    _leaf(group, "BtchBookg", "false")  # every payment an entry of its own on the statement
    _leaf(group, "NbOfTxs", count)
    _leaf(group, "CtrlSum", total)
    _leaf(group, "ReqdExctnDt/Dt", made.execution)
    _leaf(group, "Dbtr/Nm", made.payer.name)
    account = ElementTree.SubElement(group, "DbtrAcct")
    _leaf(account, "Id/Othr/Id", made.payer.number)
    _leaf(account, "Ccy", "CNY")
    _agent(group, "DbtrAgt", made.payer)
    for item in made.transfers:
        one = ElementTree.SubElement(group, "CdtTrfTxInf")
        _leaf(one, "PmtId/EndToEndId", item.end_to_end)
        _leaf(one, "Amt/InstdAmt", money.yuan(item.amount)).set("Ccy", "CNY")
        _agent(one, "CdtrAgt", item.account)
        _leaf(one, "Cdtr/Nm", item.account.name)
        _leaf(one, "CdtrAcct/Id/Othr/Id", item.account.number)
        _leaf(one, "RmtInf/Ustrd", item.remittance)
    ElementTree.indent(document)
    data: bytes = ElementTree.tostring(document, encoding="UTF-8", xml_declaration=True)
    back = read_pain001(data)
    if back != made:
        raise BankFileRefused(0, "file", "what was to be written", "something else")
    return data


def _leaf(parent: ElementTree.Element, way: str, text: str) -> ElementTree.Element:
    """Add the elements a/b/c with a text in the last, which is returned."""
    for name in way.split("/"):
        parent = ElementTree.SubElement(parent, name)
    parent.text = text
    return parent


def _agent(parent: ElementTree.Element, name: str, account: BankAccount) -> None:
    """The bank of an account by its 联行号 in CNAPS, with its name."""
    institution = ElementTree.SubElement(ElementTree.SubElement(parent, name), "FinInstnId")
    member = ElementTree.SubElement(institution, "ClrSysMmbId")
    _leaf(member, "ClrSysId/Cd", CNAPS)
    _leaf(member, "MmbId", account.code)
    _leaf(institution, "Nm", account.bank)


def read_pain001(data: bytes) -> Initiation:
    """Read a file of this form.

    Raises BankFileRefused naming line and element, also when NbOfTxs or CtrlSum is not what its payments add up to.
    """
    _, document = read_xml(data, {NAMESPACE})
    root = document.one("CstmrCdtTrfInitn")
    head, group = root.one("GrpHdr"), root.one("PmtInf")
    if group.one("PmtMtd").text != "TRF":
        raise group.one("PmtMtd").refused("TRF")
    found = Initiation(
        message=head.one("MsgId").text,
        payment=group.one("PmtInfId").text,
        created=head.one("CreDtTm").text,
        execution=group.one("ReqdExctnDt").one("Dt").text,
        payer=_account(group, "Dbtr"),
        transfers=tuple(_transfer(item) for item in group.many("CdtTrfTxInf")),
    )
    for part in (head, group):
        if part.one("NbOfTxs").text != str(len(found.transfers)):
            raise part.one("NbOfTxs").refused(str(len(found.transfers)))
        if part.one("CtrlSum").text != money.yuan(found.total):
            raise part.one("CtrlSum").refused(money.yuan(found.total))
    try:
        _check(found)
    except (BadTerms, BadMoney) as error:
        raise BankFileRefused(0, error.field, error.expected, error.given) from error
    return found


def _transfer(item: Element) -> Transfer:
    amount = item.one("Amt").one("InstdAmt")
    if amount.attributes.get("Ccy") != "CNY":
        raise amount.refused('Ccy="CNY"', amount.attributes.get("Ccy", "none"))
    try:
        fen = money.parse_yuan(amount.text, amount.path)
    except BadMoney as error:
        raise amount.refused(error.expected) from error
    return Transfer(
        end_to_end=item.one("PmtId").one("EndToEndId").text,
        amount=fen,
        account=_account(item, "Cdtr"),
        remittance=item.one("RmtInf").one("Ustrd").text,
    )


def _account(parent: Element, side: str) -> BankAccount:
    institution = parent.one(f"{side}Agt").one("FinInstnId")
    member = institution.one("ClrSysMmbId")
    if member.text_at("ClrSysId/Cd") != CNAPS:
        raise member.refused(f"ClrSysId/Cd {CNAPS}", member.text_at("ClrSysId/Cd"))
    return BankAccount(
        code=member.one("MmbId").text,
        bank=institution.one("Nm").text,
        number=parent.one(f"{side}Acct").one("Id").one("Othr").one("Id").text,
        name=parent.one(side).one("Nm").text,
    )
