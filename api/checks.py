"""`shuqing audit`: the areas in order, each with its findings. The recomputing is done by the packages."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session, SQLModel, create_engine

from api import jobs, schema
from api.bootstrap import System
from clearing.market import service as market
from clearing.settlement import service as settlement
from clearing.settlement import store as settlement_store
from clearing.usage import store as usage_store
from ledger import audit as ledger_audit
from ledger import rebuild
from ledger.rebuild import Finding
from ledger.trust import LogTrust


def audit(system: System, *, offline: bool) -> Iterator[tuple[str, list[str]]]:
    """Yields (area, findings as text); nothing is repaired."""
    public = system.log_keys.public()
    log_trust = LogTrust(public.origin, public.ed25519, public.sm2)
    witnesses = {witness.name: witness.public for witness in system.witnesses}
    with jobs.snapshot(system) as session:
        yield "事实与其列 / facts and their columns", _texts(ledger_audit.facts(session))
        yield "日志树、树头与签名 / tree, heads and signatures", _texts(ledger_audit.log(session, log_trust, witnesses))
        if not offline:
            found = ledger_audit.chain(session, system.chain(), system.faces)
            yield "链上记录 / what the chain holds", _texts(found)
        with _scratch() as scratch:
            rebuild.copy_facts(session, scratch)
            rebuild.fold(scratch, scratch, system.projectors)
            yield "视图由事实重放 / views replayed from facts", _texts(rebuild.differences(session, scratch))
        yield "计量、计费、清分、轧差重算 / metering, rating, sharing, netting again", _settlement(system, session)


def _settlement(system: System, session: Session) -> list[str]:
    """Every cycle that was rated, from its agreements and usage records alone."""
    found: list[str] = []
    for cycle in settlement_store.cycles(session):
        agreements = market.agreement_terms(session, cycle.start, cycle.end)
        secret = settlement.netting_secret(system.office, cycle.cycle)
        findings = settlement.audit(
            session, cycle=cycle.cycle, agreements=agreements, uses=usage_store.metered_uses, secret=secret
        )
        found += [f"{cycle.cycle} {finding}" for finding in findings]
    return found


def _scratch() -> Session:
    """An empty database in memory with every table."""
    engine = create_engine("sqlite://")
    assert schema.TABLES
    SQLModel.metadata.create_all(engine)
    return Session(engine)


def _texts(findings: Iterator[Finding]) -> list[str]:
    return [str(finding) for finding in findings]
