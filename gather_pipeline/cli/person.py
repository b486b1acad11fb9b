"""Who sits at the keyboard, and the texts that they hand in."""

from __future__ import annotations

import getpass

from gather_pipeline.cli.inputs import read_limited
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
    source = "standard input" if path == "-" else path
    expected = f"a note of at most {TEXT_LIMIT_BYTES}"
    return decoded(read_limited(path, "--file", TEXT_LIMIT_BYTES, subject=source, expected=expected), source)


def decoded(data: bytes, source: str) -> str:
    """UTF-8 text; raises `InvalidInput` where it is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{source} has byte {data[error.start]:#04x} at {error.start}, expected UTF-8 text") from None
