"""What every command shares: the installation it is about, and one line in the domain's own words when it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy.exc import DatabaseError

from api import settings
from api.client import PlatformError, PlatformUnavailable
from clearing.errors import ClearingError
from ledger.errors import LedgerError
from registry.errors import RegistryError

if TYPE_CHECKING:
    from api import bootstrap

_USUAL: tuple[type[Exception], ...] = (
    LedgerError, ClearingError, RegistryError, settings.SettingsError, OSError, UnicodeDecodeError, DatabaseError,
    PlatformError, PlatformUnavailable,
)  # fmt: skip

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="安装目录（默认 SHUQING_HOME 或 ~/.shuqing） / folder of the installation")
]


@contextmanager
def said_clearly() -> Iterator[None]:
    """Turns every expected error into one line on stderr and exit code 2."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _USUAL) and not isinstance(error, _rare()):
            raise
        typer.echo(_words(error), err=True)
        raise typer.Exit(2) from error


def _words(error: Exception) -> str:
    """One line: the domain's own words, or for a file the system's, with the file named."""
    if isinstance(error, OSError) and error.strerror:
        why = f"{error.filename or ''} {error.strerror}".strip()
        return f"文件不可用：{why}。 / The file cannot be used: {why}."
    if isinstance(error, DatabaseError):
        return f"数据库不可用：{error.orig}。 / The database cannot be used: {error.orig}."
    if isinstance(error, UnicodeDecodeError):
        return f"不是 UTF-8 文本：{error}。 / Not UTF-8 text: {error}."
    return " ".join(str(error).split()) or type(error).__name__


def system_of(home: Path | None) -> bootstrap.System:
    """The installation in this folder."""
    from api import bootstrap  # which takes longer to load than what commands without an installation do

    return bootstrap.build(settings.load(home or settings.home_from_environment()))


def stored(home: Path | None) -> bootstrap.System:
    """An installation whose database is there already: what only reads must not answer from an empty one."""
    from api import bootstrap

    system = system_of(home)
    bootstrap.require_database(system)
    return system


def _rare() -> tuple[type[Exception], ...]:
    """What the doors refuse with besides."""
    from api.errors import STATUS

    return tuple(STATUS)
