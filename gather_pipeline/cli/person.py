"""Who sits at the keyboard, and the texts that they hand in."""

from __future__ import annotations

import getpass
import os
import stat
import sys
from typing import BinaryIO

from gather_pipeline.errors import InvalidInput
from gather_pipeline.settings import Settings

NAME_LIMIT = 200
TEXT_LIMIT_BYTES = 80_000  # what 20,000 characters, the most that a note may have, can take as UTF-8


def person(by: str | None, settings: Settings) -> str:
    """The name that a change is kept under: the option's, else the setting's, else the login's.

    Raises:
        InvalidInput: It is empty, too long or not of one line, or there is none.
    """
    if by is None and settings.user is None:
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            raise InvalidInput("--by is missing and there is no login name, expected who you are (or GATHER_USER)") from None
    source, name = ("--by", by) if by is not None else ("GATHER_USER", settings.user or "")
    if not name.strip() or len(name) > NAME_LIMIT or not name.isprintable():
        raise InvalidInput.field(source, name, f"a name of 1 to {NAME_LIMIT} characters on one line")
    return name.strip()


def read_text(path: str) -> str:
    """A note's text from a file.

    Args:
        path: Of the file; ``-`` is standard input.

    Raises:
        InvalidInput: The file is not there or cannot be read, is too long or not UTF-8 text.
    """
    if path == "-":
        return _read(sys.stdin.buffer, "standard input")
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path of the user, shown as it was typed
            return _read(file, path)
    except IsADirectoryError:
        raise InvalidInput.field("--file", path, "a text file, and it is a folder") from None
    except FileNotFoundError:
        raise InvalidInput.field("--file", path, "a file that is there") from None
    except OSError as error:
        raise InvalidInput.field("--file", path, f"a file that can be read ({error.strerror})") from None


def _read(file: BinaryIO, source: str) -> str:
    data = file.read(TEXT_LIMIT_BYTES + 1)
    if len(data) > TEXT_LIMIT_BYTES:
        size = os.fstat(file.fileno())
        told = str(size.st_size) if stat.S_ISREG(size.st_mode) else f"more than {TEXT_LIMIT_BYTES}"
        raise InvalidInput(f"{source} has {told} bytes, expected a note of at most {TEXT_LIMIT_BYTES}")
    return decoded(data, source)


def decoded(data: bytes, source: str) -> str:
    """UTF-8 text; raises `InvalidInput` where it is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{source} has byte {data[error.start]:#04x} at {error.start}, expected UTF-8 text") from None
