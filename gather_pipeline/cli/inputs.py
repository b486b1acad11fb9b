"""Reads what a user hands in by file or on standard input, never more of it than it may have."""

from __future__ import annotations

import os
import stat
import sys
from typing import BinaryIO

from gather_pipeline.errors import InvalidInput


def read_limited(path: str, option: str, limit: int, *, subject: str, expected: str) -> bytes:
    """The bytes of a file.

    Args:
        path: Of the file; ``-`` is standard input.
        option: The option that named it, for the message.
        limit: Most bytes.
        subject: What is told to be too long.
        expected: What is told to have been expected then.

    Raises:
        InvalidInput: The file is not there, cannot be read, or is too long.
    """
    if path == "-":
        return _read(sys.stdin.buffer, limit, subject, expected)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path of the user, shown as it was typed
            return _read(file, limit, subject, expected)
    except IsADirectoryError:
        raise InvalidInput.field(option, path, "a text file, and it is a folder") from None
    except FileNotFoundError:
        raise InvalidInput.field(option, path, "a file that is there") from None
    except OSError as error:
        raise InvalidInput.field(option, path, f"a file that can be read ({error.strerror})") from None


def _read(file: BinaryIO, limit: int, subject: str, expected: str) -> bytes:
    data = file.read(limit + 1)
    if len(data) > limit:
        status = os.fstat(file.fileno())
        size = str(status.st_size) if stat.S_ISREG(status.st_mode) else f"more than {limit}"
        raise InvalidInput(f"{subject} has {size} bytes, expected {expected}")
    return data
