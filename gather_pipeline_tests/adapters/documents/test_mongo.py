"""What only the MongoDB body has: a server that fails, secrets in its URI, and changes that several followers read."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from pymongo import MongoClient

from gather_pipeline.adapters.documents.mongo.store import MongoStore
from gather_pipeline.errors import DuplicateKey, StoreError, StoreUnavailable
from gather_pipeline_tests.mongo_server import MongoServer
from gather_pipeline_tests.server_process import free_port

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
    row = client[database]["gather"].find_one({}, {"_batch": 0})
    assert row == {"_id": "a", "content": "é", "n": {"x": [1, 2.5, None, True]}, "v": b"\x00", "_version": 1}


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = MongoStore(f"mongodb://{USER}:{PASSWORD}@127.0.0.1:{free_port()}/", timeout_s=0.3)
    start = time.monotonic()
    calls = [
        lambda: store.insert_many("a", "gather", [{"_id": "1"}]),
        lambda: store.find("a", "gather", {"x": 1}),
        lambda: store.update("a", "gather", "1", {}),
        lambda: store.upsert("a", "gather", {"_id": "1"}),
        lambda: store.delete("a", "gather", {}),
        lambda: store.changed_since("a", "gather"),
        lambda: store.position("a"),
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
    "options",
    [
        "tz_aware=true&uuidRepresentation=standard",
        "readPreference=secondaryPreferred&maxStalenessSeconds=120&readConcernLevel=local",
        "document_class=bson.raw_bson.RawBSONDocument&unicode_decode_error_handler=replace&w=0",
    ],
)
def test_no_option_of_the_uri_changes_what_comes_back(options: str, mongo_uri: str, database: str) -> None:
    store = MongoStore(f"{mongo_uri.rstrip('/')}/?{options}", timeout_s=30)
    store.insert_many(database, "gather", [{"_id": "a", "n": 1}])
    first = store.changed_since(database, "gather")
    store.update(database, "gather", "a", {"n": 2})
    assert store.changed_since(database, "gather", first.cursor).documents == [{"_id": "a", "n": 2, "_version": 2}]
    assert store.find(database, "gather", {"n": 2}) == [store.get(database, "gather", "a")] == [{"_id": "a", "n": 2, "_version": 2}]
    assert store.changed_since(database, "gather", store.position(database)).documents == [{"_id": "a", "n": 2, "_version": 2}]
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
    with MongoServer(tmp_path / "server") as server:
        with MongoClient[dict[str, Any]](server.uri) as admin:
            admin.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
        server.kill()
        server.options = ("--auth",)
        server.start()
        right = MongoStore(f"mongodb://{USER}:{PASSWORD}@127.0.0.1:{server.port}/", timeout_s=30)
        right.insert_many("a", "gather", [{"_id": "1"}])
        assert right.find("a", "gather") == [{"_id": "1", "_version": 1}]
        right.close()
        wrong = MongoStore(f"mongodb://{USER}:{PASSWORD}-wrong@127.0.0.1:{server.port}/", timeout_s=30)
        for call in (lambda: wrong.find("a", "gather"), lambda: wrong.upsert("a", "gather", {"_id": "2"})):
            with pytest.raises(StoreError, match=r"MongoDB at 127\.0\.0\.1:\d+ refuses: the user or the password is wrong") as caught:
                call()
            check_silent(wrong, caught.value)
        wrong.close()
        without = MongoStore(server.uri, timeout_s=30)
        with pytest.raises(StoreError, match="refuses"):
            without.find("a", "gather")
        without.close()


def test_a_server_that_dies_is_unavailable_and_when_it_is_back_has_everything(tmp_path: Path) -> None:
    """Its end comes in the middle of writes; what was acknowledged survives, and the same store goes on."""
    with MongoServer(tmp_path / "server") as server, closing(MongoStore(server.uri, timeout_s=0.5)) as store:
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
        assert {row["_id"] for row in store.changed_since("a", "gather").documents} == found | {"end"}


def test_an_interrupt_of_an_insert_ends_the_waiting_for_its_server(tmp_path: Path) -> None:
    """Taking back what may have been stored waited as long again, so that Ctrl-C was not heard."""
    with MongoServer(tmp_path / "server") as server, closing(MongoStore(server.uri)) as store:
        store.insert_many("a", "gather", [{"_id": "start"}])
        server.kill()
        interrupted = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
        with store.waiting(lambda: 60.0), pytest.raises(KeyboardInterrupt):
            interrupted.start()
            began = time.monotonic()
            store.insert_many("a", "gather", [{"_id": "next"}])
        assert time.monotonic() - began < 30
    interrupted.join()


def changed(store: MongoStore, database: str, cursor: str = "") -> tuple[list[str], str]:
    page = store.changed_since(database, "gather", cursor)
    return sorted(row["_id"] for row in page.documents), page.cursor


def test_a_change_is_told_however_long_its_writer_paused(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    """No number or time of the writer's own decides, so a write that arrives late is told like any other."""
    store.insert_many(database, "gather", [{"_id": "before"}])
    _, cursor = changed(store, database)
    late = {"_id": "late", "_version": 1, "_batch": "0" * 16}
    client[database]["_bookmarks"].update_one({"_id": cursor}, {"$set": {"at": datetime.now(UTC) + timedelta(seconds=30)}})
    client[database]["gather"].insert_one(late)
    assert "late" in changed(store, database, cursor)[0]


def test_what_a_slower_follower_has_just_stamped_is_told_to_the_faster_one(
    store: MongoStore, client: MongoClient[dict[str, Any]], database: str
) -> None:
    store.insert_many(database, "gather", [{"_id": "a"}, {"_id": "slow"}])
    _, cursor = changed(store, database)
    bookmark = client[database]["_bookmarks"].find_one({"_id": cursor})
    assert bookmark
    client[database]["gather"].update_one({"_id": "slow"}, {"$set": {"_changed": bookmark["at"] - timedelta(seconds=20)}})
    assert "slow" in changed(store, database, cursor)[0]


def test_an_old_change_is_not_told_again(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "old"}, {"_id": "new"}])
    _, cursor = changed(store, database)
    client[database]["gather"].update_one({"_id": "old"}, {"$set": {"_changed": datetime.now(UTC) - timedelta(seconds=300)}})
    assert changed(store, database, cursor) == (["new"], cursor)


def test_the_server_clears_a_cursor_that_nobody_has_looked_from_for_a_month_and_keeps_one_in_use(
    store: MongoStore, client: MongoClient[dict[str, Any]], database: str
) -> None:
    bookmarks, long_ago = client[database]["_bookmarks"], datetime(2026, 1, 1)
    bookmarks.insert_one({"_id": "of an earlier release", "at": long_ago})
    store.insert_many(database, "gather", [{"_id": "a"}])
    _, cursor = changed(store, database)
    [limit] = [one["expireAfterSeconds"] for one in bookmarks.index_information().values() if one["key"] == [("used", 1)]]
    assert limit == 30 * 24 * 3600
    assert all(row["used"] > long_ago for row in bookmarks.find()) and bookmarks.count_documents({}) == 2
    bookmarks.update_one({"_id": cursor}, {"$set": {"used": long_ago}})
    assert changed(store, database, cursor)[1] == cursor  # nothing is new, so that its time stays the same, and it is in use
    assert bookmarks.find_one({"_id": cursor, "used": {"$gt": long_ago}})
    assert store.position(database) in {row["_id"] for row in bookmarks.find({"used": {"$gt": long_ago}})}


def test_documents_of_earlier_releases_are_told(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    client[database]["gather"].insert_one({"_id": "a", "text": "x", "_version": 3, "_seq": 7})
    assert store.changed_since(database, "gather").documents == [{"_id": "a", "text": "x", "_version": 3}]


def test_a_failed_insert_takes_back_its_own_documents_only(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "2"}])
    with pytest.raises(DuplicateKey, match="_id"):
        store.insert_many(database, "gather", [{"_id": str(number)} for number in range(5)])
    assert [row["_id"] for row in client[database]["gather"].find()] == ["2"]


def test_threads_that_update_one_document_all_succeed(store: MongoStore, database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "a"}])
    with ThreadPoolExecutor(6) as pool:
        stored = list(pool.map(lambda number: store.update(database, "gather", "a", {f"f{number}": number}), range(18)))
    assert sorted(document["_version"] for document in stored) == list(range(2, 20))
    for document in stored:  # each is told the state that its own change made
        assert len(document) == document["_version"] + 1
    assert store.get(database, "gather", "a") == {"_id": "a", "_version": 19} | {f"f{number}": number for number in range(18)}


def test_fields_that_queries_name_have_indexes(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    store.insert_many(database, "gather", [{"_id": "a", "department": "x"}])
    store.upsert(database, "other", {"_id": "a"})
    for name in ("gather", "other"):
        made = {"by:_changed", "by:department", "by:item_id", "by:sequence"}
        assert made <= client[database][name].index_information().keys()


def test_what_the_server_refuses_is_told_in_its_words(store: MongoStore, client: MongoClient[dict[str, Any]], database: str) -> None:
    client[database].create_collection("gather", validator={"content": {"$type": "string"}})
    calls = [lambda: store.insert_many(database, "gather", [{"_id": "1"}]), lambda: store.upsert(database, "gather", {"_id": "1"})]
    for call in calls:
        with pytest.raises(StoreError, match=r"MongoDB at \S+ refuses: .*Document failed validation"):
            call()
    assert store.find(database, "gather") == []
