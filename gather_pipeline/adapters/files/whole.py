"""A file that is written whole or not at all: whoever opens it meanwhile sees the one before it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from gather_pipeline.adapters.files.given import PATIENCE_S


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all; `OSError` where it cannot be written."""
    with written_whole(path) as file:
        file.write(text.encode())


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file beside the one wanted, which takes its place when all is written. Where that fails, nothing is left behind."""
    target = path.resolve()  # a link goes on to point where it points
    if target.exists() and not target.is_file():  # a pipe or a device: there is nothing to replace
        with _unwaited(target) as file:
            yield file
        return
    fresh = target.with_name(f".{target.name[:200]}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            if target.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))  # what was for its owner alone stays so
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _unwaited(pipe: Path) -> BinaryIO:
    """A pipe or a device to write to; raises `BrokenPipeError` where nobody reads from it for `PATIENCE_S`."""
    patient = Retrying(retry=retry_if_exception(_is_unread), stop=stop_after_delay(PATIENCE_S), wait=wait_fixed(0.05), reraise=True)
    try:
        descriptor = patient(os.open, pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if _is_unread(error):
            raise BrokenPipeError(errno.EPIPE, "nobody reads from it") from None
        raise
    os.set_blocking(descriptor, True)
    return open(pipe, "wb", opener=lambda path, flags: descriptor)  # noqa: PTH123  # under its own name, which DuckDB opens


def _is_unread(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENXIO
