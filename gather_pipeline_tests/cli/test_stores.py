"""The same commands on the other store, and a model that cannot be reached."""

from __future__ import annotations

import re
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline_tests.cli.commands import DEPARTMENTS, Shell
from gather_pipeline_tests.mongo_server import drop

OF_A_RUN = ("id", "item_id", "key", "match_id", "task_id", "created_at", "automation", "user_id", "project_id", "provenance")


def without_the_run(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in OF_A_RUN} for row in rows]


def test_a_run_on_mongodb_gives_what_it_gives_on_sqlite(
    tmp_path: Path, mongo_uri: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """The draws derive from the project's id, so both stores get a project of the same id, new in each."""
    project, database = f"both-{secrets.token_hex(6)}", f"test-{secrets.token_hex(6)}"
    shells = [Shell.make(tmp_path / "sqlite"), Shell.make(tmp_path / "mongo", MONGODB_URI=mongo_uri, MONGODB_DB=database)]
    request.addfinalizer(lambda: drop(mongo_uri, database, f"aladdin-gather-{project}"))
    documents, items, drops = [], [], []
    for shell in shells:
        shell.create(project)
        done = shell.here(capsys, "run", "--project", project, "--json")
        assert done.code == 0, done.err
        documents.append(done.document)
        items.append(shell.here(capsys, "items", "--project", project, "--json").document)
        drops.append(shell.here(capsys, "items", "--project", project, "--dropped", "--json").document)
    assert documents[0]["summary"] == documents[1]["summary"]
    assert without_the_run(items[0]) == without_the_run(items[1])
    assert without_the_run(drops[0]) == without_the_run(drops[1])
    assert not (tmp_path / "mongo" / "home" / "store").exists()
    assert shells[1].here(capsys, "departments", "--project", project, "--json").document[0]["state"] == "finished"


def test_a_password_in_the_address_of_a_store_that_is_away_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell.make(tmp_path, MONGODB_URI="mongodb://ada:hunter2@127.0.0.1:9/?serverSelectionTimeoutMS=300&connectTimeoutMS=300")
    done = shell.here(capsys, "project", "list", "--json")
    assert (done.code, done.out, len(done.err.splitlines())) == (5, "", 2), "that it is waited for, and that it did not come"
    assert "hunter2" not in done.err


def test_a_model_that_cannot_be_reached_fails_the_run_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell.make(tmp_path, DEPARTMENTS[2:], GATHER_MODEL="llama3", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    shell.create()
    done = shell.here(capsys, "run", "--project", "salt", "--json")
    assert (done.code, done.document["status"]) == (1, "failed")
    assert "connection" in done.document["summary"][0]["reason"]
    assert "Model: llama3." in done.err
    assert shell.items() == []


def test_a_finished_project_moves_to_mongodb_with_its_figures_and_the_doctor_sees_both(
    copied: Shell, mongo_uri: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"test-{secrets.token_hex(6)}"
    request.addfinalizer(lambda: drop(mongo_uri, database, "aladdin-gather-salt"))
    question = ("sql", "SELECT department, iteration, quality FROM quality_progression ORDER BY ALL", "--json")
    looks = (("items", "--project", "salt", "--json"), ("events", "--project", "salt", "--json"), question)
    before = [copied.here(capsys, *look).out for look in looks]
    assert all(before)
    refused = copied.here(capsys, "migrate", "--to", "mongodb")
    assert (refused.code, refused.err) == (
        2,
        "Error: MONGODB_URI is not set, expected the address of the MongoDB server to copy to or from\n",
    )
    shared = copied.folder / "home" / "store"
    (shared / "gather_pipeline.sqlite3").rename(shared / f"{database}.sqlite3")
    copied.extra |= {"MONGODB_URI": mongo_uri, "MONGODB_DB": database}
    would = copied.here(capsys, "migrate", "--to", "mongodb", "--dry-run", "--json").document
    done = copied.here(capsys, "migrate", "--to", "mongodb", "--json").document
    assert would["written"] == done["written"] == done["documents"] > 0
    assert {row["collection"] for row in done["collections"]} >= {"projects", "runs", "gather", "events", "iterations"}
    assert [copied.here(capsys, *look).out for look in looks] == before
    seen = copied.here(capsys, "doctor", "--json")
    checks = {one["check"]: one for one in seen.document["checks"]}
    assert (seen.code, seen.document["ok"]) == (0, True), checks
    assert checks["store"]["seen"].startswith("MongoDB ")
    assert checks["projects"]["seen"] == "1 found, each can be read"
    assert re.fullmatch(r"Dagster .* can be read, 1 runs", checks["dagster"]["seen"])
    assert re.search(r"can be read, 1 run$", checks["metrics"]["seen"])


def test_a_dagster_instance_of_another_release_is_a_fault_of_exit_code_1(copied: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    (database,) = (copied.folder / "home" / "dagster" / "history").rglob("runs.db")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'abc'")
    seen = copied.here(capsys, "doctor")
    assert seen.code == 1
    assert re.search(r"FAULT +the Dagster instance in .* has schema abc, expected", seen.out)
    assert "faults: 1," in seen.out
