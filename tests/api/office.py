"""A person at the office pages over real HTTP: what the browser's script does, done in Python with the same bytes."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from api.office import application_form
from api.office.fields import flat
from ledger import canonical, sm
from ledger.facts import Signed, Statement
from ledger.reading import body_of
from ledger.signing import sign_sm2
from registry.form import Form
from tests.api.house import Platform

JSON = {"Accept": "application/json", "Content-Type": "application/json"}
ROLES = {"staff:clerk": "intake", "staff:officer": "deposit_officer", "staff:approver": "approver"}


@dataclass
class Person:
    """Somebody with a browser of their own; `by` "" has no key. Pages are followed as a browser would."""

    platform: Platform
    by: str = ""
    http: httpx.Client = field(init=False)
    csrf: str = ""

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)  # nothing to be closed when a test ends
        self.http = httpx.Client(
            base_url=self.platform.client.base_url, trust_env=False, timeout=30, follow_redirects=True, limits=limits,
            verify=False,
        )  # fmt: skip

    @property
    def key(self) -> sm.Sm2Key:
        return self.platform.keys[self.by]

    def log_in(self, **changes: Any) -> httpx.Response:
        """Signs the challenge; `changes` to the body before signing are for tests of refusals."""
        asked = self.http.post("/office/login/challenge", headers=JSON, content=json.dumps({"by": self.by}).encode())
        statement = Statement.of_document(canonical.decode(asked.json()["statement"].encode()))
        if changes:
            statement = Statement(statement.kind, statement.subject, 0, None, statement.body | changes)
        return self.answer(statement)

    def answer(self, statement: Statement) -> httpx.Response:
        signed = Signed(statement, (sign_sm2(self.key, statement, by=self.by),))
        answer = self.http.post("/office/login", headers=JSON, content=canonical.encode(signed.document()))
        if answer.status_code == 200:
            self.csrf = csrf_of(self.get("/office/desk"))
        return answer

    def get(self, path: str, status: int = 200) -> str:
        answer = self.http.get(path)
        assert answer.status_code == status, (path, answer.status_code, words(answer.text))
        return answer.text

    def post(self, path: str, fields: Mapping[str, str], status: int = 200) -> httpx.Response:
        answer = self.http.post(path, data={"csrf": self.csrf, **fields})
        assert answer.status_code == status, (path, answer.status_code, words(answer.text))
        return answer

    def drafted(self, path: str, fields: Mapping[str, str]) -> str:
        """Posts a form that leads to the desk; the id there."""
        answer = self.post(path, fields)
        found = re.fullmatch(r"/office/desk/([0-9a-f]{32})", answer.url.path)
        assert found, (answer.url, words(answer.text))
        return found[1]

    def sign(self, identity: str, **changes: Any) -> httpx.Response:
        """Signs what the page of a statement shows, in the role the page names."""
        text = self.get(f"/office/desk/{identity}")
        statement = Statement.of_document(canonical.decode(attribute(text, "statement").encode()))
        signature = sign_sm2(self.key, statement, by=self.by, role=attribute(text, "role"))
        document = {"signature": signature.document() | changes}
        return self.http.post(
            f"/office/desk/{identity}/signatures",
            headers=JSON | {"X-CSRF-Token": self.csrf},
            content=canonical.encode(document),
        )

    def signed(self, identity: str) -> str:
        """Signs and says what has become of it."""
        answer = self.sign(identity)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["outcome"])


def attribute(text: str, name: str) -> str:
    """The value of a data attribute of the desk's page."""
    found = re.search(rf'data-{name}="([^"]*)"', text)
    assert found, name
    return html.unescape(found[1])


class _Fields(HTMLParser):
    """The fields of the forms of a page and what is in them, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._area = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and name and (kind != "checkbox" or "checked" in given):
            self.found[name] = given.get("value", "")
        elif tag == "textarea" and name:
            self._area, self.found[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and (self._select not in self.found or "selected" in given):
            self.found[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        if tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] += data


def typed_in(text: str) -> dict[str, str]:
    """What stands in the fields of a page."""
    reader = _Fields()
    reader.feed(text)
    return {name: value for name, value in reader.found.items() if name != "csrf"}


def csrf_of(text: str) -> str:
    found = re.search(r'<meta name="csrf" content="([0-9a-f]{64})">', text)
    assert found
    return found[1]


def words(text: str) -> str:
    """A page without its markup."""
    bare = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]+>", " ", text)
    return re.sub(r"\s+", " ", html.unescape(bare)).strip()


def fields_of(form: Form) -> dict[str, str]:
    """What an applicant types to make this form."""
    document = body_of(form)
    return application_form.values_of(document, flat(document))


def person(platform: Platform, by: str) -> Person:
    """Somebody who has logged in."""
    somebody = Person(platform, by)
    answer = somebody.log_in()
    assert answer.status_code == 200, answer.text
    return somebody


def applied(applicant: Person, form: Form) -> str:
    """Types a form, previews, signs and submits; the application's id."""
    draft = applicant.post("/office/drafts", {**fields_of(form), "do": "preview"})
    assert draft.url.path.endswith("/preview"), words(draft.text)
    desk = applicant.drafted(draft.url.path.removesuffix("preview") + "submission", {})
    assert applicant.signed(desk) == "done"
    found = re.search(r"/office/cases/([0-9a-f]{32})", applicant.get(f"/office/desk/{desk}"))
    assert found
    return found[1]
