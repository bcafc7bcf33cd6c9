"""PDF/A-3b, asked of veraPDF: the body, the sealed paper with and without a time stamp, and a file that must fail.

The validator is a test-only tool: its library comes from Maven Central by the Maven that is installed. Where there is
no Java, no Maven or no answer, the test says so and is skipped; then nothing is claimed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from registry.document import render_seal
from tests.registry.registry_house import FONTS, a_form, open_house
from tests.registry.seal_maker import Stamper, a_seal, authority

pytestmark = pytest.mark.services
VERSION = "1.26.1"
RUNNER = Path(__file__).with_name("PdfA.java")
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>pdfa</artifactId><version>1</version><dependencies><dependency>
<groupId>org.verapdf</groupId><artifactId>validation-model</artifactId><version>{VERSION}</version>
</dependency></dependencies></project>"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"缺少 {missing}，未核验 PDF/A / no {missing}: PDF/A is not checked")
    folder = tmp_path_factory.mktemp("verapdf")
    (folder / "pom.xml").write_text(POM)
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"未取得 veraPDF / veraPDF was not obtainable: {done.stdout[-300:]}")
    return folder / "lib"


def validated(library: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    command = ["java", "-cp", f"{library}/*", str(RUNNER), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.clause("G27")
def test_certificate__body_and_sealed_file__pass_the_validator(library: Path, tmp_path: Path) -> None:
    house = open_house(tmp_path / "registry.db")
    draft = house.drawn(house.certificate(a_form()))
    stamper = Stamper(authority("演示时间戳根"), house.now)
    files = {"body": draft.body, "picture": render_seal(draft.agency, True, FONTS)}
    for name, seal in (("sealed", a_seal()), ("stamped", a_seal(stamper=stamper))):
        files[name] = seal.press(draft.body, draft.picture, reason="核发", place=draft.agency, at=house.now).pdf
    for name, data in files.items():
        (tmp_path / f"{name}.pdf").write_bytes(data)
    done = validated(library, *(tmp_path / f"{name}.pdf" for name in files))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("compliant=true") == len(files)
    house.session.close()
    house.engine.dispose()


def test_validator__file_with_a_fault__is_told_apart(library: Path, tmp_path: Path) -> None:
    """The same body, but its metadata says another part of the standard than its content keeps."""
    picture = render_seal("某某数据登记有限公司（演示）", True, FONTS)
    assert picture.count(b"<pdfaid:part>3<") == 1
    (tmp_path / "bad.pdf").write_bytes(picture.replace(b"<pdfaid:part>3<", b"<pdfaid:part>1<"))
    done = validated(library, tmp_path / "bad.pdf")
    assert (done.returncode, "compliant=false" in done.stdout) == (1, True)
