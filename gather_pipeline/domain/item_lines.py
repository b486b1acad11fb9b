"""Items as lines of a file: what `gather export` writes and `gather import` reads, whatever the format.

A line holds everything that is kept of an item, so that a round trip loses nothing. Each field has a rule, so that a bad line is named by
its field and value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gather_pipeline.domain.departments import SLUG, SLUG_EXPECTED
from gather_pipeline.domain.items import Action, Item, Origin, Overruled, Revision, State
from gather_pipeline.domain.projects import ID as PROJECT_ID
from gather_pipeline.domain.projects import ID_EXPECTED
from gather_pipeline.errors import InvalidInput

Format = Literal["jsonl", "csv", "md", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".md": "md",
    ".markdown": "md",
    ".parquet": "parquet",
}

NEEDED = ("department", "content")  # of a line that a person made by hand
TEXTS = ("content", "summary", "context", "aspect")
COLUMNS = (
    "id",
    "project_id",
    "department",
    "iteration",
    "place",
    "aspect",
    "content",
    "summary",
    "context",
    "state",
    "revision",
    "written_by",
    "origin",
    "created_at",
    "user_id",
    "task_id",
    "content_hash",
    "automation",
    "revisions",
    "overruled",
)
NESTED = ("automation", "revisions", "overruled")
NUMBERS = ("iteration", "place", "revision")
NULLABLE = ("written_by", "user_id")
DERIVED = "content_hash"  # written for other programs, never read

ITEM_ID = re.compile(r"[0-9a-f]{24}")
HIGHEST_ITERATION = 999_999  # a committed iteration's key has six digits
HIGHEST = 10**9


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a file, or why it could not be read.

    Attributes:
        number: Of the line in its file, of the row in a table; 1 for the first.
        fields: Values by name.
        fault: What is wrong with it as a line, empty where nothing is.
    """

    number: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""

    @property
    def is_stored(self) -> bool:
        """True for the line of an export; False for one that a person made by hand."""
        return bool(self.fields.get("id") and self.fields.get("project_id"))


def to_fields(item: Item, place: int) -> dict[str, Any]:
    """The line of an item, in the order of `COLUMNS`."""
    document = item.to_document() | {"id": item.id, "place": place}
    return {name: document[name] for name in COLUMNS}


def from_fields(fields: Mapping[str, Any], project_id: str) -> tuple[Item, int]:
    """The item of an export's line, and its place.

    Args:
        fields: Values by name; what is not of an item is passed over.
        project_id: The project that the item is to belong to.

    Raises:
        InvalidInput: A field is missing or wrong; names it, its value and what was expected.
    """
    checked = {name: take(fields, name) for name in COLUMNS if name != DERIVED}
    for at, version in enumerate(checked["revisions"]):
        _check_group("revisions", at, version, _REVISION)
    for at, one in enumerate(checked["overruled"]):
        # Exports of earlier releases have no similarity.
        _check_group("overruled", at, {"similarity": None, **one} if isinstance(one, Mapping) else one, _OVERRULED)
    item = Item.from_document({**checked, "_id": checked["id"], "project_id": project_id})
    _check_history(item)
    return item, checked["place"]


def take(fields: Mapping[str, Any], name: str) -> Any:
    """The value of a field that has to be there, and be as its rule says; raises `InvalidInput`."""
    fits, expected = RULES[name]
    if name not in fields:
        raise InvalidInput(f"{name} is missing, expected {expected}")
    if not fits(fields[name]):
        raise InvalidInput.field(name, fields[name], expected)
    return fields[name]


def _check_history(item: Item) -> None:
    if not item.revisions:
        if item.revision != 1:
            raise InvalidInput.field("revision", item.revision, "1 where there are no revisions")
        return
    numbers = [version.revision for version in item.revisions]
    if numbers != list(range(1, item.revision + 1)):
        raise InvalidInput.field("revisions", numbers, f"the versions 1 to {item.revision} in order")
    for name in TEXTS:
        if getattr(item.revisions[-1], name) != getattr(item, name):
            raise InvalidInput.field(name, getattr(item, name), "the text of the last of its revisions")


def _check_group(name: str, at: int, value: object, rules: Mapping[str, tuple[Callable[[Any], bool], str]]) -> None:
    where = f"{name}[{at}]"
    if not isinstance(value, Mapping) or value.keys() != rules.keys():
        raise InvalidInput.field(where, value, f"an object with {', '.join(rules)}")
    for key, (fits, expected) in rules.items():
        if not fits(value[key]):
            raise InvalidInput.field(f"{where}.{key}", value[key], expected)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _has_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: object) -> bool:
    return value is None or _has_text(value)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _matches(pattern: str | re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _one_of(values: tuple[str, ...]) -> tuple[Callable[[object], bool], str]:
    return (lambda value: isinstance(value, str) and value in values), f"one of {', '.join(values)}"


def _whole(low: int, high: int) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: type(value) is int and low <= value <= high), f"a whole number from {low} to {high}"


TEXT: tuple[Callable[[object], bool], str] = (_is_text, "a text")
SOME_TEXT: tuple[Callable[[object], bool], str] = (_has_text, "a text of at least a word")
NAME: tuple[Callable[[object], bool], str] = (_is_name, "a name, or nothing")
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": (_matches(ITEM_ID), "24 hexadecimal digits"),
    "project_id": (_matches(PROJECT_ID), ID_EXPECTED),
    "department": (_matches(SLUG.rstrip("$")), SLUG_EXPECTED),
    "iteration": _whole(0, HIGHEST_ITERATION),
    "place": _whole(0, HIGHEST),
    "aspect": TEXT,
    "content": SOME_TEXT,
    "summary": TEXT,
    "context": TEXT,
    "state": _one_of(get_args(State)),
    "revision": _whole(1, HIGHEST),
    "written_by": NAME,
    "origin": _one_of(get_args(Origin)),
    "created_at": TEXT,
    "user_id": (_is_text_or_none, "a text, or nothing"),
    "task_id": TEXT,
    "automation": (lambda value: isinstance(value, dict), "a JSON object"),
    "revisions": (lambda value: isinstance(value, list), "a JSON list of versions"),
    "overruled": (lambda value: isinstance(value, list), "a JSON list of overruled drops"),
}
_REVISION: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(Revision.__dataclass_fields__, TEXT),
    "revision": _whole(1, HIGHEST),
    "action": _one_of(get_args(Action)),
}
_OVERRULED: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(Overruled.__dataclass_fields__, TEXT),
    "hashes": (
        lambda value: isinstance(value, list) and len(value) <= 2 and all(isinstance(one, str) for one in value),
        "a list of at most two content hashes",
    ),
    "match_id": (_is_text_or_none, "an id, or nothing"),
    "similarity": (
        lambda value: value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1),
        "a number from 0 to 1, or nothing",
    ),
}
