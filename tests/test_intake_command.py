"""`shuqing intake` as real processes: killed in the middle, run again, nothing twice, nothing half; then signed.

The platform has no chain: nothing of intake asks one.
"""

from __future__ import annotations

import json
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api import jobs, keyfiles
from api.cli import app
from api.settings import save
from ledger import canonical
from ledger.reading import read
from registry import store
from registry.form import Form
from tests.api.house import Platform, open_platform, template
from tests.counts import few
from tests.played import ROOT, shuqing
from tests.registry.intake.intake_forms import as_csv, table, typed
from tests.registry.registry_house import PROVIDER, a_form

ROWS, WRONG = 1_500, 40
HOLDER = f"party:{PROVIDER}"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with open_platform(tmp_path / "home", template(tmp_path)) as opened:
        save(opened.system.settings)
        yield opened


def file(folder: Path) -> Path:
    cells = [typed(str(number), a_form(attachments=())) for number in range(ROWS)]
    for number in range(WRONG):
        cells[number * 30 + 7]["更新频率"] = "随时"
    made = folder / "申请.csv"
    made.write_bytes(as_csv(cells, "gb18030"))
    return made


def arguments(platform: Platform, source: Path) -> list[str]:
    home, errors = str(platform.system.settings.home), str(source.parent / "errors.xlsx")
    return ["intake", "import", str(source), "--holder", PROVIDER, "--errors", errors, "--home", home]


def drafts(platform: Platform) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(platform.system.settings.home / "shuqing.db")) as database:
        return list(database.execute("SELECT id, body FROM draft ORDER BY id"))


def applications(platform: Platform) -> int:
    with closing(sqlite3.connect(platform.system.settings.home / "shuqing.db")) as database:
        return int(database.execute("SELECT count(*) FROM application").fetchone()[0])


def killed(platform: Platform, command: list[str], reached: int, count: object) -> int:
    """Runs the real command and kills it (SIGKILL) once `count` has reached something; what it was then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api", *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 120
        while count(platform) <= reached and process.poll() is None:  # type: ignore[operator]
            assert time.monotonic() < end
            time.sleep(0.005)
        time.sleep(secrets.randbelow(200) / 1000)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return int(count(platform))  # type: ignore[operator]


@pytest.mark.parametrize("run", range(few(1)))
def test_import__killed_in_the_middle__whole_rows_or_nothing__and_run_again_it_completes(
    platform: Platform, tmp_path: Path, run: int
) -> None:
    source = file(tmp_path)
    command = arguments(platform, source)
    reached = 0
    for _ in range(2):
        reached = killed(platform, command, reached, lambda opened: len(drafts(opened)))
        for _, body in drafts(platform):
            read(Form, canonical.decode(body.encode()))
    assert 0 < reached <= ROWS - WRONG
    done = shuqing(*command)
    assert done.returncode == 1, done.stderr[-2000:]
    assert f"{ROWS}/{ROWS} 行" in done.stdout
    assert f"有错 {WRONG}" in done.stdout
    complete = drafts(platform)
    assert len(complete) == ROWS - WRONG
    lines = table((tmp_path / "errors.xlsx").read_bytes())
    assert [line["内部编号"] for line in lines] == [str(number * 30 + 7) for number in range(WRONG)]
    assert {line["更新频率"] for line in lines} == {"随时"}
    again = shuqing(*command)
    assert f"新增草稿 0，此前已导入 {ROWS - WRONG}" in again.stdout
    assert drafts(platform) == complete
    assert not list((platform.system.settings.home / "intake").rglob("source"))


def test_sign__killed_in_the_middle_and_run_again__each_draft_becomes_one_application(
    platform: Platform, tmp_path: Path
) -> None:
    cells = [typed(str(number), a_form(attachments=())) for number in range(150)]
    source = tmp_path / "a.csv"
    source.write_bytes(as_csv(cells))
    assert shuqing(*arguments(platform, source)).returncode == 0
    wanted = {identity for identity, _ in drafts(platform)}
    key = tmp_path / "key.json"
    keyfiles.create(key, HOLDER)
    key.write_text(json.dumps(json.loads(key.read_text()) | {"sm2": platform.keys[HOLDER].private.hex()}))
    command = ["intake", "sign", "--key", str(key), "--yes", "--home", str(platform.system.settings.home)]
    red = shuqing(*command)
    assert red.returncode == 1
    assert "合法取得佐证" in red.stdout
    assert applications(platform) == 0
    made = killed(platform, [*command, "--confirm-red"], 0, applications)
    assert made + len(drafts(platform)) == 150
    done = shuqing(*command, "--confirm-red")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert applications(platform) == 150
    assert drafts(platform) == []
    with jobs.snapshot(platform.system) as session:
        assert all(store.case(session, identity).state.value == "SUBMITTED" for identity in wanted)
    assert shuqing(*arguments(platform, source)).stdout.count("新增草稿 0，此前已导入 150") == 1


def test_commands__wrong_input__one_clear_line(platform: Platform, tmp_path: Path) -> None:
    home = ["--home", str(platform.system.settings.home)]
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"a,b\n1,2\n")
    errors = ["--errors", str(tmp_path / "e.xlsx")]
    for command, words in (
        (["template", str(tmp_path / "a.doc")], "扩展名应为 xlsx 或 csv"),
        (["import", str(bad), "--holder", PROVIDER, *errors, *home], "表头缺少"),
        (["import", str(bad), "--holder", "123", *errors, *home], "统一社会信用代码"),
        (["import", str(tmp_path / "none.csv"), "--holder", PROVIDER, *errors, *home], "文件不可用"),
        (["sign", "--key", str(bad), "--yes", *home], "仅所有者可读"),
        (["digest", str(tmp_path / "none")], "文件不可用"),
    ):
        done = CliRunner().invoke(app, ["intake", *command])
        assert done.exit_code == 2, (command, done.output)
        assert words in done.stderr
        assert isinstance(done.exception, SystemExit)
    assert drafts(platform) == []


def test_template_and_digest__written_as_the_import_wants_them(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["intake", "template", str(tmp_path / "t.xlsx")]).exit_code == 0
    assert table((tmp_path / "t.xlsx").read_bytes()) == []
    data = tmp_path / "flights.csv"
    data.write_bytes(b"year,month,day\n2013,1,1\n")
    (expected,) = a_form().description.content.files
    said = CliRunner().invoke(app, ["intake", "digest", str(data)]).stdout.strip()
    assert said == f"flights.csv|24|2|{expected.digest.sha256}|{expected.digest.sm3}"
