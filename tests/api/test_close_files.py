"""The file of a close goes from hand to hand: whatever is in it, it is refused in words before a key is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app

DOMAIN = {"address": f"0x{1:040x}", "chain_id": 1}
STATEMENT = {"body": {}, "kind": "cycle-closed/v1", "no": 0, "subject": "close:x"}
WHOLE: dict[str, Any] = {"domain": DOMAIN, "signatures": [], "statement": STATEMENT}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "不是有效的 JSON"),
        ("[]", "不是关账文件"),
        (WHOLE | {"more": 1}, "不是关账文件"),
        (WHOLE | {"statement": 1}, "statement"),
        (WHOLE | {"statement": STATEMENT | {"kind": "statement/v1"}}, "cycle-closed/v1"),
        (WHOLE | {"statement": STATEMENT | {"body": {"totals": 1.5}}}, "不接受小数"),
        (WHOLE | {"signatures": {}}, "signatures"),
        (WHOLE | {"signatures": [1]}, "signature"),
        (WHOLE | {"domain": DOMAIN | {"chain_id": 0}}, "domain.chain_id"),
        (WHOLE | {"domain": DOMAIN | {"address": "0x1"}}, "domain.address"),
    ],
)
@pytest.mark.parametrize("command", ["close-sign", "close"])
def test_close_file__of_any_other_content__refused_in_words_and_left_as_it_is(
    tmp_path: Path, command: str, content: Any, told: str
) -> None:
    file, token = tmp_path / "close.json", tmp_path / "token"
    file.write_text(content if isinstance(content, str) else json.dumps(content, separators=(",", ":"), sort_keys=True))
    token.write_text("x")
    token.chmod(0o600)
    before = file.read_bytes()
    more = {
        "close-sign": ["--key", str(token), "--yes"],
        "close": ["--url", "http://127.0.0.1:1", "--api-key", str(token)],
    }
    done = CliRunner().invoke(app, ["settle", command, str(file), *more[command]])
    assert (done.exit_code, told in done.output) == (2, True), done.output
    assert file.read_bytes() == before
