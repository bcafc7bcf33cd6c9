"""The trust file an installation publishes for whoever wants to check it; the reader decides whether to believe it."""

from __future__ import annotations

from collections.abc import Mapping

from api.bootstrap import System
from ledger.trust import FORMAT, ChainTrust, ContractTrust, Identity, LogTrust, Trust, WitnessTrust

TWO = "staff:reviewer|approver@agency"
"""审查人 and 复核人 of the agency, two persons."""
LISTING_REVIEWER = "staff:listing_reviewer@operator|supervisor"
LISTING_APPROVER = "staff:listing_approver@operator|supervisor"
"""Staff of the market's operator, or of a supervisor where the operator itself sells."""
DEMAND_OFFICER = "staff:demand_officer@operator"
"""Staff of the market's operator that handles demands."""
CREDIT_OFFICER = "staff:credit_officer@operator"
"""Staff of the market's operator that answers objections to figures and states who is related to whom."""
ELEMENT_REVIEWER = "staff:element_reviewer@operator|supervisor"
"""Staff of the market's operator, or of a supervisor where the operator itself develops the element."""
ALLOCATORS = "staff:allocation_maker|allocation_checker@non_tax_authority"
"""Two persons of the 执收单位 that a trust file names in this role: its reader decides which one that is."""
PAYERS = "staff:payment_maker|payment_checker@operator"
"""Maker and checker of the operator, two persons."""
CONTRACTS = ("RightsRegistry", "AgreementRegistry", "EvidenceLog", "SettlementBook")

REQUIRED: dict[str, tuple[str, ...]] = {
    "party/v1": ("role:agency",),
    "register-entry/v1": ("role:agency",),
    "register-ending/v1": ("role:agency",),
    "certificate-issued/v1": ("role:agency",),
    "certificate-status/v1": ("role:agency",),
    "deposit-receipt/v1": ("role:deposit-authority",),
    "register-decision/v1": (TWO,),
    "remark/v1": (f"move=E-01|E-02|E-03 {TWO}", "move=E-04 staff:reviewer@agency or role:agency"),
    "remark-consent/v1": (f"any:party or {TWO}",),
    "register-objection/v1": ("any:party or staff:intake@agency",),
    "register-objection-move/v1": (
        "move=O-02|O-08|O-09|O-11 any:party or staff:intake@agency",
        "move=O-03 staff:intake@agency",
        "move=O-04 any:party",
        "move=O-05 any:party or staff:reviewer@agency",
        "move=O-06 role:agency",
        f"move=O-07 {TWO}",
        f"move=O-10 {TWO} or role:agency",
    ),
    "agreement-act/v1": (
        "act=CONCLUDE|ACTIVATE|AMEND|TERMINATE|COMPLETE each:signers",
        "act=RESCIND|EXPIRE one:signers",
        "act=SUSPEND|RESUME|VOID the:authority@authority|supervisor|court|arbitration",
    ),
    "listing-submitted/v1": ("by:party:{seller}",),
    "listing-move/v1": (
        "move=withdraw|object any:party",
        f"move=take_up|ask_correction|pass_form|assess|settle_objection {LISTING_REVIEWER}",
        f"move=publish|approve|reject {LISTING_APPROVER}",
        f"move=suspend|notice|call_off_notice any:party or {LISTING_REVIEWER}",
        f"move=resume|delist any:party or {LISTING_REVIEWER} or {LISTING_APPROVER}",
        f"move=retire role:operator or {LISTING_REVIEWER}",
        f"move=emergency|explain any:party or {LISTING_APPROVER}",
    ),
    "sample-announced/v1": ("by:party:{seller}",),
    "mandate/v1": ("by:party:{principal}", "by:party:{broker}"),
    "mandate-ending/v1": ("any:party",),
    "demand/v1": ("by:party:{demander} or by:party:{broker}",),
    "demand-budget/v1": ("any:party",),
    "demand-move/v1": (
        "move=withdraw|evaluate|claim any:party",
        f"move=check|merge|split|reassign|analyse|report|close_unmet {DEMAND_OFFICER}",
        f"move=link any:party or {DEMAND_OFFICER}",
        f"move=unmerge role:operator or {DEMAND_OFFICER}",
        "move=escalate role:operator",
    ),
    "element-version/v1": ("by:party:{developer}",),
    "element-move/v1": (
        "move=submit|withdraw any:party or any:staff",
        f"move=reject|pass {ELEMENT_REVIEWER}",
        f"move=delist any:party or {ELEMENT_REVIEWER}",
    ),
    "agreement-filing/v1": ("by:party:{filer}",),
    "gratis-request/v1": ("by:party:{applicant}",),
    "gratis-move/v1": (
        "move=approve|second_grant|grant|ask_change|change|end|evaluate|withdraw|revoke any:party",
        f"move=screen|accept {DEMAND_OFFICER}",
        f"move=refuse any:party or {DEMAND_OFFICER}",
        "move=expire role:operator",
    ),
    "match-ranking/v1": ("role:operator",),
    "recommendation-switch/v1": ("role:operator",),
    "party-profile/v1": ("by:party:{id}",),
    "deal-evaluation/v1": ("by:party:{by}",),
    "deal-reply/v1": ("any:party",),
    "negotiation-message/v1": ("side=CONSUMER by:party:{consumer}", "side=PROVIDER by:party:{provider}"),
    "delivery-act/v1": (
        "side=PROVIDER by:party:{provider}",
        "side=CONSUMER by:party:{consumer}",
        "side=DECIDER by:party:{decider}",
    ),
    "outage-act/v1": ("by:party:{by}",),
    "quality-check/v1": ("by:party:{by}",),
    "negotiation-brokered/v1": ("message=INQUIRE|BARGAIN|SELECT|ORDER|QUOTE|WITHDRAW by:party:{broker}",),
    "usage-batch/v1": ("by:connector:{id}",),
    "usage-held/v1": ("role:operator",),
    "usage-finding-explained/v1": (PAYERS,),
    "usage-period-close/v1": ("by:connector:{id}",),
    "usage-heartbeat/v1": ("by:connector:{id}",),
    "dispute-act/v1": ("side=FILER by:party:{filer}", "side=RESPONDENT by:party:{respondent}"),
    "service-scheme/v1": ("by:party:{buyer}", "by:party:{provider}"),
    "service-order/v1": ("by:party:{buyer}", "by:party:{provider}"),
    "order-score/v1": ("by:party:{supervisor}",),
    "order-acceptance/v1": ("by:party:{buyer}", "by:party:{supervisor}"),
    "order-zeroed/v1": ("by:party:{buyer}", "by:party:{supervisor}"),
    "monthly-score/v1": ("by:party:{supervisor}",),
    "waiver/v1": ("by:party:{buyer}",),
    "incident/v1": ("by:party:{supervisor}",),
    "project-acceptance/v1": ("by:party:{buyer}", "by:party:{supervisor}"),
    "project-settlement/v1": ("by:party:{buyer}", "by:party:{provider}"),
    "project-invoice/v1": ("by:party:{provider}",),
    "project-payment/v1": ("by:party:{buyer}", "by:party:{provider}"),
    "allocation-plan/v1": (ALLOCATORS,),
    "non-tax-due/v1": ("by:party:{authority}",),
    "non-tax-withdrawal/v1": ("by:party:{authority}",),
    "non-tax-notice/v1": ("by:party:{authority}",),
    "non-tax-payment/v1": ("source=bank by:party:{payer}", "source=treasury by:party:{treasury}"),
    "fiscal-ticket/v1": ("by:party:{issuer}",),
    "purpose-allocation/v1": (ALLOCATORS,),
    "non-tax-refund/v1": (ALLOCATORS,),
    "non-tax-refund-paid/v1": ("by:party:{treasury}",),
    "credit-figure/v1": ("role:operator",),
    "credit-objection/v1": ("by:party:{party}",),
    "credit-objection-answer/v1": (f"{CREDIT_OFFICER}|supervisor",),
    "party-relation/v1": (f"by:party:{{first}} or by:party:{{second}} or {CREDIT_OFFICER}",),
    "statement/v1": ("role:operator",),
    "period-inputs/v1": ("by:party:{buyer}", "by:party:{invoice_issuer}"),
    "charge/v1": ("role:operator",),
    "shares/v1": ("role:operator",),
    "guarantee-call/v1": ("role:operator",),
    "netting-limits/v1": (PAYERS,),
    "funding-guarantee/v1": ("by:party:{guarantor}", "by:party:{party}"),
    "recourse-repaid/v1": ("by:party:{guarantor}",),
    "netting/v1": ("role:operator",),
    "cover-call/v1": (PAYERS,),
    "notice/v1": ("role:operator",),
    "bank-file/v1": ("role:operator",),
    "cycle-closed/v1": ("role:operator", "role:auditor"),
    "subject-map/v1": ("role:operator",),
    "erasure/v1": ("role:operator",),
}

VOUCHERS = {"party/v1": "role:agency", "staff/v1": "body:organisation", "connector/v1": "body:owner"}


def trust_of(system: System, auditors: Mapping[str, Identity], *, at: int) -> Trust:
    """The trust file of this installation; `auditors` by signer name, as they are registered on the chain."""
    chain, settings = system.chain(), system.settings
    public = system.log_keys.public()
    identities = {
        f"party:{settings.agency}": Identity(system.agency.sm2.public, system.agency.address, ("agency",)),
        f"party:{settings.operator}": Identity(system.operator.sm2.public, system.operator.address, ("operator",)),
        f"party:{settings.deposit_authority.uscc}": Identity(
            settings.deposit_authority.sm2, roles=("deposit-authority",)
        ),
        **auditors,
    }
    contracts = {name: ContractTrust(chain.address(name), chain.code_hash(name)) for name in CONTRACTS}
    return Trust(
        format=FORMAT,
        made_at=at,
        origin=public.origin,
        log=LogTrust(public.origin, public.ed25519, public.sm2),
        witnesses=WitnessTrust(settings.witness_quorum, {w.name: w.public for w in system.witnesses}),
        chain=ChainTrust(chain.chain_id, contracts),
        identities=identities,
        required=REQUIRED,
        vouchers=VOUCHERS,
    )
