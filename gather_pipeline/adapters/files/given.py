"""Files that people name, and pipes that somebody writes into: what may never begin, or never end as devices do, is refused."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from typing import BinaryIO

from gather_pipeline.errors import InvalidInput

PATIENCE_S = 1.5  # in which a program at the other end of a pipe has begun to write
HANDED = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")  # open already in this process: what a shell makes of <(command)
KINDS = {stat.S_IFIFO: "pipe", stat.S_IFCHR: "device", stat.S_IFBLK: "device", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}


def opened(path: str | Path, name: str) -> BinaryIO:
    """A file to read, which an option or a setting of that name gives.

    Raises:
        InvalidInput: It is not there, is no file, or cannot be read; soon, whatever it is.
    """
    try:
        # Without waiting for whoever would write into a pipe; of a file it changes nothing.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InvalidInput.field(name, str(path), "a file that is there") from None
    except OSError as error:
        raise InvalidInput.field(name, str(path), f"a file that can be read ({error.strerror})") from None
    kind = KINDS.get(stat.S_IFMT(os.fstat(descriptor).st_mode))
    if kind == "folder" or (kind and not str(path).startswith(HANDED) and not (kind == "pipe" and _is_written(descriptor))):
        os.close(descriptor)
        told = f"pipe into which nobody wrote for {PATIENCE_S:g} s" if kind == "pipe" else kind
        raise InvalidInput.field(name, str(path), f"a file, and it is a {told}")
    os.set_blocking(descriptor, True)
    return open(descriptor, "rb")  # noqa: PTH123


def _is_written(pipe: int) -> bool:
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    return bool(waiting.poll(PATIENCE_S * 1000))
