"""The catalogue as DCAT: read by a parser of JSON-LD that is not ours, and asked in RDF."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, RDF, XSD

from clearing.market import dcat
from clearing.market.dcat import CONTEXT, FREQUENCIES
from clearing.market.listing import Listing, Move
from clearing.market.listing_moves import State
from clearing.market.product import Mode, Period, Quality, QualityGrade
from clearing.market.shelf import service
from ledger import canonical
from registry.asset import Twin
from tests.clearing.market.house import CODE, NOW, OPERATOR, PROVIDER, SELLER, House, contents_of, listing_of

# The parser of this version makes graphs of a kind that it calls outdated itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib.*")

ODRL, SQ, DSPACE = Namespace(CONTEXT["odrl"]), Namespace(CONTEXT["sq"]), Namespace(CONTEXT["dspace"])
DCAT3 = Namespace(CONTEXT["dcat"])  # the parser knows the terms of DCAT 2 by name
BASE = "http://127.0.0.1:8000"
QUALITY = Quality("演示方案 v1", PROVIDER, "2026-03-01", True, 9901, 9902, 9903, 9904, 9905, 9906, QualityGrade.A)


DIGEST = Twin("a" * 64, "b" * 64)


@dataclass(frozen=True)
class Item:
    """A product as the exporter sees it."""

    listing: Listing | None
    product: str = "7" * 32
    version: int = 3
    name: str = "演示航班延误特征"
    state: State = State.LISTED
    listed_at: int = NOW
    digest: Twin = DIGEST
    orderable: bool = True


def read(document: object) -> Graph:
    graph = Graph()
    graph.parse(data=json.dumps(document), format="json-ld")
    return graph


def rich() -> Listing:
    delivery = listing_of().delivery
    use = replace(listing_of().use, scenes=("运行分析",), regions=("浙江",))
    return listing_of(
        version=3, quality=QUALITY, use=use, sources=("SJ1",), delivery=replace(delivery, modes=(Mode.API, Mode.PUSH))
    )


def test_catalogue__read_as_rdf__has_the_terms_of_the_specification() -> None:
    graph = read(dcat.catalogue([Item(rich())], base=BASE, participant=OPERATOR))
    [catalogue] = graph.subjects(RDF.type, DCAT.Catalog)
    assert graph.value(catalogue, DSPACE.participantId) == Literal(OPERATOR)
    [dataset] = graph.objects(catalogue, DCAT.dataset)
    assert dataset == URIRef(f"{BASE}/market/{'7' * 32}/v3")
    assert (dataset, RDF.type, DCAT.Dataset) in graph
    for term in (
        DCTERMS.identifier, DCTERMS.title, DCTERMS.description, DCTERMS.issued, DCTERMS.modified, DCTERMS.spatial,
        DCTERMS.accrualPeriodicity, DCTERMS.temporal, DCTERMS.conformsTo, DCAT.theme, DCAT.keyword, DCAT3.version,
        DCAT.distribution, ODRL.hasPolicy, SQ.certificate, SQ.level, SQ.evidence,
    ):  # fmt: skip
        assert graph.value(dataset, term, any=True) is not None, term
    assert graph.value(dataset, DCTERMS.title) == Literal("演示航班延误特征", lang="zh-CN")
    modified, issued = graph.value(dataset, DCTERMS.modified), graph.value(dataset, DCTERMS.issued)
    assert isinstance(modified, Literal)
    assert isinstance(issued, Literal)
    assert (modified.datatype, issued.datatype) == (XSD.date, XSD.dateTime)
    assert int(issued.toPython().timestamp()) == NOW
    assert graph.value(dataset, SQ.certificate) == Literal(CODE)
    quality = graph.value(dataset, SQ.quality)
    assert graph.value(quality, SQ.timeliness) == Literal(9905)
    services = set(graph.subjects(RDF.type, DCAT.DataService))
    assert len(services) == 1  # the interface has an endpoint, the file has none
    distributions = set(graph.objects(dataset, DCAT.distribution))
    assert len(distributions) == 2
    assert {service for item in distributions for service in graph.objects(item, DCAT.accessService)} == services


def test_offer__in_a_catalogue__no_target_anywhere_and_prohibition_wins() -> None:
    """Trap 3: the enclosing data set is the target; rules never carry one. Trap 13: the strategy is said."""
    document = dcat.catalogue([Item(rich()), Item(rich(), product="8" * 32)], base=BASE, participant=OPERATOR)
    assert "target" not in json.dumps(document)
    graph = read(document)
    offers = list(graph.subjects(RDF.type, ODRL.Offer))
    assert len(offers) == 2
    for offer in offers:
        assert not list(graph.objects(offer, ODRL.target))
        assert graph.value(offer, ODRL.conflict) == ODRL.prohibit
        assert graph.value(offer, ODRL.assigner) == URIRef(f"urn:uscc:{SELLER}")
        forbidden = {graph.value(rule, ODRL.action) for rule in graph.objects(offer, ODRL.prohibition)}
        assert forbidden == {ODRL.sell, ODRL.distribute}
        [permission] = graph.objects(offer, ODRL.permission)
        limits = {
            graph.value(item, ODRL.leftOperand): {str(value) for value in graph.objects(item, ODRL.rightOperand)}
            for item in graph.objects(permission, ODRL.constraint)
        }
        assert limits == {
            ODRL.purpose: {"research"}, ODRL.spatial: {"浙江"}, SQ.environment: {"own"}, SQ.scene: {"运行分析"},
        }  # fmt: skip
    resale = replace(rich(), use=replace(rich().use, resale=True))
    assert not list(read(dcat.document(dcat.dataset(Item(resale), base=BASE))).objects(None, ODRL.prohibition))


def test_terms__none_is_lost_on_a_round_trip_through_rdf() -> None:
    """Every key of the document becomes a triple: a name the context does not know would vanish without a word."""
    document = dcat.catalogue([Item(rich())], base=BASE, participant=OPERATOR)
    graph = read(document)
    names: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                if not key.startswith("@"):
                    names.add(key)
                if key != "@context":
                    walk(value)
        elif isinstance(node, list):
            for item in node:
                walk(item)

    walk(document)
    used = {str(predicate) for predicate in graph.predicates()}
    for name in names:
        prefix, _, local = name.partition(":")
        assert CONTEXT[prefix] + local in used, name
    again = Graph()
    again.parse(data=graph.serialize(format="json-ld"), format="json-ld")
    assert set(again.predicates()) == set(graph.predicates())
    assert len(again) == len(graph)


def test_dataset__alone__carries_its_context_and_an_emergency_holds_its_content_back() -> None:
    graph = read(dcat.document(dcat.dataset(Item(rich()), base=BASE)))
    assert len(list(graph.subjects(RDF.type, DCAT.Dataset))) == 1
    bare = dcat.document(dcat.dataset(Item(None, state=State.EMERGENCY, orderable=False), base=BASE))
    assert "dcterms:description" not in bare
    assert "odrl:hasPolicy" not in bare
    assert bare["sq:listingState"] == "EMERGENCY"


def test_frequencies__every_period_has_one() -> None:
    assert set(FREQUENCIES) == set(Period)


def test_document__is_canonical_and_says_nothing_of_reviewers_or_papers_inside(house: House) -> None:
    """Only the public view goes out: no case, no reviewer, no authorisation chain."""
    identity = house.listed(quality=QUALITY, content=contents_of(tags=("航班",)))
    found, following = service.offered(house.session, at=NOW, operator=OPERATOR, limit=10)
    text = canonical.encode(dcat.catalogue(found, base=BASE, participant=OPERATOR)).decode()
    assert following == ""
    assert "staff:" not in text
    assert identity not in text
    assert len(read(json.loads(text))) > 40
    house.review(identity, Move.SUSPEND, reason="演示")
    assert service.offered(house.session, at=NOW, operator=OPERATOR, limit=10) == ([], "")
