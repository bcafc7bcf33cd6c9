"""A 清分账单 as PDF: the facts of the statement in its text, the document inside it, the same bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest

from api import statement_paper
from api.settings import fonts_folder
from clearing.money import yuan
from clearing.settlement import store
from clearing.settlement.statement import Line, ObligationPart, PartA
from clearing.terms import DAY
from ledger import canonical
from ledger import store as facts
from ledger.errors import FieldError
from ledger.reading import body_of
from tests.api.shop import Shop, open_shop
from tests.clearing.market.house import CONSUMER, COURT, PROVIDER, SELLER
from tests.clearing.settlement.disputing import MAY, Month


class Issued:
    """May's statements of one agreement, issued; `net` confirms and nets them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.operator = shop.platform.system.settings.operator
        self.month = Month(shop.house, operator=self.operator)
        self.cycle = self.month.issue(MAY)
        shop.house.session.commit()

    def net(self) -> None:
        self.month.confirm(self.cycle, MAY.end + 2 * DAY)
        self.month.net(self.cycle, MAY.end + 2 * DAY)
        self.shop.house.session.commit()

    def pdf(self, party: str, by: str = "") -> bytes:
        answer = self.shop.get(f"/api/cycles/{self.cycle}/statements/{party}/pdf", f"party:{by or party}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/pdf"
        return answer.content

    def parts(self, party: str) -> tuple[PartA, list[Line | ObligationPart]]:
        with self.shop.platform.reading() as session:
            found = store.statement_of(session, self.cycle, party)
            return found.body, store.part_documents(session, found.fact_id)


@pytest.fixture
def issued(tmp_path: Path, empty_database: Path) -> Iterator[Issued]:
    with open_shop(tmp_path, empty_database) as shop:
        yield Issued(shop)


def text_of(data: bytes) -> str:
    """The text of all pages without spaces and the marks at which a long run may break."""
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    return re.sub(r"[\s\u200b]", "", "".join(page.extract_text() for page in pages))


def inside(data: bytes) -> dict[str, object]:
    [found] = pypdf.PdfReader(io.BytesIO(data)).attachments["statement.json"]
    document = canonical.decode(found)
    assert isinstance(document, dict)
    return document


def test_pdf__says_what_the_statement_says__and_holds_its_document(issued: Issued) -> None:
    for party in (CONSUMER, SELLER, PROVIDER):
        data = issued.pdf(party)
        body, parts = issued.parts(party)
        answer = issued.shop.get(f"/api/cycles/{issued.cycle}/statements/{party}", f"party:{party}")
        document = inside(data)
        assert document == {"tag": "statement-document/v1", **canonical.parse(answer.content)}
        assert document["statement"] == body_of(body)
        assert document["parts"] == [body_of(part) for part in parts]
        assert "notice" not in document
        text = text_of(data)
        assert "清分账单" in text
        for amount in (body.opening, body.closing, body.owed, body.owes, body.carried):
            assert yuan(amount) in text
        for part in parts:
            if isinstance(part, Line):
                assert f"{part.event_id}{part.agreement}{part.period}{yuan(part.amount)}" in text
            else:
                assert part.debtor in text
                assert part.creditor in text
                assert yuan(part.amount) in text
        assert "净额通知" not in text


def test_pdf__of_the_same_statement__has_the_same_bytes(issued: Issued) -> None:
    first = issued.pdf(CONSUMER)
    issued.shop.platform.now += 40 * DAY
    assert issued.pdf(CONSUMER) == first
    assert issued.pdf(CONSUMER, by=issued.operator) == first
    assert issued.pdf(SELLER) != first


def test_pdf__once_netted__says_part_b_too(issued: Issued) -> None:
    issued.net()
    for party in (CONSUMER, SELLER):
        data = issued.pdf(party)
        with issued.shop.platform.reading() as session:
            name = store.statement_of(session, issued.cycle, party).notice or ""
            notice = facts.fact(session, name)
        document = inside(data)
        assert document["notice"] == {"fact": name, "body": notice.body}
        text = text_of(data)
        net = notice.body["position"]["net"]
        assert "净额通知" in text
        assert yuan(net) in text
        assert notice.digest().sha256.hex() in text
        assert notice.digest().sm3.hex() in text


def test_pdf__of_another_s_statement__or_none__is_refused(issued: Issued) -> None:
    for by, party, status in ((SELLER, PROVIDER, 403), (COURT, PROVIDER, 403), (COURT, COURT, 404)):
        answer = issued.shop.get(f"/api/cycles/{issued.cycle}/statements/{party}/pdf", f"party:{by}")
        assert answer.status_code == status, answer.text


def test_pdf__of_many_lines__repeats_its_head_on_every_page(issued: Issued) -> None:
    _, parts = issued.parts(CONSUMER)
    lines = [part for part in parts if isinstance(part, Line)]
    many = tuple(replace(lines[0], no=no, amount=-no * 10**11) for no in range(60))
    owed = tuple(part for part in parts if isinstance(part, ObligationPart))
    with issued.shop.platform.reading() as session:
        found = statement_paper.paper(session, issued.cycle, CONSUMER)
        data = statement_paper.render(session, replace(found, parts=(*many, *owed)), fonts_folder(), trial=True)
        many_more = many * (statement_paper.MOST_ROWS // 60 + 1)
        with pytest.raises(FieldError, match="Excel"):
            statement_paper.render(session, replace(found, parts=many_more), fonts_folder(), trial=True)
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]
    assert len(pages) > 2
    with_lines = [text for text in pages if "计费" in text]
    assert all("凭据" in text and "金额(元)" in text for text in with_lines)
    assert yuan(-59 * 10**11) in text_of(data)
