"""Filters as values: the contract suite holds every store to them."""

from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.adapters.documents import filters
from gather_pipeline.adapters.documents.mongo import filters as mongo_filters
from gather_pipeline.adapters.documents.sqlite import filters as sqlite_filters


@pytest.mark.parametrize(
    ("document", "field", "value"),
    [
        ({"a": 1}, "a", 1),
        ({"a": {"b": {"c": 2}}}, "a.b.c", 2),
        ({"a": [{"b": 1}]}, "a.b", None),
        ({"a": [5]}, "a.0", None),
        ({"a": {"0": 5}}, "a.0", 5),
        ({"a": {"b.c": 1}}, "a.b.c", None),
        ({"a": "text"}, "a.b", None),
    ],
)
def test_dots_reach_into_mappings_only(document: dict[str, Any], field: str, value: object) -> None:
    assert filters.value_at(document, field) == value


@pytest.mark.parametrize(
    ("where", "sort", "expected"),
    [
        ({}, [], ""),
        ({"b": 1, "a": 2}, [], "a+b"),
        ({"b": {"$in": [1]}, "a": {"$gt": 2}}, [], "b+a"),
        ({"a": {"$gt": 2}, "b": {"$lt": 2}}, [("c", 1)], "a"),
        ({"a": 1}, [("b", -1), ("c", 1)], "a+-b"),
        ({"a": 1}, [("a", 1), ("_id", 1)], "a"),
        ({"_id": "x", "a": 1}, [("b", 1)], ""),
        ({"_version": 1}, [("b", 1)], ""),
    ],
)
def test_one_index_serves_a_query(where: dict[str, Any], sort: list[tuple[str, int]], expected: str) -> None:
    """Fields held equal first, whatever order the filter has, so that one index serves all filters over the same fields."""
    fields = filters.index_fields(filters.parse(where), sort)
    assert filters.index_name(fields) == f"find:{expected}"


def test_sql_never_holds_a_value() -> None:
    where = {"a": "'; DROP TABLE items; --", "b": {"$in": ['"', "x' OR 1=1"]}, "c": {"$lt": "'"}}
    clause, values, loose = sqlite_filters.where(filters.parse(where))
    assert loose == []
    assert values == ["'; DROP TABLE items; --", '"', "x' OR 1=1", "'"]
    assert "DROP" not in clause and "OR 1" not in clause


@pytest.mark.parametrize(
    ("where", "loose"),
    [({"a": "x"}, []), ({"a": True}, []), ({"a": {"$in": ["x", 1]}}, ["a"]), ({"a": {"$gt": 1}}, ["a"]), ({"a": "x", "b": 1}, ["b"])],
)
def test_where_sql_compares_numbers_it_says_so(where: dict[str, Any], loose: list[str]) -> None:
    assert [condition.field for condition in sqlite_filters.where(filters.parse(where))[2]] == loose


@pytest.mark.parametrize("wanted", [0, 1, 1.0, 2**60, True, False, None, "", "1", "a"], ids=repr)
@pytest.mark.parametrize("value", [0, 1, 1.0, 2**60, True, False, None, "", "1", "a", [1], {"a": 1}, b"1"], ids=repr)
def test_a_value_equals_those_of_its_kind_only(value: Any, wanted: Any) -> None:
    (one,), (listed,) = filters.parse({"a": wanted}), filters.parse({"a": {"$in": [wanted, "none of these"]}})
    kinds = {type(value), type(wanted)}
    equal = value == wanted and (len(kinds) == 1 or kinds == {int, float})
    assert one.accepts(value) is equal
    assert listed.accepts(value) is equal


def test_a_mongo_query_keeps_out_of_lists() -> None:
    query = mongo_filters.query(filters.parse({"a.b": {"$in": ["x", None]}}))
    no_list = {"$not": {"$type": "array"}}
    assert query == {
        "$and": [
            {
                "$or": [
                    {"a": no_list, "a.b": {"$eq": "x", **no_list}},
                    {"a": no_list, "a.b": {"$eq": None, **no_list}},
                    {"a": {"$type": "array"}},
                ]
            }
        ]
    }


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, {}),
        ({"a": "x", "b.c": 1}, {"a": "x", "b.c": 1}),
        ({"a": {"$in": ["\x00", None]}, "b": None}, {"a": {"$in": ["\x01\x01", None]}, "b": None}),
        ({"a": {"$in": []}}, {"a": {"$in": []}}),
        ({"a": {"$gt": 1, "$lte": "z"}}, {"a": {"$gt": 1, "$lte": "z"}}),
        ({"a.b": None}, None),
        ({"a": 1, "a.b": {"$in": [1, None]}}, None),
    ],
)
def test_a_plain_mongo_query_is_one_that_every_server_finds_an_index_for(where: dict[str, Any], expected: dict[str, Any] | None) -> None:
    """None where it would miss a document: MongoDB does not find what lacks a value below a list."""
    assert mongo_filters.plain(filters.parse(where)) == expected
