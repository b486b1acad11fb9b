"""How filters are read; what they find is in test_contract.py."""

from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.adapters.documents.filters import Condition, parse
from gather_pipeline.errors import InvalidInput


def test_no_filter_has_no_condition() -> None:
    assert parse(None) == parse({}) == []


def test_a_range_is_a_condition_a_bound() -> None:
    assert parse({"t": "x", "n": {"$gt": 1, "$lte": 3}, "_id": {"$in": ("a", "b")}}) == [
        Condition(field="t", operator="$eq", value="x"),
        Condition(field="n", operator="$gt", value=1),
        Condition(field="n", operator="$lte", value=3),
        Condition(field="_id", operator="$in", value=["a", "b"]),
    ]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"n": None}, "filter n is None, expected text, a whole number, true or false"),
        ({"n": 1.5}, "filter n is 1.5, expected text, a whole number, true or false"),
        ({"_id": 1}, "filter _id is 1, expected text"),
        ({"n": {"$ne": 1}}, r"filter n is .*, expected a value, \{\"\$in\": \[...\]\}, or bounds \$gt, \$gte, \$lt, \$lte"),
        ({"a.b": 1}, "field of a filter is 'a.b', expected _id or a name of"),
        ({"t": "\x00"}, "filter t is .*, expected text without NUL characters"),
    ],
)
def test_a_refusal_names_field_value_and_what_was_expected(where: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse(where)
