"""Filters of `DocumentStore`, read and checked once for every body, which then writes them in its engine's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gather_pipeline.adapters.documents.rules import Unfit, check_field, check_value
from gather_pipeline.errors import InvalidInput

EQUAL, IN = "$eq", "$in"
RANGE = ("$gt", "$gte", "$lt", "$lte")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What one field must fulfil.

    Attributes:
        field: ``_id`` or a top-level field.
        operator: ``$eq``, ``$in`` or one of a range, each as MongoDB has it.
        value: What the field is compared with; a list for ``$in``.
    """

    field: str
    operator: str
    value: Any


def parse(where: Mapping[str, Any] | None) -> list[Condition]:
    """Reads a filter; the conditions must all hold.

    Raises:
        InvalidInput: A field's name, an operator or a value that filters do not know.
    """
    if where is None:
        return []
    if not isinstance(where, Mapping):
        raise InvalidInput.field("filter", where, "a mapping of fields to values")
    return [condition for field, wanted in where.items() for condition in _conditions(check_field(field, "filter"), wanted)]


def _conditions(field: str, wanted: object) -> Iterator[Condition]:
    if not isinstance(wanted, Mapping):
        yield Condition(field=field, operator=EQUAL, value=_scalar(field, wanted))
    elif wanted.keys() == {IN}:
        listed = wanted[IN]
        if not isinstance(listed, (list, tuple, set, frozenset)):
            raise InvalidInput.field(f"$in of filter {field}", listed, "a list of values")
        yield Condition(field=field, operator=IN, value=[_scalar(field, value) for value in listed])
    elif wanted and wanted.keys() <= set(RANGE):
        for operator, bound in wanted.items():
            yield Condition(field=field, operator=operator, value=_scalar(field, bound))
    else:
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
