"""Cursors of a store that was put back from a copy, on every body: refused where they could pass over a change, good where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from gather_pipeline.errors import StaleCursor
from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.adapters.documents.store_bodies import Body

ITEMS = "gather"


@contextmanager
def opened(body: Body) -> Iterator[DocumentStore]:
    """A store as a process of its own would open it."""
    with closing(body.open()) as store:
        yield store


def write(body: Body, database: str, *ids: str) -> None:
    """Inserts documents as a process of its own, each by a write."""
    with opened(body) as store:
        for id in ids:
            store.insert_many(database, ITEMS, [{"_id": id}])


def read(body: Body, database: str, cursor: str = "") -> tuple[list[str], str]:
    with opened(body) as store:
        page = store.changed_since(database, ITEMS, cursor)
        return sorted(document["_id"] for document in page.documents), page.cursor


def check_told(body: Body, database: str, cursor: str, new: list[str]) -> None:
    """All that is new is told; SQLite tells nothing else, MongoDB also what changed shortly before."""
    told, _ = read(body, database, cursor)
    assert told == new if body.kind == "sqlite" else {*new} <= {*told}


def check_stale(body: Body, database: str, cursor: str) -> None:
    with pytest.raises(StaleCursor, match=rf"^cursor is '{cursor}', expected one that this database gave: it was put back from a copy"):
        read(body, database, cursor)


def test_a_cursor_beyond_the_copy_is_refused_before_anything_new_is_written(body: Body, database: str) -> None:
    write(body, database, "a")
    copy = body.copy(database)
    write(body, database, "b")
    _, cursor = read(body, database)
    body.put_back(copy, database)
    check_stale(body, database, cursor)


@pytest.mark.parametrize("new", [["c"], ["c", "d"], ["c", "d", "e", "f"]], ids=len)
def test_a_cursor_beyond_the_copy_is_refused_after_new_writes(body: Body, database: str, new: list[str]) -> None:
    """Else a reader would wait for numbers that the put-back store has given to changes that the reader has never seen."""
    write(body, database, "a")
    copy = body.copy(database)
    write(body, database, "b", "b2")
    _, cursor = read(body, database)
    body.put_back(copy, database)
    write(body, database, *new)
    check_stale(body, database, cursor)
    assert read(body, database)[0] == ["a", *new]


def test_a_cursor_within_the_copy_stays_good(body: Body, database: str) -> None:
    """What a reader had seen is still there as it was, so it need not begin again."""
    write(body, database, "a", "b")
    _, middle = read(body, database)
    write(body, database, "c")
    _, end = read(body, database)
    copy = body.copy(database)
    write(body, database, "lost")
    body.put_back(copy, database)
    assert "lost" not in read(body, database, middle)[0]
    check_told(body, database, middle, ["c"])
    check_told(body, database, end, [])
    write(body, database, "d")
    check_told(body, database, middle, ["c", "d"])
    check_told(body, database, end, ["d"])


def test_a_copy_put_back_twice_refuses_the_cursors_of_both_lost_histories(body: Body, database: str) -> None:
    write(body, database, "a")
    copy = body.copy(database)
    lost = []
    for id in ("b", "c"):
        write(body, database, id)
        lost.append(read(body, database)[1])
        body.put_back(copy, database)
    write(body, database, "d", "e")
    for cursor in lost:
        check_stale(body, database, cursor)
    assert read(body, database)[0] == ["a", "d", "e"]


def test_copies_that_went_different_ways_refuse_each_others_cursors(body: Body, database: str) -> None:
    write(body, database, "a")
    _, shared = read(body, database)
    other = body.new_database()
    try:
        with opened(body) as store:  # a writer that has begun before the copy and goes on
            store.insert_many(database, ITEMS, [{"_id": "b"}])
            body.put_back(body.copy(database), other)
            store.insert_many(database, ITEMS, [{"_id": "here"}])
        write(body, other, "there", "there too")
        here, there = read(body, database)[1], read(body, other)[1]
        check_stale(body, other, here)
        check_stale(body, database, there)
        check_told(body, other, shared, ["b", "there", "there too"])
        check_told(body, database, shared, ["b", "here"])
        assert read(body, other, there)[1] == there
    finally:
        body.drop(other)


def test_a_copy_put_back_under_stores_at_work_is_noticed(body: Body, database: str) -> None:
    with opened(body) as writer, opened(body) as reader:
        writer.insert_many(database, ITEMS, [{"_id": "a"}])
        copy = body.copy(database)
        writer.insert_many(database, ITEMS, [{"_id": "b"}])
        cursor = reader.changed_since(database, ITEMS).cursor
        body.put_back(copy, database)
        for id in "xyz":
            writer.insert_many(database, ITEMS, [{"_id": id}])
        with pytest.raises(StaleCursor):
            reader.changed_since(database, ITEMS, cursor)
        assert sorted(row["_id"] for row in reader.changed_since(database, ITEMS).documents) == list("axyz")


def test_after_a_position_newer_changes_come(body: Body, database: str) -> None:
    with opened(body) as store:
        before = store.position(database)
    write(body, database, "a", "b")
    check_told(body, database, before, ["a", "b"])
    with opened(body) as store:
        store.delete(database, ITEMS, {"_id": "a"})
        cursor = store.position(database)
    write(body, database, "c")
    check_told(body, database, cursor, ["c"])


def test_a_position_before_a_put_back_is_refused_like_any_cursor(body: Body, database: str) -> None:
    write(body, database, "a")
    copy = body.copy(database)
    write(body, database, "b")
    with opened(body) as store:
        cursor = store.position(database)
    body.put_back(copy, database)
    write(body, database, "c")
    check_stale(body, database, cursor)
