"""What a user hands in: briefs, notes and JSON, by file or on standard input."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import nullcontext

from gather_pipeline import bootstrap
from gather_pipeline.cli.output import say
from gather_pipeline.domain.projects import BRIEF_LIMIT_BYTES, check_brief
from gather_pipeline.domain.texts import clean, decoded
from gather_pipeline.errors import InvalidInput
from gather_pipeline.text.injection import injection

NOTE_LIMIT_BYTES = 80_000  # what 20,000 characters, the most that a note may have, can take as UTF-8


def read_brief(path: str) -> str:
    """The text of a brief, from a file or, where its path is ``-``, from standard input.

    Raises:
        InvalidInput: The file is not there or cannot be read, is too long, empty or not UTF-8 text.
    """
    source = "from standard input" if path == "-" else path
    brief = check_brief(_read(path, "--brief", BRIEF_LIMIT_BYTES, f"brief {source}"), source)
    if found := injection(brief):
        say(f"The brief has words that seem meant for a model, which gets them as they are: {found}")
    return brief


def read_note(path: str) -> str:
    """The text of a note, from where `read_brief` has a brief's, and refused as there; it may be empty."""
    return clean(read_text(path, "--file", NOTE_LIMIT_BYTES))


def read_text(path: str, option: str, limit: int) -> str:
    """The text of a file or of standard input, refused as a brief's is; it may be empty."""
    return decoded(_read(path, option, limit, source_of(path)), source_of(path))


def source_of(path: str) -> str:
    """What a path is called in a refusal."""
    return "standard input" if path == "-" else path


def _read(path: str, option: str, limit: int, source: str) -> bytes:
    """The bytes of a file, never more of it than it may have."""
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else bootstrap.opened(path, option) as file:
            data = file.read(limit + 1)
            status = os.fstat(file.fileno()) if len(data) > limit else None
    except OSError as error:
        raise InvalidInput.field(option, path, f"a file that can be read ({error.strerror})") from None
    if status is not None:
        size = str(status.st_size) if stat.S_ISREG(status.st_mode) else f"more than {limit}"
        raise InvalidInput(f"{source} has {size} bytes, expected at most {limit}")
    return data
