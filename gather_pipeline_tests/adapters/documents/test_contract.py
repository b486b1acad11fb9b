"""What every body of the document store does alike. Crashes are in test_store_crashes.py, random operations in test_store_model.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest

from gather_pipeline.errors import DuplicateKey, InvalidInput, StoreError, UnknownEntity, VersionConflict
from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.adapters.documents.store_bodies import Body

ITEMS = "gather"


class Colour(str, Enum):  # noqa: UP042 - as many libraries write it
    RED = "red"


def ids(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    return [document["_id"] for document in documents]


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 0


def test_a_database_that_is_not_there_reads_as_empty(store: DocumentStore, database: str) -> None:
    assert store.find(database, ITEMS) == []
    assert store.get(database, ITEMS, "1") is None
    assert store.count(database, ITEMS, {"a": 1}) == 0
    assert store.delete(database, ITEMS, {}) == 0
    assert store.changed_since(database, ITEMS).documents == []
    assert store.changed_since(database, ITEMS).cursor == ""
    assert database not in store.databases()


VALUES = {
    "whole numbers": [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)],
    "floats": [0.0, -0.0, 0.1 + 0.2, 1e-320, -1.7976931348623157e308, 3.0, 1e16],
    "constants": [True, False, None],
    "texts": [
        "",
        "plain",
        "naïve “quotes” – 日本語 🎬",
        "a\x00b",
        "\x01\x02",
        "\x01\x03$",
        "\ud7ff\ud7fe",
        "line\n\t\r\\\"'",
        "$x",
        "\uffff",
    ],
    "lone surrogates": ["\ud800", "x\udfffy", "\udc00\ud800", "\ud7ff\ud800\x01"],
    "bytes": [b"", b"\x00\xff", bytes(range(256))],
    "nested": [{}, [], [[]], {"a": {"b": [{"c": b"1"}, None]}}, nested(60)],
    "awkward keys": {"$ref": "#/$defs/x", "$id": 1, "a.b": 2, "": 3, "$bytes": "AA==", "k\x00\ud800": 4, "\x01": 5, "é": 6, "$$": 7},
    "one awkward key": [{"$bytes": "AA=="}, {"$oid": "0" * 24}, {"$date": 0}, {"$literal": 1}, {"$numberLong": "1"}],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_values_come_back_as_they_were(store: DocumentStore, database: str, value: Any) -> None:
    """Compared as written, so that 1 and 1.0 and True, 0.0 and -0.0, differ."""
    store.insert_many(database, ITEMS, [{"_id": "1", "value": value}])
    store.upsert(database, ITEMS, {"_id": "2", "value": value})
    store.upsert(database, ITEMS, {"_id": "3"})
    assert repr(store.update(database, ITEMS, "3", {"value": value})["value"]) == repr(value)
    found = [*store.find(database, ITEMS), *store.changed_since(database, ITEMS).documents]
    assert [repr(document["value"]) for document in found] == [repr(value)] * 6


def test_kinds_that_json_has_not_come_back_as_those_it_has(store: DocumentStore, database: str) -> None:
    document = {"_id": "1", "tuple": (1, (2,)), "enum": Colour.RED, "mapping": MappingProxyType({"a": MappingProxyType({"b": 1})})}
    store.insert_many(database, ITEMS, [document])
    assert repr(store.get(database, ITEMS, "1")) == repr(
        {"_id": "1", "tuple": [1, [2]], "enum": "red", "mapping": {"a": {"b": 1}}, "_version": 1}
    )


@pytest.mark.parametrize("id", ["a", "ä🎬", "\ud800", "a\x00b", "$x", "with space/slash.dot", "x" * 512])
def test_any_text_may_be_an_id_and_a_field_name(store: DocumentStore, database: str, id: str) -> None:
    name = id.replace(".", "").replace("$", "").replace("_", "")
    store.insert_many(database, ITEMS, [{"_id": id, name: 1}])
    assert store.update(database, ITEMS, id, {name: 2}) == {"_id": id, name: 2, "_version": 2}
    assert store.find(database, ITEMS, {"_id": {"$in": [id]}}) == [store.get(database, ITEMS, id)]
    assert store.delete(database, ITEMS, {"_id": id}) == 1
    assert store.changed_since(database, ITEMS).documents == [{"_id": id, "_deleted": True}]


def test_versions_count_changes(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "1", "a": 1, "b": {"x": 1}}])
    assert store.get(database, ITEMS, "1") == {"_id": "1", "a": 1, "b": {"x": 1}, "_version": 1}
    assert store.update(database, ITEMS, "1", {"b": {"y": 2}, "c": None}) == {"_id": "1", "a": 1, "b": {"y": 2}, "c": None, "_version": 2}
    assert store.update(database, ITEMS, "1", {}, expected_version=2)["_version"] == 3
    assert store.upsert(database, ITEMS, {"_id": "1", "d": 4, "_version": 99}) == {"_id": "1", "d": 4, "_version": 4}
    assert store.upsert(database, ITEMS, {"_id": "2"}) == {"_id": "2", "_version": 1}
    assert ids(store.find(database, ITEMS, {"_version": {"$gte": 4}})) == ["1"]
    assert ids(store.find(database, ITEMS, {"_version": "1"})) == []


def test_an_update_with_another_version_changes_nothing(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "1", "a": 1}])
    store.update(database, ITEMS, "1", {"a": 2})
    with pytest.raises(VersionConflict, match="has version 2, expected 1"):
        store.update(database, ITEMS, "1", {"a": 3}, expected_version=1)
    assert store.get(database, ITEMS, "1") == {"_id": "1", "a": 2, "_version": 2}


@pytest.mark.parametrize("version", [None, 1])
def test_an_update_of_what_is_gone_is_refused(store: DocumentStore, database: str, version: int | None) -> None:
    with pytest.raises(UnknownEntity, match="'1' is not in"):
        store.update(database, ITEMS, "1", {"a": 3}, expected_version=version)
    store.insert_many(database, ITEMS, [{"_id": "1"}])
    store.delete(database, ITEMS, {})
    with pytest.raises(UnknownEntity, match="'1' is not in"):
        store.update(database, ITEMS, "1", {"a": 3}, expected_version=version)


def test_documents_are_inserted_all_or_none(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "30", "first": True}])
    before = store.changed_since(database, ITEMS)
    with pytest.raises(DuplicateKey, match="_id"):
        store.insert_many(database, ITEMS, [{"_id": f"{number:02}"} for number in range(60)])
    with pytest.raises(DuplicateKey, match="'a'"):
        store.insert_many(database, ITEMS, [{"_id": "a"}, {"_id": "b"}, {"_id": "a"}])
    with pytest.raises(InvalidInput):
        store.insert_many(database, ITEMS, [{"_id": "c"}, {"_id": "d", "x": math.nan}])
    assert store.find(database, ITEMS) == [{"_id": "30", "first": True, "_version": 1}]
    assert store.changed_since(database, ITEMS, before.cursor).documents == []
    store.insert_many(database, ITEMS, [])
    assert store.count(database, ITEMS) == 1


MIXED: list[dict[str, Any]] = [
    {"_id": "a", "v": 1, "sub": {"k": "x", "deep": {"er": 1}}},
    {"_id": "b", "v": 1.0, "sub": {"k": None}},
    {"_id": "c", "v": True, "sub": "text"},
    {"_id": "d", "v": "1", "sub": ["x"]},
    {"_id": "e", "v": None, "sub": [{"k": "x"}]},
    {"_id": "f", "sub": {}},
    {"_id": "g", "v": [1, "1"], "sub": {"k": ["x"]}},
    {"_id": "h", "v": {"v": 1}, "sub": {"k": {"x": 1}}},
    {"_id": "i", "v": 0.1 + 0.2, "sub": None},
    {"_id": "j", "v": 2**53 + 1},
    {"_id": "k", "v": b"1"},
    {"_id": "l", "v": "Zoë"},
    {"_id": "m", "v": False, "sub": {"deep": {"er": 2.5}}},
    {"_id": "n", "v": -3},
]

FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "no condition": ({}, "abcdefghijklmn"),
    "a number, whole or not": ({"v": 1}, "ab"),
    "a float": ({"v": 0.1 + 0.2}, "i"),
    "a float next to it": ({"v": 0.3}, ""),
    "a whole number beyond floats": ({"v": 2**53 + 1}, "j"),
    "the float below it": ({"v": float(2**53)}, ""),
    "true is not 1": ({"v": True}, "c"),
    "false is not 0 or none": ({"v": False}, "m"),
    "a text is not its number": ({"v": "1"}, "d"),
    "a text is not its list": ({"v": '[1,"1"]'}, ""),
    "none is missing too": ({"v": None}, "ef"),
    "none below anything but a mapping": ({"sub.k": None}, "bcdefijklmn"),
    "in": ({"v": {"$in": [1, "1", True]}}, "abcd"),
    "in with none": ({"v": {"$in": [None, "Zoë"]}}, "efl"),
    "in nothing": ({"v": {"$in": []}}, ""),
    "in many": ({"v": {"$in": [*map(str, range(5000)), *range(5000), None, False]}}, "abdefm"),
    "in many floats": ({"v": {"$in": [number + 0.25 for number in range(1000)] + [0.1 + 0.2]}}, "i"),
    "in many ids": ({"_id": {"$in": ["a", "c", *(f"none-{number}" for number in range(5000))]}}, "ac"),
    "above a number": ({"v": {"$gt": 0}}, "abij"),
    "from a number to a number": ({"v": {"$gte": -3, "$lte": 1}}, "abin"),
    "below a number": ({"v": {"$lt": 1}}, "in"),
    "from a float": ({"v": {"$gte": 0.1 + 0.2}}, "abij"),
    "above a float": ({"v": {"$gt": 0.1 + 0.2}}, "abj"),
    "above a text": ({"v": {"$gt": "1"}}, "l"),
    "up to a text": ({"v": {"$lte": "1"}}, "d"),
    "bounds of two kinds": ({"v": {"$gte": 0, "$lte": "z"}}, ""),
    "below a dot": ({"sub.k": "x"}, "a"),
    "below two dots": ({"sub.deep.er": {"$in": [1, 2.5]}}, "am"),
    "never into a list": ({"sub.0": "x"}, ""),
    "several conditions": ({"v": 1, "sub.k": None}, "b"),
    "ids": ({"_id": {"$gt": "k"}}, "lmn"),
    "an id that is a number": ({"_id": 1}, ""),
    "an id and more": ({"_id": "a", "v": 2}, ""),
}


@pytest.mark.parametrize(("where", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_filters_mean_one_thing(store: DocumentStore, database: str, where: dict[str, Any], expected: str) -> None:
    store.insert_many(database, ITEMS, MIXED)
    assert "".join(ids(store.find(database, ITEMS, where))) == expected
    assert store.count(database, ITEMS, where) == len(expected)
    assert "".join(ids(store.find(database, ITEMS, where, limit=2))) == expected[:2]
    assert store.delete(database, ITEMS, where) == len(expected)
    assert "".join(ids(store.find(database, ITEMS))) == "".join(name for name in "abcdefghijklmn" if name not in expected)


@pytest.mark.parametrize(
    "where",
    [
        {"a": {"$ne": 1}},
        {"a": {}},
        {"a": {"$gt": 1, "$in": [1]}},
        {"a": {"$gt": None}},
        {"a": {"$gt": True}},
        {"a": {"$in": "text"}},
        {"a": {"$in": [[1]]}},
        {"a": {"plain": 1}},
        {"a": [1]},
        {"a": b"1"},
        {"a": math.nan},
        {"a": math.inf},
        {"a": 2**63},
        {"$or": []},
        {"a..b": 1},
        {"a.$b": 1},
        {"_seq": 1},
        {"": 1},
        {1: 1},
        {'a"b': 1},
        [("a", 1)],
    ],
    ids=repr,
)
def test_other_filters_are_refused(store: DocumentStore, database: str, where: Any) -> None:
    store.insert_many(database, ITEMS, MIXED)
    for call in (store.find, store.count, store.delete):
        with pytest.raises(InvalidInput, match="expected"):
            call(database, ITEMS, where)
    assert store.count(database, ITEMS) == len(MIXED)


def test_order_is_none_numbers_texts_by_code_point_and_last_true_and_false(store: DocumentStore, database: str) -> None:
    values = [None, -5, -0.5, 0, 2.5, 3, 2**40, "", "10", "9", "B", "a", "é", "\ud7ff", "\ud800", "\uffff", "🎬", False, True]
    rows = [{"_id": f"{place:02}", "v": value, "group": 1} for place, value in enumerate(values)]
    store.insert_many(database, ITEMS, [*reversed(rows), {"_id": "000"}])
    expected = ["000", *ids(rows)]
    expected[:2] = ["00", "000"]  # None and missing tie
    assert ids(store.find(database, ITEMS, sort=[("v", 1)])) == expected
    assert ids(store.find(database, ITEMS, sort=[("v", -1)])) == [*reversed(expected[2:]), "00", "000"]
    assert ids(store.find(database, ITEMS, {"group": 1}, sort=[("v", -1)], limit=3)) == ["18", "17", "16"]


def test_ties_of_an_order_are_settled_by_the_next_field_and_last_by_id(store: DocumentStore, database: str) -> None:
    rows = [("a", 1, "x"), ("b", 2, "x"), ("c", 1, "y"), ("d", 2, "y"), ("e", 1, "x")]
    store.insert_many(database, ITEMS, [{"_id": id, "n": {"m": number}, "t": text} for id, number, text in rows[::-1]])
    assert ids(store.find(database, ITEMS)) == list("abcde")
    assert ids(store.find(database, ITEMS, sort=[("n.m", 1)])) == list("acebd")
    assert ids(store.find(database, ITEMS, sort=[("n.m", -1), ("t", -1)])) == list("dbcae")
    assert ids(store.find(database, ITEMS, sort=[("_id", -1)], limit=2)) == list("ed")
    assert store.find(database, ITEMS, limit=0) == []


@pytest.mark.parametrize("sort", [[("a", 0)], [("a", "asc")], ["a"], [("a",)], [("$a", 1)], [("a", 1), ("a", -1)]], ids=repr)
def test_other_orders_are_refused(store: DocumentStore, database: str, sort: Any) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        store.find(database, ITEMS, sort=sort)


@pytest.mark.parametrize("limit", [-1, 1.5, True, "1"], ids=repr)
def test_other_limits_are_refused(store: DocumentStore, database: str, limit: Any) -> None:
    with pytest.raises(InvalidInput, match="limit is .* expected"):
        store.find(database, ITEMS, limit=limit)
    with pytest.raises(InvalidInput, match="limit is .* expected"):
        store.changed_since(database, ITEMS, limit=limit)


def test_a_page_of_no_changes_is_refused(store: DocumentStore, database: str) -> None:
    with pytest.raises(InvalidInput, match="limit is 0, expected"):
        store.changed_since(database, ITEMS, limit=0)


@pytest.mark.parametrize("name", ["", "a/b", "../up", "a.b", "ä", "x" * 64, "admin", "Local", "config", "a\n", 5], ids=repr)
def test_unsafe_database_names_are_refused(store: DocumentStore, name: Any) -> None:
    with pytest.raises(InvalidInput, match="database is .* expected"):
        store.find(name, ITEMS)
    with pytest.raises(InvalidInput, match="database is .* expected"):
        store.insert_many(name, ITEMS, [{"_id": "1"}])
    with pytest.raises(InvalidInput, match="database is .* expected"):
        store.changed_since(name, ITEMS)


@pytest.mark.parametrize("name", ["", "_meta", "_counters", "sqlite_master", "a.b", "Big", 'a"b', "a1", "a b", "a\n", "x" * 64], ids=repr)
def test_unsafe_collection_names_are_refused(store: DocumentStore, database: str, name: str) -> None:
    calls = [
        lambda: store.insert_many(database, name, [{"_id": "1"}]),
        lambda: store.get(database, name, "1"),
        lambda: store.update(database, name, "1", {}),
        lambda: store.upsert(database, name, {"_id": "1"}),
        lambda: store.delete(database, name, {}),
        lambda: store.count(database, name),
        lambda: store.ensure_unique(database, name, ["a"]),
        lambda: store.changed_since(database, name),
    ]
    for call in calls:
        with pytest.raises(InvalidInput, match="collection is .* expected"):
            call()
    assert database not in store.databases()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"_id": 5},
        {"_id": ""},
        {"_id": "x" * 513},
        {"_id": "1", "a": math.nan},
        {"_id": "1", "a": [math.inf]},
        {"_id": "1", "a": 2**63},
        {"_id": "1", "a": {"b": -(2**63) - 1}},
        {"_id": "1", "a": datetime(2026, 1, 1, tzinfo=UTC)},
        {"_id": "1", "a": {1, 2}},
        {"_id": "1", "a": {1: 2}},
        {"_id": "1", "a": object()},
        {"_id": "1", "a": bytearray(b"1")},
        {"_id": "1", "a": nested(80)},
        {"_id": "1", "a.b": 1},
        {"_id": "1", "$a": 1},
        {"_id": "1", "_seq": 1},
        {"_id": "1", "_deleted": True},
        {"_id": "1", "": 1},
        {"_id": "1", 7: 1},
        ["_id", "1"],
    ],
    ids=lambda document: repr(document)[:40],
)
def test_what_would_not_come_back_the_same_is_refused(store: DocumentStore, database: str, document: Any) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        store.insert_many(database, ITEMS, [{"_id": "0"}, document])
    with pytest.raises(InvalidInput, match="expected"):
        store.upsert(database, ITEMS, document)
    assert store.count(database, ITEMS) == 0


@pytest.mark.parametrize("changes", [{"_id": "2"}, {"_version": 5}, {"a.b": 1}, {"$set": {}}, {"a": math.nan}, {"": 1}], ids=repr)
def test_an_update_that_could_not_be_stored_is_refused(store: DocumentStore, database: str, changes: dict[str, Any]) -> None:
    store.insert_many(database, ITEMS, [{"_id": "1", "a": 1}])
    with pytest.raises(InvalidInput, match="expected"):
        store.update(database, ITEMS, "1", changes)
    assert store.get(database, ITEMS, "1") == {"_id": "1", "a": 1, "_version": 1}


def test_a_document_of_15_mb_is_stored(store: DocumentStore, database: str) -> None:
    text = "é" * 7_500_000
    store.insert_many(database, ITEMS, [{"_id": "1", "text": text, "bytes": b"x" * 500_000}])
    assert store.upsert(database, ITEMS, {"_id": "2", "text": text})["text"] == text
    found = store.get(database, ITEMS, "1")
    assert found and found["text"] == text and found["bytes"] == b"x" * 500_000


def test_a_document_of_17_mb_is_refused_with_both_sizes(store: DocumentStore, database: str) -> None:
    for document in ({"_id": "1", "text": "x" * 17_000_000}, {"_id": "1", "list": [0.5] * 1_000_000}):
        with pytest.raises(InvalidInput, match=r"takes \d{8} bytes, expected at most 16000000"):
            store.upsert(database, ITEMS, document)
    store.insert_many(database, ITEMS, [{"_id": "1", "a": "x" * 9_000_000}])
    with pytest.raises(InvalidInput, match="bytes|16 MB"):
        store.update(database, ITEMS, "1", {"b": "x" * 9_000_000})
    assert store.find(database, ITEMS, {"b": None}) == [{"_id": "1", "a": "x" * 9_000_000, "_version": 1}]


def test_fields_together_are_a_unique_key(store: DocumentStore, database: str) -> None:
    store.ensure_unique(database, ITEMS, ["department", "number"])
    store.ensure_unique(database, ITEMS, ["department", "number"])
    rows = [("1", "story", 1), ("2", "story", 2), ("3", "light", 1)]
    store.insert_many(database, ITEMS, [{"_id": id, "department": name, "number": number} for id, name, number in rows])
    with pytest.raises(DuplicateKey, match="department.number"):
        store.insert_many(database, ITEMS, [{"_id": "4"}, {"_id": "5", "department": "light", "number": 1.0}])
    with pytest.raises(DuplicateKey, match="department.number"):
        store.update(database, ITEMS, "2", {"number": 1})
    with pytest.raises(DuplicateKey, match="department.number"):
        store.upsert(database, ITEMS, {"_id": "9", "department": "story", "number": 2})
    assert [(row["_id"], row["number"], row["_version"]) for row in store.find(database, ITEMS)] == [("1", 1, 1), ("2", 2, 1), ("3", 1, 1)]
    assert store.upsert(database, ITEMS, {"_id": "2", "department": "story", "number": 2})["_version"] == 2
    assert len(store.changed_since(database, ITEMS).documents) == 3


def test_in_a_unique_key_none_is_a_value_and_kinds_differ(store: DocumentStore, database: str) -> None:
    store.ensure_unique(database, ITEMS, ["key"])
    store.insert_many(database, ITEMS, [{"_id": "1", "key": 1}, {"_id": "2", "key": "1"}, {"_id": "3", "key": True}, {"_id": "4"}])
    for taken in (1.0, "1", True, None):
        with pytest.raises(DuplicateKey, match="key"):
            store.insert_many(database, ITEMS, [{"_id": "5", "key": taken}])
    store.insert_many(database, ITEMS, [{"_id": "5", "key": False}, {"_id": "6", "key": "a\x00b"}, {"_id": "7", "key": "a\x00c"}])


def test_a_key_that_documents_repeat_cannot_become_unique(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "1", "key": 1}, {"_id": "2", "key": 1}])
    with pytest.raises(DuplicateKey, match="key"):
        store.ensure_unique(database, ITEMS, ["key"])
    store.delete(database, ITEMS, {"_id": "2"})
    store.ensure_unique(database, ITEMS, ["key"])
    with pytest.raises(DuplicateKey, match="key"):
        store.insert_many(database, ITEMS, [{"_id": "2", "key": 1}])


@pytest.mark.parametrize("fields", [[], ["a", "a"], "a", ["_id"], ["$a"], [""]], ids=repr)
def test_other_unique_keys_are_refused(store: DocumentStore, database: str, fields: Any) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        store.ensure_unique(database, ITEMS, fields)


def test_changes_come_in_order_each_document_once_in_its_newest_state(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "a"}, {"_id": "b"}, {"_id": "c"}])
    store.insert_many(database, "other", [{"_id": "x"}])
    first = store.changed_since(database, ITEMS)
    assert ids(first.documents) == ["a", "b", "c"]
    store.update(database, ITEMS, "a", {"n": 1})
    store.delete(database, ITEMS, {"_id": "b"})
    store.upsert(database, ITEMS, {"_id": "d"})
    store.update(database, ITEMS, "a", {"n": 2})
    changed = store.changed_since(database, ITEMS, first.cursor)
    assert changed.documents == [{"_id": "b", "_deleted": True}, {"_id": "d", "_version": 1}, {"_id": "a", "n": 2, "_version": 3}]
    again = store.changed_since(database, ITEMS, changed.cursor)
    assert (again.documents, again.cursor) == ([], changed.cursor)
    assert ids(store.changed_since(database, ITEMS).documents) == ["c", "b", "d", "a"]
    assert ids(store.changed_since(database, "other").documents) == ["x"]
    assert store.changed_since(database, "none", changed.cursor).cursor == changed.cursor


def test_a_document_that_came_back_is_not_told_as_deleted(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "a"}, {"_id": "b"}])
    start = store.changed_since(database, ITEMS).cursor
    store.delete(database, ITEMS, {"_id": {"$in": ["a", "b"]}})
    store.insert_many(database, ITEMS, [{"_id": "a", "new": True}])
    assert store.changed_since(database, ITEMS, start).documents == [
        {"_id": "b", "_deleted": True},
        {"_id": "a", "new": True, "_version": 1},
    ]


def test_a_page_is_empty_at_the_end_only(store: DocumentStore, database: str) -> None:
    """Readers stop at an empty page, also where a page's worth of documents was deleted and came back."""
    store.insert_many(database, ITEMS, [{"_id": id} for id in "abcd"])
    store.delete(database, ITEMS, {})
    store.insert_many(database, ITEMS, [{"_id": id, "new": True} for id in "abcd"])
    page = store.changed_since(database, ITEMS, limit=2)
    assert ids(page.documents) == ["a", "b"]
    assert ids(store.changed_since(database, ITEMS, page.cursor, limit=2).documents) == ["c", "d"]


def test_pages_of_changes_join_without_gap_or_overlap(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": f"{number:02}"} for number in range(7)])
    store.delete(database, ITEMS, {"_id": {"$lt": "03"}})
    seen: list[str] = []
    cursor = ""
    while (page := store.changed_since(database, ITEMS, cursor, limit=2)).documents:
        assert len(page.documents) <= 2
        assert page.cursor != cursor
        seen += ids(page.documents)
        cursor = page.cursor
    assert seen == ["03", "04", "05", "06", "00", "01", "02"]


@pytest.mark.parametrize("cursor", ["0", "garbage", "0123456789abcdef.1", "\ud800", None, 5, " "], ids=repr)
def test_a_cursor_that_no_page_gave_is_refused(store: DocumentStore, database: str, cursor: Any) -> None:
    """Else a reader whose database was made anew would wait for changes that it has already passed."""
    with pytest.raises(InvalidInput, match="cursor is"):
        store.changed_since(database, ITEMS, cursor)
    store.insert_many(database, ITEMS, [{"_id": "a"}])
    with pytest.raises(InvalidInput, match="cursor is"):
        store.changed_since(database, ITEMS, cursor)
    given = store.changed_since(database, ITEMS).cursor
    with pytest.raises(InvalidInput, match="cursor is"):
        store.changed_since(database, ITEMS, given + "0")


def test_a_cursor_of_another_database_is_refused(store: DocumentStore, body: Body, database: str) -> None:
    other = body.new_database()
    try:
        for name in (database, other):
            store.insert_many(name, ITEMS, [{"_id": "a"}])
        with pytest.raises(InvalidInput, match="cursor is"):
            store.changed_since(other, ITEMS, store.changed_since(database, ITEMS).cursor)
    finally:
        body.drop(other)


def test_databases_are_those_that_hold_a_document(store: DocumentStore, body: Body, database: str) -> None:
    names = sorted(body.new_database() for _ in range(3))
    try:
        for name in reversed(names):
            store.insert_many(name, ITEMS, [{"_id": "a"}])
        store.ensure_unique(database, ITEMS, ["a"])
        assert [name for name in store.databases() if name in (*names, database)] == names
        store.delete(names[1], ITEMS, {})
        assert [name for name in store.databases() if name in names] == [names[0], names[2]]
    finally:
        for name in names:
            body.drop(name)


def test_what_one_store_wrote_another_reads(body: Body, store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "a"}])
    cursor = store.changed_since(database, ITEMS).cursor
    other = body.open()
    other.update(database, ITEMS, "a", {"n": 1})
    other.close()
    assert store.changed_since(database, ITEMS, cursor).documents == [{"_id": "a", "n": 1, "_version": 2}]


def test_a_closed_store_refuses_and_closes_twice(body: Body, database: str) -> None:
    store = body.open()
    store.insert_many(database, ITEMS, [{"_id": "a"}])
    store.close()
    store.close()
    for call in (lambda: store.find(database, ITEMS), lambda: store.upsert(database, ITEMS, {"_id": "b"}), store.databases):
        with pytest.raises(StoreError, match="closed"):
            call()


def test_threads_share_a_store(store: DocumentStore, database: str) -> None:
    """A heartbeat thread writes beside the loop; with expected versions no update is lost."""
    store.insert_many(database, ITEMS, [{"_id": "counter", "n": 0}])

    def work(name: int) -> None:
        for turn in range(10):
            store.insert_many(database, ITEMS, [{"_id": f"{name}-{turn}", "by": name}])
            while True:
                held = store.get(database, ITEMS, "counter")
                assert held
                try:
                    store.update(database, ITEMS, "counter", {"n": held["n"] + 1}, expected_version=held["_version"])
                except VersionConflict:
                    continue
                break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    counter = store.get(database, ITEMS, "counter")
    assert counter == {"_id": "counter", "n": 40, "_version": 41}
    assert store.count(database, ITEMS, {"by": {"$gte": 0}}) == 40
    assert sorted(ids(store.changed_since(database, ITEMS).documents)) == ids(store.find(database, ITEMS))


def test_upserts_of_one_new_document_at_once_all_succeed(store: DocumentStore, database: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda number: store.upsert(database, ITEMS, {"_id": "a", "n": number}), range(16)))
    assert sorted(document["_version"] for document in stored) == list(range(1, 17))


def test_a_large_collection_answers_the_same(store: DocumentStore, database: str) -> None:
    """From some size on, indexes are made for the filters that are used; a unique key over the same fields is still possible."""
    rows = [{"_id": f"{number:04}", "n": number, "text": f"t{number % 7}", "flag": number % 2 == 0} for number in range(250)]
    store.insert_many(database, ITEMS, rows)
    wanted = {"text": "t3", "n": {"$gte": 100}, "flag": True}
    expected = [row["_id"] for row in rows if row["n"] % 7 == 3 and row["n"] >= 100 and row["flag"]]
    for _ in range(2):
        assert ids(store.find(database, ITEMS, wanted)) == expected
        assert store.count(database, ITEMS, {"n": 5}) == 1
        assert ids(store.find(database, ITEMS, sort=[("n", -1)], limit=2)) == ["0249", "0248"]
    store.ensure_unique(database, ITEMS, ["n"])
    with pytest.raises(DuplicateKey):
        store.insert_many(database, ITEMS, [{"_id": "x", "n": 5}])
