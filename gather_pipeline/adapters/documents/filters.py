"""Filters and sort orders of `DocumentStore`, read and checked once for every body.

Engines differ in what equals what: MongoDB reaches into lists, SQLite holds true for 1. The one meaning is `Condition.accepts`: a filter
compares scalars of one kind, a list or sub-document equals no scalar, and a field that is not there is None.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from gather_pipeline.errors import InvalidInput

Scalar = str | int | float | bool | None
Bound = tuple[str, str | int | float]

BY_ID = (("_id", 1),)
FIELD = re.compile(r"_id|_version|[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


KINDS: Mapping[type, str] = {type(None): "none", bool: "bool", int: "number", float: "number", str: "text", list: "other", dict: "other"}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What one field must hold: one of `values`, or, where that is None, a value within all `bounds`."""

    field: str
    values: tuple[Scalar, ...] | None = None
    bounds: tuple[Bound, ...] = ()

    @property
    def compared(self) -> Sequence[Scalar]:
        """Every value that the condition compares with."""
        return [bound for _, bound in self.bounds] if self.values is None else self.values

    @cached_property
    def _wanted(self) -> frozenset[tuple[str, Scalar]]:
        return frozenset((kind(value), value) for value in self.values or ())

    def accepts(self, value: object) -> bool:
        """Whether a field's value (None where it is missing) fulfils the condition."""
        if self.values is None:
            return all(kind(value) == kind(bound) and OPERATORS[name](value, bound) for name, bound in self.bounds)
        if len(self.values) == 1 and type(value) is type(self.values[0]):
            return value == self.values[0]
        return (found := kind(value)) != "other" and (found, value) in self._wanted


def kind(value: object) -> str:
    """The kind that a value is compared within: ``none``, ``number``, ``text``, ``bool`` or, comparable to nothing, ``other``."""
    plain = KINDS.get(type(value))
    if plain is not None:
        return plain
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "other"


def parse(where: Mapping[str, Any] | None) -> tuple[Condition, ...]:
    """Reads a filter; the conditions must all hold.

    Raises:
        InvalidInput: A field's name, an operator or a value that filters do not know.
    """
    if where is None:
        return ()
    if not isinstance(where, Mapping):
        raise InvalidInput.field("filter", where, "a mapping of fields to values")
    return tuple([_condition(check_field(field, "filter"), wanted) for field, wanted in where.items()])


def _condition(field: str, wanted: object) -> Condition:
    if type(wanted) is str:  # as nearly always
        return Condition(field=field, values=(wanted,))
    if kind(wanted) != "other" or not isinstance(wanted, Mapping):
        return Condition(field=field, values=(_scalar(field, wanted),))
    if wanted.keys() == {"$in"}:
        listed = wanted["$in"]
        if not isinstance(listed, (list, tuple, set, frozenset)):
            raise InvalidInput.field(f"$in of filter {field}", listed, "a list of values")
        return Condition(field=field, values=tuple(_scalar(field, value) for value in listed))
    if not wanted or not wanted.keys() <= OPERATORS.keys():
        raise InvalidInput.field(f"filter {field}", dict(wanted), 'a value, {"$in": [...]}, or bounds $gt, $gte, $lt, $lte')
    for bound in wanted.values():
        if kind(_scalar(field, bound)) not in ("number", "text"):
            raise InvalidInput.field(f"bound of filter {field}", bound, "a number or a text")
    return Condition(field=field, bounds=tuple(wanted.items()))


def _scalar(field: str, value: object) -> Any:
    if kind(value) == "other":
        raise InvalidInput.field(f"filter {field}", value, "a text, a number, true, false or none")
    if kind(value) == "number":
        number: Any = value
        if not math.isfinite(number) or (isinstance(number, int) and not -(2**63) <= number < 2**63):
            raise InvalidInput.field(f"filter {field}", value, "a finite number, whole ones of 64 bits")
    return value


def check_field(field: str, use: str) -> str:
    """Returns a field's name for a filter, a sort order or a unique key, or raises `InvalidInput`."""
    if not isinstance(field, str) or not FIELD.fullmatch(field):
        raise InvalidInput.field(f"field of a {use}", field, "names of A-Z, a-z, 0-9, '_' and '-', with dots between them")
    return field


def check_key(fields: Sequence[str]) -> tuple[str, ...]:
    """Returns the fields of a unique key, or raises `InvalidInput`."""
    if isinstance(fields, str) or not fields or len(set(fields)) < len(fields) or any(str(field).startswith("_") for field in fields):
        raise InvalidInput.field("fields of a unique key", fields, "one or more different fields that do not begin with '_'")
    return tuple(check_field(field, "unique key") for field in fields)


def check_sort(sort: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Returns a sort order with ``_id`` as its end, or raises `InvalidInput`."""
    if not sort:
        return BY_ID
    for pair in sort:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or pair[1] not in (1, -1):
            raise InvalidInput.field("sort", pair, "a field and 1 or -1")
        check_field(pair[0], "sort order")
    fields = [field for field, _ in sort]
    if len(set(fields)) < len(fields):
        raise InvalidInput.field("sort", list(sort), "each field once")
    order = tuple((field, direction) for field, direction in sort)
    return order if "_id" in fields else (*order, ("_id", 1))


def value_at(document: Mapping[str, Any], field: str) -> object:
    """The value at a field, dots reaching into sub-documents (never into lists); None where there is none."""
    if "." not in field:
        return document.get(field)
    value: object = document
    for name in field.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def matches(document: Mapping[str, Any], conditions: Sequence[Condition]) -> bool:
    """Whether a document fulfils all conditions."""
    for condition in conditions:  # noqa: SIM110 - many rows pass here, and a generator costs as much again
        if not condition.accepts(value_at(document, condition.field)):
            return False
    return True


def index_fields(conditions: Sequence[Condition], sort: Sequence[tuple[str, int]] = ()) -> tuple[tuple[str, int], ...]:
    """Fields of the one index that serves a query, with their directions; none where ``_id`` or ``_version`` is among them.

    Args:
        conditions: The filter: fields held equal come first, in order, then one that has a range.
        sort: Order of a query with a limit; its first field takes the place of a range.
    """
    return _index_fields(tuple((condition.field, condition.values is not None) for condition in conditions), tuple(sort))


@lru_cache(maxsize=512)  # every query asks, and a program has few forms of them
def _index_fields(conditions: tuple[tuple[str, bool], ...], sort: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    if any(field.startswith("_") for field, _ in conditions):
        return ()
    equal = sorted(field for field, is_equal in conditions if is_equal)
    ranges = sorted((field, 1) for field, is_equal in conditions if not is_equal)
    ordered = [pair for pair in sort if not pair[0].startswith("_") and pair[0] not in equal]
    return (*((field, 1) for field in equal), *(ranges or ordered)[:1])


def index_name(fields: Sequence[tuple[str, int]]) -> str:
    """A name that tells an index's fields, descending ones with a ``-`` before them."""
    return "find:" + "+".join(field if direction == 1 else f"-{field}" for field, direction in fields)
