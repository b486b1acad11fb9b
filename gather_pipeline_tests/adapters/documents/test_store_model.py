"""Random operations give the same on SQLite, on MongoDB and on a mapping in memory."""

from __future__ import annotations

import operator
import string
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gather_pipeline.errors import DuplicateKey, GatherError, UnknownEntity, VersionConflict
from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.adapters.documents.store_bodies import Body

IDS = st.sampled_from(["a", "b", "c", "ä", "10", "9"])
TEXTS = st.sampled_from(["", "1", "a", "B", "é", "\ud7ff", "\uffff", "🎬", "a\x01b", "$x"])
WHOLE = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1)
OTHER = st.sampled_from([[], [1], {}, {"k": None}, {"k": "a", "l": {"m": True}}, b"", b"1", [{"k": 1}], 0.1 + 0.2, 5e-324])
VALUES = {"n": WHOLE, "t": TEXTS, "b": st.booleans(), "_id": IDS}  # of one kind each, as the port asks for fields of filters and orders
FIELDS = st.fixed_dictionaries({}, optional={"n": WHOLE | st.none(), "t": TEXTS | st.none(), "b": st.booleans(), "o": OTHER})
RANGE = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}


def conditions(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    ranges = st.dictionaries(st.sampled_from([*RANGE]), values, min_size=1, max_size=2)
    return values | st.lists(values, max_size=4).map(lambda listed: {"$in": listed}) | ranges


WHERE = st.fixed_dictionaries({}, optional={name: conditions(values) for name, values in VALUES.items()})
SORT = st.lists(st.tuples(st.sampled_from([*VALUES]), st.sampled_from([1, -1])), max_size=2, unique_by=lambda pair: pair[0])
DOCUMENT = st.builds(lambda id, fields: {"_id": id, **fields}, IDS, FIELDS)
OPERATION = st.one_of(
    st.tuples(st.just("insert_many"), st.lists(DOCUMENT, max_size=4)),
    st.tuples(st.just("update"), IDS, FIELDS, st.sampled_from([None, None, 1, 2])),
    st.tuples(st.just("upsert"), DOCUMENT),
    st.tuples(st.just("delete"), WHERE),
    st.tuples(st.just("find"), WHERE, SORT, st.sampled_from([None, None, 0, 1, 3])),
    st.tuples(st.just("follow")),
)


class Model:
    """The same operations in the plainest way, from the words of the port alone."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    def insert_many(self, documents: list[dict[str, Any]]) -> None:
        new = {document["_id"]: document | {"_version": 1} for document in documents}
        if len(new) < len(documents) or new.keys() & self.documents.keys():
            raise DuplicateKey("_id")
        self.documents |= new

    def update(self, id: str, changes: dict[str, Any], version: int | None) -> dict[str, Any]:
        if id not in self.documents:
            raise UnknownEntity(id)
        held = self.documents[id]
        if version is not None and held["_version"] != version:
            raise VersionConflict(id)
        self.documents[id] = held | changes | {"_version": held["_version"] + 1}
        return self.documents[id]

    def upsert(self, document: dict[str, Any]) -> dict[str, Any]:
        version = self.documents.get(document["_id"], {"_version": 0})["_version"] + 1
        self.documents[document["_id"]] = document | {"_version": version}
        return self.documents[document["_id"]]

    def find(self, where: dict[str, Any], sort: list[tuple[str, int]], limit: int | None) -> list[dict[str, Any]]:
        found = [document for document in self.documents.values() if fits(document, where)]
        for field, direction in [("_id", 1), *sort[::-1]]:
            found.sort(key=lambda document: key_of(document.get(field)), reverse=direction == -1)
        return found if limit is None else found[:limit]

    def delete(self, where: dict[str, Any]) -> int:
        gone = self.find(where, [], None)
        for document in gone:
            del self.documents[document["_id"]]
        return len(gone)


def key_of(value: Any) -> tuple[bool, Any]:
    """None and missing come first."""
    return value is not None, value


def fits(document: Mapping[str, Any], where: dict[str, Any]) -> bool:
    for field, wanted in where.items():
        value = document.get(field)
        if value is None:
            return False
        for name, bound in (wanted if isinstance(wanted, dict) else {"$in": [wanted]}).items():
            if not (value in bound if name == "$in" else RANGE[name](value, bound)):
                return False
    return True


class Stored:
    """A collection of a store under the model's signatures, and a copy that follows its change log."""

    def __init__(self, store: DocumentStore, database: str, collection: str) -> None:
        self.store, self.place = store, (database, collection)
        self.cursor = ""
        self.copy: dict[str, Any] = {}

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

    def follow(self, documents: dict[str, Any]) -> None:
        """What is stored has been told in its newest state; what was deleted is not told of."""
        changes = self.store.changed_since(*self.place, self.cursor)
        self.cursor = changes.cursor
        self.copy |= {document["_id"]: document for document in changes.documents}
        assert written({id: self.copy.get(id) for id in documents}) == written(documents)


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


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(OPERATION, min_size=3, max_size=14))
def test_random_operations_give_the_same_everywhere(stores: list[tuple[DocumentStore, str]], operations: list[tuple[Any, ...]]) -> None:
    collection = next(COLLECTIONS)
    model = Model()
    bodies = [Stored(store, database, collection) for store, database in stores]
    for operation in [*operations, ("find", {}, [], None), ("follow",)]:
        if operation[0] == "follow":
            for body in bodies:
                body.follow(model.documents)
            continue
        expected = outcome(model, operation)
        for body in bodies:
            assert outcome(body, operation) == expected, (body.store, operation)
