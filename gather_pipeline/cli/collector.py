"""Keeps the garbage collector out of the way while a command starts.

Loading Dagster and the rest of a run makes a million objects that stay. Python's collector walks over all of them again and again
meanwhile and finds next to nothing, which was a fifth of the start; docs/decisions/0011-start.md has the figures.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Within it nothing is collected; what is there at its end is taken to stay, and later collections pass it over."""
    if not gc.isenabled():  # paused already: whoever did it ends it
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
