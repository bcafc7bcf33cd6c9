"""`shuqing audit`: the areas in order, each with its findings. The recomputing is done by the packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sqlmodel import Session, SQLModel, create_engine

from api import jobs, schema
from api.bootstrap import System
from clearing.market import service as market
from clearing.market.delivery import service as delivering
from clearing.settlement import service as settlement
from clearing.settlement import store as settlement_store
from clearing.settlement.public_revenue import service as public_revenue
from clearing.settlement.service_order import service as service_orders
from clearing.terms import LATEST
from clearing.usage import store as usage_store
from ledger import audit as ledger_audit
from ledger import erasure, rebuild
from ledger.errors import ChainUnavailable
from ledger.rebuild import Finding
from ledger.trust import LogTrust
from registry.handover import store as handover


def audit(system: System, *, offline: bool) -> Iterator[tuple[str, list[str]]]:
    """Yields (area, findings as text); nothing is repaired. Raises `ChainUnavailable`."""
    with jobs.snapshot(system) as session:
        for name, area in AREAS.items():
            if not (offline and area is on_chain):
                yield name, findings(system, session, area)


def erased(system: System) -> list[str]:
    """What is lawfully not there any more: one line for each fact, no finding."""
    with jobs.snapshot(system) as session:
        return [f"fact[{fact_id}]：{why}" for fact_id, why in sorted(_erasures(system, session).items())]


def _erasures(system: System, session: Session) -> Mapping[str, erasure.Erasure]:
    before = {log.operator for log in handover.former_logs(session)}
    return erasure.stated(session, frozenset({system.operator.sm2.public, *before}))


def facts(system: System, session: Session) -> Iterator[Finding]:
    """Facts, parts and log places against the bytes that were signed."""
    return ledger_audit.facts(session, _erasures(system, session))


def tree(system: System, session: Session) -> Iterator[Finding]:
    """Nodes and heads against the facts, under the keys of log and witnesses."""
    public = system.log_keys.public()
    before = [log for log in handover.former_logs(session) if log.origin != public.origin]
    witnesses = {witness.name: witness.public for log in before for witness in log.witnesses}
    witnesses |= {witness.name: witness.public for witness in system.witnesses}
    former = {log.origin: LogTrust(log.origin, log.ed25519, log.sm2) for log in before}
    return ledger_audit.log(session, LogTrust(public.origin, public.ed25519, public.sm2), witnesses, former)


def maps(system: System, session: Session) -> Iterator[Finding]:
    """The map of all subjects and every fact that states it, replayed from the log."""
    return ledger_audit.maps(session, system.settings.origin)


def on_chain(system: System, session: Session) -> Iterator[Finding]:
    """Chain receipts, heads and deposited facts against the contracts."""
    return ledger_audit.chain(session, system.chain(), system.faces, _erasures(system, session))


def views(system: System, session: Session) -> Iterator[Finding]:
    """Every view row against the same row made again from the facts in an empty database."""
    with replayed(system, session) as scratch:
        yield from rebuild.differences(session, scratch)


@contextmanager
def replayed(system: System, session: Session) -> Iterator[Session]:
    """A database in memory whose views were made from the stored facts alone."""
    engine = create_engine("sqlite://")
    assert schema.TABLES
    SQLModel.metadata.create_all(engine)
    try:
        with Session(engine) as scratch:
            rebuild.copy_facts(session, scratch)
            rebuild.fold(scratch, scratch, system.projectors)
            yield scratch
    finally:
        engine.dispose()


def settled(system: System, session: Session) -> Iterator[str]:
    """Every cycle that was rated, from its agreements, usage records and acceptances alone."""
    for cycle in settlement_store.cycles(session):
        agreements = delivering.settling(session, cycle.start, cycle.end)
        earlier = delivering.settling(session, cycle.start - LATEST, cycle.start)
        secret = settlement.netting_secret(system.office, cycle.cycle)
        findings = settlement.audit(
            session, cycle=cycle.cycle, agreements=agreements, uses=usage_store.metered_uses, secret=secret,
            earlier=earlier, served=market.served, revision=market.revision_terms, accepted=delivering.accepted_under,
        )  # fmt: skip
        yield from (f"{cycle.cycle} {finding}" for finding in findings)


def ordered(system: System, session: Session) -> Iterator[str]:
    """Every settled 项目周期 of service orders, from the facts its settlement names alone."""
    return service_orders.audit(session)


def collected(system: System, session: Session) -> Iterator[str]:
    """Every due of non-tax revenue, its allocations, refunds and postings, from its facts alone."""
    return public_revenue.audit(session)


AREAS: dict[str, Callable[[System, Session], Iterator[Finding] | Iterator[str]]] = {
    "事实与其列 / facts and their columns": facts,
    "日志树、树头与签名 / tree, heads and signatures": tree,
    "事项总目 / map of all subjects": maps,
    "链上记录 / what the chain holds": on_chain,
    "视图由事实重放 / views replayed from facts": views,
    "计量、计费、清分、轧差重算 / metering, rating, sharing, netting again": settled,
    "服务单结算重算 / settlements of service orders again": ordered,
    "非税收入清分重算 / non-tax revenue and its allocation again": collected,
}


def findings(
    system: System, session: Session, area: Callable[[System, Session], Iterator[Finding] | Iterator[str]]
) -> list[str]:
    """What one area finds. What somebody wrote into a row may stop a recomputation: that is a finding too, and the
    other areas go on. Raises `ChainUnavailable`: a node that does not answer says nothing about the rows."""
    found: list[str] = []
    try:
        for finding in area(system, session):
            found.append(str(finding))
    except ChainUnavailable:
        raise
    except Exception as error:  # of any type: the rows are whatever a stranger made of them
        why = f"{type(error).__name__}: {error}"[:300]
        found.append(f"不可重算：{why} / not recomputable: {why}")
    return found
