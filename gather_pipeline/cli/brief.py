"""Reads a brief from a file or from standard input, never more of it than a brief may have."""

from __future__ import annotations

import os
import stat
import sys
from typing import BinaryIO

from gather_pipeline.domain.projects import BRIEF_LIMIT_BYTES, check_brief
from gather_pipeline.errors import InvalidInput


def read_brief(path: str) -> str:
    """The brief's text.

    Args:
        path: Of a file; ``-`` is standard input.

    Raises:
        InvalidInput: The file is not there or cannot be read, is too long, empty or not UTF-8 text.
    """
    if path == "-":
        return _read(sys.stdin.buffer, "from standard input")
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path of the user, shown as it was typed
            return _read(file, path)
    except IsADirectoryError:
        raise InvalidInput.field("--brief", path, "a text file, and it is a folder") from None
    except FileNotFoundError:
        raise InvalidInput.field("--brief", path, "a file that is there") from None
    except OSError as error:
        raise InvalidInput.field("--brief", path, f"a file that can be read ({error.strerror})") from None


def _read(file: BinaryIO, source: str) -> str:
    data = file.read(BRIEF_LIMIT_BYTES + 1)
    if len(data) > BRIEF_LIMIT_BYTES:
        status = os.fstat(file.fileno())
        size = str(status.st_size) if stat.S_ISREG(status.st_mode) else f"more than {BRIEF_LIMIT_BYTES}"
        raise InvalidInput(f"brief {source} has {size} bytes, expected at most {BRIEF_LIMIT_BYTES}")
    return check_brief(data, source)
