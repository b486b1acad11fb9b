"""Cursors of a store that was put back from a copy, on every body: refused where they could pass over a change, good where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from gather_pipeline.errors import InvalidInput, StaleCursor
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


def read(body: Body, database: str, cursor: str = "", limit: int = 1000) -> tuple[list[str], str]:
    with opened(body) as store:
        page = store.changed_since(database, ITEMS, cursor, limit=limit)
        return [document["_id"] for document in page.documents], page.cursor


def check_stale(body: Body, database: str, cursor: str) -> None:
    with pytest.raises(
        StaleCursor, match=rf"^cursor is '{cursor}', expected one of this database as it is now: it was put back from a copy"
    ):
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
    write(body, database, "a", "b", "c")
    _, middle = read(body, database, limit=2)
    _, end = read(body, database)
    copy = body.copy(database)
    write(body, database, "lost")
    body.put_back(copy, database)
    assert (read(body, database, middle)[0], read(body, database, end)[0]) == (["c"], [])
    write(body, database, "d")
    assert (read(body, database, middle)[0], read(body, database, end)[0]) == (["c", "d"], ["d"])


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
        assert read(body, other, shared)[0] == ["b", "there", "there too"]
        assert read(body, database, shared)[0] == ["b", "here"]
        assert read(body, other, there) == ([], there)
    finally:
        body.drop(other)


def test_a_writer_at_work_while_a_copy_is_put_back_begins_an_era(body: Body, database: str) -> None:
    """It sees numbers come again that it has given itself, or has read."""
    with opened(body) as writer, opened(body) as reader:
        for id in "abc":
            writer.insert_many(database, ITEMS, [{"_id": id}])
        copy = body.copy(database)
        for id in "de":
            writer.insert_many(database, ITEMS, [{"_id": id}])
        cursor = reader.changed_since(database, ITEMS).cursor
        body.put_back(copy, database)
        for id in "xyz":
            writer.insert_many(database, ITEMS, [{"_id": id}])
        with pytest.raises(StaleCursor):
            reader.changed_since(database, ITEMS, cursor)
        assert [row["_id"] for row in reader.changed_since(database, ITEMS).documents] == list("abcxyz")


def test_a_writer_that_read_beyond_the_copy_begins_an_era(body: Body, database: str) -> None:
    with opened(body) as one, opened(body) as two:
        one.insert_many(database, ITEMS, [{"_id": "a"}])
        two.insert_many(database, ITEMS, [{"_id": "b"}])
        copy = body.copy(database)
        two.insert_many(database, ITEMS, [{"_id": "c"}])
        cursor = one.changed_since(database, ITEMS).cursor
        body.put_back(copy, database)
        assert [row["_id"] for row in one.changed_since(database, ITEMS).documents] == ["a", "b"]
        one.insert_many(database, ITEMS, [{"_id": "d"}])
        with pytest.raises(StaleCursor):
            one.changed_since(database, ITEMS, cursor)


def test_cursors_pass_from_writer_to_writer(body: Body, database: str) -> None:
    """Every command that writes begins an era; a reader goes through them page by page, whoever reads next."""
    for number in range(5):
        write(body, database, f"{number}a", f"{number}b", f"{number}c")
    assert body.eras(database) == [1, 4, 7, 10, 13]
    seen, cursor = [], ""
    while (page := read(body, database, cursor, limit=2))[0]:
        seen += page[0]
        cursor = page[1]
    assert seen == [f"{number}{letter}" for number in range(5) for letter in "abc"]
    write(body, database, "last")
    assert read(body, database, cursor)[0] == ["last"]


def test_a_writer_begins_one_era_and_a_reader_none(body: Body, database: str) -> None:
    with opened(body) as store:
        store.insert_many(database, ITEMS, [{"_id": "a"}, {"_id": "b"}])
        store.update(database, ITEMS, "a", {"n": 1})
        store.upsert(database, "other", {"_id": "a"})
        store.delete(database, ITEMS, {"_id": "a"})
    with opened(body) as store:
        store.find(database, ITEMS)
        store.changed_since(database, ITEMS)
        assert store.delete(database, ITEMS, {"_id": "none"}) == 0
    assert body.eras(database) == [1]


@pytest.mark.parametrize("ids", [["b"], ["b", "c", "d"]], ids=len)
def test_a_database_older_than_eras_goes_on(body: Body, database: str, ids: list[str]) -> None:
    """Its cursors name no era. They stay good, and are refused where it was put back and written to."""
    write(body, database, "a")
    body.without_eras(database)
    copy = body.copy(database)
    with opened(body) as store:
        _, before = read(body, database)
        assert before.count(".") == 1
        store.insert_many(database, ITEMS, [{"_id": "lost"}])
    written_by_an_older_release = f"{before[:-1]}2"
    body.put_back(copy, database)
    with pytest.raises(StaleCursor):
        read(body, database, written_by_an_older_release)
    assert read(body, database, before) == ([], before)
    write(body, database, *ids)
    assert body.eras(database) == [2]
    check_stale(body, database, written_by_an_older_release)
    assert read(body, database, before)[0] == ids
    assert read(body, database)[0] == ["a", *ids]


def test_deletions_from_before_eras_and_after_are_told(body: Body, database: str) -> None:
    write(body, database, "a", "b", "c")
    _, start = read(body, database)
    with opened(body) as store:
        store.delete(database, ITEMS, {"_id": "a"})
    body.without_eras(database)
    start = start.rpartition(".")[0]
    assert read(body, database, start)[0] == ["a"]
    with opened(body) as store:
        store.delete(database, ITEMS, {"_id": "b"})
        assert store.changed_since(database, ITEMS, start).documents == [{"_id": id, "_deleted": True} for id in "ab"]
        _, middle = read(body, database, start, limit=1)
        assert store.changed_since(database, ITEMS, middle).documents == [{"_id": "b", "_deleted": True}]


def test_a_cursor_without_its_era_is_refused(body: Body, database: str) -> None:
    write(body, database, "a")
    _, cursor = read(body, database)
    check_stale(body, database, cursor.rpartition(".")[0])


def test_a_cursor_of_a_database_that_is_gone_is_stale(body: Body, database: str) -> None:
    check_stale(body, database, "0123456789abcdef.1.0123456789abcdef")


@pytest.mark.parametrize("cursor", ["0", "0123456789abcdef", "0123456789abcdef.1.", "0123456789abcdef.1.x", "0123456789abcdef.-1", "é"])
def test_what_is_no_cursor_at_all_is_not_called_stale(body: Body, database: str, cursor: str) -> None:
    """To begin again from the start would hide the fault of whoever made it up."""
    write(body, database, "a")
    with pytest.raises(InvalidInput, match="cursor is .* expected one that changed_since gave") as caught:
        read(body, database, cursor)
    assert type(caught.value) is InvalidInput


def test_a_position_is_the_cursor_after_which_only_newer_changes_come(body: Body, database: str) -> None:
    with opened(body) as store:
        assert store.position(database) == ""
    write(body, database, "a", "b")
    with opened(body) as store:
        store.delete(database, ITEMS, {"_id": "a"})
        cursor = store.position(database)
        assert store.changed_since(database, ITEMS, cursor).documents == []
    write(body, database, "c")
    assert read(body, database, cursor)[0] == ["c"]
    assert read(body, database, cursor)[1] == read(body, database)[1]


def test_a_position_before_a_put_back_is_refused_like_any_cursor(body: Body, database: str) -> None:
    write(body, database, "a")
    copy = body.copy(database)
    write(body, database, "b")
    with opened(body) as store:
        cursor = store.position(database)
    body.put_back(copy, database)
    write(body, database, "c")
    check_stale(body, database, cursor)
