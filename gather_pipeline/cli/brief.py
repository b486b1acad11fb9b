"""Reads a brief from a file or from standard input."""

from __future__ import annotations

from gather_pipeline.cli.inputs import read_limited
from gather_pipeline.domain.projects import BRIEF_LIMIT_BYTES, check_brief


def read_brief(path: str) -> str:
    """The brief's text.

    Args:
        path: Of a file; ``-`` is standard input.

    Raises:
        InvalidInput: The file is not there or cannot be read, is too long, empty or not UTF-8 text.
    """
    source = "from standard input" if path == "-" else path
    data = read_limited(path, "--brief", BRIEF_LIMIT_BYTES, subject=f"brief {source}", expected=f"at most {BRIEF_LIMIT_BYTES}")
    return check_brief(data, source)
