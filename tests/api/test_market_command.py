"""`shuqing market`: a statement signed with a key file and sent to a real server; demands and matches on a screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from api import cli, keyfiles, settings
from clearing.market.demand.demand import Budget, Demand, DemandMove, Move
from clearing.market.profile.profile import Profile
from ledger import canonical
from ledger.reading import body_of
from registry.calendar import day_of
from tests.api.house import Platform
from tests.api.test_demand_doors import OFFICE, Wishes
from tests.api.test_market import Market
from tests.clearing.market.demands import demand_of
from tests.registry.registry_house import uscc

PARTY = uscc(77)


def run(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(cli.app, ["market", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.output


def test_state__signed_sent_and_seen__and_a_wrong_one_named(platform: Platform, tmp_path: Path) -> None:
    keys = keyfiles.create(tmp_path / "key.json", f"party:{PARTY}")
    platform.keys[keys.by] = keys.sm2
    platform.admit(PARTY)
    door = (
        "--key",
        tmp_path / "key.json",
        "--url",
        str(platform.client.base_url),
        "--api-key",
        platform.token(keys.by),
    )

    def state(kind: str, body: Any, *more: str, code: int = 0) -> dict[str, Any]:
        (tmp_path / "body.json").write_bytes(canonical.encode(body if isinstance(body, dict) else body_of(body)))
        said = run("state", kind, tmp_path / "body.json", *door, *more, code=code)
        return dict(json.loads(said)) if not code else {"said": said}

    value: Demand = demand_of(demander=PARTY, deadline=day_of(platform.now + 86_400 * 60).isoformat())
    identity = state("demand/v1", value)["subject"].removeprefix("demand:")
    assert state("demand-budget/v1", Budget(1, 2), "--id", identity)["no"] == 0
    assert state("party-profile/v1", Profile(), "--id", PARTY)["no"] == 0
    assert "body.colour" in state("demand/v1", {**body_of(value), "colour": "red"}, code=2)["said"]
    assert "demand/v1" in state("listing/v9", value, code=2)["said"]
    wishes = Wishes(platform)
    wishes.move(identity, DemandMove(Move.CHECK))
    assert OFFICE[0] in platform.keys
    Market(platform).listed()
    settings.save(platform.system.settings)
    home = ("--home", platform.system.settings.home)
    assert identity in run("demands", *home, "--words", "延误")
    assert "0 项需求" in run("demands", *home, "--words", "无此词")
    said = run("match", identity, *home)
    assert "在架 1 项" in said
    assert "subject 1.0000 ×25" in said
    assert "查无此项" in run("match", "f" * 32, *home, code=2)
