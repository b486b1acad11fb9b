"""Files that people name: opened only where they are files, for a pipe may never end or never begin, and a device does both."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from gather_pipeline.errors import InvalidInput

HANDED = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")  # open already in this process: what a shell makes of <(command)
KINDS = {stat.S_IFIFO: "pipe", stat.S_IFCHR: "device", stat.S_IFBLK: "device", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}


def opened(path: str | Path, name: str) -> BinaryIO:
    """A file to read.

    Args:
        path: As it was typed.
        name: Option or setting that named it.

    Raises:
        InvalidInput: It is not there, is no file, or cannot be read; at once, whatever it is.
    """
    try:
        # Without waiting for whoever would write into a pipe; of a file it changes nothing.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise InvalidInput.field(name, str(path), "a file that is there") from None
    except OSError as error:
        raise InvalidInput.field(name, str(path), f"a file that can be read ({error.strerror})") from None
    kind = KINDS.get(stat.S_IFMT(os.fstat(descriptor).st_mode))
    if kind and (kind == "folder" or not str(path).startswith(HANDED)):
        os.close(descriptor)
        raise InvalidInput.field(name, str(path), f"a file, and it is a {kind}")
    os.set_blocking(descriptor, True)
    return open(descriptor, "rb")  # noqa: PTH123
