"""`shuqing ledger status`: how far entries have come, who carries them further, and what needs a person.

Ages of facts and heads are measured on the installation's clock, everything about machines (lease, waiting transaction,
incidents) on the wall clock. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from api import jobs, worker
from api.bootstrap import System
from clearing.usage.batch import USAGE_BATCH
from clearing.usage.service import INTEGRATE_WITHIN
from ledger import anchoring, checkpoint, incidents, leader, log, outbox, tables
from ledger.chain import Chain
from ledger.errors import ChainError

SHOWN = 5
"""So many incidents are listed."""
PATIENCE = 60
"""Seconds after which a head without its quorum or a waiting transaction needs a person."""


def public(system: System, session: Session) -> dict[str, Any]:
    """What anybody may know, from the database alone."""
    head = log.latest(session)
    oldest = outbox.oldest(session)
    place = system.agreement_domain
    return {
        "sequenced": outbox.backlog(session),
        "integrated": log.size(session),
        "published": outbox.published_size(session),
        "oldest_waiting_seconds": max(0, system.clock() - oldest) if oldest is not None else 0,
        "head": head.note.split("\n") if head else [],
        "witnesses": head.witnesses if head else 0,
        "quorum": system.settings.witness_quorum,
        "chain_id": place.chain_id,
        "incidents": sorted({incident.kind for incident in incidents.open_ones(session)}),
    }


def gather(system: System) -> dict[str, Any]:
    """Everything, the chain asked; "attention" lists what needs a person."""
    with jobs.snapshot(system) as session:
        found: dict[str, Any] = {
            "log": public(system, session),
            "promises": _promises(system, session),
            "newest": _newest(system, session),
            "leader": _leader(session),
            "pending": _pending(session),
            "waiting_heads": len(anchoring.due_heads(session, 0)),
            "contracts": {name: _contract(system, session, name) for name in _contracts(system)},
            "incidents": [_incident(incident) for incident in incidents.latest(session, SHOWN)],
            "open": [_incident(incident) for incident in incidents.open_ones(session)],
        }
        newest = anchoring.newest_place(session, system.settings.chain_id)
    found["chain"] = _chain(system, found["contracts"], newest)
    if found["pending"] and found["chain"].get("nonces", (0, 0))[0] > found["pending"]["nonce"]:
        found["pending"] = None  # mined meanwhile, and its sender did not live to say so
    found["attention"] = list(_attention(found))
    return found


def told(found: dict[str, Any]) -> Iterator[str]:
    """The same as lines for people."""
    state, promises = found["log"], found["promises"]
    yield f"待入列 / sequenced: {state['sequenced']}（最久 / oldest {state['oldest_waiting_seconds']} s）"
    yield f"已入列 / integrated: {state['integrated']}"
    yield f"已发布 / published: {state['published']}（待锚定树头 / heads to anchor {found['waiting_heads']}）"
    yield f"入库承诺 / promises: 未兑现 / open {promises['open']}，将到期 / at risk {promises['at_risk']}，" + (
        f"已超期 / broken {promises['broken']}"
    )
    newest = found["newest"]
    if newest is None:
        yield "尚无树头 / no head yet"
    else:
        yield f"最新树头 / newest head: {newest['size']}（{newest['age_seconds']} s 前 / ago）"
        yield f"见证 / witnesses: {'、'.join(newest['signed']) or '—'}（{len(newest['signed'])}，应达 / quorum" + (
            f" {state['quorum']}；未签 / missing: {'、'.join(newest['missing']) or '—'}）"
        )
    held = found["leader"]
    if held is None:
        yield "后台任务 / worker: 无人值守 / nobody leads"
    else:
        yield f"后台任务 / worker: {held['worker']}，第 {held['term']} 任 / term，租约剩余 / lease {held['seconds']} s"
    pending = found["pending"]
    if pending is None:
        yield "等待入块的交易 / pending transaction: 无 / none"
    else:
        yield (
            f"等待入块的交易 / pending transaction: {pending['tx']} nonce {pending['nonce']}"
            f" {pending['contract']}.{pending['function']} {pending['age_seconds']} s，"
            f"已替换 / replaced {pending['replacements']}×"
        )
    yield from _told_chain(found)
    for incident in found["incidents"]:
        state_ = "已恢复 / put right" if incident["repaired"] else "未恢复 / open"
        yield f"事件 / incident: {incident['kind']} {incident['key']}（{incident['age_seconds']} s 前 / ago，{state_}）"
        yield f"   {incident['detail']}"
    for line in found["attention"]:
        yield f"须人工处理 / needs a person: {line}"


def _told_chain(found: dict[str, Any]) -> Iterator[str]:
    chain = found["chain"]
    if chain["error"]:
        yield f"链 / chain {chain['id']}: {chain['error']}"
    else:
        mined, all_ = chain["nonces"]
        yield (
            f"链 / chain {chain['id']}: 区块 / block {chain['block']}，"
            f"确认数 / confirmations {chain['confirmations']}，"
            f"nonce {mined}（节点中等待 / waiting at the node {all_ - mined}）"
        )
    for name, contract in found["contracts"].items():
        code = {True: "代码一致 / code ok", False: "代码不符 / wrong code", None: "代码未核对 / code unchecked"}
        yield (
            f"   {name} {contract['address']} {code[contract['code_ok']]}，"
            f"已写 / written {contract['written']}，待写 / waiting {contract['waiting']}"
        )


def _promises(system: System, session: Session) -> dict[str, int]:
    """Promised batches that are not in the tree: all, past half their time, past their time (decisions D6)."""
    now = system.clock()
    waiting = (
        select(func.count())
        .select_from(tables.outbox)
        .join(tables.fact, tables.fact.c.id == tables.outbox.c.fact_id)
        .where(tables.fact.c.kind == USAGE_BATCH)
    )

    def older(seconds: int) -> int:
        return int(session.execute(waiting.where(tables.fact.c.at <= now - seconds)).scalar_one())

    broken, risky = older(INTEGRATE_WITHIN + 1), older(INTEGRATE_WITHIN // 2)
    return {"open": int(session.execute(waiting).scalar_one()), "at_risk": risky - broken, "broken": broken}


def _newest(system: System, session: Session) -> dict[str, Any] | None:
    head = log.latest(session)
    if head is None:
        return None
    keys = {witness.name: witness.public for witness in system.witnesses}
    signed = {name for name, _ in checkpoint.verify_witnesses(head.note, keys)}
    return {
        "size": head.checkpoint.size,
        "at": head.checkpoint.at,
        "age_seconds": system.clock() - head.checkpoint.at,
        "signed": sorted(signed),
        "missing": sorted(keys.keys() - signed),
        "quorum_reached": head.witnesses >= system.settings.witness_quorum,
    }


def _leader(session: Session) -> dict[str, Any] | None:
    held = leader.current(session, worker.LEASE)
    if held is None or held.until <= jobs.wall():
        return None
    return {"worker": held.worker, "term": held.term, "seconds": (held.until - jobs.wall()) // 1_000}


def _pending(session: Session) -> dict[str, Any] | None:
    row = session.execute(select(tables.chain_pending)).first()
    if row is None:
        return None
    names = ("sender", "contract", "function", "nonce", "tx", "replacements")
    return {name: getattr(row, name) for name in names} | {"age_seconds": _ago(row.since)}


def _contracts(system: System) -> tuple[str, ...]:
    return tuple(dict.fromkeys((outbox.HEADS, *(face.contract for face in system.faces))))


def _contract(system: System, session: Session, name: str) -> dict[str, Any]:
    table = tables.chain_receipt
    written = session.execute(select(func.count()).where(table.c.contract == name)).scalar_one()
    if name == outbox.HEADS:
        waiting = len(anchoring.due_heads(session, 0))
    else:
        waiting = sum(anchoring.waiting_facts(session, face) for face in system.faces if face.contract == name)
    return {"address": "", "code_ok": None, "written": written, "waiting": waiting}


def _chain(system: System, contracts: dict[str, Any], newest: anchoring.Place | None) -> dict[str, Any]:
    """What the node says; the contracts' rows get address and code. A node that cannot be used is an "error"."""
    from ledger.web3_chain import Web3Chain  # slow to load, and most commands ask no node

    said: dict[str, Any] = {
        "id": system.settings.chain_id,
        "confirmations": system.settings.confirmations,
        "error": "",
        "holds": None,
    }
    try:
        chain: Chain = system.chain()
        for name, row in contracts.items():
            row["address"] = chain.address(name)
            if isinstance(chain, Web3Chain):
                row["code_ok"] = chain.code_hash(name) == chain.deployment.code_hashes.get(name)
        said |= {"block": chain.head().number, "holds": newest is None or anchoring.holds(chain, newest)}
        said["nonces"] = chain.counts() if isinstance(chain, Web3Chain) else (0, 0)
    except ChainError as error:
        said["error"] = str(error)
    return said


def _incident(incident: incidents.Incident) -> dict[str, Any]:
    return {
        "kind": incident.kind,
        "key": incident.key,
        "detail": incident.detail,
        "at_ms": incident.at,
        "age_seconds": _ago(incident.at),
        "repaired": incident.repaired_at is not None,
    }


def _attention(found: dict[str, Any]) -> Iterator[str]:
    for incident in found["open"]:
        if incident["kind"] in incidents.NEEDS_A_PERSON:
            yield f"{incident['kind']} {incident['key']}：{incident['detail']}"
    if found["promises"]["broken"] or found["promises"]["at_risk"]:
        yield "入库承诺到期未兑现 / promises of intake are late"
    newest, state = found["newest"], found["log"]
    unsealed = state["sequenced"] + state["integrated"] - (newest["size"] if newest else 0)
    work = unsealed or any(contract["waiting"] for contract in found["contracts"].values())
    if work and found["leader"] is None:
        yield "有待办而无人值守，请启动 shuqing worker / work waits and no worker runs"
    if newest and not newest["quorum_reached"] and newest["age_seconds"] > PATIENCE:
        yield f"见证不足 / too few witnesses: {'、'.join(newest['missing'])}"
    if found["pending"] and found["pending"]["age_seconds"] > PATIENCE:
        yield "交易久未入块 / a transaction has waited long for its block"
    if found["chain"]["error"]:
        yield found["chain"]["error"]
    elif not found["chain"]["holds"] and found["leader"] is None:
        yield "链已回退，启动 worker 即自动修复 / the chain went back; a running worker repairs it"


def _ago(at: int) -> int:
    return max(0, jobs.wall() - at) // 1_000
