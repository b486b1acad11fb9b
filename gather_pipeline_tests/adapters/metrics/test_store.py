"""The metrics database: every row exactly once, whatever is killed, and a reading door that only reads."""

from __future__ import annotations

import json

import duckdb
import pytest

from gather_pipeline.adapters.metrics.store import IngestReport
from gather_pipeline_tests.adapters.metrics.metrics_folder import PROJECT, Metrics


def test_rows_of_every_kind_reach_their_table_once(metrics: Metrics) -> None:
    report = metrics.take(
        ("run", {**PROJECT, "status": "completed", "started_at": "2026-03-01T12:00:00+02:00", "tokens": 7}),
        ("iteration", {**PROJECT, "department": "story", "iteration": 1, "quality": 61, "rung": 2}),
        ("call", {**PROJECT, "definition": "gather", "version": "1.0", "attempts": 2}),
        ("timing", {**PROJECT, "what": "embed", "seconds": 0.5, "count": 3}),
        ("event", {**PROJECT, "sequence": 4, "type": "deduplicating", "payload": {"department": "story"}}),
        ("surprise", {"a": [1, {"b": None}]}),
    )
    assert report == IngestReport(rows=6, files=1)
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert metrics.rows("SELECT status, tokens, started_at::VARCHAR AS started FROM run") == [
        {"status": "completed", "tokens": 7, "started": "2026-03-01 10:00:00"}
    ]
    assert metrics.rows("SELECT quality, rung, ended_by FROM iteration") == [{"quality": 61.0, "rung": "2", "ended_by": None}]
    assert metrics.rows("SELECT version, attempts FROM call") == [{"version": "1.0", "attempts": 2}]
    assert metrics.rows("SELECT payload->>'department' AS d FROM event") == [{"d": "story"}]
    assert metrics.rows("SELECT kind, fields::VARCHAR AS fields FROM generic") == [{"kind": "surprise", "fields": '{"a":[1,{"b":null}]}'}]


def test_fields_without_a_column_and_values_that_do_not_fit_are_kept_in_extra(metrics: Metrics) -> None:
    metrics.take(
        ("run", {"tokens": "many", "iterations": "2 of 3", "started_at": "yesterday", "new": {"x": 1}, "row_id": "forged"}),
        ("run", {"tokens": 3.0, "items_created": True, "status": None}),
    )
    first, second = metrics.rows("SELECT tokens, iterations, started_at, row_id, extra FROM run ORDER BY row_id")
    assert (first["tokens"], first["iterations"], first["started_at"]) == (None, None, None)
    assert first["row_id"] != "forged"
    extra = {"tokens": "many", "iterations": "2 of 3", "started_at": "yesterday", "new": {"x": 1}, "row_id": "forged"}
    assert json.loads(first["extra"]) == extra
    assert (second["tokens"], json.loads(second["extra"])) == (3, {"items_created": True})


def test_a_live_file_is_read_as_far_as_it_goes_and_an_ended_one_is_archived(metrics: Metrics) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    assert metrics.ingest().rows == 1
    (path,) = metrics.incoming.iterdir()
    log.append("timing", {"count": 2})
    log.close()
    assert metrics.ingest().rows == 1
    assert not list(metrics.incoming.iterdir())
    assert (metrics.folder / "archive" / path.name).exists()
    assert metrics.rows("SELECT list(count ORDER BY count) AS counts FROM timing")[0]["counts"].tolist() == [1, 2]


def test_a_half_last_line_is_counted_and_hides_no_other_row(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    log.append("timing", {"count": 2})
    log.close()
    (path,) = metrics.incoming.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    assert metrics.ingest() == IngestReport(rows=1, files=1, malformed=1)
    assert f"{path.name} has 1 malformed lines" in caplog.text
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert metrics.rows("SELECT count FROM timing") == [{"count": 1}]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b"{}",
        b"\xff\xfe\x00",
        b'{"kind": "run", "at": "2026-03-01", "fields": {}}',
        b'{"row_id": "a:1", "at": "2026-03-01", "fields": {}}',
        b'{"row_id": "a:1", "kind": "run", "at": "soon", "fields": {}}',
        b'{"row_id": "a:1", "kind": "run", "at": "2026-03-01", "fields": 5}',
        b'{"row_id": "a:1", "kind": "run", "at": "2026-03-01", "fields": {"n": 1e999, "b": "\\ud83d"}}',
        b"[" * 100_000,
        b'{"row_id": "cut:1", "ki',
    ],
    ids=["prose", "list", "empty object", "bytes", "no row_id", "no kind", "time", "fields", "number", "deep", "half"],
)
def test_a_line_that_is_no_measurement_is_counted_and_stops_nothing(metrics: Metrics, line: bytes) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    log.close()
    (path,) = metrics.incoming.iterdir()
    with path.open("ab") as file:
        file.write(b"\n" + line + b"\n" + b'{"row_id": "b:1", "kind": "timing", "at": "2026-03-01", "fields": {"count": 2}}\n')
    assert metrics.ingest() == IngestReport(rows=2, files=1, malformed=1)
    assert metrics.rows("SELECT count FROM timing ORDER BY count") == [{"count": 1}, {"count": 2}]
    assert line in (metrics.folder / "archive" / path.name).read_bytes()


def test_many_rows_are_taken(metrics: Metrics) -> None:
    metrics.incoming.mkdir()
    with (metrics.incoming / "big.jsonl").open("w") as file:
        for n in range(12_001):
            row = {"row_id": f"big:{n}", "kind": "timing", "at": "2026-03-01", "fields": {"count": n}}
            file.write(json.dumps(row) + "\n")
    assert metrics.ingest().rows == 12_001
    assert metrics.rows("SELECT count(*) AS n, sum(count)::BIGINT AS total FROM timing") == [{"n": 12_001, "total": 72_006_000}]


def test_an_archived_file_put_back_adds_nothing_and_overwrites_nothing(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}))
    (archived,) = (metrics.folder / "archive").iterdir()
    (metrics.incoming / archived.name).write_bytes(archived.read_bytes())
    (metrics.incoming / "copy.jsonl").write_bytes(archived.read_bytes())
    assert metrics.ingest() == IngestReport(rows=0, files=2)
    assert len(metrics.rows("FROM timing")) == 1
    assert {path.name for path in archived.parent.iterdir()} == {"copy.jsonl", f"{archived.stem}.2.jsonl", archived.name}


def test_a_lost_database_is_made_again_from_the_archive(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}), ("timing", {"count": 2}))
    metrics.database.unlink()
    for path in (metrics.folder / "archive").iterdir():
        path.rename(metrics.incoming / path.name)
    assert metrics.ingest() == IngestReport(rows=2, files=1)


def test_ingesting_nothing_makes_no_database(metrics: Metrics) -> None:
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert list(metrics.folder.iterdir()) == []


def test_migrations_are_applied_once_and_an_older_database_gets_the_newer_ones(metrics: Metrics) -> None:
    metrics.take(("run", PROJECT))
    names = ["0001_tables.sql", "0002_metric_views.sql", "0003_report_views.sql", "0004_judged.sql", "0005_row_keys.sql"]
    assert [row["name"] for row in metrics.rows("SELECT name FROM migrations ORDER BY name")] == names
    with duckdb.connect(metrics.database) as connection:
        connection.execute("DROP VIEW report_departments; DROP VIEW report_spending")
        connection.execute("DELETE FROM migrations WHERE name = '0003_report_views.sql'")
    metrics.ingest()
    assert [row["name"] for row in metrics.rows("SELECT name FROM migrations ORDER BY name")] == names
    assert metrics.rows("FROM report_departments") == []
