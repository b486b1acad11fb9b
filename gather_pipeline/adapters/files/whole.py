"""A file that is written whole or not at all: whoever opens it meanwhile sees the one before it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all; `OSError` where it cannot be written."""
    with written_whole(path) as file:
        file.write(text.encode())


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file beside the one wanted, which takes its place when all is written. Where that fails, nothing is left behind."""
    target = path.resolve()  # a link goes on to point where it points
    if target.exists() and not target.is_file():  # a pipe or a device: there is nothing to replace
        with target.open("wb") as file:
            yield file
        return
    fresh = target.with_name(f".{target.name[:200]}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
