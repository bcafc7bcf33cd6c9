"""数据元件 over HTTP and by command: stated, reviewed, seen by who may; bad input named and nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import Session
from typer.testing import CliRunner

from api import checks, cli, jobs, keyfiles, settings
from clearing.pricing.element import tables
from clearing.pricing.element.element import (
    ELEMENT_MOVE,
    ELEMENT_VERSION,
    REVIEWER,
    ElementMove,
    ElementVersion,
    Move,
    check_identifier,
    subject_of,
)
from ledger import canonical, sm, store
from ledger.reading import body_of
from registry.party import Staff
from tests.api.house import OPERATOR, Platform
from tests.clearing.pricing.elements import ID, body_for, source_of, version_of
from tests.registry.registry_house import PROVIDER, RIVAL, a_form, uscc

BY, OTHER, STRANGER = f"party:{PROVIDER}", f"party:{RIVAL}", uscc(77)
REV = ("staff:elrev", REVIEWER)
TWIN = {"sha256": "a" * 64, "sm3": "b" * 64}


class Workshop:
    """A platform whose PROVIDER holds a certificate and develops an element, with a reviewer of the operator."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.code = platform.certificate(a_form(), issued=False)
        key = platform.keys.setdefault(REV[0], sm.generate())
        platform.state(
            "/api/staff", "staff/v1", REV[0], Staff(OPERATOR, key.public, (REVIEWER,)), (f"party:{OPERATOR}", "")
        )

    def version(self, **changes: Any) -> ElementVersion:
        own = source_of(certificate=self.code, valid_from=0)
        return version_of(**{"developer": PROVIDER, "sources": (own,)} | changes)

    def state(self, **changes: Any) -> None:
        self.platform.state("/api/elements", ELEMENT_VERSION, subject_of(ID), self.version(**changes), (BY, ""))

    def move(self, move: Move, who: tuple[str, str] = (BY, ""), version: int = 1) -> None:
        self.platform.state("/api/elements/moves", ELEMENT_MOVE, subject_of(ID), body_for(move, version), who)

    def get(self, path: str, by: str = BY, **query: str) -> Any:
        return self.platform.client.get(path, params=query, headers=self.platform.headers(by))

    def refused(self, path: str, kind: str, body: Any, *who: tuple[str, str], subject: str = "") -> dict[str, Any]:
        before = self.platform.count()
        signed = self.platform.signed(kind, subject or subject_of(ID), body, *who)
        answer = self.platform.post(path, signed.document(), who[0][0])
        assert 400 <= answer.status_code < 500, answer.text
        assert self.platform.count() == before
        return dict(answer.json()) | {"status": answer.status_code}


@pytest.fixture
def shop(platform: Platform) -> Workshop:
    return Workshop(platform)


def test_element__over_http__from_its_first_version_to_the_loss_of_its_right(shop: Workshop) -> None:
    shop.state()
    assert shop.get(f"/api/elements/{ID}", OTHER).status_code == 404
    assert shop.get(f"/api/elements/{ID}").json()["versions"][0]["moves"] == ["revise", "submit"]
    shop.move(Move.SUBMIT)
    [line] = shop.get("/api/elements", REV[0], state="REVIEW").json()["versions"]
    assert (line["element"], line["case"]["submitter"]) == (ID, BY)
    assert shop.get("/api/elements", OTHER).json()["versions"] == []
    shop.move(Move.PASS, REV)
    [seen] = shop.get("/api/elements", OTHER, q="延误").json()["versions"]
    assert seen["value"]["desensitisation"]["parameters"] == "—"
    assert shop.get(f"/api/elements/{ID}").json()["versions"][0]["value"]["desensitisation"]["parameters"] == "k = 10"
    assert shop.platform.client.get(f"/api/elements/{ID}").status_code == 401
    shop.state(version=2)
    assert [item["case"]["state"] for item in shop.get(f"/api/elements/{ID}").json()["versions"]] == [
        "PUBLISHED", "DEVELOPING",
    ]  # fmt: skip
    first = shop.get("/api/elements", limit="1").json()
    assert first["next"] == f"{ID}.1"
    [second] = shop.get("/api/elements", after=first["next"]).json()["versions"]
    assert second["value"]["version"] == 2

    system = shop.platform.system
    assert jobs.market_timers(system) == 0
    with shop.platform.books() as house:
        house.now += 86_400 * 365 * 6
    assert jobs.market_timers(system) == 1
    with shop.platform.reading() as session:
        last = store.facts_of(session, subject_of(ID))[-1]
    assert last.body["move"] == "delist"
    assert [(item.by, item.role) for item in last.signatures] == [(f"party:{OPERATOR}", "system")]
    with jobs.snapshot(system) as session:
        assert list(checks.views(system, session)) == []
    for column, other in ((tables.version.c.state, "PUBLISHED"), (tables.version.c.document, "{}"),
                          (tables.source.c.certificate, "x"), (tables.source.c.valid_to, 1)):  # fmt: skip
        with Session(system.engine) as session:
            session.execute(update(column.table).values({column.name: other}))
            found = [str(item) for item in checks.views(system, session)]
            session.rollback()
        assert any(text.startswith(column.table.name) for text in found), column


WRONG_VERSIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("body.version", {"version": 0}),
    ("body.version", {"version": 2}),
    ("body.developer", {"developer": "X" * 18}),
    ("body.name", {"name": ""}),
    ("body.type", {"type": "表"}),
    ("body.form", {"form": "数据"}),
    ("body.domain", {"domain": "随便写的"}),
    ("body.scenes", {"scenes": []}),
    ("body.sources", {"sources": []}),
    ("body.sources", {"sources": "x"}),
    ("body.metadata", {"metadata": None}),
    ("body.metadata", {"metadata": 1}),
    ("body.desensitisation.report", {"desensitisation": {"method": "m", "parameters": "p", "issuer": "i"}}),
    ("body.quality.sha256", {"quality": TWIN | {"sha256": "A" * 64}}),
    ("body.cost", {"cost": "x"}),
    ("body.security.sm3", {"security": TWIN | {"sm3": "b"}}),
    ("body.certificate", {"certificate": "x" * 201}),
    ("body.colour", {"colour": "red"}),
)
WRONG_MOVES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("body.move", {"move": "fly"}), ("body.move", {}), ("body.version", {"move": "submit"}),
    ("body.version", {"move": "submit", "version": "1"}),
    ("body.reason", {"move": "submit", "version": 1, "reason": 1}),
    ("body.review", {"move": "submit", "version": 1, "review": TWIN}),
    ("body.security", {"move": "submit", "version": 1, "security": TWIN}),
    ("body.rule", {"move": "submit", "version": 1, "rule": "x"}),
    ("body.colour", {"move": "submit", "version": 1, "colour": 1}),
    ("", {"move": "pass", "version": 1, "review": TWIN}), ("", {"move": "create", "version": 1}),
    ("", {"move": "submit", "version": 9}),
)  # fmt: skip


def test_doors__bad_input__each_field_named_and_nothing_written(shop: Workshop) -> None:
    good = body_of(shop.version())
    for field, change in WRONG_VERSIONS:
        body = {key: value for key, value in (good | change).items() if value is not None}
        said = shop.refused("/api/elements", ELEMENT_VERSION, body, (BY, ""))
        assert said["status"] == 422, (field, said)
        assert said["field"].startswith(field), (field, said)
    said = shop.refused("/api/elements", ELEMENT_VERSION, good, (BY, ""), subject=f"element:{ID[:-1]}0")
    assert (said["status"], said["field"]) == (422, "statement.subject")
    assert "ISO/IEC 7064" in said["expected"]
    assert shop.refused("/api/elements", ELEMENT_MOVE, good, (BY, ""))["field"] == "statement.kind"
    assert shop.refused("/api/elements", ELEMENT_VERSION, good, (OTHER, ""))["status"] == 403
    shop.state()
    for field, body in WRONG_MOVES:
        said = shop.refused("/api/elements/moves", ELEMENT_MOVE, body, (BY, ""))
        assert said.get("field", "").startswith(field), (field, said)
        assert said["status"] in ((422,) if field else (404, 409)), (field, said)
    assert shop.refused("/api/elements/moves", ELEMENT_MOVE, body_for(Move.SUBMIT), (OTHER, ""))["status"] == 403
    assert shop.get("/api/elements/x").json()["field"] == "element"
    for name, value in (
        ("form", "x"),
        ("state", "NONE"),
        ("after", "x"),
        ("limit", "0"),
        ("q", "x" * 81),
        ("q", "\0"),
        ("domain", "\n"),
        ("developer", "\u202e"),
    ):
        answer = shop.get("/api/elements", **{name: value})
        assert answer.status_code == 422, name
        assert name in answer.json()["field"]


def test_command__new_move_show(shop: Workshop, tmp_path: Path) -> None:
    platform = shop.platform
    keys = keyfiles.create(tmp_path / "key.json", f"party:{STRANGER}")
    platform.keys[keys.by] = keys.sm2
    platform.admit(STRANGER)
    settings.save(platform.system.settings)
    door = ("--key", tmp_path / "key.json", "--url", platform.client.base_url, "--api-key", platform.token(keys.by))

    def run(*arguments: Any, code: int = 0) -> str:
        done = CliRunner().invoke(cli.app, ["element", *map(str, arguments)])
        assert done.exit_code == code, done.output
        return done.output

    def body(value: ElementVersion | ElementMove) -> Path:
        (tmp_path / "body.json").write_bytes(canonical.encode(body_of(value)))
        return tmp_path / "body.json"

    made = json.loads(run("new", body(shop.version(developer=STRANGER)), *door))
    identity = check_identifier(made["subject"].removeprefix("element:"), "id")
    run("new", body(shop.version(developer=STRANGER, name="改名")), *door, "--id", identity)
    said = run("move", identity, body(body_for(Move.SUBMIT)), *door, code=2)
    assert "RIGHT_MISSING" in said
    assert "校验位" in run("show", identity[:-1] + ("0" if identity[-1] != "0" else "1"), code=2)
    shown = run("show", identity, "--home", platform.system.settings.home)
    assert "开发中" in shown
    assert "改名" in shown
