"""What a document store takes, decided once for every body of `DocumentStore`: ids, values, filters and sort orders.

Names of collections and fields come from `records` alone and are not checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gather_pipeline.errors import InvalidInput, StaleCursor, shorten

DATABASE = re.compile(r"[A-Za-z0-9_-]{1,63}")
ENGINE_DATABASES = frozenset({"admin", "config", "local"})  # MongoDB keeps these for itself
RANGE = {"$gt", "$gte", "$lt", "$lte"}
UNFIT = re.compile("[\x00\ud800-\udfff]")  # SQLite's JSON ends at NUL, UTF-8 has no lone surrogates
TEXT = "text without NUL characters and lone surrogates"
ID_LIMIT = 512  # characters
DEPTH_LIMIT = 64  # levels; MongoDB ends at 100
LOWEST, HIGHEST = -(2**63), 2**63 - 1

# Fields that filters or orders name in collections that grow; each has an index.
INDEXED = ("department", "item_id", "self_committed", "sequence", "written_by")


def check_database(name: str) -> str:
    """Returns the name of a database, or raises `InvalidInput` where it could not be a file's or a MongoDB database's."""
    if not DATABASE.fullmatch(name) or name.lower() in ENGINE_DATABASES:
        raise InvalidInput.field("database", name, "1 to 63 of A-Z, a-z, 0-9, '_' and '-', not admin, config or local")
    return name


def is_id(value: object) -> bool:
    """Whether a document could have that id."""
    return isinstance(value, str) and 0 < len(value) <= ID_LIMIT and not UNFIT.search(value)


def check_id(collection: str, id: object) -> str:
    """Returns a document's id, or raises `InvalidInput`."""
    if not isinstance(id, str) or not is_id(id):
        raise InvalidInput.field(f"_id of a document for {collection}", id, f"{TEXT} of 1 to {ID_LIMIT} characters")
    return id


def order_of(sort: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """A sort order with ``_id`` as its end."""
    return [*sort] if "_id" in dict(sort) else [*sort, ("_id", 1)]


def conditions_of(where: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """A filter as MongoDB has it, values by operator by field, all of which must hold; raises `InvalidInput` for a value that is none."""
    return {field: _conditions(field, wanted) for field, wanted in (where or {}).items()}


def _conditions(field: str, wanted: object) -> dict[str, Any]:
    if not isinstance(wanted, Mapping):
        return {"$eq": _scalar(field, wanted)}
    if wanted.keys() == {"$in"}:
        return {"$in": [_scalar(field, value) for value in wanted["$in"]]}
    if wanted and wanted.keys() <= RANGE:
        return {operator: _scalar(field, bound) for operator, bound in wanted.items()}
    raise InvalidInput.field(f"filter {field}", dict(wanted), 'a value, {"$in": [...]}, or bounds $gt, $gte, $lt, $lte')


def _scalar(field: str, value: object) -> object:
    """A value that both engines compare alike; fractions are not among them, whose last digit SQLite may read differently."""
    try:
        check_value(value)
    except Unfit as unfit:
        raise InvalidInput.field(f"filter {field}", value, unfit.expected) from None
    if not isinstance(value, str | int) or (field == "_id" and not isinstance(value, str)):
        raise InvalidInput.field(f"filter {field}", value, "text" if field == "_id" else "text, a whole number, true or false")
    return value


def split(collection: str, document: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A new document's id and its other fields, checked; a ``_version`` that it was read with is left out.

    Raises:
        InvalidInput: Something in it could not be stored, or not be read back the same.
    """
    id = check_id(collection, document.get("_id"))
    fields = {name: value for name, value in document.items() if name not in ("_id", "_version")}
    check_fields(collection, id, fields)
    return id, fields


def check_fields(collection: str, id: str, fields: Mapping[str, Any]) -> None:
    """Raises `InvalidInput`, naming the first such field, where fields could not be stored, or not be read back the same."""
    for name, value in fields.items():
        if not name or name[0] in "_$" or "." in name or UNFIT.search(name):
            expected = f"{TEXT} and '.', beginning neither with '_' nor '$'"
            raise InvalidInput.field(f"field name in {collection} {shorten(id)}", name, expected)
        try:
            check_value(value)
        except Unfit as unfit:
            raise InvalidInput.field(f"{name} of {collection} {shorten(id)}", unfit.value, unfit.expected) from None


class Unfit(Exception):
    """A value that cannot be stored, and what could have been."""

    def __init__(self, value: object, expected: str) -> None:
        super().__init__(expected)
        self.value = value
        self.expected = expected


def check_value(value: object, levels: int = DEPTH_LIMIT) -> None:
    """Raises `Unfit` where one of the engines could not keep the value."""
    if isinstance(value, str):
        if UNFIT.search(value):
            raise Unfit(value, TEXT)
    elif value is None or isinstance(value, (bool, bytes)):
        return
    elif isinstance(value, int):
        if not LOWEST <= value <= HIGHEST:
            raise Unfit(value, "a whole number of 64 bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Unfit(value, "a finite number")
    elif not isinstance(value, (Mapping, list, tuple)):
        raise Unfit(value, "text, bytes, a number, true, false, none, or a list or mapping of these")
    elif not levels:
        raise Unfit("nested deeper", f"at most {DEPTH_LIMIT} levels of nesting")
    else:
        for key in value if isinstance(value, Mapping) else ():
            if not isinstance(key, str) or key.startswith("$") or UNFIT.search(key):
                raise Unfit(key, f"as key {TEXT} that does not begin with '$'")
        for inner in value.values() if isinstance(value, Mapping) else value:
            check_value(inner, levels - 1)


def stale(cursor: object) -> InvalidInput:
    """The refusal of a cursor that is not known to the store."""
    expected = "one that this database gave: it was put back from a copy, made anew, or is another one, so read from the start"
    return StaleCursor.field("cursor", cursor, expected)
