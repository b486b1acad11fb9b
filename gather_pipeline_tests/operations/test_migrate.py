"""Everything that is stored, moved to the other store and back: the same at the end, gone on with after a kill, never over others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from gather_pipeline.adapters.documents.mongo.store import MongoStore
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import EditConflict, InvalidInput, ProjectBusy, StaleCursor
from gather_pipeline.operations.migrate import Migration, migrate
from gather_pipeline.ports import MaintainedStore
from gather_pipeline.records import copying
from gather_pipeline.records.lease import Leases, Owner, holding
from gather_pipeline_tests.mongo_server import drop

PAGE = 4  # documents, so that a few make several pages


@dataclass(frozen=True)
class Two:
    """Both stores, and a project of a name of its own."""

    files: SqliteStore
    server: MongoStore
    shared: str
    project: str

    @property
    def own(self) -> str:
        return project_database(self.project)

    def fill(self, store: MaintainedStore, items: int = PAGE + 7) -> None:
        store.insert_many(self.shared, "projects", [{"_id": self.project, "name": "Salt", "brief": "é\n", "created_at": "2026"}])
        store.insert_many(self.shared, "runs", [{"_id": "r1", "project_id": self.project, "cost": 0.1, "large": 2**40}])
        rows = [
            {"_id": f"{number:05d}", "content": f"note {number}", "vector": bytes([number % 256]), "n": None} for number in range(items)
        ]
        store.insert_many(self.own, "gather", rows)
        store.update(self.own, "gather", "00003", {"content": "edited"})

    def to_server(self, **options: Any) -> Migration:
        return migrate(self.files, self.server, database=self.shared, **options)

    def back(self, **options: Any) -> Migration:
        return migrate(self.server, self.files, database=self.shared, **options)

    def same(self) -> bool:
        both = [(self.shared, "projects"), (self.shared, "runs"), (self.own, "gather")]
        return all(self.files.find(*place) == self.server.find(*place) for place in both)


@pytest.fixture
def two(tmp_path: Path, mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    monkeypatch.setattr(copying, "PAGE", PAGE)
    made = Two(SqliteStore(tmp_path / "store"), MongoStore(mongo_uri, timeout_s=30), f"test-{token_hex(6)}", f"salt-{token_hex(6)}")
    yield made
    made.files.close()
    made.server.close()
    drop(mongo_uri, made.shared, made.own)


def test_everything_moves_with_its_version_and_is_counted_and_compared(two: Two) -> None:
    two.fill(two.files)
    told: list[str] = []
    done = two.to_server(progress=told.append)
    assert two.same()
    assert two.server.get(two.own, "gather", "00003") == {
        "_id": "00003", "content": "edited", "vector": b"\x03", "n": None, "_version": 2,
    }  # fmt: skip
    assert (done.projects, done.documents, done.written, done.deleted) == ((two.project,), PAGE + 9, PAGE + 9, 0)
    assert {(row.collection, row.documents) for row in done.collections} == {("projects", 1), ("runs", 1), ("gather", PAGE + 7)}
    assert all(row.hash == row.target_hash for row in done.collections)
    assert any(f"gather: {PAGE + 7} of {PAGE + 7} documents copied" in line for line in told)
    assert two.to_server().written == 0


def test_work_done_on_the_server_comes_back_over_the_files_that_were_left_behind(two: Two) -> None:
    two.fill(two.files)
    position = two.files.position(two.own)
    two.to_server()
    two.server.update(two.own, "gather", "00001", {"content": "on the server"})
    two.server.delete(two.own, "gather", {"_id": "00002"})
    two.server.insert_many(two.own, "gather", [{"_id": "99999", "content": "new", "vector": b"", "n": None}])
    with pytest.raises(InvalidInput, match="holds other data in .*--into-existing"):
        two.back()
    done = two.back(into_existing=True)
    assert (done.written, done.deleted) == (2, 1)
    assert two.same()
    told = two.files.changed_since(two.own, "gather", position)
    assert [row["_id"] for row in told.documents] == ["00001", "99999"]


def test_a_follower_with_a_cursor_of_the_other_store_is_sent_to_the_start_and_misses_nothing(two: Two) -> None:
    two.fill(two.files)
    cursor = two.files.changed_since(two.own, "gather").cursor
    two.to_server()
    with pytest.raises(StaleCursor):
        two.server.changed_since(two.own, "gather", cursor)
    read = two.server.changed_since(two.own, "gather")
    assert len(read.documents) == PAGE + 7
    two.server.update(two.own, "gather", "00009", {"content": "later"})
    later = two.server.changed_since(two.own, "gather", read.cursor)
    assert "00009" in [row["_id"] for row in later.documents]
    with pytest.raises(StaleCursor):
        two.files.changed_since(two.own, "gather", later.cursor)


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_copy_that_was_killed_goes_on_with_what_is_missing(two: Two) -> None:
    two.fill(two.files, items=3 * PAGE)

    def stop(sentence: str) -> None:
        if "runs" in sentence:
            raise Killed

    with pytest.raises(Killed):
        two.to_server(progress=stop)
    two.server.restore(two.own, "gather", two.files.find(two.own, "gather", limit=PAGE + 1))
    done = two.to_server()
    assert two.same()
    assert done.written == 2 * PAGE - 1
    assert two.to_server().written == 0


def test_a_target_with_other_data_is_refused_and_kept_unless_told(two: Two, mongo_uri: str) -> None:
    other = f"pepper-{token_hex(6)}"
    two.fill(two.files)
    two.server.insert_many(two.shared, "projects", [{"_id": other, "name": "Pepper", "brief": "", "created_at": "2025"}])
    two.server.insert_many(two.shared, "runs", [{"_id": "r9", "project_id": other}, {"_id": "r8", "project_id": two.project}])
    for dry_run in (True, False):
        with pytest.raises(InvalidInput, match=f"holds other data in {two.shared}"):
            two.to_server(dry_run=dry_run)
    assert two.server.collections(two.own) == []
    assert two.to_server(into_existing=True).deleted == 1
    assert {row["_id"] for row in two.server.find(two.shared, "projects")} == {other, two.project}
    assert {row["_id"] for row in two.server.find(two.shared, "runs")} == {"r1", "r9"}


def test_a_dry_run_says_what_would_be_copied_and_leaves_the_target_empty(two: Two) -> None:
    two.fill(two.files)
    found = two.to_server(dry_run=True)
    assert found.written == found.documents == PAGE + 9
    assert two.server.collections(two.shared) == two.server.collections(two.own) == []


def test_an_empty_source_is_refused(two: Two) -> None:
    with pytest.raises(InvalidInput, match="holds nothing to be copied"):
        two.to_server()


@pytest.mark.parametrize("side", ["files", "server"])
def test_nothing_is_copied_while_a_project_is_held_on_either_side(two: Two, side: str) -> None:
    two.fill(two.files)
    lease = Leases(getattr(two, side), two.shared).lease(two.project, Owner.this_process("t1"), 60)
    with holding(lease), pytest.raises(ProjectBusy, match=f"runs at work on {two.project}"):
        two.to_server()
    assert two.server.find(two.own, "gather") == []
    assert two.to_server().written == PAGE + 9


def test_a_dead_lease_neither_refuses_nor_moves(two: Two) -> None:
    two.fill(two.files)
    Leases(two.files, two.shared).lease(two.project, Owner(task_id="t", host=os.uname().nodename, pid=2**22 + 1, started=1.0), 60).take()
    two.to_server()
    assert two.server.find(two.shared, "leases") == []


def test_what_changes_while_it_is_copied_is_noticed_and_copied_by_the_next_call(two: Two) -> None:
    two.fill(two.files)

    def edit(sentence: str) -> None:
        if sentence.startswith("comparing"):
            two.files.update(two.own, "gather", "00005", {"content": "meanwhile"})

    with pytest.raises(EditConflict, match="1 document changed while"):
        two.to_server(progress=edit)
    assert two.to_server().written == 1
    assert two.same()
