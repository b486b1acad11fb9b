"""What only the MongoDB body has: a server that fails, secrets in its URI, and a change log without transactions."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from pymongo import MongoClient

from gather_pipeline.adapters.documents.mongo import store as mongo_store
from gather_pipeline.adapters.documents.mongo.changes import ChangeNumbers
from gather_pipeline.adapters.documents.mongo.connection import MongoConnection
from gather_pipeline.adapters.documents.mongo.store import MongoStore
from gather_pipeline.errors import DuplicateKey, StoreError, StoreUnavailable, UnknownEntity
from gather_pipeline_tests.mongo_server import MongoServer, free_port

USER, PASSWORD = "dora-the-user", "s3cret-pa55"


@pytest.fixture
def store(mongo_uri: str) -> Iterator[MongoStore]:
    opened = MongoStore(mongo_uri, timeout_s=30)
    yield opened
    opened.close()


@pytest.fixture
def client(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    opened: MongoClient[dict[str, Any]] = MongoClient(mongo_uri)
    yield opened
    opened.close()


@pytest.fixture
def database(client: MongoClient[dict[str, Any]]) -> Iterator[str]:
    name = f"test-{token_hex(8)}"
    yield name
    client.drop_database(name)


def told(error: BaseException) -> str:
    """All that a person or a log would see of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


def check_silent(store: MongoStore, error: BaseException) -> None:
    for secret in (USER, PASSWORD):
        assert secret not in told(error) + repr(store) + str(store)


def test_documents_lie_as_other_programs_expect_them(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "a", "content": "é", "n": {"x": [1, 2.5, None, True]}, "v": b"\x00"}])
    row = client[database]["gather"].find_one()
    assert row == {"_id": "a", "content": "é", "n": {"x": [1, 2.5, None, True]}, "v": b"\x00", "_version": 1, "_seq": 1}


def test_databases_of_others_are_left_out(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    client[database]["gather"].insert_one({"_id": "a"})
    assert database not in store.databases()
    store.insert_many(database, "gather", [{"_id": "b"}])
    assert database in store.databases()
    assert not {"admin", "config", "local"} & set(store.databases())


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = MongoStore(f"mongodb://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/", timeout_s=0.3)
    start = time.monotonic()
    calls = [
        lambda: store.insert_many("a", "gather", [{"_id": "1"}]),
        lambda: store.find("a", "gather", {"x": 1}),
        lambda: store.update("a", "gather", "1", {}),
        lambda: store.upsert("a", "gather", {"_id": "1"}),
        lambda: store.delete("a", "gather", {}),
        lambda: store.count("a", "gather"),
        lambda: store.ensure_unique("a", "gather", ["x"]),
        lambda: store.changed_since("a", "gather"),
        store.databases,
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match=r"MongoDB at 127\.0\.0\.1:\d+ does not answer") as caught:
            call()
        check_silent(store, caught.value)
    assert time.monotonic() - start < 30
    store.close()


def test_a_server_that_accepts_and_says_nothing_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = MongoStore(f"mongodb://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.5)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.get("a", "gather", "1")
        store.close()


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://{USER}:{PASSWORD}/with@slash@host/",
        f"mongodb://{USER}:{PASSWORD}",
        f"mongodb://{USER}:{PASSWORD}/db",
        f"postgres://{USER}:{PASSWORD}@host/",
        f"{USER}:{PASSWORD}@host",
        f"mongodb://{USER}:{PASSWORD}@host:notaport/",
        "",
    ],
)
def test_a_uri_that_cannot_be_used_is_not_repeated(uri: str) -> None:
    store = MongoStore(uri, timeout_s=0.2)
    with pytest.raises(StoreError, match="URI of the MongoDB server .* cannot be used, expected mongodb://") as caught:
        store.find("a", "gather")
    check_silent(store, caught.value)
    store.close()


@pytest.mark.parametrize("option", [f"authMechanismProperties=AWS_SESSION_TOKEN:{PASSWORD}@x", f"{PASSWORD}=1", f"tls={PASSWORD}"])
def test_an_option_that_the_driver_does_not_know_is_not_repeated(option: str, caplog: pytest.LogCaptureFixture) -> None:
    store = MongoStore(f"mongodb://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/?{option}", timeout_s=0.2)
    with caplog.at_level(logging.DEBUG, "gather_pipeline"), pytest.raises((StoreUnavailable, StoreError)) as caught:
        store.find("a", "gather")
    check_silent(store, caught.value)
    assert PASSWORD not in caplog.text
    store.close()


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        (f"mongodb://{USER}:{PASSWORD}@db.example.org:27018/x?retryWrites=true", "db.example.org:27018"),
        ("mongodb://localhost", "localhost"),
        (f"mongodb+srv://{USER}:{PASSWORD}@cluster.example.org/", "cluster.example.org"),
        (f"mongodb://{USER}:{PASSWORD}@a:1,b:2,c/?replicaSet=r", "a:1,b:2,c"),
        ("mongodb://[::1]:27017/", "[::1]:27017"),
    ],
)
def test_its_repr_shows_the_host_alone(uri: str, host: str) -> None:
    store = MongoStore(uri)
    assert repr(store) == f"MongoStore({host!r})"
    store.close()


def test_a_wrong_password_is_refused_without_being_repeated(tmp_path: Path) -> None:
    server = MongoServer(tmp_path / "server")
    server.start()
    try:
        admin: MongoClient[dict[str, Any]] = MongoClient(server.uri)
        admin.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
        admin.close()
        server.kill()
        server.options = ("--auth",)
        server.start()
        right = MongoStore(f"mongodb://{USER}:{PASSWORD}@127.0.0.1:{server.port}/", timeout_s=30)
        right.insert_many("a", "gather", [{"_id": "1"}])
        assert right.databases() == ["a"]
        right.close()
        wrong = MongoStore(f"mongodb://{USER}:{PASSWORD}-wrong@127.0.0.1:{server.port}/", timeout_s=30)
        for call in (lambda: wrong.find("a", "gather"), lambda: wrong.upsert("a", "gather", {"_id": "2"})):
            with pytest.raises(StoreError, match=r"MongoDB at 127\.0\.0\.1:\d+ refuses: user or password are wrong") as caught:
                call()
            check_silent(wrong, caught.value)
        wrong.close()
        without = MongoStore(server.uri, timeout_s=30)
        with pytest.raises(StoreError, match="refuses"):
            without.find("a", "gather")
        without.close()
    finally:
        server.kill()


def test_a_server_that_dies_is_unavailable_and_when_it_is_back_has_everything(tmp_path: Path) -> None:
    """Its end comes in the middle of writes; what was acknowledged survives, and the same store goes on."""
    server = MongoServer(tmp_path / "server")
    server.start()
    store = MongoStore(server.uri, timeout_s=0.5, patience_s=1)
    try:
        store.insert_many("a", "gather", [{"_id": "start"}])
        killer = threading.Timer(0.5, server.kill)
        killer.start()
        acknowledged = ["start"]
        with pytest.raises(StoreUnavailable, match="does not answer"):
            for number in range(100_000):
                store.insert_many("a", "gather", [{"_id": f"{number:06}"}])
                acknowledged.append(f"{number:06}")
        killer.join()
        with pytest.raises(StoreUnavailable):
            store.get("a", "gather", "start")
        server.start()
        deadline = time.monotonic() + 60
        while True:
            try:
                found = {row["_id"] for row in store.find("a", "gather")}
                break
            except StoreUnavailable:
                assert time.monotonic() < deadline
        assert set(acknowledged) <= found
        assert len(found) <= len(acknowledged) + 1
        store.upsert("a", "gather", {"_id": "end"})
        time.sleep(1.1)  # the write that the end broke off holds readers back until it counts as dead
        assert {row["_id"] for row in store.changed_since("a", "gather", limit=10**6).documents} == found | {"end"}
    finally:
        store.close()
        server.kill()


class Numbers:
    """A second writer whose steps a test takes one by one."""

    def __init__(self, uri: str, database: str) -> None:
        self.server = MongoConnection(uri, 30)
        self.changes = ChangeNumbers(self.server, 60)
        self.target = self.server.database(database)["gather"]


@pytest.fixture
def slow(mongo_uri: str, database: str) -> Iterator[Numbers]:
    opened = Numbers(mongo_uri, database)
    yield opened
    opened.server.close()


def changed(store: MongoStore, database: str, cursor: str = "") -> tuple[list[str], str]:
    page = store.changed_since(database, "gather", cursor)
    return [row["_id"] for row in page.documents], page.cursor


def test_readers_wait_for_a_write_under_way(store: MongoStore, slow: Numbers, database: str) -> None:
    """Else the cursor would pass the slow write's number, and its document would never be seen."""
    store.insert_many(database, "gather", [{"_id": "before"}])
    with slow.changes.taken(slow.target, 2) as first:
        store.insert_many(database, "gather", [{"_id": "after"}])
        seen, cursor = changed(store, database)
        assert seen == ["before"]
        slow.target.insert_one({"_id": "slow", "_version": 1, "_seq": first})
        assert changed(store, database, cursor) == ([], cursor)
    assert changed(store, database, cursor)[0] == ["slow", "after"]


def test_an_era_is_there_before_its_numbers_are_told(
    store: MongoStore, slow: Numbers, client: MongoClient[dict[str, Any]], database: str
) -> None:
    """Else a cursor would name an era that the next reader does not find."""
    store.insert_many(database, "gather", [{"_id": "a"}, {"_id": "b"}])
    with slow.changes.taken(slow.target, 2) as first:
        assert [row["_id"] for row in client[database]["_eras"].find().sort("_id")] == [1, first]
        store.insert_many(database, "gather", [{"_id": "c"}])
        _, cursor = changed(store, database)
        slow.target.insert_one({"_id": "slow", "_version": 1, "_seq": first})
    assert changed(store, database, cursor)[0] == ["slow", "c"]


def test_a_writer_that_died_before_its_era_was_there_harms_nobody(
    mongo_uri: str, store: MongoStore, slow: Numbers, client: MongoClient[dict[str, Any]], database: str
) -> None:
    store.insert_many(database, "gather", [{"_id": "a"}])
    _, cursor = changed(store, database)
    with pytest.raises(KeyboardInterrupt), slow.changes.taken(slow.target, 1) as first:
        raise KeyboardInterrupt
    client[database]["_eras"].delete_one({"_id": first})
    hasty = MongoStore(mongo_uri, timeout_s=30, patience_s=0)
    time.sleep(0.05)
    assert changed(hasty, database, cursor) == ([], cursor)
    hasty.insert_many(database, "gather", [{"_id": "b"}])
    seen, cursor = changed(hasty, database, cursor)
    assert seen == ["b"]
    assert changed(store, database, cursor) == ([], cursor)
    hasty.close()


def test_a_deletion_is_told_although_an_insert_under_way_may_yet_be_taken_back(store: MongoStore, slow: Numbers, database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "a"}])
    seen, cursor = changed(store, database)
    store.delete(database, "gather", {"_id": "a"})
    with pytest.raises(DuplicateKey), slow.changes.taken(slow.target, 2) as first:
        slow.target.insert_one({"_id": "a", "_version": 1, "_seq": first})
        assert store.changed_since(database, "gather", cursor).documents == [{"_id": "a", "_deleted": True}]
        slow.target.delete_one({"_id": "a", "_seq": first})
        raise DuplicateKey("the second document's key is taken")


def test_a_write_that_was_refused_holds_nobody_back(store: MongoStore, slow: Numbers, database: str) -> None:
    with pytest.raises(DuplicateKey), slow.changes.taken(slow.target, 1):
        raise DuplicateKey("taken")
    store.insert_many(database, "gather", [{"_id": "after"}])
    assert changed(store, database)[0] == ["after"]


def test_a_writer_that_died_holds_readers_back_for_a_while_only(
    mongo_uri: str, store: MongoStore, slow: Numbers, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt), slow.changes.taken(slow.target, 1) as first:
        slow.target.insert_one({"_id": "unfinished", "_version": 1, "_seq": first})
        raise KeyboardInterrupt
    store.insert_many(database, "gather", [{"_id": "after"}])
    assert changed(store, database)[0] == []
    hasty = MongoStore(mongo_uri, timeout_s=30, patience_s=0.3)
    time.sleep(0.4)
    with caplog.at_level(logging.WARNING):
        assert changed(hasty, database)[0] == ["unfinished", "after"]
    assert [record.message for record in caplog.records if "never ended" in record.message] != []
    hasty.close()
    assert changed(store, database)[0] == ["unfinished", "after"]


def test_a_writer_taken_for_dead_gives_its_documents_new_numbers(mongo_uri: str, slow: Numbers, database: str) -> None:
    """A laptop that slept: the reader has passed its numbers, and still sees what it wrote and what it deleted."""
    hasty = MongoStore(mongo_uri, timeout_s=30, patience_s=0)
    hasty.insert_many(database, "gather", [{"_id": "gone"}])
    with slow.changes.taken(slow.target, 2) as first:
        hasty.insert_many(database, "gather", [{"_id": "after"}])
        time.sleep(0.05)
        seen, cursor = changed(hasty, database)
        assert seen == ["gone", "after"]
        slow.target.insert_one({"_id": "slept", "_version": 1, "_seq": first})
        mark = {"_id": "gather/gone", "collection": "gather", "id": "gone", "_seq": first + 1}
        slow.target.database["_deleted"].insert_one(mark)
        slow.target.delete_one({"_id": "gone"})
        assert changed(hasty, database, cursor)[0] == []
    page = hasty.changed_since(database, "gather", cursor)
    assert page.documents == [{"_id": "slept", "_version": 1}, {"_id": "gone", "_deleted": True}]
    hasty.close()


def test_a_failed_insert_takes_back_its_own_documents_only(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "2"}])
    with pytest.raises(DuplicateKey, match="_id"):
        store.insert_many(database, "gather", [{"_id": str(number)} for number in range(5)])
    assert [row["_id"] for row in client[database]["gather"].find()] == ["2"]
    assert (client[database]["_counters"].find_one() or {})["open"] == {}


def test_documents_that_others_change_all_the_time_are_changed_in_turn(
    store: MongoStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_store, "ATTEMPTS", 0)
    store.insert_many(database, "gather", [{"_id": "a", "n": 1, "m": [1]}])
    _, cursor = changed(store, database)
    assert store.update(database, "gather", "a", {"n": (2, "é\x00")}) == {"_id": "a", "n": [2, "é\x00"], "m": [1], "_version": 2}
    assert store.upsert(database, "gather", {"_id": "a", "k": {"$x": 1}}) == {"_id": "a", "k": {"$x": 1}, "_version": 3}
    assert store.upsert(database, "gather", {"_id": "b"}) == {"_id": "b", "_version": 1}
    assert store.find(database, "gather") == [{"_id": "a", "k": {"$x": 1}, "_version": 3}, {"_id": "b", "_version": 1}]
    assert changed(store, database, cursor)[0] == ["a", "b"]
    with pytest.raises(UnknownEntity):
        store.update(database, "gather", "c", {})


def test_threads_that_update_one_document_all_succeed(store: MongoStore, database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "a"}])
    with ThreadPoolExecutor(6) as pool:
        stored = list(pool.map(lambda number: store.update(database, "gather", "a", {f"f{number}": number}), range(18)))
    assert sorted(document["_version"] for document in stored) == list(range(2, 20))
    for document in stored:  # each is told the state that its own change made
        assert len(document) == document["_version"] + 1
    assert store.get(database, "gather", "a") == {"_id": "a", "_version": 19} | {f"f{number}": number for number in range(18)}


def test_a_list_is_not_found_by_the_value_within_it_also_where_the_server_looks_there(store: MongoStore, database: str) -> None:
    """The plain query that every server has an index for finds it; a limit then must not cut off those behind it."""
    rows = [{"_id": f"{number:02}", "tag": ["x"] if number < 5 else "x"} for number in range(10)]
    store.insert_many(database, "gather", rows)
    assert [row["_id"] for row in store.find(database, "gather", {"tag": "x"})] == ["05", "06", "07", "08", "09"]
    assert [row["_id"] for row in store.find(database, "gather", {"tag": "x"}, limit=3)] == ["05", "06", "07"]
    assert [row["_id"] for row in store.find(database, "gather", {"tag": "x"}, sort=[("_id", -1)], limit=9)] == [
        "09",
        "08",
        "07",
        "06",
        "05",
    ]


def test_queries_on_a_large_collection_get_an_index(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    store.find(database, "gather", {"department": "x"})
    assert "find:department" not in client[database]["gather"].index_information()
    store.insert_many(database, "gather", [{"_id": f"{number:03}", "department": "x"} for number in range(220)])
    for _ in range(260):  # the collection's size is looked at now and then only
        store.count(database, "gather", {"department": "y"})
    assert "find:department" in client[database]["gather"].index_information()


def test_what_the_server_refuses_is_told_in_its_words(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    client[database].create_collection("gather", validator={"content": {"$type": "string"}})
    calls = [lambda: store.insert_many(database, "gather", [{"_id": "1"}]), lambda: store.upsert(database, "gather", {"_id": "1"})]
    for call in calls:
        with pytest.raises(StoreError, match=r"MongoDB at \S+ refuses: .*Document failed validation"):
            call()
    assert store.count(database, "gather") == 0
