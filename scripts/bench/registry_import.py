"""Import of 10,000 rows, 5 % of them wrong, with the error file: as `shuqing intake import` does it.

Recipe:
1. The template as downloaded, filled in with 10,000 applications of one holder (44 columns each, all different); every
   twentieth row has one wrong cell, in turn an enumeration, a day, a check digit, a digest, a number.
2. An installation with an empty SQLite database (WAL, synchronous=FULL). Each run imports the file, renamed keys and
   all new, from the sealed upload to the end: read, look through, check every row by the form's types and the
   pre-check, write the drafts in transactions of 250 rows, write the sealed error file. Median of `RUNS` runs.
3. The same file again, when nothing is new (`again_s`). `cpu_median_s` is what one core was busy for, which other work
   on the machine does not add to.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xlsxwriter

from api import bootstrap, importing, jobs, sealed
from api.bootstrap import System
from ledger import sm
from ledger.digest import twin
from registry.asset import content_of, data_file
from registry.intake import service, store
from registry.intake.columns import MAIN
from tests.api.house import installation
from tests.registry.intake.intake_forms import typed
from tests.registry.registry_house import PROVIDER, a_form

ROWS, RUNS = 10_000, 5
HOLDER = f"party:{PROVIDER}"
WRONG = (("地域范围", "省内"), ("时域起", "2013-13-01"), ("证件号码", "91330100MA0000003A"), ("数据文件", "a|1|1|x|y"),
         ("申请年限", "五年"))  # fmt: skip


def import_10k() -> dict[str, Any]:
    """Seconds of the import and what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        system = _system(Path(folder) / "home")
        seconds, busy = [], []
        for run in range(RUNS):
            data = _workbook(str(run))
            started, before = time.perf_counter(), time.process_time()
            row = _import(system, f"{run}.xlsx", data)
            seconds.append(time.perf_counter() - started)
            busy.append(time.process_time() - before)
            assert (row.total, row.written, row.wrong) == (ROWS, ROWS - ROWS // 20, ROWS // 20)
        started = time.perf_counter()
        assert _import(system, "again.xlsx", data).same == ROWS - ROWS // 20
        again = time.perf_counter() - started
        errors = sealed.read(system.settings.home, sealed.import_file(system.settings.home, row.id, "errors"), "e")
        return {
            "rows": ROWS,
            "median_s": round(statistics.median(seconds), 2),
            "best_s": round(min(seconds), 2),
            "cpu_median_s": round(statistics.median(busy), 2),
            "all_s": [round(item, 2) for item in seconds],
            "again_s": round(again, 2),
            "file_bytes": len(data),
            "error_file_bytes": len(errors),
        }


def _system(home: Path) -> System:
    system = bootstrap.build(installation(home, sm.generate().public))
    bootstrap.migrate(system.settings.database)
    return system


def _import(system: System, name: str, data: bytes) -> Any:
    with jobs.transaction(system) as session:
        identity = service.open_import(session, HOLDER, name, twin(data).sha256.hex(), at=system.clock()).id
    sealed.write(system.settings.home, sealed.import_file(system.settings.home, identity, "source"), data)
    importing.run(system, identity)
    with jobs.snapshot(system) as session:
        row = store.import_(session, identity)
        session.expunge(row)
    return row


def _workbook(run: str) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"constant_memory": True})
    sheet = book.add_worksheet("申请")
    for number, cells in enumerate(_rows(run)):
        for place, text in enumerate(cells):
            sheet.write_string(number, place, text)
    book.close()
    return out.getvalue()


def _rows(run: str) -> Iterator[list[str]]:
    yield [column.heading for column in MAIN]
    cells = typed("", a_form(attachments=()))
    for number in range(ROWS):
        name = f"flights-{run}-{number}.csv"
        content = content_of((data_file(name, name.encode(), number),)).files[0]
        cells["内部编号"] = f"{run}-{number}"
        cells["数据名称"] = f"2013年全国民航运输航班起降记录数据集第{number}辑"
        cells["数据文件"] = f"{name}|{content.size}|{content.rows}|{content.digest.sha256}|{content.digest.sm3}"
        heading, value = WRONG[number // 20 % len(WRONG)] if number % 20 == 19 else ("", "")
        yield [value if column.heading == heading else cells.get(column.heading, "") for column in MAIN]
