"""The metrics database is what the store says: everything once, whatever was killed, deleted or put back."""

from __future__ import annotations

import shutil
from dataclasses import replace

import duckdb
import pytest

from gather_pipeline.adapters.metrics.store import BATCH, IngestReport
from gather_pipeline.domain.projects import project_database
from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.records.rankings import Rankings
from gather_pipeline_tests.adapters.metrics.metrics_folder import MAIN, PROJECT, Metrics
from gather_pipeline_tests.records.test_rankings import model_rank, ranking
from gather_pipeline_tests.tasks.test_execution import answered, execution


def test_what_happened_is_taken_once_and_what_changes_is_written_over(metrics: Metrics) -> None:
    metrics.ran("t1", "running")
    metrics.happened(1, 2)
    assert metrics.ingest() == IngestReport(rows=3)
    assert metrics.ingest() == IngestReport(rows=0)
    metrics.ran("t1", "completed", ended_at="2026-03-01T12:01:00+02:00", tokens=7, processing_time_ms=60_000)
    metrics.happened(3)
    assert metrics.ingest() == IngestReport(rows=2)
    assert metrics.rows("SELECT status, tokens, started_at::VARCHAR AS started FROM run") == [
        {"status": "completed", "tokens": 7, "started": "2026-03-01 10:00:00"}
    ]
    assert metrics.sequences() == [1, 2, 3]
    assert metrics.rows("SELECT DISTINCT payload::VARCHAR AS said FROM event") == [{"said": '{"department":"story"}'}]


def test_a_value_that_fits_no_column_is_unknown_and_stops_nothing(metrics: Metrics) -> None:
    metrics.ran("t1", "completed", tokens="many", cost={"dollars": 3}, reason=None, processing_time_ms=[1])
    metrics.happened(1)
    assert metrics.ingest().rows == 2
    assert metrics.rows("SELECT status, tokens, cost, reason FROM run") == [
        {"status": "completed", "tokens": None, "cost": None, "reason": None}
    ]


def test_a_ranking_that_names_other_models_takes_the_place_of_the_one_before(metrics: Metrics) -> None:
    rankings = Rankings(metrics.store, MAIN)
    for number, names in enumerate((("a", "b"), ("c", "a"), ())):
        for department in (None, "story") if not number else (None,):
            rankings.save(ranking(*map(model_rank, names), department=department))
        metrics.ingest()
        rows = metrics.rows("SELECT department, model, rank FROM model_ranking ORDER BY ALL")
        assert [(row["model"], row["rank"]) for row in rows if not row["department"]] == sorted(zip(names, (1, 2), strict=False))
        assert [row["model"] for row in rows if row["department"]] == ["a", "b"]


def test_an_execution_is_counted_for_the_model_whose_output_it_is(metrics: Metrics) -> None:
    calls = answered("writer"), replace(answered("other"), purpose="comparison"), replace(answered("reviewer"), purpose="review")
    taken = Verdict(ruling="accept", method="consensus", replacement="Ho.", replaced_by="other")
    made = {
        "kept": execution(*calls, model="writer"),
        "taken": execution(*calls, model="writer", verdicts=(taken,)),
        "refused": execution(*calls, model="writer", verdicts=(taken,), fallback="use_highest_ranked_model"),
        "lost": execution(*calls, status="failed"),
    }
    metrics.store.insert_many(MAIN, "executions", [replace(one, id=id).to_document() for id, one in made.items()])
    metrics.ingest()
    found = {row["execution_id"]: row["model"] for row in metrics.rows("SELECT execution_id, model FROM call")}
    assert found == {"kept": "writer", "taken": "other", "refused": "writer", "lost": "reviewer"}


def test_more_than_a_batch_is_taken(metrics: Metrics) -> None:
    metrics.happened(*range(1, 2 * BATCH + 2))
    metrics.ran("t1", "running")
    assert metrics.ingest().rows == 2 * BATCH + 2
    assert metrics.sequences() == list(range(1, 2 * BATCH + 2))


def test_a_home_where_nothing_happened_gets_no_database(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    assert metrics.ingest() == IngestReport(rows=0)
    assert not metrics.folder.exists()
    metrics.ran("t1", "running")
    metrics.ingest()
    assert caplog.text == ""


def test_a_deleted_database_is_made_anew_from_the_store_and_that_is_said(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.ran("t1", "completed")
    metrics.happened(1, 2)
    metrics.ingest()
    metrics.database.unlink()
    assert metrics.ingest().rows == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"[AutoGather] Metrics database {metrics.database} is made anew from the store, 3 rows: it was not there"
    ]
    assert metrics.sequences() == [1, 2]


def test_what_a_killed_writer_left_of_a_deleted_database_is_not_played_into_the_new_one(metrics: Metrics) -> None:
    metrics.ran("t1", "completed")
    metrics.ingest()
    metrics.database.unlink()
    metrics.database.with_name("metrics.duckdb.wal").write_bytes(b"what another database had still to write")
    assert metrics.ingest().rows == 1
    assert len(metrics.rows("FROM run")) == 1


def test_a_database_of_another_release_is_made_anew(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.folder.mkdir()
    with duckdb.connect(metrics.database) as connection:
        connection.execute("CREATE TABLE run (row_id VARCHAR PRIMARY KEY); CREATE TABLE migrations (name VARCHAR)")
    metrics.ran("t1", "completed")
    assert metrics.ingest().rows == 1
    assert "another release made it" in caplog.text
    assert [row["task_id"] for row in metrics.rows("FROM run")] == ["t1"]


def test_a_store_put_back_from_a_copy_takes_the_metrics_with_it(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.ran("t1", "completed")
    metrics.happened(1, 2)
    metrics.ingest()
    metrics.store.close()
    shutil.copytree(metrics.folder.parent / "store", metrics.folder.parent / "copy")
    metrics.open()
    metrics.happened(3, 4)
    metrics.ingest()
    metrics.store.close()
    shutil.rmtree(metrics.folder.parent / "store")
    shutil.move(metrics.folder.parent / "copy", metrics.folder.parent / "store")
    metrics.open()
    metrics.happened(3)
    assert metrics.ingest().rows == 4
    assert "was put back from a copy" in caplog.text
    assert metrics.sequences() == [1, 2, 3]


def test_a_damaged_project_is_told_of_and_leaves_the_others_measured(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    metrics.store.insert_many("main", "projects", [{"_id": "broken", "name": "Broken", "brief": "", "created_at": "2026-02-01"}])
    metrics.ran("t1", "completed")
    metrics.happened(1)
    (metrics.folder.parent / "store" / f"{project_database('broken')}.sqlite3").write_bytes(b"no database at all" * 99)
    assert metrics.ingest().rows == 2
    assert metrics.sequences() == [1]
    (record,) = caplog.records
    assert "project broken is not brought up to date" in record.getMessage()
    assert {row["project_id"] for row in metrics.rows("FROM run")} == {PROJECT}
