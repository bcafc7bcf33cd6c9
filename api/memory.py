"""The interpreter's collector of cycles, told what it need not look at.

Some hundred thousand objects of modules, tables and routes live as long as the process; each full collection walks
all of them, in the middle of somebody's request. A rebuild holds millions of values that refer to nothing but text and
numbers.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def settle() -> None:
    """Takes what is loaded now out of every later collection: called once a process, when it is ready to work."""
    gc.collect()
    gc.freeze()


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection while a great many values without cycles are made; reference counts free them as ever."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
