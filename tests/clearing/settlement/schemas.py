"""The official ISO 20022 schemas, read from the wheels that set-up brings: nothing of them is installed or imported."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from lxml import etree

FOLDER = Path(__file__).resolve().parents[3] / ".schemas"
PLACES = {
    "pain.001.001.09": ("sepaxml", "sepaxml/schemas/pain.001.001.09.xsd"),
    **{
        f"camt.053.001.{version}": ("camt053", f"camt053/xsd/camt.053.001.{version}.xsd")
        for version in ("02", "08", "10")
    },
}


def problems(message: str, data: bytes) -> list[str]:
    """What the schema of this message finds wrong with a file. Skips where set-up brought no schemas."""
    package, place = PLACES[message]
    wheels = sorted(FOLDER.glob(f"{package}-*.whl"))
    if not wheels:
        pytest.skip(f"no ISO 20022 schema of {message}: `make test` brings it into .schemas")
    with zipfile.ZipFile(wheels[0]) as wheel:
        schema = etree.XMLSchema(etree.fromstring(wheel.read(place)))
    document = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    schema.validate(document)
    return [f"{item.line}: {item.message}" for item in schema.error_log]
