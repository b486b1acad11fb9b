"""Items as lines of a file: what `gather export` writes and `gather import` reads, whatever the format.

A line holds everything that is kept of an item, so that a round trip loses nothing. A bad line is named by its field and value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError
from pydantic_core import to_jsonable_python

from gather_pipeline.domain.departments import SLUG, SLUG_EXPECTED
from gather_pipeline.domain.items import TEXTS, Item, Origin, Overruled, Revision, State, content_hash
from gather_pipeline.domain.projects import ID as PROJECT_ID
from gather_pipeline.domain.projects import ID_EXPECTED
from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import InvalidInput, expected

Format = Literal["jsonl", "csv", "md", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".md": "md", ".markdown": "md", ".parquet": "parquet"}
READ_SUFFIXES: dict[str, Format] = SUFFIXES | {".json": "jsonl", ".tsv": "csv"}
NEEDED = ("department", "content")  # of a line that a person made by hand


def _some(text: str) -> str:
    if not typed(text):
        raise ValueError("nothing in it can be seen")
    return text


# A field's description is what a message says was expected.
ItemId = Annotated[str, Field(pattern="^[0-9a-f]{24}$", description="24 hexadecimal digits")]
Slug = Annotated[str, Field(pattern=SLUG, description=SLUG_EXPECTED)]
Text = Annotated[str, Field(description="a text")]
SomeText = Annotated[str, AfterValidator(_some), Field(description="a text of at least a word")]
Name = Annotated[Annotated[str, AfterValidator(_some)] | None, Field(description="a name, or nothing")]


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Checks a line's values.

        Raises:
            InvalidInput: A field is missing or wrong; names it, its value and what was expected.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
        name, *within = first["loc"]
        where = str(name) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in within)
        wanted = expected(first["msg"]) if within else str(cls.model_fields[str(name)].description)
        if first["type"] == "missing":
            raise InvalidInput(f"{where} is missing, expected {'a value' if within else wanted}")
        raise InvalidInput.field(where, first["input"], wanted)


class StoredFields(_Fields):
    """Everything that is kept of an item, in the order of a file's columns."""

    id: ItemId
    project_id: Annotated[str, Field(pattern=f"^{PROJECT_ID.pattern}$", description=ID_EXPECTED)]
    department: Slug
    iteration: Annotated[StrictInt, Field(ge=0, le=999_999, description="a whole number from 0 to 999999")]
    place: Annotated[StrictInt, Field(ge=0, le=10**9, description="a whole number from 0 to 1000000000")]
    aspect: Text
    content: SomeText
    summary: Text
    context: Text
    state: Annotated[State, Field(description=f"one of {', '.join(get_args(State))}")]
    revision: Annotated[StrictInt, Field(ge=1, le=10**9, description="a whole number from 1 to 1000000000")]
    written_by: Name
    origin: Annotated[Origin, Field(description=f"one of {', '.join(get_args(Origin))}")]
    created_at: Text
    user_id: Annotated[str | None, Field(description="a text, or nothing")]
    task_id: Text
    content_hash: Annotated[object, Field(description="anything")] = None  # written for other programs, never read
    automation: Annotated[dict[str, Any], Field(description="a JSON object")]
    revisions: Annotated[list[Revision], Field(description="a JSON list of versions")]
    overruled: Annotated[list[Overruled], Field(description="a JSON list of overruled drops")]


class NoteFields(_Fields):
    """What a person may write of a note into a file."""

    department: Annotated[Slug, BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)]
    content: SomeText
    summary: Text = ""
    context: Text = ""
    aspect: Text = ""
    written_by: Name = None
    id: Annotated[ItemId | None, Field(description="24 hexadecimal digits")] = None


COLUMNS = tuple(StoredFields.model_fields)


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
    values = to_jsonable_python(item)
    values |= {"place": place, "content_hash": content_hash(item.content), "automation": values["provenance"]}
    return {name: values[name] for name in COLUMNS}


def from_fields(fields: Mapping[str, Any], project_id: str) -> tuple[Item, int]:
    """The item of an export's line, as one of a project, and its place; what is not of an item is passed over.

    Raises:
        InvalidInput: A field is missing or wrong; names it, its value and what was expected.
    """
    values = dict(StoredFields.of(fields))
    place, provenance = values.pop("place"), values.pop("automation")
    del values["content_hash"]
    _check_numbers("automation", provenance)
    history = {name: tuple(values[name]) for name in ("revisions", "overruled")}
    item = Item(**{**values, **history, "project_id": project_id, "provenance": provenance})
    numbers = [version.revision for version in item.revisions]
    if not numbers and item.revision != 1:
        raise InvalidInput.field("revision", item.revision, "1 where there are no revisions")
    if numbers and numbers != list(range(1, item.revision + 1)):
        raise InvalidInput.field("revisions", numbers, f"the versions 1 to {item.revision} in order")
    for name in TEXTS:
        if getattr(item.history()[-1], name) != getattr(item, name):
            raise InvalidInput.field(name, getattr(item, name), "the text of the last of its revisions")
    return item, place


def _check_numbers(where: str, value: object) -> None:
    """Refuses numbers that no store could keep, wherever they stand in a JSON value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_numbers(f"{where}.{key}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _check_numbers(f"{where}[{place}]", inner)
    elif isinstance(value, int) and value.bit_length() > 63:
        raise InvalidInput.field(where, value, "a whole number of 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput.field(where, value, "a finite number")
