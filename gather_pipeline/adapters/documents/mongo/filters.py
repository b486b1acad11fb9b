"""Filters as MongoDB queries. Pure data, no engine.

MongoDB alone looks for a value inside lists too, and follows a path into them. An exact query therefore says that no list is on the way.
A plain one leaves that out: every server finds an index for it, and whoever asks looks at the answer again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gather_pipeline.adapters.documents.filters import Condition, Scalar
from gather_pipeline.domain.documents import escape

NO_LIST = {"$not": {"$type": "array"}}


def query(conditions: Sequence[Condition]) -> dict[str, Any]:
    """The query document of a filter."""
    return {"$and": [_clause(condition) for condition in conditions]} if conditions else {}


def plain(conditions: Sequence[Condition]) -> dict[str, Any] | None:
    """A query that finds every match, and perhaps a document that has a list where the filter wants a value; None where there is none.

    So look again with `filters.matches`.
    """
    found: dict[str, Any] = {}
    for condition in conditions:
        if condition.values is None:
            found[condition.field] = {name: _kept(bound) for name, bound in condition.bounds}
        elif None in condition.values and "." in condition.field:  # below a list there is None, and MongoDB does not find it
            return None
        elif len(condition.values) == 1:
            found[condition.field] = _kept(condition.values[0])
        else:
            found[condition.field] = {"$in": [_kept(value) for value in condition.values]}
    return found


def _clause(condition: Condition) -> dict[str, Any]:
    field = condition.field
    names = field.split(".")
    above = [".".join(names[:length]) for length in range(1, len(names))]
    if condition.values is None:
        return _on_way(above, field, {name: _kept(bound) for name, bound in condition.bounds})
    kept = [_kept(value) for value in condition.values if value is not None]
    alternatives = [_on_way(above, field, {"$eq": kept[0]} if len(kept) == 1 else {"$in": kept})]
    if None in condition.values:
        alternatives.append(_on_way(above, field, {"$eq": None}))
        alternatives += [{path: {"$type": "array"}} for path in above]  # below a list there is nothing
    return {"$or": alternatives} if len(alternatives) > 1 else alternatives[0]


def _on_way(above: Sequence[str], field: str, test: dict[str, Any]) -> dict[str, Any]:
    if field in ("_id", "_version"):  # never lists
        return {field: test}
    return dict.fromkeys(above, NO_LIST) | {field: test | NO_LIST}


def _kept(value: Scalar) -> Scalar:
    return escape(value) if isinstance(value, str) else value
