"""The shelf over HTTP: listing and reviewing, announced samples; for everybody the search and the catalogue."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.apikey import Forbidden
from api.asking import AskedGoodsDep, place_of
from api.auth import CallerDep, organisation_of, require_own
from api.bodies import DocumentDep, SignedDep, describe
from api.bootstrap import System
from api.deps import NowDep, ReadDep, SystemDep, WriteDep
from api.views import appended, plain
from clearing.market import dcat
from clearing.market import store as agreements
from clearing.market.listing import Listing
from clearing.market.shelf import service as shelf
from clearing.market.shelf import store
from clearing.market.shelf.store import ListingRow
from ledger import canonical, reading
from registry.errors import CalendarPending

router = APIRouter(prefix="/api", tags=["market 交易"])

JSON_LD = "application/ld+json"
DATASETS = 100
"""Data sets on one page of the catalogue."""


@router.post(
    "/listings",
    openapi_extra=describe("listing-submitted/v1", "clearing.market.listing.Listing"),
    summary="上架申请、新版本 / offer a product, or a new version of one",
)
def listing(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(shelf.submit(session, body.signed, at=now))


@router.post(
    "/listings/moves",
    openapi_extra=describe("listing-move/v1", "clearing.market.listing.ListingMove"),
    summary="上架审核、暂停、下架 / a move of a listing",
)
def listing_move(
    body: SignedDep, caller: CallerDep, session: WriteDep, system: SystemDep, now: NowDep
) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(shelf.move(session, body.signed, operator=system.settings.operator, at=now))


@router.post("/listings/precheck", summary="上架预检 / everything the pre-check finds; nothing is written")
def listing_precheck(
    value: DocumentDep, caller: CallerDep, session: ReadDep, now: NowDep,
    listing: Annotated[str, Query(max_length=32, description="新版本所属的上架编号 / of which listing")] = "",
) -> dict[str, Any]:  # fmt: skip
    body = reading.read(Listing, value)
    return {"as_of": now, "defects": plain(shelf.precheck(session, body, at=now, identity=listing))}


@router.get("/listings", summary="本方的上架；审核人看全部 / one's own listings; reviewers see all")
def listings(caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    organisation = organisation_of(session, caller, now)
    rows = store.listings(session, seller="" if _reviews(system, organisation) else organisation)
    return {"as_of": now, "listings": [_inside(session, system, row, now) for row in rows]}


@router.get("/listings/{listing}", summary="上架的进度与时限 / where a listing stands")
def one_listing(listing: str, caller: CallerDep, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    row = store.listing(session, listing)
    organisation = organisation_of(session, caller, now)
    if organisation != row.value.seller and not _reviews(system, organisation):
        raise Forbidden("只给卖方和运营方查看。 / Only the seller and the operator may look.")
    running = [held.id for held in agreements.running_on(session, row.id, now)]
    review = store.under_review(session, row)
    return _inside(session, system, row, now) | {"under_review": plain(review), "running": running}


@router.post(
    "/samples",
    openapi_extra=describe("sample-announced/v1", "clearing.market.sample.Announced"),
    summary="固定样例公告：待公开信标抽行 / announce a sample, whose rows a later head draws",
)
def sample(body: SignedDep, caller: CallerDep, session: WriteDep, now: NowDep) -> dict[str, Any]:
    require_own(caller, body.signed)
    return appended(shelf.announce_sample(session, body.signed, at=now))


@router.get("/samples/{sample}", summary="抽出的行号 / the rows drawn, once a head covers the announcement")
def one_sample(sample: str, session: ReadDep, now: NowDep) -> dict[str, Any]:
    draw = store.draw(session, sample)
    return {"as_of": now, "draw": plain(draw), "rows": list(draw.rows()) if draw.root else None}


@router.get("/market/products", summary="产品检索 / search the products on offer")
def products(
    session: ReadDep, now: NowDep, asked: AskedGoodsDep, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> dict[str, Any]:
    found = shelf.search(session, asked.wanted, at=now, limit=limit, before=asked.before)
    return {"as_of": now, "products": plain(found.offers), "next": found.next}


@router.get("/market/products/{product}", summary="产品的公开信息 / what the public sees of a product")
def one_product(product: str, session: ReadDep, system: SystemDep, now: NowDep) -> dict[str, Any]:
    return {
        "as_of": now,
        "product": plain(shelf.product(session, product, operator=system.settings.operator, at=now)),
    }


@router.get("/market/notices", summary="本方合约的下架预告 / notices that concern one's own agreements")
def notices(caller: CallerDep, session: ReadDep, now: NowDep) -> dict[str, Any]:
    organisation = organisation_of(session, caller, now)
    return {"as_of": now, "notices": plain(shelf.notices(session, organisation, at=now))}


@router.get("/market/catalogue.jsonld", summary="DCAT 目录 / the catalogue of what is on offer, as DCAT")
def catalogue(
    session: ReadDep, system: SystemDep, now: NowDep,
    after: Annotated[str, Query(max_length=19, description="上一页给出的 next / the next of the page before")] = "",
) -> Response:  # fmt: skip
    operator, base = system.settings.operator, system.issuer.base
    found, following = shelf.offered(session, at=now, operator=operator, limit=DATASETS, before=place_of(after))
    document = dcat.catalogue(found, base=base, participant=operator)
    link = {"Link": f'<{base}/api/market/catalogue.jsonld?after={following}>; rel="next"'} if following else {}
    return Response(canonical.encode(document), media_type=JSON_LD, headers=link)


@router.get("/market/catalogue/{product}.jsonld", summary="DCAT 数据集 / one data set of it")
def dataset(product: str, session: ReadDep, system: SystemDep, now: NowDep) -> Response:
    shown = shelf.product(session, product, operator=system.settings.operator, at=now)
    document = dcat.document(dcat.dataset(shown, base=system.issuer.base))
    return Response(canonical.encode(document), media_type=JSON_LD)


def _inside(session: Session, system: System, row: ListingRow, now: int) -> dict[str, Any]:
    """A listing as its seller and the operator see it, with what is due."""
    try:
        due: dict[str, int] | None = shelf.clocks_of(row, system.calendar)
    except CalendarPending:
        due = None
    return {"id": row.id, "state": row.state.value, "since": row.since, "name": row.value.name,
            "product": row.value.product, "seller": row.value.seller, "digest": plain(row.digest),
            "case": plain(row.case), "due": due}  # fmt: skip


def _reviews(system: System, organisation: str) -> bool:
    return organisation == system.settings.operator
