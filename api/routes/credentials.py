"""What a reader of a verifiable credential asks for: the issuer's keys, our terms, the status lists. No key needed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.deps import NowDep, ReadDep, SystemDep
from api.pages.guard import LimitedDep
from ledger import canonical
from registry.credential.did import did_document
from registry.credential.service import status_list
from registry.credential.status_list import Purpose
from registry.credential.vc import context

router = APIRouter(tags=["registry 登记"])


@router.get("/.well-known/did.json", summary="登记机构的 DID 文档 / DID document of the agency")
@router.get("/did.json", summary="登记机构的 DID 文档（地址带路径时） / the same, where the address has a path")
def issuer_document(system: SystemDep) -> Response:
    return Response(canonical.encode(did_document(system.issuer)), media_type="application/did+ld+json")


@router.get("/contexts/registration/v1", summary="JSON-LD 上下文 / our JSON-LD context")
def credential_context(system: SystemDep) -> Response:
    return Response(canonical.encode(context(system.issuer.base)), media_type="application/ld+json")


@router.get("/credentials/status/{purpose}/{number}", summary="状态列表凭证 / a status list as a credential")
def credential_status(
    purpose: Purpose,
    number: Annotated[int, Path(ge=1, le=9999)],
    session: ReadDep,
    system: SystemDep,
    now: NowDep,
    _limited: LimitedDep,
) -> Response:
    data = status_list(session, system.issuer, purpose, number, now)
    return Response(data, media_type="application/vc")
