"""What every body of the document store does alike. Crashes are in test_crashes.py, random operations in test_store_model.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest

from gather_pipeline.errors import DuplicateKey, InvalidInput, StaleCursor, StoreError, UnknownEntity, VersionConflict
from gather_pipeline.ports import DocumentStore, MaintainedStore
from gather_pipeline_tests.adapters.documents.store_bodies import Body

ITEMS = "gather"
MANY = 33_000  # more parameters than a statement of SQLite takes, as it is built by default


class Colour(str, Enum):  # noqa: UP042 - as many libraries write it
    RED = "red"


def ids(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    return [document["_id"] for document in documents]


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else 0


def test_a_database_that_is_not_there_reads_as_empty(store: DocumentStore, database: str) -> None:
    assert store.find(database, ITEMS) == []
    assert store.get(database, ITEMS, "1") is None
    assert store.delete(database, ITEMS, {}) == 0
    assert store.changed_since(database, ITEMS).documents == []
    assert store.changed_since(database, ITEMS).cursor == ""
    assert store.get(database, ITEMS, "") is None


VALUES = {
    "whole numbers": [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)],
    "floats": [0.0, -0.0, 0.1 + 0.2, 1e-320, -1.7976931348623157e308, 3.0, 1e16],
    "constants": [True, False, None],
    "texts": [
        "",
        "plain",
        "naïve “quotes” – 日本語 🎬",
        "\x01\x02",
        "\ud7ff\ud7fe",
        "line\n\t\r\\\"'",
        "$x",
        "\uffff",
    ],
    "bytes": [b"", b"\x00\xff", bytes(range(256))],
    "nested": [{}, [], [[]], {"a": {"b": [{"c": b"1"}, None]}}, nested(60)],
    "awkward keys": {"a.b": 2, "": 3, "a$bytes": b"AA==", "\x01": 5, "é": 6, "_id": 7, "bytes": "$bytes"},
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


@pytest.mark.parametrize("id", ["a", "ä🎬", "$x", "with space/slash.dot", "x" * 512])
def test_any_text_may_be_an_id_and_a_field_name(store: DocumentStore, database: str, id: str) -> None:
    name = id.replace(".", "").replace("$", "").replace("_", "")
    store.insert_many(database, ITEMS, [{"_id": id, name: 1}])
    assert store.update(database, ITEMS, id, {name: 2}) == {"_id": id, name: 2, "_version": 2}
    assert store.find(database, ITEMS, {"_id": {"$in": [id]}}) == [store.get(database, ITEMS, id)]
    assert store.delete(database, ITEMS, {"_id": id}) == 1
    assert store.changed_since(database, ITEMS).documents == []


def test_versions_count_changes(store: DocumentStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "1", "a": 1, "b": {"x": 1}}])
    assert store.get(database, ITEMS, "1") == {"_id": "1", "a": 1, "b": {"x": 1}, "_version": 1}
    assert store.update(database, ITEMS, "1", {"b": {"y": 2}, "c": None}) == {"_id": "1", "a": 1, "b": {"y": 2}, "c": None, "_version": 2}
    assert store.update(database, ITEMS, "1", {}, expected_version=2)["_version"] == 3
    assert store.upsert(database, ITEMS, {"_id": "1", "d": 4, "_version": 99}) == {"_id": "1", "d": 4, "_version": 4}
    assert store.upsert(database, ITEMS, {"_id": "2"}) == {"_id": "2", "_version": 1}


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
    with pytest.raises(DuplicateKey, match="_id"):
        store.insert_many(database, ITEMS, [{"_id": "a"}, {"_id": "b"}, {"_id": "a"}])
    with pytest.raises(InvalidInput):
        store.insert_many(database, ITEMS, [{"_id": "c"}, {"_id": "d", "x": math.nan}])
    assert store.find(database, ITEMS) == [{"_id": "30", "first": True, "_version": 1}]
    assert store.changed_since(database, ITEMS, before.cursor).cursor == before.cursor
    store.insert_many(database, ITEMS, [])
    assert len(store.find(database, ITEMS)) == 1


ROWS: list[dict[str, Any]] = [
    {"_id": "a", "n": 1, "t": "x", "b": True},
    {"_id": "b", "n": 2, "t": "1", "b": False},
    {"_id": "c", "n": 2**53 + 1, "t": ""},
    {"_id": "d", "n": 2**53, "t": "é"},
    {"_id": "e", "n": -3, "t": "🎬", "b": True},
    {"_id": "f", "n": 1.5, "t": "X"},
    {"_id": "g", "n": None, "t": None},
    {"_id": "h"},
]

FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "no condition": ({}, "abcdefgh"),
    "a whole number": ({"n": 1}, "a"),
    "a whole number beyond floats": ({"n": 2**53 + 1}, "c"),
    "a text": ({"t": "x"}, "a"),
    "a text is not its number": ({"t": 1}, ""),
    "a number is not its text": ({"n": "1"}, ""),
    "true": ({"b": True}, "ae"),
    "false is not missing": ({"b": False}, "b"),
    "in": ({"t": {"$in": ["x", "é", "none"]}}, "ad"),
    "in nothing": ({"n": {"$in": []}}, ""),
    "in many": ({"n": {"$in": tuple(range(MANY))}}, "ab"),
    "in many ids": ({"_id": {"$in": {"a", "c", *(f"none-{number}" for number in range(MANY))}}}, "ac"),
    "above a number": ({"n": {"$gt": 1}}, "bcdf"),
    "from a number to a number": ({"n": {"$gte": -3, "$lte": 1}}, "ae"),
    "below a number": ({"n": {"$lt": 1}}, "e"),
    "above a text": ({"t": {"$gt": "x"}}, "de"),
    "up to a text": ({"t": {"$lte": "1"}}, "bc"),
    "several conditions": ({"b": True, "n": {"$lt": 0}}, "e"),
    "ids": ({"_id": {"$gt": "f"}}, "gh"),
    "an id and more": ({"_id": "a", "n": 2}, ""),
}


@pytest.mark.parametrize(("where", "expected"), FILTERS.values(), ids=FILTERS.keys())
def test_filters_mean_one_thing(store: DocumentStore, database: str, where: dict[str, Any], expected: str) -> None:
    store.insert_many(database, ITEMS, ROWS)
    assert "".join(ids(store.find(database, ITEMS, where))) == expected
    assert "".join(ids(store.find(database, ITEMS, where, limit=2))) == expected[:2]
    assert store.delete(database, ITEMS, where) == len(expected)
    assert "".join(ids(store.find(database, ITEMS))) == "".join(name for name in "abcdefgh" if name not in expected)


@pytest.mark.parametrize(
    "where",
    [
        {"a": {"$ne": 1}},
        {"a": {}},
        {"a": {"$gt": 1, "$in": [1]}},
        {"a": {"$gt": None}},
        {"a": {"$in": [[1]]}},
        {"a": {"plain": 1}},
        {"a": None},
        {"a": 1.0},
        {"a": [1]},
        {"a": b"1"},
        {"a": math.nan},
        {"a": 2**63},
        {"a": "half a \ud800"},
        {"a": "nul \x00"},
        {"_id": 1},
        {"$or": []},
    ],
    ids=repr,
)
def test_other_filters_are_refused(store: DocumentStore, database: str, where: Any) -> None:
    store.insert_many(database, ITEMS, ROWS)
    for call in (store.find, store.delete):
        with pytest.raises(InvalidInput, match="expected"):
            call(database, ITEMS, where)
    assert len(store.find(database, ITEMS)) == len(ROWS)


def test_none_and_missing_come_first_then_numbers_and_texts_by_code_point(store: DocumentStore, database: str) -> None:
    numbers, texts = [-5, -0.5, 0, 2.5, 3, 2**40], ["", "10", "9", "B", "a", "é", "\ud7ff", "\uffff", "🎬"]
    rows = [{"_id": f"{place:02}", "n": value, "group": 1} for place, value in enumerate(numbers)]
    rows += [{"_id": f"{place:02}", "t": value} for place, value in enumerate(texts, len(rows))]
    store.insert_many(database, ITEMS, [*reversed(rows), {"_id": "x", "n": None, "t": None}])
    assert ids(store.find(database, ITEMS, sort=[("n", 1)])) == [*ids(rows)[6:], "x", *ids(rows)[:6]]
    assert ids(store.find(database, ITEMS, sort=[("t", -1)])) == [*ids(rows)[:5:-1], *ids(rows)[:6], "x"]
    assert ids(store.find(database, ITEMS, {"group": 1}, sort=[("n", -1)], limit=3)) == ["05", "04", "03"]


def test_ties_of_an_order_are_settled_by_the_next_field_and_last_by_id(store: DocumentStore, database: str) -> None:
    rows = [("a", 1, "x"), ("b", 2, "x"), ("c", 1, "y"), ("d", 2, "y"), ("e", 1, "x")]
    store.insert_many(database, ITEMS, [{"_id": id, "n": number, "t": text} for id, number, text in rows[::-1]])
    assert ids(store.find(database, ITEMS)) == list("abcde")
    assert ids(store.find(database, ITEMS, sort=[("n", 1)])) == list("acebd")
    assert ids(store.find(database, ITEMS, sort=[("n", -1), ("t", -1)])) == list("dbcae")
    assert ids(store.find(database, ITEMS, sort=[("_id", -1)], limit=2)) == list("ed")
    assert store.find(database, ITEMS, limit=0) == []


@pytest.mark.parametrize("name", ["", "a/b", "../up", "a.b", "ä", "x" * 64, "admin", "Local", "config", "a\n"], ids=repr)
def test_unsafe_database_names_are_refused(store: DocumentStore, name: Any) -> None:
    with pytest.raises(InvalidInput, match="database is .* expected"):
        store.find(name, ITEMS)
    with pytest.raises(InvalidInput, match="database is .* expected"):
        store.insert_many(name, ITEMS, [{"_id": "1"}])
    with pytest.raises(InvalidInput, match="database is .* expected"):
        store.changed_since(name, ITEMS)


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
        {"_id": "1", "a": {"b": [{"$ref": 1}]}},
        {"_id": "1", "a": "nul \x00"},
        {"_id": "1", "a": ["half a \ud800"]},
        {"_id": "1", "a": {"\udfff": 1}},
        {"_id": "1", "a\x00": 1},
        {"_id": "a\x00"},
        {"_id": "\ud800"},
        {"_id": "1", "a.b": 1},
        {"_id": "1", "$a": 1},
        {"_id": "1", "_seq": 1},
        {"_id": "1", "_deleted": True},
        {"_id": "1", "": 1},
    ],
    ids=lambda document: repr(document)[:40],
)
def test_what_would_not_come_back_the_same_is_refused(store: DocumentStore, database: str, document: Any) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        store.insert_many(database, ITEMS, [{"_id": "0"}, document])
    with pytest.raises(InvalidInput, match="expected"):
        store.upsert(database, ITEMS, document)
    assert store.find(database, ITEMS) == []


@pytest.mark.parametrize("id", ["", "x" * 513, "a\x00", "\ud800", 5, None, {"$ne": 1}], ids=lambda id: repr(id)[:12])
def test_nothing_has_an_id_that_no_document_could_have(store: DocumentStore, database: str, id: Any) -> None:
    store.insert_many(database, ITEMS, [{"_id": "1"}])
    assert store.get(database, ITEMS, id) is None


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


def test_a_document_too_large_for_the_engine_is_refused_whole(store: DocumentStore, body: Body, database: str) -> None:
    if body.kind == "sqlite":
        pytest.skip("SQLite takes up to a gigabyte")
    large = {"_id": "2", "text": "x" * 17_000_000}
    for call in (lambda: store.upsert(database, ITEMS, large), lambda: store.insert_many(database, ITEMS, [{"_id": "1"}, large])):
        with pytest.raises(InvalidInput, match="is larger than MongoDB takes"):
            call()
    assert store.find(database, ITEMS) == []
    store.insert_many(database, ITEMS, [{"_id": "1", "a": "x" * 9_000_000}])
    with pytest.raises((InvalidInput, StoreError), match="is larger than MongoDB takes|refuses"):
        store.update(database, ITEMS, "1", {"b": "x" * 9_000_000})
    assert store.find(database, ITEMS) == [{"_id": "1", "a": "x" * 9_000_000, "_version": 1}]


def test_changes_come_each_document_once_in_its_newest_state(store: DocumentStore, database: str) -> None:
    """A body may tell a change again, so the ids looked for are those that are new."""
    store.insert_many(database, ITEMS, [{"_id": "a"}, {"_id": "b"}, {"_id": "c"}])
    store.insert_many(database, "other", [{"_id": "x"}])
    first = store.changed_since(database, ITEMS)
    assert sorted(ids(first.documents)) == ["a", "b", "c"]
    store.update(database, ITEMS, "a", {"n": 1})
    store.delete(database, ITEMS, {"_id": "b"})
    store.upsert(database, ITEMS, {"_id": "d"})
    store.update(database, ITEMS, "a", {"n": 2})
    changed = store.changed_since(database, ITEMS, first.cursor)
    told = {row["_id"]: row for row in changed.documents if row["_id"] != "c"}
    assert told == {"a": {"_id": "a", "n": 2, "_version": 3}, "d": {"_id": "d", "_version": 1}}
    assert len({*ids(changed.documents)}) == len(changed.documents)
    assert store.changed_since(database, ITEMS, changed.cursor).cursor == changed.cursor
    assert sorted(ids(store.changed_since(database, ITEMS).documents)) == ["a", "c", "d"]
    assert ids(store.changed_since(database, "other").documents) == ["x"]
    assert store.changed_since(database, "none", changed.cursor).cursor == changed.cursor


@pytest.mark.parametrize("cursor", ["0", "é", "0123456789abcdef.1", "0123456789abcdef.1.0123456789abcdef", "\ud800", None, " "], ids=repr)
def test_a_cursor_that_no_page_gave_is_refused(store: DocumentStore, database: str, cursor: Any) -> None:
    """Else a reader whose database was made anew would wait for changes that it has passed. Earlier releases gave three parts."""
    with pytest.raises(StaleCursor, match="cursor is"):
        store.changed_since(database, ITEMS, cursor)
    store.insert_many(database, ITEMS, [{"_id": "a"}])
    with pytest.raises(StaleCursor, match="cursor is"):
        store.changed_since(database, ITEMS, cursor)
    given = store.changed_since(database, ITEMS).cursor
    with pytest.raises(StaleCursor, match="cursor is"):
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
    for call in (lambda: store.find(database, ITEMS), lambda: store.upsert(database, ITEMS, {"_id": "b"})):
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
    assert len(store.find(database, ITEMS, {"by": {"$gte": 0}})) == 40
    assert sorted(ids(store.changed_since(database, ITEMS).documents)) == ids(store.find(database, ITEMS))


def test_upserts_of_one_new_document_at_once_all_succeed(store: DocumentStore, database: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda number: store.upsert(database, ITEMS, {"_id": "a", "n": number}), range(16)))
    versions = [document["_version"] for document in stored]
    assert len(set(versions)) == 16
    assert max(versions) == store.get(database, ITEMS, "a")["_version"]


def test_restored_documents_keep_their_versions_replace_others_and_are_told_of(store: MaintainedStore, database: str) -> None:
    store.insert_many(database, ITEMS, [{"_id": "a", "old": 1}, {"_id": "b", "old": 1}])
    cursor = store.changed_since(database, ITEMS).cursor
    fresh = [{"_id": "a", "new": b"\x00", "_version": 7}, {"_id": "c", "new": 2.0, "_version": 3}]
    for _ in range(2):  # doing it twice is no harm
        store.restore(database, ITEMS, fresh)
    store.restore(database, ITEMS, [])
    assert store.find(database, ITEMS) == [fresh[0], {"_id": "b", "old": 1, "_version": 1}, fresh[1]]
    assert {"a", "c"} <= set(ids(store.changed_since(database, ITEMS, cursor).documents))
    assert store.update(database, ITEMS, "a", {"new": 1}, expected_version=7)["_version"] == 8
    with pytest.raises(InvalidInput, match="field name"):
        store.restore(database, ITEMS, [{"_id": "d", "$no": 1, "_version": 1}])


def test_a_database_names_its_own_collections_alone(store: MaintainedStore, database: str) -> None:
    assert store.collections(database) == []
    store.insert_many(database, ITEMS, [{"_id": "a"}])
    store.insert_many(database, "events", [{"_id": "a"}])
    store.changed_since(database, ITEMS)
    store.position(database)
    assert store.collections(database) == ["events", ITEMS]


def test_a_check_proves_that_a_database_can_be_written_and_leaves_nothing_behind(store: MaintainedStore, database: str) -> None:
    assert store.check(database).engine.startswith(("SQLite ", "MongoDB "))
    assert store.collections(database) == []
    store.insert_many(database, ITEMS, [{"_id": "a"}])
    assert store.check(database).latency_s >= 0
    assert store.collections(database) == [ITEMS]
    assert ids(store.find(database, ITEMS)) == ["a"]
