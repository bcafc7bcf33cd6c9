"""The first schema: facts, log, views of registry and clearing, API keys. Made by scripts/write_schema.py."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.tables import guards
from registry.search.tables import search_index

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agency_breach",
        sa.Column("subject", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("rule", sa.String(length=3), autoincrement=False, nullable=False),
        sa.Column("due", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("about", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    with op.batch_alter_table("agency_breach", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agency_breach_agency"), ["agency"], unique=False)

    op.create_table(
        "agency_change",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("change", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("agency_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_agency_change_agency"), ["agency"], unique=False)
        batch_op.create_index(batch_op.f("ix_agency_change_state"), ["state"], unique=False)

    op.create_table(
        "agency_exit",
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("handed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("exited_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("leaving", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agency"),
    )
    op.create_table(
        "agency_listing",
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("since", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("document_no", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agency", "no"),
    )
    op.create_table(
        "agency_profile",
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("profile", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agency"),
    )
    op.create_table(
        "annual_report",
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agency", "year", "no"),
    )
    op.create_table(
        "api_key",
        sa.Column("prefix", sa.String(length=12), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=240), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("prefix"),
    )
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_key_holder"), ["holder"], unique=False)

    op.create_table(
        "application",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("data_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("certificate", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_application_certificate"), ["certificate"], unique=False)
        batch_op.create_index(batch_op.f("ix_application_state"), ["state"], unique=False)

    op.create_table(
        "attachment",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("draft", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("media_type", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("uploader", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("uploaded_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachment_draft"), ["draft"], unique=False)
        batch_op.create_index("ix_attachment_named", ["holder", "kind", "name"], unique=False)
        batch_op.create_index(batch_op.f("ix_attachment_sha256"), ["sha256"], unique=False)

    op.create_table(
        "attachment_access",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("attachment", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("reader", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("opened_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("attachment_access", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachment_access_attachment"), ["attachment"], unique=False)

    op.create_table(
        "calendar_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document_no", sa.String(length=200), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("year", "version"),
    )
    op.create_table(
        "card",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("card", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("card", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_card_holder"), ["holder"], unique=False)

    op.create_table(
        "card_certificate",
        sa.Column("card", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("issuer", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("paper_type", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("as_of", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("card", "issuer", "number"),
    )
    op.create_table(
        "card_line",
        sa.Column("card", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("move", sa.String(length=4), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("card", "no"),
    )
    op.create_table(
        "certificate",
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("application", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("agency_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("data_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("public", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("deposited_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_from", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_day", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("entry_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("predecessor", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("predecessor_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ended", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_by", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("renewal_filed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("told", sa.String(length=16), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("code", "version"),
    )
    with op.batch_alter_table("certificate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificate_application"), ["application"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_content"), ["content"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_data_name"), ["data_name"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_deposited_at"), ["deposited_at"], unique=False)
        batch_op.create_index("ix_certificate_ended", ["ended", "valid_until"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_predecessor"), ["predecessor"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_renewal_filed_at"), ["renewal_filed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_told"), ["told"], unique=False)

    op.create_table(
        "certificate_issue",
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("issued_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("check_url", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("pdf_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("pdf_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("json_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("json_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("status_list", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("code", "version"),
        sa.UniqueConstraint("status_list", "status_index", name="uq_certificate_issue_place"),
    )
    with op.batch_alter_table("certificate_issue", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificate_issue_json_sha256"), ["json_sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_certificate_issue_pdf_sha256"), ["pdf_sha256"], unique=False)

    op.create_table(
        "certificate_told",
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("encumbered", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("objection", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("effective_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("code", "no"),
    )
    with op.batch_alter_table("certificate_told", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_certificate_told_effective_at"), ["effective_at"], unique=False)

    op.create_table(
        "chain_pending",
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("contract", sa.String(length=40), nullable=False),
        sa.Column("function", sa.String(length=80), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("tx", sa.String(length=66), nullable=False),
        sa.Column("replacements", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender"),
    )
    op.create_table(
        "chain_receipt",
        sa.Column("contract", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("tx", sa.String(length=66), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.PrimaryKeyConstraint("contract", "key"),
    )
    with op.batch_alter_table("chain_receipt", schema=None) as batch_op:
        batch_op.create_index("ix_chain_receipt_block", ["block"], unique=False)
        batch_op.create_index("ix_chain_receipt_key", ["key"], unique=False)

    op.create_table(
        "claim",
        sa.Column("application", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("right", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("application", "right", "holder"),
    )
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.create_index("ix_claim_triple", ["content", "right", "holder"], unique=False)

    op.create_table(
        "clearing_allocation_line",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("due", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("plan", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("budget_class", sa.String(length=9), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id", "purpose"),
    )
    with op.batch_alter_table("clearing_allocation_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_allocation_line_due"), ["due"], unique=False)

    op.create_table(
        "clearing_allocation_plan",
        sa.Column("plan", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("authority", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("total", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("plan", "version"),
    )
    with op.batch_alter_table("clearing_allocation_plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_allocation_plan_authority"), ["authority"], unique=False)

    op.create_table(
        "clearing_bank_entry",
        sa.Column("bank", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("effect", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("applied", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_to_end", sa.String(length=35), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("bank", "account", "reference"),
    )
    op.create_table(
        "clearing_bank_file",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("bank", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("opening", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("closing", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "clearing_charge",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("reading", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("booked", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("corrects", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("buyer", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("invoice_issuer", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("gross", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("net", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tax", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("invoice", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    with op.batch_alter_table("clearing_charge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_charge_agreement"), ["agreement"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_charge_booked"), ["booked"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_charge_buyer"), ["buyer"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_charge_corrects"), ["corrects"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_charge_reading"), ["reading"], unique=False)

    op.create_table(
        "clearing_credit_figure",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("newest", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("grade", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    with op.batch_alter_table("clearing_credit_figure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_credit_figure_party"), ["party"], unique=False)

    op.create_table(
        "clearing_credit_objection",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("answered_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("answer", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("clearing_credit_objection", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_credit_objection_party"), ["party"], unique=False)

    op.create_table(
        "clearing_cycle",
        sa.Column("cycle", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("operator", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("netting", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("instructions", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("closed", sa.String(length=64), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("cycle"),
    )
    op.create_table(
        "clearing_dispute",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("filer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("respondent", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("clearing_dispute", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_dispute_agreement"), ["agreement"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_dispute_filer"), ["filer"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_dispute_respondent"), ["respondent"], unique=False)

    op.create_table(
        "clearing_fiscal_ticket",
        sa.Column("code", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("due", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("fen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refunded", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("allocation", sa.String(length=64), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("code", "number"),
    )
    with op.batch_alter_table("clearing_fiscal_ticket", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_fiscal_ticket_due"), ["due"], unique=False)

    op.create_table(
        "clearing_guarantee_call",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("claim", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("guarantor", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("booked", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
        sa.UniqueConstraint("claim", "number", name="uq_guarantee_call"),
    )
    with op.batch_alter_table("clearing_guarantee_call", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_guarantee_call_booked"), ["booked"], unique=False)

    op.create_table(
        "clearing_hold",
        sa.Column("dispute", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("charge", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("released", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("dispute"),
        sa.UniqueConstraint("fact_id"),
    )
    op.create_table(
        "clearing_journal_transaction",
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value_date", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("currency", sa.String(length=3), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("no"),
        sa.UniqueConstraint("event", "event_id", name="uq_journal_event"),
    )
    with op.batch_alter_table("clearing_journal_transaction", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_journal_transaction_at"), ["at"], unique=False)

    op.create_table(
        "clearing_meter_reading",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("booked", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("quantity", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("counted", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
        sa.UniqueConstraint("agreement", "revision", "period", "sequence", name="uq_meter_reading"),
    )
    with op.batch_alter_table("clearing_meter_reading", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_meter_reading_booked"), ["booked"], unique=False)

    op.create_table(
        "clearing_net_position",
        sa.Column("netting", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("incoming", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outgoing", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("net", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("netting", "party"),
    )
    op.create_table(
        "clearing_non_tax_due",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("authority", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("payer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("treasury", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("issuer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("item", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=7), autoincrement=False, nullable=False),
        sa.Column("fen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("basis", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("notice", sa.String(length=32), autoincrement=False, nullable=True),
        sa.Column("state", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("paid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticketed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("allocated", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refunded", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("basis"),
        sa.UniqueConstraint("notice"),
    )
    with op.batch_alter_table("clearing_non_tax_due", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_non_tax_due_authority"), ["authority"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_non_tax_due_issuer"), ["issuer"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_non_tax_due_origin"), ["origin"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_non_tax_due_payer"), ["payer"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_non_tax_due_treasury"), ["treasury"], unique=False)

    op.create_table(
        "clearing_non_tax_entry",
        sa.Column("bank", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("due", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("fen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("bank", "reference"),
    )
    with op.batch_alter_table("clearing_non_tax_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_non_tax_entry_due"), ["due"], unique=False)

    op.create_table(
        "clearing_party_relation",
        sa.Column("first", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("second", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("related", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("first", "second"),
    )
    op.create_table(
        "clearing_payment_instruction",
        sa.Column("end_to_end", sa.String(length=35), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("direction", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("booked", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("returned", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("void", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("replaces", sa.String(length=35), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("end_to_end"),
        sa.UniqueConstraint("replaces"),
    )
    with op.batch_alter_table("clearing_payment_instruction", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_payment_instruction_fact_id"), ["fact_id"], unique=False)

    op.create_table(
        "clearing_period_inputs",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
        sa.UniqueConstraint("agreement", "revision", "period", "number", name="uq_period_inputs"),
    )
    op.create_table(
        "clearing_posting",
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("no", "line"),
    )
    with op.batch_alter_table("clearing_posting", schema=None) as batch_op:
        batch_op.create_index("ix_clearing_posting_account", ["kind", "party", "agreement", "period"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_posting_party"), ["party"], unique=False)

    op.create_table(
        "clearing_project_cycle",
        sa.Column("contract", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("cycle", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("first", sa.String(length=7), autoincrement=False, nullable=False),
        sa.Column("last", sa.String(length=7), autoincrement=False, nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("acceptance", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("settlement", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("pay", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("invoice", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("due", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("payment", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("bank", sa.String(length=12), autoincrement=False, nullable=True),
        sa.Column("reference", sa.String(length=64), autoincrement=False, nullable=True),
        sa.Column("paid_on", sa.String(length=10), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("contract", "cycle"),
    )
    op.create_table(
        "clearing_service_contract",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("buyer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("supervisor", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("clearing_service_contract", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_service_contract_buyer"), ["buyer"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_service_contract_provider"), ["provider"], unique=False)
        batch_op.create_index(batch_op.f("ix_clearing_service_contract_supervisor"), ["supervisor"], unique=False)

    op.create_table(
        "clearing_service_incident",
        sa.Column("contract", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("fact", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("settled", sa.String(length=40), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("contract", "fact"),
    )
    op.create_table(
        "clearing_service_month",
        sa.Column("contract", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("month", sa.String(length=7), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("contract", "month"),
    )
    op.create_table(
        "clearing_service_order",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("contract", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("settled", sa.String(length=40), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("clearing_service_order", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_service_order_contract"), ["contract"], unique=False)

    op.create_table(
        "clearing_share",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("booked", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("entitlement", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("carry", sa.String(length=80), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id", "party"),
    )
    with op.batch_alter_table("clearing_share", schema=None) as batch_op:
        batch_op.create_index("ix_clearing_share_party", ["party", "booked"], unique=False)

    op.create_table(
        "clearing_shares",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("charge", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("lineage", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("after", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("booked", sa.String(length=40), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
        sa.UniqueConstraint("charge"),
        sa.UniqueConstraint("lineage", "number", name="uq_shares_lineage"),
    )
    with op.batch_alter_table("clearing_shares", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clearing_shares_booked"), ["booked"], unique=False)

    op.create_table(
        "clearing_statement",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("cycle", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("opening", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("closing", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("notice", sa.String(length=64), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("fact_id"),
        sa.UniqueConstraint("cycle", "party", name="uq_statement_party"),
    )
    op.create_table(
        "code_counter",
        sa.Column("region", sa.String(length=2), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=1), autoincrement=False, nullable=False),
        sa.Column("month", sa.String(length=6), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("region", "agency", "month"),
    )
    op.create_table(
        "complaint",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("addressee", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("category", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_complaint_agency"), ["agency"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_state"), ["state"], unique=False)

    op.create_table(
        "connector",
        sa.Column("id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("sm2", sa.String(length=130), autoincrement=False, nullable=False),
        sa.Column("software", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("from_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", "no"),
    )
    with op.batch_alter_table("connector", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_connector_owner"), ["owner"], unique=False)

    op.create_table(
        "custody",
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("custodian", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    with op.batch_alter_table("custody", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_custody_agency"), ["agency"], unique=False)

    op.create_table(
        "dataspace_call",
        sa.Column("negotiation", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("address", sa.String(length=500), autoincrement=False, nullable=False),
        sa.Column("done", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tries", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("due", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("answer", sa.String(length=200), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("negotiation", "side"),
    )
    op.create_table(
        "deletion_approval",
        sa.Column("fact", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ground", sa.String(length=500), autoincrement=False, nullable=False),
        sa.Column("basis", sa.String(length=500), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact"),
    )
    op.create_table(
        "demand_line",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("demand", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("summary", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("grams", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("place"),
    )
    with op.batch_alter_table("demand_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_demand_line_demand"), ["demand"], unique=False)

    op.create_table(
        "deposit",
        sa.Column("record", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("application", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("deposited_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("record"),
    )
    with op.batch_alter_table("deposit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deposit_application"), ["application"], unique=False)

    op.create_table(
        "deposit_refusal",
        sa.Column("record", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("application", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("refused_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("record"),
    )
    with op.batch_alter_table("deposit_refusal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_deposit_refusal_application"), ["application"], unique=False)

    op.create_table(
        "disclosure",
        sa.Column("agency", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("topic", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("effective_from", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("file_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agency", "topic", "version"),
    )
    with op.batch_alter_table("disclosure", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_disclosure_sha256"), ["sha256"], unique=False)

    op.create_table(
        "draft",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("draft", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_draft_holder"), ["holder"], unique=False)

    op.create_table(
        "fact",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sm3", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=240), nullable=False),
        sa.Column("no", sa.BigInteger(), nullable=False),
        sa.Column("statement_sha256", sa.String(length=64), nullable=False),
        sa.Column("statement_sm3", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("subject", "no", name="uq_fact_subject_no"),
    )
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fact_kind"), ["kind"], unique=False)

    op.create_table(
        "fingerprint",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("rows", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("columns", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("groups", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("fingerprint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fingerprint_content"), ["content"], unique=False)
        batch_op.create_index(batch_op.f("ix_fingerprint_holder"), ["holder"], unique=False)

    op.create_table(
        "fingerprint_name",
        sa.Column("name", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=32), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name", "fingerprint"),
    )
    op.create_table(
        "foreign_certificate",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("issuer", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("issuer_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("paper_type", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("version", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("holder_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("holder_id", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("data_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("valid_until", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("method", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("as_of", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("evidence", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("evidence_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("imported_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("check_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("foreign_certificate", schema=None) as batch_op:
        batch_op.create_index("ix_foreign_certificate_number", ["number", "paper_type"], unique=False)

    op.create_table(
        "foreign_link",
        sa.Column("application", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("foreign", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("application", "foreign"),
    )
    op.create_table(
        "head",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sm3", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("witnesses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "head_lost",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "holding",
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("right", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("holder_name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("holder_kind", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("term_from", sa.String(length=10), autoincrement=False, nullable=True),
        sa.Column("term_to", sa.String(length=10), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("code", "version", "right", "holder"),
    )
    with op.batch_alter_table("holding", schema=None) as batch_op:
        batch_op.create_index("ix_holding_triple", ["content", "right", "holder"], unique=False)

    op.create_table(
        "incident",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=140), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("repaired_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_repaired_at"), ["repaired_at"], unique=False)

    op.create_table(
        "inspection",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("matter", sa.String(length=60), autoincrement=False, nullable=False),
        sa.Column("reader_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("basis", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("papers", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("clerk", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("decided_by", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("inspection", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inspection_asked_at"), ["asked_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_inspection_matter"), ["matter"], unique=False)
        batch_op.create_index(batch_op.f("ix_inspection_reader_id"), ["reader_id"], unique=False)

    op.create_table(
        "inspection_log",
        sa.Column("inspection", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("matter", sa.String(length=60), autoincrement=False, nullable=False),
        sa.Column("reader", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("reader_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("basis", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("paper", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("mark", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("decided_by", sa.String(length=80), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("inspection", "no"),
    )
    with op.batch_alter_table("inspection_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inspection_log_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_inspection_log_matter"), ["matter"], unique=False)

    op.create_table(
        "intake_import",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("total", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("done", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("written", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("same", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrong", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("red", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("made_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("intake_import", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_intake_import_holder"), ["holder"], unique=False)

    op.create_table(
        "leader",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("worker", sa.String(length=120), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "map_leaf",
        sa.Column("key", sa.LargeBinary(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.LargeBinary(length=64), nullable=False),
        sa.PrimaryKeyConstraint("key", "size"),
    )
    op.create_table(
        "map_node",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position", "size"),
    )
    op.create_table(
        "market_agreement",
        sa.Column("id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("consumer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("seller", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("listing", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("certificate", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("effective", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expiry", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_act_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_agreement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_agreement_consumer"), ["consumer"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_agreement_listing"), ["listing"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_agreement_seller"), ["seller"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_agreement_state"), ["state"], unique=False)

    op.create_table(
        "market_agreement_act",
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("act", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agreement", "no"),
    )
    with op.batch_alter_table("market_agreement_act", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_agreement_act_at"), ["at"], unique=False)

    op.create_table(
        "market_agreement_signer",
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("address", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contract", sa.String(length=42), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agreement", "position"),
    )
    with op.batch_alter_table("market_agreement_signer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_agreement_signer_party"), ["party"], unique=False)

    op.create_table(
        "market_agreement_terms",
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("negotiation", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agreement", "revision"),
    )
    with op.batch_alter_table("market_agreement_terms", schema=None) as batch_op:
        batch_op.create_index("ix_market_agreement_terms_negotiation", ["negotiation"], unique=True)

    op.create_table(
        "market_delivery",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("consumer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=7), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("open", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_delivery", schema=None) as batch_op:
        batch_op.create_index("ix_market_delivery_agreement", ["agreement", "period"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_delivery_consumer"), ["consumer"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_delivery_open"), ["open"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_delivery_provider"), ["provider"], unique=False)

    op.create_table(
        "market_delivery_act",
        sa.Column("delivery", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("act", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("delivery", "no"),
    )
    op.create_table(
        "market_demand",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("escalates", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("demander", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("visibility", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("merged_into", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_demand", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_demand_demander"), ["demander"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_demand_merged_into"), ["merged_into"], unique=False)
        batch_op.create_index("ix_market_demand_state", ["state", "escalates"], unique=False)

    op.create_table(
        "market_demand_budget",
        sa.Column("demand", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("low_fen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("high_fen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("demand"),
    )
    op.create_table(
        "market_evaluation",
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("by", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("score", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reply", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("replied_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agreement", "by"),
    )
    with op.batch_alter_table("market_evaluation", schema=None) as batch_op:
        batch_op.create_index("ix_market_evaluation_party", ["party", "at"], unique=False)

    op.create_table(
        "market_filing",
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("filer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(length=100), autoincrement=False, nullable=False),
        sa.Column("first", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("agreement", "revision"),
    )
    with op.batch_alter_table("market_filing", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_filing_filer"), ["filer"], unique=False)

    op.create_table(
        "market_gratis",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("applicant", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("listing", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_gratis", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_gratis_applicant"), ["applicant"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_gratis_provider"), ["provider"], unique=False)
        batch_op.create_index("ix_market_gratis_state", ["state", "until"], unique=False)

    op.create_table(
        "market_line",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("listing", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("summary", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("grams", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("place"),
    )
    with op.batch_alter_table("market_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_line_listing"), ["listing"], unique=False)

    op.create_table(
        "market_listing",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("seller", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("certificate", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_listing", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_listing_certificate"), ["certificate"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_listing_product"), ["product"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_listing_seller"), ["seller"], unique=False)
        batch_op.create_index("ix_market_listing_state", ["state", "until"], unique=False)

    op.create_table(
        "market_listing_version",
        sa.Column("listing", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("listing", "no"),
    )
    op.create_table(
        "market_mandate",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("principal", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("broker", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=1000), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_mandate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_mandate_broker"), ["broker"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_mandate_principal"), ["principal"], unique=False)

    op.create_table(
        "market_negotiation",
        sa.Column("id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("consumer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("listing", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("pid", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("consent", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("rounds", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("proposal", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("valid_until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("quote", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreed", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("act_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("act_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("consumer_mandate", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("provider_mandate", sa.String(length=32), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_negotiation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_negotiation_agreement"), ["agreement"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_negotiation_consumer"), ["consumer"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_negotiation_consumer_mandate"), ["consumer_mandate"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_negotiation_provider"), ["provider"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_negotiation_provider_mandate"), ["provider_mandate"], unique=False)
        batch_op.create_index(batch_op.f("ix_market_negotiation_state"), ["state"], unique=False)

    op.create_table(
        "market_negotiation_message",
        sa.Column("negotiation", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("message", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("negotiation", "no"),
    )
    op.create_table(
        "market_negotiation_refusal",
        sa.Column("negotiation", sa.String(length=64), nullable=False),
        sa.Column("given_sha256", sa.String(length=64), nullable=False),
        sa.Column("given_sm3", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=240), nullable=False),
        sa.Column("error", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("negotiation", "given_sha256"),
    )
    op.create_table(
        "market_nonce",
        sa.Column("address", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("nonce", sa.String(length=78), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("address", "nonce"),
    )
    op.create_table(
        "market_profile",
        sa.Column("party", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("party"),
    )
    op.create_table(
        "market_ranking",
        sa.Column("demand", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rules", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("scored", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("demand", "no"),
    )
    op.create_table(
        "market_sample",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("seller", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_sample", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_market_sample_content"), ["content"], unique=False)

    op.create_table(
        "market_search",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("party", sa.String(length=18), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.String(length=80), nullable=False),
        sa.Column("industry", sa.String(length=3), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("market_search", schema=None) as batch_op:
        batch_op.create_index("ix_market_search_party", ["party", "at"], unique=False)

    op.create_table(
        "market_search_total",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("industry", sa.String(length=3), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", "industry", "type"),
    )
    op.create_table(
        "market_unpersonalised",
        sa.Column("party", sa.String(length=18), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("party"),
    )
    op.create_table(
        "national_package",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("items", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("manifest", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("receipt", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("national_package", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_national_package_manifest"), ["manifest"], unique=False)

    op.create_table(
        "national_result",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("package", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    op.create_table(
        "objection",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("application", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("objection", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_objection_application"), ["application"], unique=False)

    op.create_table(
        "objection_request",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("application", sa.String(length=32), nullable=False),
        sa.Column("objector", sa.String(length=200), nullable=False),
        sa.Column("contact", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("papers", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("certificate", sa.String(length=15), nullable=False),
        sa.Column("ground", sa.String(length=20), nullable=False),
        sa.Column("rights", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("objection_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_objection_request_application"), ["application"], unique=False)
        batch_op.create_index(batch_op.f("ix_objection_request_certificate"), ["certificate"], unique=False)

    op.create_table(
        "party",
        sa.Column("id", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("sm2", sa.String(length=130), autoincrement=False, nullable=False),
        sa.Column("evm", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("roles", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("from_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", "no"),
    )
    with op.batch_alter_table("party", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_party_evm"), ["evm"], unique=False)

    op.create_table(
        "person",
        sa.Column("document", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("party", sa.String(length=18), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("document"),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_party"), ["party"], unique=False)

    op.create_table(
        "pricing_case",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", sa.String(length=18), nullable=False),
        sa.Column("element", sa.String(length=200), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("domain", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("made_by", sa.String(length=240), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("typed", sa.Text(), nullable=False),
        sa.Column("counted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("pricing_case", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pricing_case_organisation"), ["organisation"], unique=False)

    op.create_table(
        "pricing_element_source",
        sa.Column("element", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("resource", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("certificate", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("developer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("element", "version", "position"),
    )
    with op.batch_alter_table("pricing_element_source", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pricing_element_source_certificate"), ["certificate"], unique=False)

    op.create_table(
        "pricing_element_version",
        sa.Column("element", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=100), autoincrement=False, nullable=False),
        sa.Column("domain", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("form", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("developer", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("element", "version"),
    )
    with op.batch_alter_table("pricing_element_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pricing_element_version_developer"), ["developer"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_element_version_domain"), ["domain"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_element_version_state"), ["state"], unique=False)

    op.create_table(
        "pricing_quote",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("issuer", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("element", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("scene", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("billing_unit", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("billing_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("as_of", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("policy", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("policy_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("report_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("report_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("evidence_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("evidence_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("guide_fen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("agreed_guide_fen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bidding_guide_fen", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("capped", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("cold_start", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("supersedes", sa.String(length=64), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("pricing_quote", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pricing_quote_element"), ["element"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_quote_issuer"), ["issuer"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_quote_report_sha256"), ["report_sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_pricing_quote_supersedes"), ["supersedes"], unique=False)

    op.create_table(
        "proof_renewal",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("algorithm", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("content", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("size", "no"),
    )
    op.create_table(
        "publicity_release",
        sa.Column("request", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("application", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("number", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("released_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("request"),
    )
    with op.batch_alter_table("publicity_release", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publicity_release_application"), ["application"], unique=False)

    op.create_table(
        "register_line",
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("grams", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("place"),
    )
    with op.batch_alter_table("register_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_register_line_code"), ["code"], unique=False)

    op.create_table(
        "register_objection",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("certificate", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("open", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("filed_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("register_objection", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_register_objection_certificate"), ["certificate"], unique=False)
        batch_op.create_index(batch_op.f("ix_register_objection_state"), ["state"], unique=False)

    op.create_table(
        "registration",
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("scheme", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("last_day", sa.String(length=10), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "registration_count",
        sa.Column("dimension", sa.String(length=20), autoincrement=False, nullable=False),
        sa.Column("scheme", sa.String(length=40), autoincrement=False, nullable=False),
        sa.Column("value", sa.String(length=60), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("dimension", "scheme", "value"),
    )
    op.create_table(
        "remark",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), autoincrement=False, nullable=False),
        sa.Column("encumbers", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("standing", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("to_day", sa.String(length=10), autoincrement=False, nullable=True),
        sa.Column("noted", sa.String(length=10), autoincrement=False, nullable=True),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("remark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_remark_to_day"), ["to_day"], unique=False)

    op.create_table(
        "remark_place",
        sa.Column("remark", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("target", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("rank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rights", sa.String(length=40), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("remark", "target"),
    )
    with op.batch_alter_table("remark_place", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_remark_place_target"), ["target"], unique=False)

    op.create_table(
        "rule_set",
        sa.Column("scheme", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=4), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sm3", sa.String(length=64), nullable=False),
        sa.Column("from_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("scheme", "version"),
    )
    op.create_table(
        "service_check",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("listing", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=7), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("service_check", schema=None) as batch_op:
        batch_op.create_index("ix_service_check_listing", ["listing", "period"], unique=False)

    op.create_table(
        "service_outage",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("listing", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("case", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("service_outage", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_service_outage_listing"), ["listing"], unique=False)

    op.create_table(
        "staff",
        sa.Column("id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("sm2", sa.String(length=130), autoincrement=False, nullable=False),
        sa.Column("roles", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("active", sa.Boolean(), autoincrement=False, nullable=False),
        sa.Column("from_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", "no"),
    )
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_organisation"), ["organisation"], unique=False)

    op.create_table(
        "subject_secret",
        sa.Column("subject", sa.String(length=240), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("sm3", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position"),
    )
    op.create_table(
        "usage_answer",
        sa.Column("fact_id", sa.String(length=64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    op.create_table(
        "usage_batch",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("connector", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("statement_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("root_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("root_sm3", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("first_prev", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("last_hash", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    with op.batch_alter_table("usage_batch", schema=None) as batch_op:
        batch_op.create_index("ix_usage_batch_no", ["connector", "no"], unique=True)
        batch_op.create_index("ix_usage_batch_range", ["connector", "first_seq"], unique=True)

    op.create_table(
        "usage_close",
        sa.Column("connector", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("period", sa.String(length=7), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("connector", "agreement", "side", "period"),
    )
    with op.batch_alter_table("usage_close", schema=None) as batch_op:
        batch_op.create_index("ix_usage_close_agreement", ["agreement"], unique=False)

    op.create_table(
        "usage_explanation",
        sa.Column("connector", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("connector", "no"),
    )
    op.create_table(
        "usage_finding",
        sa.Column("connector", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("connector", "kind", "first_seq"),
    )
    op.create_table(
        "usage_heartbeat",
        sa.Column("connector", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("day", sa.String(length=10), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("connector", "agreement", "side", "day"),
    )
    with op.batch_alter_table("usage_heartbeat", schema=None) as batch_op:
        batch_op.create_index("ix_usage_heartbeat_agreement", ["agreement", "day"], unique=False)

    op.create_table(
        "usage_held",
        sa.Column("connector", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("prev_sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.String(length=64), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("connector", "seq"),
    )
    with op.batch_alter_table("usage_held", schema=None) as batch_op:
        batch_op.create_index(
            "ix_usage_held_unsigned",
            ["connector", "seq"],
            unique=False,
            sqlite_where=sa.text("batch IS NULL"),
            postgresql_where=sa.text("batch IS NULL"),
        )

    op.create_table(
        "usage_record",
        sa.Column("connector", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("side", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("request_id", sa.String(length=128), autoincrement=False, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("unit", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("quantity", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decision", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=8), autoincrement=False, nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("use_class", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("connector", "seq"),
    )
    with op.batch_alter_table("usage_record", schema=None) as batch_op:
        batch_op.create_index("ix_usage_record_agreement", ["agreement", "occurred_at"], unique=False)

    op.create_table(
        "usage_refusal",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("given_sha256", sa.String(length=64), nullable=False),
        sa.Column("given_sm3", sa.String(length=64), nullable=False),
        sa.Column("stored_sha256", sa.String(length=64), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "given_sha256"),
    )
    op.create_table(
        "use_authorisation",
        sa.Column("fact_id", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=15), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("grantee", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("from_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    with op.batch_alter_table("use_authorisation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_use_authorisation_code"), ["code"], unique=False)

    op.create_table(
        "waiting_signature",
        sa.Column("statement", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("signer", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("organisation", sa.String(length=18), autoincrement=False, nullable=False),
        sa.Column("address", sa.String(length=42), autoincrement=False, nullable=False),
        sa.Column("signature", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("typed", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("statement", "place"),
    )
    with op.batch_alter_table("waiting_signature", schema=None) as batch_op:
        batch_op.create_index("ix_waiting_signature_signer", ["signer"], unique=False)

    op.create_table(
        "waiting_statement",
        sa.Column("id", sa.String(length=32), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=200), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=64), autoincrement=False, nullable=False),
        sa.Column("subject", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("statement", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("parts", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("drafted_by", sa.String(length=240), autoincrement=False, nullable=False),
        sa.Column("drafted_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("back", sa.String(length=400), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(length=12), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("waiting_statement", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_waiting_statement_drafted_by"), ["drafted_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_waiting_statement_outcome"), ["outcome"], unique=False)
        batch_op.create_index(batch_op.f("ix_waiting_statement_subject"), ["subject"], unique=False)

    op.create_table(
        "web_session",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=240), nullable=False),
        sa.Column("sm2", sa.String(length=130), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
        sa.UniqueConstraint("nonce"),
    )
    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_web_session_holder"), ["holder"], unique=False)

    op.create_table(
        "entry",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fact_id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["fact_id"],
            ["fact.id"],
        ),
        sa.PrimaryKeyConstraint("log_index"),
        sa.UniqueConstraint("fact_id"),
    )
    op.create_table(
        "outbox",
        sa.Column("fact_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fact_id"],
            ["fact.id"],
        ),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_seq"), ["seq"], unique=False)

    op.create_table(
        "part",
        sa.Column("fact_id", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["fact_id"],
            ["fact.id"],
        ),
        sa.PrimaryKeyConstraint("fact_id"),
    )
    dialect = op.get_bind().dialect.name
    searched = [statement for area in ("register", "market", "demand") for statement in search_index(area, dialect)]
    for statement in (*guards(dialect), *searched):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("part")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_seq"))

    op.drop_table("outbox")
    op.drop_table("entry")
    with op.batch_alter_table("web_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_web_session_holder"))

    op.drop_table("web_session")
    with op.batch_alter_table("waiting_statement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_waiting_statement_subject"))
        batch_op.drop_index(batch_op.f("ix_waiting_statement_outcome"))
        batch_op.drop_index(batch_op.f("ix_waiting_statement_drafted_by"))

    op.drop_table("waiting_statement")
    with op.batch_alter_table("waiting_signature", schema=None) as batch_op:
        batch_op.drop_index("ix_waiting_signature_signer")

    op.drop_table("waiting_signature")
    with op.batch_alter_table("use_authorisation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_use_authorisation_code"))

    op.drop_table("use_authorisation")
    op.drop_table("usage_refusal")
    with op.batch_alter_table("usage_record", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_record_agreement")

    op.drop_table("usage_record")
    with op.batch_alter_table("usage_held", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_usage_held_unsigned", sqlite_where=sa.text("batch IS NULL"), postgresql_where=sa.text("batch IS NULL")
        )

    op.drop_table("usage_held")
    with op.batch_alter_table("usage_heartbeat", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_heartbeat_agreement")

    op.drop_table("usage_heartbeat")
    op.drop_table("usage_finding")
    op.drop_table("usage_explanation")
    with op.batch_alter_table("usage_close", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_close_agreement")

    op.drop_table("usage_close")
    with op.batch_alter_table("usage_batch", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_batch_range")
        batch_op.drop_index("ix_usage_batch_no")

    op.drop_table("usage_batch")
    op.drop_table("usage_answer")
    op.drop_table("tile")
    op.drop_table("subject_secret")
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_organisation"))

    op.drop_table("staff")
    with op.batch_alter_table("service_outage", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_service_outage_listing"))

    op.drop_table("service_outage")
    with op.batch_alter_table("service_check", schema=None) as batch_op:
        batch_op.drop_index("ix_service_check_listing")

    op.drop_table("service_check")
    op.drop_table("rule_set")
    with op.batch_alter_table("remark_place", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_remark_place_target"))

    op.drop_table("remark_place")
    with op.batch_alter_table("remark", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_remark_to_day"))

    op.drop_table("remark")
    op.drop_table("registration_count")
    op.drop_table("registration")
    with op.batch_alter_table("register_objection", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_register_objection_state"))
        batch_op.drop_index(batch_op.f("ix_register_objection_certificate"))

    op.drop_table("register_objection")
    with op.batch_alter_table("register_line", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_register_line_code"))

    op.drop_table("register_line")
    with op.batch_alter_table("publicity_release", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_publicity_release_application"))

    op.drop_table("publicity_release")
    op.drop_table("proof_renewal")
    with op.batch_alter_table("pricing_quote", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pricing_quote_supersedes"))
        batch_op.drop_index(batch_op.f("ix_pricing_quote_report_sha256"))
        batch_op.drop_index(batch_op.f("ix_pricing_quote_issuer"))
        batch_op.drop_index(batch_op.f("ix_pricing_quote_element"))

    op.drop_table("pricing_quote")
    with op.batch_alter_table("pricing_element_version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pricing_element_version_state"))
        batch_op.drop_index(batch_op.f("ix_pricing_element_version_domain"))
        batch_op.drop_index(batch_op.f("ix_pricing_element_version_developer"))

    op.drop_table("pricing_element_version")
    with op.batch_alter_table("pricing_element_source", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pricing_element_source_certificate"))

    op.drop_table("pricing_element_source")
    with op.batch_alter_table("pricing_case", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pricing_case_organisation"))

    op.drop_table("pricing_case")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_party"))

    op.drop_table("person")
    with op.batch_alter_table("party", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_party_evm"))

    op.drop_table("party")
    with op.batch_alter_table("objection_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_objection_request_certificate"))
        batch_op.drop_index(batch_op.f("ix_objection_request_application"))

    op.drop_table("objection_request")
    with op.batch_alter_table("objection", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_objection_application"))

    op.drop_table("objection")
    op.drop_table("national_result")
    with op.batch_alter_table("national_package", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_national_package_manifest"))

    op.drop_table("national_package")
    op.drop_table("market_unpersonalised")
    op.drop_table("market_search_total")
    with op.batch_alter_table("market_search", schema=None) as batch_op:
        batch_op.drop_index("ix_market_search_party")

    op.drop_table("market_search")
    with op.batch_alter_table("market_sample", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_sample_content"))

    op.drop_table("market_sample")
    op.drop_table("market_ranking")
    op.drop_table("market_profile")
    op.drop_table("market_nonce")
    op.drop_table("market_negotiation_refusal")
    op.drop_table("market_negotiation_message")
    with op.batch_alter_table("market_negotiation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_negotiation_state"))
        batch_op.drop_index(batch_op.f("ix_market_negotiation_provider_mandate"))
        batch_op.drop_index(batch_op.f("ix_market_negotiation_provider"))
        batch_op.drop_index(batch_op.f("ix_market_negotiation_consumer_mandate"))
        batch_op.drop_index(batch_op.f("ix_market_negotiation_consumer"))
        batch_op.drop_index(batch_op.f("ix_market_negotiation_agreement"))

    op.drop_table("market_negotiation")
    with op.batch_alter_table("market_mandate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_mandate_principal"))
        batch_op.drop_index(batch_op.f("ix_market_mandate_broker"))

    op.drop_table("market_mandate")
    op.drop_table("market_listing_version")
    with op.batch_alter_table("market_listing", schema=None) as batch_op:
        batch_op.drop_index("ix_market_listing_state")
        batch_op.drop_index(batch_op.f("ix_market_listing_seller"))
        batch_op.drop_index(batch_op.f("ix_market_listing_product"))
        batch_op.drop_index(batch_op.f("ix_market_listing_certificate"))

    op.drop_table("market_listing")
    with op.batch_alter_table("market_line", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_line_listing"))

    op.drop_table("market_line")
    with op.batch_alter_table("market_gratis", schema=None) as batch_op:
        batch_op.drop_index("ix_market_gratis_state")
        batch_op.drop_index(batch_op.f("ix_market_gratis_provider"))
        batch_op.drop_index(batch_op.f("ix_market_gratis_applicant"))

    op.drop_table("market_gratis")
    with op.batch_alter_table("market_filing", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_filing_filer"))

    op.drop_table("market_filing")
    with op.batch_alter_table("market_evaluation", schema=None) as batch_op:
        batch_op.drop_index("ix_market_evaluation_party")

    op.drop_table("market_evaluation")
    op.drop_table("market_demand_budget")
    with op.batch_alter_table("market_demand", schema=None) as batch_op:
        batch_op.drop_index("ix_market_demand_state")
        batch_op.drop_index(batch_op.f("ix_market_demand_merged_into"))
        batch_op.drop_index(batch_op.f("ix_market_demand_demander"))

    op.drop_table("market_demand")
    op.drop_table("market_delivery_act")
    with op.batch_alter_table("market_delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_delivery_provider"))
        batch_op.drop_index(batch_op.f("ix_market_delivery_open"))
        batch_op.drop_index(batch_op.f("ix_market_delivery_consumer"))
        batch_op.drop_index("ix_market_delivery_agreement")

    op.drop_table("market_delivery")
    with op.batch_alter_table("market_agreement_terms", schema=None) as batch_op:
        batch_op.drop_index("ix_market_agreement_terms_negotiation")

    op.drop_table("market_agreement_terms")
    with op.batch_alter_table("market_agreement_signer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_agreement_signer_party"))

    op.drop_table("market_agreement_signer")
    with op.batch_alter_table("market_agreement_act", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_agreement_act_at"))

    op.drop_table("market_agreement_act")
    with op.batch_alter_table("market_agreement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_market_agreement_state"))
        batch_op.drop_index(batch_op.f("ix_market_agreement_seller"))
        batch_op.drop_index(batch_op.f("ix_market_agreement_listing"))
        batch_op.drop_index(batch_op.f("ix_market_agreement_consumer"))

    op.drop_table("market_agreement")
    op.drop_table("map_node")
    op.drop_table("map_leaf")
    op.drop_table("leader")
    with op.batch_alter_table("intake_import", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_intake_import_holder"))

    op.drop_table("intake_import")
    with op.batch_alter_table("inspection_log", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inspection_log_matter"))
        batch_op.drop_index(batch_op.f("ix_inspection_log_at"))

    op.drop_table("inspection_log")
    with op.batch_alter_table("inspection", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inspection_reader_id"))
        batch_op.drop_index(batch_op.f("ix_inspection_matter"))
        batch_op.drop_index(batch_op.f("ix_inspection_asked_at"))

    op.drop_table("inspection")
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_repaired_at"))

    op.drop_table("incident")
    with op.batch_alter_table("holding", schema=None) as batch_op:
        batch_op.drop_index("ix_holding_triple")

    op.drop_table("holding")
    op.drop_table("head_lost")
    op.drop_table("head")
    op.drop_table("foreign_link")
    with op.batch_alter_table("foreign_certificate", schema=None) as batch_op:
        batch_op.drop_index("ix_foreign_certificate_number")

    op.drop_table("foreign_certificate")
    op.drop_table("fingerprint_name")
    with op.batch_alter_table("fingerprint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fingerprint_holder"))
        batch_op.drop_index(batch_op.f("ix_fingerprint_content"))

    op.drop_table("fingerprint")
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fact_kind"))

    op.drop_table("fact")
    with op.batch_alter_table("draft", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_draft_holder"))

    op.drop_table("draft")
    with op.batch_alter_table("disclosure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_disclosure_sha256"))

    op.drop_table("disclosure")
    with op.batch_alter_table("deposit_refusal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_deposit_refusal_application"))

    op.drop_table("deposit_refusal")
    with op.batch_alter_table("deposit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_deposit_application"))

    op.drop_table("deposit")
    with op.batch_alter_table("demand_line", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_demand_line_demand"))

    op.drop_table("demand_line")
    op.drop_table("deletion_approval")
    op.drop_table("dataspace_call")
    with op.batch_alter_table("custody", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_custody_agency"))

    op.drop_table("custody")
    with op.batch_alter_table("connector", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_connector_owner"))

    op.drop_table("connector")
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_complaint_state"))
        batch_op.drop_index(batch_op.f("ix_complaint_agency"))

    op.drop_table("complaint")
    op.drop_table("code_counter")
    op.drop_table("clearing_statement")
    with op.batch_alter_table("clearing_shares", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_shares_booked"))

    op.drop_table("clearing_shares")
    with op.batch_alter_table("clearing_share", schema=None) as batch_op:
        batch_op.drop_index("ix_clearing_share_party")

    op.drop_table("clearing_share")
    with op.batch_alter_table("clearing_service_order", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_service_order_contract"))

    op.drop_table("clearing_service_order")
    op.drop_table("clearing_service_month")
    op.drop_table("clearing_service_incident")
    with op.batch_alter_table("clearing_service_contract", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_service_contract_supervisor"))
        batch_op.drop_index(batch_op.f("ix_clearing_service_contract_provider"))
        batch_op.drop_index(batch_op.f("ix_clearing_service_contract_buyer"))

    op.drop_table("clearing_service_contract")
    op.drop_table("clearing_project_cycle")
    with op.batch_alter_table("clearing_posting", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_posting_party"))
        batch_op.drop_index("ix_clearing_posting_account")

    op.drop_table("clearing_posting")
    op.drop_table("clearing_period_inputs")
    with op.batch_alter_table("clearing_payment_instruction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_payment_instruction_fact_id"))

    op.drop_table("clearing_payment_instruction")
    op.drop_table("clearing_party_relation")
    with op.batch_alter_table("clearing_non_tax_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_non_tax_entry_due"))

    op.drop_table("clearing_non_tax_entry")
    with op.batch_alter_table("clearing_non_tax_due", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_non_tax_due_treasury"))
        batch_op.drop_index(batch_op.f("ix_clearing_non_tax_due_payer"))
        batch_op.drop_index(batch_op.f("ix_clearing_non_tax_due_origin"))
        batch_op.drop_index(batch_op.f("ix_clearing_non_tax_due_issuer"))
        batch_op.drop_index(batch_op.f("ix_clearing_non_tax_due_authority"))

    op.drop_table("clearing_non_tax_due")
    op.drop_table("clearing_net_position")
    with op.batch_alter_table("clearing_meter_reading", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_meter_reading_booked"))

    op.drop_table("clearing_meter_reading")
    with op.batch_alter_table("clearing_journal_transaction", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_journal_transaction_at"))

    op.drop_table("clearing_journal_transaction")
    op.drop_table("clearing_hold")
    with op.batch_alter_table("clearing_guarantee_call", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_guarantee_call_booked"))

    op.drop_table("clearing_guarantee_call")
    with op.batch_alter_table("clearing_fiscal_ticket", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_fiscal_ticket_due"))

    op.drop_table("clearing_fiscal_ticket")
    with op.batch_alter_table("clearing_dispute", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_dispute_respondent"))
        batch_op.drop_index(batch_op.f("ix_clearing_dispute_filer"))
        batch_op.drop_index(batch_op.f("ix_clearing_dispute_agreement"))

    op.drop_table("clearing_dispute")
    op.drop_table("clearing_cycle")
    with op.batch_alter_table("clearing_credit_objection", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_credit_objection_party"))

    op.drop_table("clearing_credit_objection")
    with op.batch_alter_table("clearing_credit_figure", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_credit_figure_party"))

    op.drop_table("clearing_credit_figure")
    with op.batch_alter_table("clearing_charge", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_charge_reading"))
        batch_op.drop_index(batch_op.f("ix_clearing_charge_corrects"))
        batch_op.drop_index(batch_op.f("ix_clearing_charge_buyer"))
        batch_op.drop_index(batch_op.f("ix_clearing_charge_booked"))
        batch_op.drop_index(batch_op.f("ix_clearing_charge_agreement"))

    op.drop_table("clearing_charge")
    op.drop_table("clearing_bank_file")
    op.drop_table("clearing_bank_entry")
    with op.batch_alter_table("clearing_allocation_plan", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_allocation_plan_authority"))

    op.drop_table("clearing_allocation_plan")
    with op.batch_alter_table("clearing_allocation_line", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clearing_allocation_line_due"))

    op.drop_table("clearing_allocation_line")
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.drop_index("ix_claim_triple")

    op.drop_table("claim")
    with op.batch_alter_table("chain_receipt", schema=None) as batch_op:
        batch_op.drop_index("ix_chain_receipt_key")
        batch_op.drop_index("ix_chain_receipt_block")

    op.drop_table("chain_receipt")
    op.drop_table("chain_pending")
    with op.batch_alter_table("certificate_told", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificate_told_effective_at"))

    op.drop_table("certificate_told")
    with op.batch_alter_table("certificate_issue", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificate_issue_pdf_sha256"))
        batch_op.drop_index(batch_op.f("ix_certificate_issue_json_sha256"))

    op.drop_table("certificate_issue")
    with op.batch_alter_table("certificate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_certificate_told"))
        batch_op.drop_index(batch_op.f("ix_certificate_renewal_filed_at"))
        batch_op.drop_index(batch_op.f("ix_certificate_predecessor"))
        batch_op.drop_index("ix_certificate_ended")
        batch_op.drop_index(batch_op.f("ix_certificate_deposited_at"))
        batch_op.drop_index(batch_op.f("ix_certificate_data_name"))
        batch_op.drop_index(batch_op.f("ix_certificate_content"))
        batch_op.drop_index(batch_op.f("ix_certificate_application"))

    op.drop_table("certificate")
    op.drop_table("card_line")
    op.drop_table("card_certificate")
    with op.batch_alter_table("card", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_card_holder"))

    op.drop_table("card")
    op.drop_table("calendar_year")
    with op.batch_alter_table("attachment_access", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attachment_access_attachment"))

    op.drop_table("attachment_access")
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attachment_sha256"))
        batch_op.drop_index("ix_attachment_named")
        batch_op.drop_index(batch_op.f("ix_attachment_draft"))

    op.drop_table("attachment")
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_application_state"))
        batch_op.drop_index(batch_op.f("ix_application_certificate"))

    op.drop_table("application")
    with op.batch_alter_table("api_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_key_holder"))

    op.drop_table("api_key")
    op.drop_table("annual_report")
    op.drop_table("agency_profile")
    op.drop_table("agency_listing")
    op.drop_table("agency_exit")
    with op.batch_alter_table("agency_change", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agency_change_state"))
        batch_op.drop_index(batch_op.f("ix_agency_change_agency"))

    op.drop_table("agency_change")
    with op.batch_alter_table("agency_breach", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_agency_breach_agency"))

    op.drop_table("agency_breach")
    op.execute("DROP TABLE IF EXISTS register_fts")
    op.execute("DROP TABLE IF EXISTS market_fts")
    op.execute("DROP TABLE IF EXISTS demand_fts")
