"""Names, values and filters of documents; what comes back of them is in test_contract.py."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gather_pipeline.adapters.documents import rules
from gather_pipeline.errors import InvalidInput


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ok": 1, "score": math.nan}, r"score of items '1' is nan, expected a finite number"),
        ({"a": [{"b": {"c": {1, 2}}}]}, r"a of items '1' is \{1, 2\}, expected text, bytes, a number, true, false, none, or a list"),
        ({"a": 2**64}, r"a of items '1' is 18446744073709551616, expected a whole number of 64 bits"),
        ({"a": {"b": {3: 1}}}, r"a of items '1' is 3, expected as key text"),
        ({"a": {"$ref": 1}}, r"a of items '1' is '\$ref', expected as key text .* that does not begin with '\$'"),
        ({"a": ["x\x00"]}, r"a of items '1' is 'x\\x00', expected text without NUL characters and lone surrogates"),
        ({"a.b": 1}, r"field name in items '1' is 'a\.b', expected text without"),
    ],
)
def test_a_refusal_names_document_field_value_and_what_was_expected(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        rules.check_fields("items", "1", fields)


@pytest.mark.parametrize(("levels", "fits"), [(rules.DEPTH_LIMIT, True), (rules.DEPTH_LIMIT + 1, False), (2000, False)])
@pytest.mark.parametrize("kind", ["list", "mapping", "tuple"])
def test_nesting_has_a_limit_that_both_engines_reach(levels: int, fits: bool, kind: str) -> None:
    value: Any = 0
    for _ in range(levels):
        value = [value] if kind == "list" else {"a": value} if kind == "mapping" else (value,)
    if fits:
        rules.check_fields("items", "1", {"a": value})
    else:
        with pytest.raises(InvalidInput, match="levels of nesting"):
            rules.check_fields("items", "1", {"a": value})


def test_the_version_that_a_document_was_read_with_is_left_out() -> None:
    assert rules.split("items", {"_id": "a", "x": 1, "_version": 7}) == ("a", {"x": 1})


def test_an_order_ends_with_the_id() -> None:
    assert rules.order_of([]) == [("_id", 1)]
    assert rules.order_of([("n", -1), ("t", 1)]) == [("n", -1), ("t", 1), ("_id", 1)]
    assert rules.order_of([("_id", -1)]) == [("_id", -1)]


def test_a_filter_reads_as_operators_by_field() -> None:
    assert rules.conditions_of(None) == rules.conditions_of({}) == {}
    where = {"t": "x", "n": {"$gt": 1, "$lte": 3}, "_id": {"$in": ("a", "b")}}
    assert rules.conditions_of(where) == {"t": {"$eq": "x"}, "n": {"$gt": 1, "$lte": 3}, "_id": {"$in": ["a", "b"]}}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"n": None}, "filter n is None, expected text, a whole number, true or false"),
        ({"_id": 1}, "filter _id is 1, expected text"),
        ({"n": {"$ne": 1}}, r"filter n is .*, expected a value, \{\"\$in\": \[...\]\}, or bounds \$gt, \$gte, \$lt, \$lte"),
        ({"t": "\x00"}, "filter t is .*, expected text without NUL characters"),
    ],
)
def test_a_refused_filter_names_field_value_and_what_was_expected(where: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        rules.conditions_of(where)
