"""Settlement, step by step: each function loads, decides with a pure stage, appends facts and projects them.

Nobody commits here. Order: open_cycle → cut_off → state_inputs* → rate → record_invoice* → issue_statements →
confirm_statement* → close_window → net → instruct → import_bank_file* → advance_payments → close; set_limits,
give_guarantee and take_repaid at any time. This is the door: opening, charging, asking, issuing, netted, covering,
paying, closing and auditing hold the steps, office what they are made of.
"""

from __future__ import annotations

from clearing.settlement.asking import (
    Asked,
    asked_of,
    draft_inputs,
    draft_invoice,
    held_now,
    record_invoice,
    state_inputs,
)
from clearing.settlement.auditing import audit
from clearing.settlement.charging import (
    RatedCycle,
    divided,
    guarantee_subject,
    lineage_subject,
    post_charge,
    rate,
    reading_subject,
)
from clearing.settlement.closing import AUDITOR, OPERATOR, close, draft_close
from clearing.settlement.covering import (
    call_cover,
    draft_call,
    draft_guarantee,
    draft_repaid,
    give_guarantee,
    take_repaid,
    to_call,
)
from clearing.settlement.issuing import (
    close_window,
    confirm_statement,
    draft_confirmation,
    issue_statements,
    statement_subject,
)
from clearing.settlement.netted import (
    declare_default,
    draft_limits,
    eligible,
    net,
    netted_in,
    netting_secret,
    set_limits,
)
from clearing.settlement.office import (
    Accepted,
    Office,
    RevisionTerms,
    ServedBefore,
    Terms,
    Uses,
    nothing_accepted,
    nothing_guaranteed,
    state_fact,
)
from clearing.settlement.opening import cut_off, open_cycle
from clearing.settlement.paying import (
    BankImport,
    MoneySums,
    advance_payments,
    draft_instructions,
    draft_reissue,
    import_bank_file,
    instruct,
    money_sums,
    reissue_payments,
)

__all__ = [
    "Uses",
    "Accepted",
    "ServedBefore",
    "RevisionTerms",
    "Terms",
    "nothing_guaranteed",
    "nothing_accepted",
    "Office",
    "state_fact",
    "open_cycle",
    "cut_off",
    "RatedCycle",
    "rate",
    "post_charge",
    "divided",
    "reading_subject",
    "lineage_subject",
    "guarantee_subject",
    "draft_inputs",
    "state_inputs",
    "Asked",
    "asked_of",
    "held_now",
    "draft_invoice",
    "record_invoice",
    "issue_statements",
    "statement_subject",
    "draft_confirmation",
    "confirm_statement",
    "close_window",
    "draft_limits",
    "set_limits",
    "net",
    "eligible",
    "netting_secret",
    "draft_guarantee",
    "draft_repaid",
    "take_repaid",
    "give_guarantee",
    "to_call",
    "draft_call",
    "call_cover",
    "declare_default",
    "netted_in",
    "draft_instructions",
    "instruct",
    "draft_reissue",
    "reissue_payments",
    "BankImport",
    "import_bank_file",
    "advance_payments",
    "MoneySums",
    "money_sums",
    "OPERATOR",
    "AUDITOR",
    "draft_close",
    "close",
    "audit",
]
