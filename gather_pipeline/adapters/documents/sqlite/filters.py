"""Filters and sort orders as SQL over rows of ``(id, version, doc)``, `doc` being JSON made by `documents.to_json`. Pure text, no engine.

SQLite alone holds true for 1, a list for its text, and two missing values for different. `key` turns each JSON value into one SQL
value that compares as it should: None below every number, numbers below texts, texts (by code point) below true and false. One
expression serves filters, orders and unique keys, so one index does too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, lru_cache

from gather_pipeline.adapters.documents.filters import Bound, Condition, Scalar, kind
from gather_pipeline.domain.documents import escape

NONE_KEY = float("-inf")  # JSON holds no number as low
LISTED_LIMIT = 200  # longer lists are handed over as one JSON value: a statement takes so many values only
EXACT_WHOLE = 2**53  # whole numbers up to here are also exact as floats
SLACK = 1e-14  # releases of SQLite read the last digits of a float differently: search a little wider, the caller compares again
SIGNS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


@cache
def key(field: str) -> str:
    """The SQL expression that a field is compared by."""
    if field == "_id":
        return "id"
    if field == "_version":
        return "(version + 0)"  # an expression, because a column of whole numbers would take the text '1' for 1
    path = "'$." + ".".join(f'"{name}"' for name in field.split(".")) + "'"
    value = f"json_extract(doc, {path})"
    return (
        f"ifnull(CASE json_type(doc, {path}) WHEN 'true' THEN x'ff' WHEN 'false' THEN x'fe' "
        f"WHEN 'object' THEN CAST({value} AS BLOB) WHEN 'array' THEN CAST({value} AS BLOB) ELSE {value} END, -9e999)"
    )


@lru_cache(maxsize=512)
def ordered(order: tuple[tuple[str, int], ...]) -> str:
    """Expressions and directions, as ORDER BY and CREATE INDEX take them."""
    return ", ".join(f"{key(field)} {'ASC' if direction == 1 else 'DESC'}" for field, direction in order)


def where(conditions: Sequence[Condition]) -> tuple[str, list[object], list[Condition]]:
    """The WHERE clause of a filter (empty for none), its values, and the conditions that it does not wholly say.

    Those compare numbers: it finds every match, and perhaps a float too near, so look again with `filters.matches`.
    """
    clauses: list[str] = []
    values: list[object] = []
    for condition in conditions:
        expression = key(condition.field)
        if condition.values is not None:
            clauses.append(_one_of(expression, condition.values, values))
        else:
            clauses += _within(expression, condition.bounds, values)
    loose = [condition for condition in conditions if "number" in map(kind, condition.compared)]
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), values, loose


def _one_of(expression: str, wanted: Sequence[Scalar], values: list[object]) -> str:
    only = wanted[0] if len(wanted) == 1 else None
    if isinstance(only, str) or (type(only) is int and -EXACT_WHOLE <= only <= EXACT_WHOLE):  # as nearly always
        values.append(_bound_value(only))
        return f"{expression} = ?"
    loose = [value for value in wanted if isinstance(value, float) or (kind(value) == "number" and abs(int(value or 0)) > EXACT_WHOLE)]
    if len(loose) > LISTED_LIMIT:
        return "1"
    plain = [_bound_value(value) for value in wanted if value not in loose or isinstance(value, bool)]
    parts = []
    if len(plain) > LISTED_LIMIT:
        parts.append(f"{expression} IN (SELECT value FROM json_each(?))")
        values.append(json.dumps([value for value in plain if isinstance(value, (str, int))]))
        plain = [value for value in plain if not isinstance(value, (str, int))]
    if plain:
        parts.append(f"{expression} = ?" if len(plain) == 1 else f"{expression} IN ({', '.join('?' * len(plain))})")
        values += plain
    for value in loose:
        parts.append(f"{expression} BETWEEN ? AND ?")
        values += _around(value)
    return f"({' OR '.join(parts)})" if parts else "0"


def _within(expression: str, bounds: Sequence[Bound], values: list[object]) -> list[str]:
    clauses = []
    for kind_of_bounds, lowest, highest in (("number", "> -9e999", "< ''"), ("text", ">= ''", "< x''")):
        mine = [(name, bound) for name, bound in bounds if kind(bound) == kind_of_bounds]
        for name, bound in mine:
            below = name.startswith("$l")
            number = kind_of_bounds == "number"
            clauses.append(f"{expression} {('<=' if below else '>=') if number else SIGNS[name]} ?")
            values.append(_around(bound)[below] if number else _bound_value(bound))
        if mine and not any(name.startswith("$g") for name, _ in mine):
            clauses.append(f"{expression} {lowest}")
        if mine and not any(name.startswith("$l") for name, _ in mine):
            clauses.append(f"{expression} {highest}")
    return clauses


def _bound_value(value: Scalar) -> object:
    if value is None:
        return NONE_KEY
    if isinstance(value, bool):
        return b"\xff" if value else b"\xfe"
    return escape(value) if isinstance(value, str) else value


def _around(value: object) -> tuple[float, float]:
    number = float(value)  # type: ignore[arg-type]
    slack = abs(number) * SLACK + 1e-300
    return number - slack, number + slack
