"""What a command says when something is wrong: one line in the domain's own words, and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from sqlalchemy.exc import DatabaseError

from api import settings
from api.errors import STATUS

EXPECTED: tuple[type[Exception], ...] = (
    *STATUS, settings.SettingsError, OSError, UnicodeDecodeError, DatabaseError,
)  # fmt: skip


@contextmanager
def said_clearly() -> Iterator[None]:
    """Turns every expected error into one line on stderr and exit code 2."""
    try:
        yield
    except EXPECTED as error:
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
