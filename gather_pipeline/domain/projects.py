"""Projects: an id that is safe in a database or file name, and a brief (C45)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from gather_pipeline.domain.texts import decoded, typed
from gather_pipeline.errors import InvalidInput

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
ID_EXPECTED = "24 hexadecimal digits, or 1 to 48 of a-z, 0-9 and '-'"
BRIEF_LIMIT_BYTES = 200_000  # about 50,000 tokens: more than any model's useful context


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project; its brief, Markdown, says what it is about."""

    id: str
    name: str
    brief: str


@dataclass(frozen=True, kw_only=True)
class EarlierBrief:
    """A name and brief that a project had before.

    Attributes:
        until: When they were replaced, UTC.
        by: Who replaced them, empty where nobody is known.
    """

    name: str
    brief: str
    until: str
    by: str


def new_project_id() -> str:
    """A fresh id of 24 hexadecimal digits, the form of a MongoDB ObjectId (S001-TASK-06)."""
    return secrets.token_hex(12)


def check_project_id(value: str, field: str = "project id") -> str:
    """Returns the id, or refuses what could not be part of a database or file name.

    Raises:
        InvalidInput: The id has another form.
    """
    if not ID.fullmatch(value):
        raise InvalidInput.field(field, value, ID_EXPECTED)
    return value


def check_brief(data: bytes, source: str) -> str:
    """Decodes and checks a brief.

    Raises:
        InvalidInput: Empty, too long, or not UTF-8 text.
    """
    if len(data) > BRIEF_LIMIT_BYTES:
        raise InvalidInput(f"brief {source} has {len(data)} bytes, expected at most {BRIEF_LIMIT_BYTES}")
    text = decoded(data, f"brief {source}")
    if "\x00" in text:
        raise InvalidInput(f"brief {source} has a NUL character at {text.index(chr(0))}, expected plain text")
    text = typed(text)
    if not text:
        raise InvalidInput(f"brief {source} is empty, expected at least a sentence about the project")
    return text


def project_database(project_id: str) -> str:
    """Name of the database that holds one project (S001-MDB-04)."""
    return f"aladdin-gather-{check_project_id(project_id)}"
