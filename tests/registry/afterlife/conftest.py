from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tests.registry.afterlife.afterlife_house import After, opened
from tests.registry.registry_house import open_house


@pytest.fixture(scope="session")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[After, Path]:
    """A house that issued one certificate, in a file to be copied: registering takes longer than most tests."""
    file = tmp_path_factory.mktemp("afterlife") / "issued.db"
    first = opened(open_house(file))
    first.house.session.commit()
    first.house.session.close()
    first.house.engine.dispose()
    return first, file


@pytest.fixture
def later(issued: tuple[After, Path], tmp_path: Path) -> Iterator[After]:
    """The house after it issued one certificate, in a database of its own."""
    first, file = issued
    for suffix in ("", "-wal"):
        if (source := Path(f"{file}{suffix}")).exists():
            shutil.copy(source, f"{tmp_path / 'own.db'}{suffix}")
    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    house = replace(first.house, engine=engine, session=Session(engine), keys=dict(first.house.keys))
    yield After(house, first.code)
    house.session.close()
    engine.dispose()
