from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.adapters.metrics.store import ingest, query
from gather_pipeline.domain.projects import project_database
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import InvalidInput, StoreUnavailable, UnknownEntity, VersionConflict
from gather_pipeline.ports import Document
from gather_pipeline.records.changes import read_changes
from gather_pipeline.records.contents import CONTENTS
from gather_pipeline.records.executions import EXECUTIONS, LARGE, Executions
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.execution import Call, Execution, Feedback
from gather_pipeline_tests.tasks.builders import define
from gather_pipeline_tests.tasks.test_execution import answered, execution

LONG = "Salt. " * LARGE


def numbered(number: int, *calls: Call, **changes: Any) -> Execution:
    """Execution of that number, made in that minute."""
    return execution(*calls, **{"id": f"{number:032x}", "timestamp": f"2026-11-21T08:{number:02d}:00.000000+00:00"} | changes)


def feedback(**changes: Any) -> Feedback:
    return Feedback(**{"by": "mara", "at": "2026-11-22T08:00:00.000000+00:00"} | changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store")
    store.insert_many("shared", "projects", [{"_id": "harbour", "name": "Harbour", "brief": "", "created_at": "2026"}])
    yield store
    store.close()


@pytest.fixture
def log(store: SqliteStore) -> Executions:
    return Executions(store, "shared", Secrets(["sk-very-secret-1"]))


def test_an_execution_is_found_by_its_id_whichever_project_it_belongs_to(log: Executions) -> None:
    of_none, of_project = numbered(1, answered("a")), numbered(2, answered("b"), tags={"project_id": "harbour"})
    log.add(of_none)
    log.add(of_project, project_id="harbour")
    assert (log.get(of_none.id), log.get(of_project.id)) == (of_none, of_project)
    with pytest.raises(UnknownEntity, match="execution is 'gone', expected the id of an execution"):
        log.get("gone")


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ({}, [4, 3, 2, 1]),
        ({"task": "greeting"}, [3, 2, 1]),
        ({"task": "greeting", "version": "1.1.0"}, [2]),
        ({"model": "b"}, [3]),
        ({"model": "b", "limit": 1, "task": "other"}, []),
        ({"status": "failed"}, [1]),
        ({"since": "2026-11-21T08:02", "until": "2026-11-21T08:04"}, [3, 2]),
        ({"project_id": "harbour"}, [4, 3]),
        ({"department": "story"}, [4]),
        ({"limit": 2}, [4, 3]),
        ({"accepted": True}, [2]),
        ({"asked": True}, [3, 2]),
        ({"asked": True, "since": "2026-11-21T08:03"}, [3]),
    ],
    ids=str,
)
def test_executions_are_found_by_what_is_known_of_them(log: Executions, where: dict[str, Any], numbers: list[int]) -> None:
    said = numbered(2, answered("a"), task_version="1.1.0", prompt_id="standard", feedback=(feedback(accepted=True),))
    log.add(numbered(1, status="failed"), said)
    of_story = numbered(4, answered("a"), task_id="other", tags={"department": "story"})
    log.add(numbered(3, answered("a"), answered("b"), prompt_id="standard"), of_story, project_id="harbour")
    assert [int(one.id, 16) for one in log.find(**where)] == numbers


@pytest.mark.parametrize("wanted", [{"department": "story"}, {"model": "b"}, {"asked": True}])
def test_of_a_limited_number_not_all_are_read(
    wanted: dict[str, Any], store: SqliteStore, log: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {"tags": {"department": "story"}, "prompt_id": "standard"}
    made = [numbered(number % 60, answered("a"), id=f"{number:032x}") for number in range(400)]
    for number in (399, 395, 390, 5):
        made[number] = replace(made[number], calls=(answered("b"),), **good)
    log.add(*(replace(one, timestamp=f"2026-11-21T08:00:00.{number:06d}+00:00") for number, one in enumerate(made)))
    find, read = store.find, []

    def counted(*args: Any, **kwargs: Any) -> list[Document]:
        found = find(*args, **kwargs)
        read.append(len(found))
        return found

    monkeypatch.setattr(store, "find", counted)
    assert [int(one.id, 16) for one in log.find(**wanted, limit=3)] == [399, 395, 390]
    assert sum(read) < 100
    assert [int(one.id, 16) for one in log.find(**wanted, limit=9)] == [399, 395, 390, 5]


def test_what_is_large_is_stored_once_and_read_again(store: SqliteStore, log: Executions) -> None:
    same = [numbered(number, input={"who": str(number), "notes": LONG}, output={"greeting": LONG}) for number in (1, 2)]
    log.add(*same)
    assert len(store.find("shared", CONTENTS)) == 2
    assert all(len(str(row)) < LARGE for row in store.find("shared", EXECUTIONS))
    assert log.find() == same[::-1]


def test_keys_that_the_store_refuses_are_kept(log: Executions) -> None:
    schema = {"$ref": "#/$defs/a"}
    made = numbered(1, input={"$odd": LONG, "who": schema}, output=schema, tags={"of": schema, "department": "story"})
    log.add(made, numbered(2, input={"who": schema}))
    assert log.find() == [numbered(2, input={"who": schema}), made]
    assert log.find(department="story") == [made] and log.find(department="music") == []


def test_secrets_reach_neither_record_nor_feedback(store: SqliteStore, log: Executions) -> None:
    log.add(numbered(1, input={"who": "sk-very-secret-1"}, error="key sk-very-secret-1 is wrong", output=LONG + "sk-very-secret-1"))
    log.feedback(f"{1:032x}", feedback(note="sk-very-secret-1 stood in it"))
    assert "very-secret" not in str(store.find("shared", EXECUTIONS)) + str(store.find("shared", CONTENTS))


def test_feedback_is_added_in_order_and_the_newest_word_of_a_person_counts(log: Executions) -> None:
    log.add(numbered(1, output=LONG))
    log.feedback(f"{1:032x}", feedback(accepted=True, rating=5))
    log.feedback(f"{1:032x}", feedback(accepted=False, rating=2, source="review"))
    said = log.feedback(f"{1:032x}", feedback(accepted=True, source="check", by="language"))
    assert said == log.get(f"{1:032x}")
    assert (said.accepted, said.rating, [one.by for one in said.feedback], said.output) == (False, 3.5, ["mara", "mara", "language"], LONG)
    assert log.find(accepted=False) == [said] and log.find(accepted=True) == []
    with pytest.raises(UnknownEntity):
        log.feedback("gone", feedback(accepted=True))


def test_feedback_of_others_at_the_same_moment_stays(store: SqliteStore, log: Executions, monkeypatch: pytest.MonkeyPatch) -> None:
    log.add(numbered(1))
    update, others = store.update, Executions(store, "shared")

    def late(*args: Any, **options: Any) -> Any:
        monkeypatch.undo()
        others.feedback(f"{1:032x}", feedback(by="ada", rating=1))
        with pytest.raises(VersionConflict):
            update(*args, **options)
        raise VersionConflict("somebody else changed it")

    monkeypatch.setattr(store, "update", late)
    assert [one.by for one in log.feedback(f"{1:032x}", feedback(accepted=True)).feedback] == ["ada", "mara"]


@pytest.mark.parametrize(("given", "told"), [({}, "feedback says nothing"), ({"rating": 6}, "rating is 6, expected a number from 1 to 5")])
def test_feedback_that_says_nothing_or_too_much_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        feedback(**given)


def test_the_definition_of_an_execution_outlives_its_file(store: SqliteStore) -> None:
    first, changed = define(), define(description="Greets anybody.")
    made = numbered(1, definition_hash=first.hash)
    Executions(store, "shared", definition=Catalogue([first]).get).add(made)
    later = Executions(store, "shared", definition=Catalogue([changed]).get)
    later.add(numbered(2, definition_hash=first.hash), numbered(3, definition_hash="of no file"))
    assert later.definition(made) == first
    assert later.definition(log := later.get(f"{3:032x}")) is None and log.definition_hash == "of no file"


def test_a_tag_of_a_caller_does_not_say_where_a_definition_is_kept(store: SqliteStore) -> None:
    log, first = Executions(store, "shared", definition=Catalogue([define()]).get), define()
    made = [
        numbered(number, definition_hash=first.hash, tags={"project_id": tag}) for number, tag in enumerate(("harbour", "My film", 7), 1)
    ]
    log.add(*made)
    assert [log.definition(one) for one in made] == [first] * 3


def test_a_definition_that_could_not_be_kept_is_kept_with_the_next_execution(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    log, first = Executions(store, "shared", definition=Catalogue([define()]).get), define()

    def away(*args: Any) -> None:
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as patched, pytest.raises(StoreUnavailable):
        patched.setattr(store, "insert_many", away)
        log.add(numbered(1, definition_hash=first.hash))
    log.add(numbered(2, definition_hash=first.hash))
    assert log.definition(log.get(f"{2:032x}")) == first


def test_duckdb_shows_executions_as_the_seed_names_their_parts_and_feedback_as_it_comes(tmp_path: Path, store: SqliteStore) -> None:
    log, database = Executions(store, "shared"), tmp_path / "metrics.duckdb"
    log.add(numbered(1, answered("a"), answered("b", cost=None), verified=True, model="b"))
    log.add(numbered(2, answered("a"), tags={"project_id": "harbour", "department": "story"}), project_id="harbour")

    def shown() -> list[dict[str, Any]]:
        ingest(database, lambda seen: read_changes(store, "shared", seen))
        columns = "task_id, models_used, method_used, passed, execution_time, tokens_used, cost, timestamp::VARCHAR AS timestamp"
        frame = query(database, f"SELECT {columns}, feedback, accepted, department FROM task_executions")
        return frame.astype(object).where(frame.notna(), None).to_dict("records")

    first, second = shown()
    assert {**first, "models_used": list(first["models_used"])} == {
        "task_id": "greeting",
        "models_used": ["a", "b"],
        "method_used": "none",
        "passed": True,
        "execution_time": 1.5,
        "tokens_used": 4,
        "cost": None,
        "timestamp": "2026-11-21 08:01:00",
        "feedback": None,
        "accepted": None,
        "department": None,
    }
    assert (second["cost"], second["department"]) == (0.5, "story")
    log.feedback(f"{2:032x}", feedback(accepted=False, note="Too loud."))
    first, second = shown()
    assert (second["accepted"], first["accepted"]) == (False, None) and '"note":"Too loud."' in second["feedback"]


def test_a_project_whose_database_is_damaged_hides_no_other_execution(
    tmp_path: Path, store: SqliteStore, log: Executions, caplog: pytest.LogCaptureFixture
) -> None:
    log.add(numbered(1))
    next(iter(tmp_path.glob("store/*"))).with_name(f"{project_database('harbour')}.sqlite3").write_bytes(b"no database")
    assert [int(one.id, 16) for one in log.find()] == [1]
    assert log.get(f"{1:032x}").id == f"{1:032x}"
