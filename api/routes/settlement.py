"""The settlement cycle over HTTP: the operator drives it, parties confirm with their own keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from msgspec import Meta

from api import statement_paper
from api.apikey import Caller, Forbidden
from api.auth import CallerDep, OperatorDep, require_own
from api.bodies import DocumentDep, RawDep, SignedDep, describe
from api.bootstrap import System, deployment
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.desk import service as desk
from api.desk.waiting import Slot
from api.office import limits
from api.proofs import may_read
from api.views import appended, plain
from clearing.errors import UnknownFact
from clearing.market import service as market
from clearing.market.delivery import service as delivering
from clearing.settlement import batch_sheet, pain001, payment, register, trace_sheet, tracing, workbook
from clearing.settlement import service as settlement
from clearing.settlement import store as settlement_store
from clearing.settlement.inputs import Inputs
from clearing.settlement.netting.limits import NETTING_LIMITS, Cap, PairLimit
from clearing.settlement.payment import BankAccount
from clearing.settlement.stating import PERIOD_INPUTS, Month, Name, Revision
from clearing.settlement.weighing import Derived
from clearing.terms import DAY, LATEST, AgreementTerms, month
from clearing.usage import store as usage_store
from ledger import log, reading, store
from ledger.facts import Fact, Statement, require_fields
from registry.calendar import text_of

router = APIRouter(prefix="/api", tags=["settlement 清算"])

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Grace = Annotated[int, Meta(ge=0, le=366 * 86_400)]


@router.post("/cycles", summary="开放账期 / open a cycle")
def open_cycle(
    value: DocumentDep, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_fields(value, "request", {"period", "grace"}, set())
    opened = settlement.open_cycle(
        session,
        system.office,
        operator=system.settings.operator,
        period=month(reading.read(Month, value["period"], "period")),
        grace=reading.read(Grace, value["grace"], "grace"),
        at=now,
    )
    return plain(opened)  # type: ignore[no-any-return]


@router.get("/cycles/{cycle}", summary="账期状态 / state of a cycle")
def cycle_state(cycle: str, caller: CallerDep, session: ReadDep) -> dict[str, Any]:
    return plain(settlement_store.cycle(session, cycle))  # type: ignore[no-any-return]


@router.post("/cycles/{cycle}/cut-off", summary="截止 / fix the set of records")
def cut_off(cycle: str, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    moved = settlement.cut_off(session, system.office, cycle=cycle, high_water=log.size(session), at=now)
    return plain(moved)  # type: ignore[no-any-return]


@router.post("/cycles/{cycle}/rating", summary="计量计费清分 / meter, rate, share, post")
def rate(cycle: str, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    period = month(settlement_store.cycle(session, cycle).period)
    agreements = delivering.settling(session, period.start, period.end)
    earlier = delivering.settling(session, period.start - LATEST, period.start)
    rated = settlement.rate(
        session, system.office, cycle=cycle, agreements=agreements, uses=usage_store.metered_uses, at=now,
        earlier=earlier, served=market.served, accepted=delivering.accepted_under,
    )  # fmt: skip
    return plain(rated)  # type: ignore[no-any-return]


@router.get(
    "/cycles/{cycle}/inputs", summary="账期要素：应申报、缺项与暂缓 / what terms ask for and lack, what is held"
)
def inputs(cycle: str, caller: CallerDep, session: ReadDep, system: SystemDep) -> dict[str, Any]:
    period = month(settlement_store.cycle(session, cycle).period)
    current = _concerning(caller, system, delivering.settling(session, period.start, period.end))
    ever = _concerning(caller, system, delivering.settling(session, period.start - LATEST, period.end))
    return {
        "asked": plain(settlement.asked_of(session, cycle=cycle, agreements=current)),
        "held": plain(settlement.held_now(session, cycle=cycle, agreements=ever)),
    }


@router.post(
    "/period-inputs",
    openapi_extra=describe(PERIOD_INPUTS, "clearing.settlement.stating.PeriodInputs"),
    summary="账期要素（付款方与开票方签署） / what both sides state of a period",
)
def period_inputs(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(settlement.state_inputs(session, system.office, body.signed, market.revision_terms, at=now))


@router.get("/cycles/{cycle}/uninvoiced", summary="待开发票（含红字） / charges whose invoice waits, red ones too")
def uninvoiced(cycle: str, caller: CallerDep, session: ReadDep, system: SystemDep) -> dict[str, Any]:
    period = settlement_store.cycle(session, cycle).period
    waiting = [
        {"charge": name, "agreement": body.agreement, "period": body.period, "gross": body.gross, "tax": body.tax}
        for name, body in settlement_store.uninvoiced(session, period)
        if caller.holder in {f"party:{body.invoice_issuer}", f"party:{system.settings.operator}"}
    ]
    return {"uninvoiced": waiting}


@router.get("/charges/{charge}/invoice", summary="待签发票 / the invoice to sign")
def draft_invoice(
    charge: str, number: str, issued_at: int, caller: CallerDep, session: ReadDep, system: SystemDep
) -> dict[str, Any]:
    drafted = settlement.draft_invoice(session, charge=charge, number=number, issued_at=issued_at)
    _own_or_operator(caller, drafted.body["issuer"], system.settings.operator)
    return _draft(drafted)


@router.post("/invoices", openapi_extra=describe("invoice/v1", "clearing.settlement.invoice"), summary="发票 / invoice")
def invoice(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return {"fact": settlement.record_invoice(session, system.office, body.signed, at=now).id}


@router.post("/cycles/{cycle}/statements", summary="出账 / issue statements")
def issue_statements(
    cycle: str, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    return {"statements": settlement.issue_statements(session, system.office, cycle=cycle, at=now)}


@router.get("/cycles/{cycle}/statements/{party}", summary="清分账单 / a party's statement")
def statement(cycle: str, party: str, caller: CallerDep, session: ReadDep, system: SystemDep) -> dict[str, Any]:
    _own_or_operator(caller, party, system.settings.operator)
    return statement_paper.paper(session, cycle, party).document()


@router.get("/cycles/{cycle}/statements/{party}/xlsx", summary="清分账单（Excel） / the statement as XLSX")
def statement_workbook(cycle: str, party: str, caller: CallerDep, session: ReadDep, system: SystemDep) -> Response:
    _own_or_operator(caller, party, system.settings.operator)
    found = statement_paper.paper(session, cycle, party)
    return Response(workbook.statement_xlsx(found.body, found.parts), media_type=XLSX)


@router.get(
    "/cycles/{cycle}/statements/{party}/pdf",
    summary="清分账单（PDF，内含 JSON） / the statement as PDF, its JSON inside",
)
def statement_pdf(cycle: str, party: str, caller: CallerDep, session: ReadDep, system: SystemDep) -> Response:
    _own_or_operator(caller, party, system.settings.operator)
    found = statement_paper.paper(session, cycle, party)
    data = statement_paper.render(session, found, system.settings.fonts_folder, trial=system.settings.demo)
    return Response(data, media_type="application/pdf")


@router.get(
    "/cycles/{cycle}/statements/{party}/lines/{no}",
    summary="明细追溯到凭据 / a line of a statement and the facts it follows from",
)
def statement_line(
    cycle: str,
    party: str,
    no: Annotated[int, Path(ge=0, le=10_000_000)],
    caller: CallerDep,
    session: ReadDep,
    system: SystemDep,
) -> dict[str, Any]:
    _own_or_operator(caller, party, system.settings.operator)
    found = tracing.trace(session, tracing.line_of(session, _statement(session, cycle, party).id, no))
    return {
        "line": plain(found.line),
        "steps": [
            {"what": step.what.value, "fact": step.fact.id, "digest": plain(step.fact.digest().document()),
             "kind": step.fact.kind, "subject": step.fact.subject, "no": step.fact.statement.no, "at": step.fact.at,
             **_body(session, step.fact, caller, system)}
            for step in found.steps
        ],
        "batches": plain(found.batches),
    }  # fmt: skip


def _body(session: ReadDep, fact: Fact, caller: Caller, system: System) -> dict[str, Any]:
    """What the fact says, where the caller may read it; its digest is everybody's."""
    return {"body": fact.body} if may_read(session, fact, caller.holder, system.houses) else {}


@router.get("/cycles/{cycle}/statements/{party}/confirmation", summary="待签确认 / the confirmation to sign")
def draft_confirmation(
    cycle: str, party: str, caller: CallerDep, session: ReadDep, system: SystemDep
) -> dict[str, Any]:
    _own_or_operator(caller, party, system.settings.operator)
    return _draft(settlement.draft_confirmation(session, cycle=cycle, party=party))


@router.post(
    "/confirmations",
    openapi_extra=describe("statement-confirmed/v1", "{statement: fact id}"),
    summary="确认账单 / confirm a statement",
)
def confirm(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return {"fact": settlement.confirm_statement(session, system.office, body.signed, at=now).id}


@router.post("/cycles/{cycle}/window", summary="结束确认期 / end the confirmation window")
def close_window(cycle: str, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return plain(settlement.close_window(session, system.office, cycle=cycle, at=now))  # type: ignore[no-any-return]


@router.get("/netting-limits", summary="现行轧差限额 / the caps and limits that stand")
def netting_limits(caller: OperatorDep, session: ReadDep, system: SystemDep) -> dict[str, Any]:
    found = limits.standing(session, system.settings.operator)
    return {"limits": {"fact": found.fact.id, "at": found.fact.at, **plain(found.body)} if found else None}


@router.post("/netting-limits/draft", summary="待签轧差限额 / the caps and limits to sign, in place of what stands")
def draft_netting_limits(
    value: DocumentDep, caller: OperatorDep, session: ReadDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_fields(value, "request", {"caps", "pairs"}, set())
    caps = reading.read(list[Cap], value["caps"], "caps")
    pairs = reading.read(list[PairLimit], value["pairs"], "pairs")
    limits.require_known(session, caps, pairs, now)
    operator = system.settings.operator
    return _draft(settlement.draft_limits(session, operator=operator, caps=caps, pairs=pairs))


@router.post(
    "/netting-limits",
    openapi_extra=describe(NETTING_LIMITS, "clearing.settlement.netting.limits.NettingLimits"),
    summary="轧差限额（两人签署） / caps and limits signed by two persons",
)
def set_netting_limits(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(settlement.set_limits(session, system.office, body.signed, at=now))


@router.post("/cycles/{cycle}/netting", summary="轧差 / net")
def net(cycle: str, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return {"netting": settlement.net(session, system.office, cycle=cycle, at=now)}


@router.post("/cycles/{cycle}/instructions/draft", summary="待签付款指令 / the instructions to sign")
def draft_instructions(cycle: str, value: DocumentDep, caller: OperatorDep, session: ReadDep) -> dict[str, Any]:
    require_fields(value, "request", {"account", "accounts"}, set())
    account = reading.read(BankAccount, value["account"], "account")
    accounts = reading.read(dict[str, BankAccount], value["accounts"], "accounts")
    return _draft(settlement.draft_instructions(session, cycle=cycle, account=account, accounts=accounts))


@router.post(
    "/instructions",
    openapi_extra=describe("payment-instructions/v1", "clearing.settlement.payment.Batch"),
    summary="付款指令（两人签署） / payment instructions signed by two persons",
)
def instruct(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return {"fact": settlement.instruct(session, system.office, body.signed, at=now).id}


@router.post("/cycles/{cycle}/default", summary="逾期未备付：移出轧差，其余重新轧差 / a net payer that brought nothing")
def default(cycle: str, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return {"default": settlement.declare_default(session, system.office, cycle=cycle, at=now)}


@router.get("/cycles/{cycle}/instructions.csv", summary="银行批量文件 / the bank batch file")
def instructions_file(cycle: str, caller: OperatorDep, session: ReadDep) -> Response:
    return Response(payment.batch_csv(settlement_store.batch(session, cycle)), media_type="text/csv; charset=utf-8")


DayQuery = Annotated[str, Query(max_length=10, description="付款日 YYYY-MM-DD，pain.001 必填 / execution day")]


@router.get(
    "/payment-batches/{fact_id}.{form}",
    summary="银行批量文件：CSV、XLSX、pain.001 / the payments of a batch as the bank takes them",
)
def payment_file(
    fact_id: str,
    form: Literal["csv", "xlsx", "xml"],
    caller: OperatorDep,
    session: ReadDep,
    now: NowDep,
    day: DayQuery = "",
) -> Response:
    batch = settlement_store.batch_in(store.fact(session, fact_id))
    if form == "csv":
        return Response(payment.batch_csv(batch), media_type="text/csv; charset=utf-8")
    if form == "xlsx":
        return Response(batch_sheet.batch_xlsx(batch), media_type=XLSX)
    made = pain001.payout_initiation(batch, _numbers(batch), execution=day, created_at=now)
    return Response(pain001.pain001_xml(made), media_type="application/xml")


@router.post(
    "/payment-batches/{fact_id}/results.{form}",
    summary="银行退回的批量结果，逐行核对 / what the bank says of each row of a batch",
)
def batch_results(
    fact_id: str, form: Literal["json", "xlsx"], raw: RawDep, caller: OperatorDep, session: ReadDep
) -> Response:
    batch = settlement_store.batch_in(store.fact(session, fact_id))
    results = batch_sheet.read_results(batch, raw)
    if form == "xlsx":
        return Response(batch_sheet.error_xlsx(batch, results), media_type=XLSX)
    failed = [plain(item) for item in results if not item.done]
    return JSONResponse({"rows": len(results), "done": len(results) - len(failed), "failed": failed})


@router.get("/cycles/{cycle}/register.xlsx", summary="台账：每项应付义务到银行入账 / each obligation down to the bank")
def register_file(cycle: str, caller: OperatorDep, session: ReadDep, now: NowDep) -> Response:
    data = trace_sheet.trace_xlsx(register.rows(session, cycle), as_of=text_of(now))
    return Response(data, media_type=XLSX)


@router.get("/cycles/{cycle}/returns", summary="退汇待重付 / payments that came back and were not issued again")
def returns(cycle: str, caller: OperatorDep, session: ReadDep) -> dict[str, Any]:
    period = settlement_store.cycle(session, cycle).period
    found = []
    for name in settlement_store.returned(session, period):
        batch = settlement_store.batch_of_instruction(session, name)
        found += [plain(item) for item in batch.instructions if item.end_to_end == name]
    return {"returned": found}


@router.post("/cycles/{cycle}/reissue/draft", summary="待签重付指令 / the payments to issue again, to sign")
def draft_reissue(cycle: str, value: DocumentDep, caller: OperatorDep, session: ReadDep) -> dict[str, Any]:
    require_fields(value, "request", {"accounts"}, set())
    accounts = reading.read(dict[str, BankAccount], value["accounts"], "accounts")
    return _draft(settlement.draft_reissue(session, cycle=cycle, accounts=accounts))


@router.post(
    "/reissues",
    openapi_extra=describe("payment-reissue/v1", "clearing.settlement.reissue.ReissueOrder"),
    summary="退汇重付（两人签署） / payments that came back, issued again by two persons",
)
def reissue(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return {"fact": settlement.reissue_payments(session, system.office, body.signed, at=now).id}


@router.get("/cycles/{cycle}/funding/{party}", summary="备付文件 / the file a net payer hands to its bank")
def funding_file(
    cycle: str, party: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep,
    form: Literal["csv", "xlsx", "xml"] = "csv", day: DayQuery = "",
) -> Response:  # fmt: skip
    _own_or_operator(caller, party, system.settings.operator)
    batch = settlement_store.batch(session, cycle)
    if form == "xlsx":
        return Response(batch_sheet.funding_xlsx(batch, party), media_type=XLSX)
    if form == "xml":
        made = pain001.funding_initiation(batch, party, _numbers(batch), execution=day, created_at=now)
        return Response(pain001.pain001_xml(made), media_type="application/xml")
    return Response(payment.funding_csv(batch, party), media_type="text/csv; charset=utf-8")


def _numbers(batch: payment.Batch) -> dict[str, str]:
    """The number of each party's statement, for the remittance text."""
    return {item.party: f"{batch.cycle}.{item.party}"[:64] for item in batch.instructions}


@router.post("/bank-files", summary="导入银行对账文件 / import a bank statement file (CSV or camt.053)")
def bank_file(raw: RawDep, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return plain(settlement.import_bank_file(session, system.office, raw, at=now))  # type: ignore[no-any-return]


@router.post("/cycles/{cycle}/payments", summary="按到账推进 / move on as far as the bank's entries allow")
def payments(cycle: str, caller: OperatorDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    moved = settlement.advance_payments(session, system.office, cycle=cycle, at=now)
    return plain(moved)  # type: ignore[no-any-return]


@router.get("/cycles/{cycle}/money", summary="收支核对 / money in and money out")
def money(cycle: str, caller: OperatorDep, session: ReadDep) -> dict[str, Any]:
    sums = settlement.money_sums(session, cycle=cycle)
    return {**plain(sums), "agrees": sums.agrees}


@router.get("/cycles/{cycle}/close", summary="待签关账 / the close to sign")
def draft_close(
    cycle: str, auditor: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep,
    deadline: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Without a `deadline` the chain takes the close for a week. `domain` is what both sign it for."""
    until = now + 7 * DAY if deadline is None else deadline
    drafted = settlement.draft_close(
        session, system.office, cycle=cycle, auditor=auditor, closed_at=now, deadline=until
    )
    placed = deployment(system.settings.path(system.settings.deployment))
    domain = {"chain_id": placed.chain_id, "address": placed.addresses["SettlementBook"].lower()}
    return {**_draft(drafted), "domain": domain}


@router.post(
    "/closes",
    openapi_extra=describe("cycle-closed/v1", "clearing.settlement.close.CycleClose"),
    summary="关账（运营方与审计方签署） / close a cycle",
)
def close(body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return {"fact": settlement.close(session, system.office, body.signed, at=now).id}


def _draft(statement: Statement) -> dict[str, Any]:
    return {"statement": statement.document()}


def _statement(session: ReadDep, cycle: str, party: str) -> Any:
    found = store.facts_of(session, settlement.statement_subject(cycle, party))
    if not found:
        raise UnknownFact("statement", f"{cycle}.{party}"[:200])
    return found[0]


@router.post("/period-inputs/drafts", summary="账期要素送双方签署台 / puts a period's inputs before both sides to sign")
def draft_period_inputs(value: DocumentDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_fields(value, "request", {"agreement", "revision", "period", "inputs"}, {"weights"})
    drafted = settlement.draft_inputs(
        session,
        market.revision_terms,
        agreement=reading.read(Name, value["agreement"], "agreement"),
        revision=reading.read(Revision, value["revision"], "revision"),
        period=reading.read(Month, value["period"], "period"),
        inputs=reading.read(Inputs, value["inputs"], "inputs"),
        weights=reading.read(Derived, value["weights"], "weights") if "weights" in value else None,
    )
    both = [f"party:{drafted.body[side]}" for side in ("buyer", "invoice_issuer")]
    if caller.holder not in both:
        raise Forbidden("账期要素由付款方或开票方起草。 / A period is stated by the buyer or the invoice issuer.")
    waiting = desk.draft(
        session, title=f"账期要素：{value['period']}", kind=drafted.kind, subject=drafted.subject, body=drafted.body,
        slots=[Slot(by) for by in both], by=caller.holder, at=now,
    )  # fmt: skip
    return {"id": waiting.id, "waits_for": both, "statement": drafted.document()}


def _concerning(caller: Caller, system: System, agreements: list[AgreementTerms]) -> list[AgreementTerms]:
    """Those the caller pays under or is paid under; all for the operator."""
    if caller.holder == f"party:{system.settings.operator}":
        return agreements
    return [
        item for item in agreements if caller.holder in {f"party:{party}" for party in (item.terms.buyer, *_paid(item))}
    ]


def _paid(item: AgreementTerms) -> list[str]:
    return [holder.party for holder in item.terms.plan.holders]


def _own_or_operator(caller: Caller, party: str, operator: str) -> None:
    if caller.holder not in {f"party:{party}", f"party:{operator}"}:
        raise Forbidden("只能查看本方账单。 / A party sees its own statement only.")
