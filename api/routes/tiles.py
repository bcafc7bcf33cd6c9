"""The log as stock transparency clients read it: C2SP tlog-checkpoint, tlog-tiles and signed-note, without a key.

What is served is the SHA-256 tree; the SM3 tree, whose root stands in the checkpoint's "sm3" line, lies beside it in
the same geometry. A tile is served in every width the tree had at a size up to that of the newest signed head, and
stays what it is forever; anything else is 404.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from sqlmodel import Session

from api.deps import ReadDep, SystemDep
from ledger import checkpoint, log
from ledger.tiles import Address

router = APIRouter(prefix="/log", include_in_schema=False)

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
NOT_KEPT = {"Cache-Control": "no-cache"}
SHA256, SM3 = 0, 1


@router.get("/checkpoint")
def newest(session: ReadDep, system: SystemDep) -> Response:
    head = log.latest_cosigned(session, system.settings.witness_quorum)
    if head is None:
        return _absent("还没有见证方联署的树头。 / No head has been cosigned yet.")
    return PlainTextResponse(head.note, headers=NOT_KEPT)


@router.get("/vkey")
def verifier_keys(system: SystemDep) -> Response:
    public = system.log_keys.public()
    lines = [checkpoint.log_vkey(public.origin, public.ed25519)]
    lines += [checkpoint.witness_vkey(witness.name, witness.public) for witness in system.witnesses]
    return PlainTextResponse("".join(line + "\n" for line in lines), headers=NOT_KEPT)


@router.get("/tile/{place:path}")
def sha256_tile(place: str, session: ReadDep) -> Response:
    return _tile(session, place, SHA256)


@router.get("/sm3/tile/{place:path}")
def sm3_tile(place: str, session: ReadDep) -> Response:
    return _tile(session, place, SM3)


def _tile(session: Session, place: str, side: int) -> Response:
    address = Address.of_text(place)
    if address is None:
        return _absent("不是树块的地址，例如 0/x001/234.p/5。 / Not the address of a tile, e.g. 0/x001/234.p/5.")
    if address.entries:
        data = log.published_entries(session, address)
    else:
        hashes = log.published(session, address)
        data = hashes[side] if hashes else None
    if data is None:
        return _absent("已签树头尚未覆盖此树块。 / The newest signed head does not cover this tile.")
    return Response(data, media_type="application/octet-stream", headers=FOREVER)


def _absent(message: str) -> Response:
    return PlainTextResponse(message + "\n", 404, NOT_KEPT)
