"""Random operations give the same on SQLite, on MongoDB and on a mapping in memory."""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gather_pipeline.errors import DuplicateKey, GatherError, UnknownEntity, VersionConflict
from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.adapters.documents.store_bodies import Body

IDS = st.sampled_from(["a", "b", "c", "ä", "\ud800", "10", "9"])
SHORT = st.sampled_from([None, True, False, 0, 1, 1.0, -2.5, 3, "", "1", "a", "B", "é", "\uffff", "🎬", "\ud7ff", "\ud800", "a\x00b"])
LONG = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.1 + 0.2, 0.3, 2**53, 2**53 + 1, float(2**53), 1e300, 5e-324])
)
OTHER = st.sampled_from([[], [1], ["a"], {}, {"k": 1}, {"k": None}, {"k": [1]}, {"k": "a", "l": {"m": True}}, b"", b"1", [{"k": 1}]])
FIELDS = st.fixed_dictionaries({}, optional={"v": SHORT, "w": SHORT, "f": LONG, "s": SHORT | OTHER, "u": SHORT})
NAMES = st.sampled_from(["v", "w", "f", "s", "s.k", "s.l.m", "u", "_id", "_version", "none"])
NUMBER = st.sampled_from([0, 1, 1.0, -2.5, 3]) | LONG
TEXT = st.sampled_from(["", "1", "a", "é", "\ud7ff", "\ud800", "🎬"])
BOUNDS = st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), NUMBER | TEXT, min_size=1, max_size=2)
LISTED = st.lists(SHORT | LONG | IDS, max_size=4).map(lambda values: {"$in": values})
WHERE = st.dictionaries(NAMES, SHORT | LONG | IDS | LISTED | BOUNDS, max_size=2)
SORT = st.lists(st.tuples(st.sampled_from(["v", "w", "u", "_id"]), st.sampled_from([1, -1])), max_size=2, unique_by=lambda pair: pair[0])
DOCUMENT = st.builds(lambda id, fields: {"_id": id, **fields}, IDS, FIELDS)
OPERATION = st.one_of(
    st.tuples(st.just("insert_many"), st.lists(DOCUMENT, max_size=4)),
    st.tuples(st.just("update"), IDS, FIELDS, st.sampled_from([None, None, 1, 2])),
    st.tuples(st.just("upsert"), DOCUMENT),
    st.tuples(st.just("delete"), WHERE),
    st.tuples(st.just("find"), WHERE, SORT, st.sampled_from([None, None, 0, 1, 3])),
    st.tuples(st.just("count"), WHERE),
    st.tuples(st.just("follow")),
)


class Model:
    """The same operations in the plainest way, from the words of the port alone."""

    def __init__(self, unique: bool) -> None:
        self.unique = unique
        self.documents: dict[str, dict[str, Any]] = {}

    def put(self, documents: dict[str, dict[str, Any]]) -> None:
        keys = [key_of(document.get("u")) for document in documents.values()]
        if self.unique and len(set(keys)) < len(keys):
            raise DuplicateKey("u")
        self.documents = documents

    def insert_many(self, documents: list[dict[str, Any]]) -> None:
        new = {document["_id"]: document | {"_version": 1} for document in documents}
        if len(new) < len(documents) or new.keys() & self.documents.keys():
            raise DuplicateKey("_id")
        self.put(self.documents | new)

    def update(self, id: str, changes: dict[str, Any], version: int | None) -> dict[str, Any]:
        if id not in self.documents:
            raise UnknownEntity(id)
        held = self.documents[id]
        if version is not None and held["_version"] != version:
            raise VersionConflict(id)
        self.put(self.documents | {id: held | changes | {"_version": held["_version"] + 1}})
        return self.documents[id]

    def upsert(self, document: dict[str, Any]) -> dict[str, Any]:
        version = self.documents.get(document["_id"], {"_version": 0})["_version"] + 1
        self.put(self.documents | {document["_id"]: document | {"_version": version}})
        return self.documents[document["_id"]]

    def find(self, where: dict[str, Any], sort: list[tuple[str, int]], limit: int | None) -> list[dict[str, Any]]:
        found = [document for document in self.documents.values() if fits(document, where)]
        for field, direction in [*sort, ("_id", 1)][::-1] if ("_id", -1) not in sort else sort[::-1]:
            found.sort(key=lambda document: key_of(document.get(field)), reverse=direction == -1)
        return found[:limit]

    def count(self, where: dict[str, Any]) -> int:
        return len(self.find(where, [], None))

    def delete(self, where: dict[str, Any]) -> int:
        gone = self.find(where, [], None)
        for document in gone:
            del self.documents[document["_id"]]
        return len(gone)


def key_of(value: Any) -> tuple[int, Any]:
    """None, then numbers, then texts, then false and true; nothing else is ordered."""
    if value is None:
        return 0, 0
    if isinstance(value, bool):
        return 3, value
    if isinstance(value, (int, float)):
        return 1, value
    return (2, value) if isinstance(value, str) else (4, repr(value))


def fits(document: Mapping[str, Any], where: dict[str, Any]) -> bool:
    for field, wanted in where.items():
        value: Any = document
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        key = key_of(value)
        if not isinstance(wanted, dict):
            wanted = {"$in": [wanted]}
        for operator, bound in wanted.items():
            if operator == "$in":
                fitting = key in [key_of(one) for one in bound]
            elif key[0] != key_of(bound)[0]:
                fitting = False
            else:
                fitting = {"$gt": value > bound, "$gte": value >= bound, "$lt": value < bound, "$lte": value <= bound}[operator]
            if not fitting:
                return False
    return True


class Stored:
    """A collection of a store under the model's signatures, and a copy that follows its change log."""

    def __init__(self, store: DocumentStore, database: str, collection: str, unique: bool) -> None:
        self.store, self.place = store, (database, collection)
        self.cursor = ""
        self.copy: dict[str, Any] = {}
        if unique:
            store.ensure_unique(*self.place, ["u"])

    def insert_many(self, documents: list[dict[str, Any]]) -> None:
        self.store.insert_many(*self.place, documents)

    def update(self, id: str, changes: dict[str, Any], version: int | None) -> dict[str, Any]:
        return self.store.update(*self.place, id, changes, expected_version=version)

    def upsert(self, document: dict[str, Any]) -> dict[str, Any]:
        return self.store.upsert(*self.place, document)

    def delete(self, where: dict[str, Any]) -> int:
        return self.store.delete(*self.place, where)

    def find(self, where: dict[str, Any], sort: list[tuple[str, int]], limit: int | None) -> list[dict[str, Any]]:
        return self.store.find(*self.place, where, sort=sort, limit=limit)

    def count(self, where: dict[str, Any]) -> int:
        return self.store.count(*self.place, where)

    def follow(self) -> None:
        while (page := self.store.changed_since(*self.place, self.cursor, limit=2)).documents:
            self.cursor = page.cursor
            for document in page.documents:
                if document.get("_deleted"):
                    self.copy.pop(document["_id"], None)
                else:
                    self.copy[document["_id"]] = document


def outcome(target: Model | Stored, operation: tuple[Any, ...]) -> object:
    """What an operation gives, as written text, so that 1, 1.0 and True differ; or the class of its refusal."""
    try:
        return written(getattr(target, operation[0])(*operation[1:]))
    except GatherError as error:
        return type(error)


def written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: written(inner) for key, inner in value.items()}
    return [written(inner) for inner in value] if isinstance(value, list) else repr(value)


COLLECTIONS: Iterator[str] = map("".join, product(string.ascii_lowercase, repeat=5))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, mongo_uri: str) -> Iterator[list[tuple[DocumentStore, str]]]:
    bodies = [Body("sqlite", str(tmp_path_factory.mktemp("model"))), Body("mongo", mongo_uri)]
    opened = [(body, body.open(), body.new_database()) for body in bodies]
    yield [(store, database) for _, store, database in opened]
    for body, store, database in opened:
        store.close()
        body.drop(database)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(OPERATION, min_size=3, max_size=14), st.booleans())
def test_random_operations_give_the_same_everywhere(
    stores: list[tuple[DocumentStore, str]], operations: list[tuple[Any, ...]], unique: bool
) -> None:
    collection = next(COLLECTIONS)
    model = Model(unique)
    bodies = [Stored(store, database, collection, unique) for store, database in stores]
    for operation in operations:
        if operation[0] == "follow":
            for body in bodies:
                body.follow()
                assert written(body.copy) == written(model.documents)
            continue
        expected = outcome(model, operation)
        for body in bodies:
            assert outcome(body, operation) == expected, (body.store, operation)
    for body in bodies:
        assert written(body.find({}, [], None)) == written(model.find({}, [], None))
        body.follow()
        assert written(body.copy) == written(model.documents)


NEAR = st.floats(allow_nan=False, allow_infinity=False).flatmap(
    lambda value: st.sampled_from([value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf)]).filter(math.isfinite)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NEAR | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20), NEAR | st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_compared_to_the_last_digit(tmp_path: Path, numbers: list[float], bound: float) -> None:
    """SQLite's own reading of a float in JSON may be off in its last digit, so numbers are looked at again in Python."""
    from gather_pipeline.adapters.documents.sqlite.store import SqliteStore

    store, collection = SqliteStore(tmp_path), next(COLLECTIONS)
    numbers = [*numbers, bound]
    store.insert_many("numbers", collection, [{"_id": f"{place:02}", "n": number} for place, number in enumerate(numbers)])
    for where, expected in [
        (bound, [number for number in numbers if number == bound]),
        ({"$lt": bound}, [number for number in numbers if number < bound]),
        ({"$gte": bound}, [number for number in numbers if number >= bound]),
    ]:
        assert [row["n"] for row in store.find("numbers", collection, {"n": where})] == expected
    store.close()
