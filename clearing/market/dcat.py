"""The public view of products as DCAT 3 in JSON-LD (exchange.md §2.8).

A product version is a `dcat:Dataset`; what has an endpoint is a `dcat:DataService` behind its distribution; what a
licence may allow is an `odrl:Offer`. Inside a catalogue an offer has no target: the data set that holds it is the
target, and a rule never carries one. What DCAT has no word for stands in a namespace of our own. The context is written
out, so a reader fetches nothing. Frequencies are those of the EU's table, the one DCAT profiles name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from clearing.market.gates import CODES
from clearing.market.listing import Listing
from clearing.market.listing_moves import State
from clearing.market.product import QUALITY_NAMES, Mode, Period, UseTerms
from registry.asset import Twin
from registry.calendar import text_of

CONTEXT: Mapping[str, str] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "dspace": "https://w3id.org/dspace/2025/1/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "sq": "urn:shuqing:market:v1:",
}
FREQUENCY = "http://publications.europa.eu/resource/authority/frequency/"
FREQUENCIES: Mapping[Period, str] = {
    Period.YEAR: "ANNUAL",
    Period.MONTH: "MONTHLY",
    Period.WEEK: "WEEKLY",
    Period.DAY: "DAILY",
    Period.HOUR: "HOURLY",
    Period.MINUTE: "CONT",
    Period.SECOND: "CONT",
    Period.NEVER: "NEVER",
}
SERVED = frozenset({Mode.API, Mode.STREAM, Mode.AGENT})
"""Modes with an endpoint."""


class Shown(Protocol):
    """What is exported of a product: `clearing.market.shelf.service.Product`."""

    @property
    def product(self) -> str:
        """Id of the product."""

    @property
    def version(self) -> int:
        """Version on the shelf."""

    @property
    def name(self) -> str:
        """Name of the product."""

    @property
    def state(self) -> State:
        """State of the listing."""

    @property
    def listed_at(self) -> int:
        """When this version was put on the shelf, seconds UTC."""

    @property
    def digest(self) -> Twin:
        """Statement digest of this version."""

    @property
    def orderable(self) -> bool:
        """Can it be ordered now?"""

    @property
    def listing(self) -> Listing | None:
        """The version itself, None while an emergency keeps it back."""


def catalogue(products: Sequence[Shown], *, base: str, participant: str) -> dict[str, Any]:
    """The catalogue of these products; `base` is the address of the installation, `participant` the operator's USCC."""
    return document(
        {
            "@id": f"{base}/api/market/catalogue.jsonld",
            "@type": "dcat:Catalog",
            "dspace:participantId": participant,
            "dcterms:title": [_zh("数据产品目录"), {"@value": "Catalogue of data products", "@language": "en"}],
            "dcterms:publisher": _agent(participant),
            "dcat:dataset": [dataset(item, base=base) for item in products],
        }
    )


def document(node: dict[str, Any]) -> dict[str, Any]:
    """A node with the context, to be read alone."""
    return {"@context": dict(CONTEXT), **node}


def dataset(shown: Shown, *, base: str) -> dict[str, Any]:
    """One product version. Without its content only who it is and how it stands."""
    page = f"{base}/market/{shown.product}"
    node: dict[str, Any] = {
        "@id": f"{page}/v{shown.version}",
        "@type": "dcat:Dataset",
        "dcterms:identifier": shown.product,
        "dcat:version": str(shown.version),
        "dcterms:title": _zh(shown.name),
        "dcat:landingPage": {"@id": page},
        "sq:listingState": shown.state.value,
        "sq:orderable": shown.orderable,
        "sq:evidence": {"sq:sha256": shown.digest.sha256, "sq:sm3": shown.digest.sm3},
    }
    if shown.listing is not None:
        node |= _content(shown.listing, page)
        node["dcterms:issued"] = _typed(text_of(shown.listed_at), "dateTime")
    return node


def _content(listing: Listing, page: str) -> dict[str, Any]:
    content, quality = listing.content, listing.quality
    node: dict[str, Any] = {
        "dcterms:description": _zh(listing.overview),
        "dcterms:publisher": _agent(listing.seller),
        "dcterms:modified": _typed(content.updated_on, "date"),
        "dcterms:accrualPeriodicity": {"@id": FREQUENCY + FREQUENCIES[content.period]},
        "dcterms:spatial": {"@type": "dcterms:Location", "skos:prefLabel": _zh(content.region)},
        "dcterms:temporal": {
            "@type": "dcterms:PeriodOfTime",
            "dcat:startDate": _typed(content.time_from, "date"),
            "dcat:endDate": _typed(content.time_to, "date"),
        },
        "dcterms:conformsTo": {"@type": "dcterms:Standard", "dcterms:title": _zh(listing.delivery.standard)},
        "dcat:theme": {
            "@id": f"urn:gbt4754:2017:{content.industry}",
            "@type": "skos:Concept",
            "skos:prefLabel": _zh(CODES.get(content.industry, content.industry)),
        },
        "dcat:keyword": [_zh(tag) for tag in (content.theme, *content.tags)],
        "dcat:distribution": [_distribution(listing, mode, page) for mode in listing.delivery.modes],
        "odrl:hasPolicy": _offer(listing, page),
        "sq:productType": listing.type.value,
        "sq:certificate": listing.certificate,
        "sq:right": listing.right.value,
        "sq:origin": listing.provenance.origin.value,
        "sq:level": listing.security.level.value,
        "sq:circulation": listing.security.circulation.value,
        "sq:priceRegime": listing.regime.value,
        "sq:venue": listing.venue.value,
        "sq:unit": listing.unit,
        "sq:period": content.period.value,
        "sq:contentDigest": {"sq:sha256": content.digest.sha256, "sq:sm3": content.digest.sm3},
        "sq:field": [
            {"sq:name": item.name, "sq:meaning": item.meaning, "sq:type": item.type, "sq:level": item.level.value}
            for item in content.fields
        ],
    }
    if listing.sources:
        node["sq:source"] = list(listing.sources)
    if quality is not None:
        node["sq:quality"] = {
            "sq:scheme": quality.scheme,
            "sq:assessor": quality.assessor,
            "sq:assessedOn": _typed(quality.assessed_on, "date"),
            "sq:conforms": quality.conforms,
            "sq:scoreUnit": "1/10000",
            **{f"sq:{name}": getattr(quality, name) for name in QUALITY_NAMES},
            **({"sq:grade": quality.grade.value} if quality.grade else {}),
        }
    return node


def _distribution(listing: Listing, mode: Mode, page: str) -> dict[str, Any]:
    node: dict[str, Any] = {
        "@id": f"{page}/v{listing.version}/{mode.value}",
        "@type": "dcat:Distribution",
        "dcterms:title": _zh(f"{listing.name} {mode.value}"),
        "sq:deliveryMode": mode.value,
    }
    if mode in SERVED:
        node["dcat:accessService"] = {
            "@id": f"{page}/service/{mode.value}",
            "@type": "dcat:DataService",
            "dcterms:title": _zh(listing.name),
            "dcat:servesDataset": {"@id": f"{page}/v{listing.version}"},
            "dcat:endpointDescription": {"@id": page},
        }
    return node


def _offer(listing: Listing, page: str) -> dict[str, Any]:
    """What a licence may allow, in the terms of §4.4. No target anywhere, and prohibition wins."""
    return {
        "@id": f"{page}/v{listing.version}/offer",
        "@type": "odrl:Offer",
        "odrl:conflict": {"@id": "odrl:prohibit"},
        "odrl:assigner": {"@id": f"urn:uscc:{listing.seller}"},
        "odrl:permission": {
            "@type": "odrl:Permission",
            "odrl:action": {"@id": "odrl:use"},
            "odrl:constraint": [_constraint(left, values) for left, values in _limits(listing.use) if values],
        },
        **_prohibitions(listing.use),
    }


def _limits(use: UseTerms) -> list[tuple[str, Sequence[str]]]:
    environments = [item.value for item in use.environments]
    return [("odrl:purpose", use.purposes), ("odrl:spatial", use.regions), ("sq:environment", environments),
            ("sq:scene", use.scenes)]  # fmt: skip


def _constraint(left: str, values: Sequence[str]) -> dict[str, Any]:
    return {
        "@type": "odrl:Constraint",
        "odrl:leftOperand": {"@id": left},
        "odrl:operator": {"@id": "odrl:isAnyOf"},
        "odrl:rightOperand": list(values),
    }


def _prohibitions(use: UseTerms) -> dict[str, Any]:
    if use.resale:
        return {}
    forbidden = ("odrl:sell", "odrl:distribute")
    return {"odrl:prohibition": [{"@type": "odrl:Prohibition", "odrl:action": {"@id": name}} for name in forbidden]}


def _agent(uscc: str) -> dict[str, Any]:
    return {"@id": f"urn:uscc:{uscc}", "@type": "foaf:Agent", "dcterms:identifier": uscc}


def _zh(text: str) -> dict[str, str]:
    return {"@value": text, "@language": "zh-CN"}


def _typed(text: str, kind: str) -> dict[str, str]:
    return {"@value": text, "@type": f"xsd:{kind}"}
