"""The metrics database: every row exactly once, whatever is killed, and a reading door that only reads."""

from __future__ import annotations

import json

import duckdb
import pytest

from gather_pipeline.adapters.metrics.measurements import IngestReport
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
    assert metrics.rows("SELECT row_id, status, tokens, started_at::VARCHAR AS started FROM run") == [
        {"row_id": "run-1:1", "status": "completed", "tokens": 7, "started": "2026-03-01 10:00:00"}
    ]
    assert metrics.rows("SELECT quality, rung, ended_by FROM iteration") == [{"quality": 61.0, "rung": "2", "ended_by": None}]
    assert metrics.rows("SELECT version, attempts FROM call") == [{"version": "1.0", "attempts": 2}]
    assert metrics.rows("SELECT payload->>'department' AS d FROM event") == [{"d": "story"}]
    assert metrics.rows("SELECT kind, fields::VARCHAR AS fields FROM generic") == [{"kind": "surprise", "fields": '{"a":[1,{"b":null}]}'}]


def test_fields_without_a_column_and_values_that_do_not_fit_are_kept_in_extra(metrics: Metrics) -> None:
    metrics.take(
        ("run", {"tokens": "many", "iterations": 2.5, "cost": 10**400, "started_at": "yesterday", "new": {"x": 1}, "row_id": "forged"}),
        ("run", {"tokens": 3.0, "items_created": True, "status": None}),
    )
    first, second = metrics.rows("SELECT tokens, iterations, cost, started_at, row_id, extra FROM run ORDER BY row_id")
    assert (first["tokens"], first["iterations"], first["cost"], first["started_at"]) == (None, None, None, None)
    assert first["row_id"] == "run-1:1"
    extra = json.loads(first["extra"])
    assert extra.pop("cost") > 10**300
    assert extra == {"tokens": "many", "iterations": 2.5, "started_at": "yesterday", "new": {"x": 1}, "row_id": "forged"}
    assert (second["tokens"], json.loads(second["extra"])) == (3, {"items_created": True})


def test_a_live_file_is_read_as_far_as_it_goes_and_an_ended_one_is_archived(metrics: Metrics) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    assert metrics.ingest().rows == 1
    assert (metrics.incoming / "run-1.jsonl").exists()
    log.append("timing", {"count": 2})
    log.close()
    assert metrics.ingest().rows == 1
    assert not list(metrics.incoming.iterdir())
    assert (metrics.folder / "archive" / "run-1.jsonl").exists()
    assert metrics.rows("SELECT list(count ORDER BY count) AS counts FROM timing")[0]["counts"].tolist() == [1, 2]


def test_a_half_last_line_is_never_taken_and_hides_no_other_row(metrics: Metrics) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    log.append("timing", {"count": 2})
    log.close()
    path = metrics.incoming / "run-1.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert metrics.ingest() == IngestReport(rows=1, files=1)
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert metrics.rows("SELECT count FROM timing") == [{"count": 1}]


def test_a_file_with_nothing_but_a_half_line_gives_nothing(metrics: Metrics) -> None:
    metrics.incoming.mkdir()
    (metrics.incoming / "cut.jsonl").write_bytes(b'{"row_id": "cut:1", "ki')
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert (metrics.folder / "archive" / "cut.jsonl").read_bytes() == b'{"row_id": "cut:1", "ki'


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b"{}",
        b"",
        b"\xff\xfe\x00",
        b'{"row_id": 1, "kind": "run", "at": "2026-03-01", "fields": {}}',
        b'{"row_id": "a:1", "kind": "run", "at": "soon", "fields": {}}',
        b'{"row_id": "a:1", "kind": "run", "at": "0001-01-01T00:00:00+14:00", "fields": {}}',
        b"[" * 100_000,
        b'{"row_id": "a:1", "kind": "run", "at": "2026-03-01", "fields": {"n": 1' + b"0" * 5000 + b"}}",
    ],
    ids=["prose", "list", "empty object", "blank", "bytes", "row_id", "time", "year 0", "deep", "digits"],
)
def test_a_whole_line_that_is_no_measurement_is_kept_as_text_and_stops_nothing(metrics: Metrics, line: bytes) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    log.close()
    with (metrics.incoming / "run-1.jsonl").open("ab") as file:
        file.write(line + b"\n" + b'{"row_id": "b:1", "kind": "timing", "at": "2026-03-01", "fields": {"count": 2}}\n')
    assert metrics.ingest() == IngestReport(rows=3, files=1, malformed=1)
    assert metrics.rows("SELECT kind, fields->>'line' AS line FROM generic") == [
        {"kind": "malformed", "line": line.decode("utf-8", "replace")}
    ]
    assert len(metrics.rows("FROM timing")) == 2


def test_numbers_and_letters_that_json_lacks_do_not_stop_ingestion(metrics: Metrics) -> None:
    metrics.incoming.mkdir()
    fields = b'{"seconds": NaN, "count": 1, "a": 1e999, "b": "\\ud83d", "c": "\\u0000", "d": 1' + b"0" * 60 + b"}"
    line = b'{"row_id": "x:1", "kind": "timing", "at": "2026-03-01", "fields": ' + fields + b"}\n"
    (metrics.incoming / "x.jsonl").write_bytes(line)
    assert metrics.ingest() == IngestReport(rows=1, files=1)
    assert metrics.rows("SELECT seconds, count, extra->>'b' AS b FROM timing") == [{"seconds": None, "count": 1, "b": "?"}]


def test_many_rows_are_taken_in_several_inserts(metrics: Metrics) -> None:
    metrics.incoming.mkdir()
    with (metrics.incoming / "big.jsonl").open("w") as file:
        for n in range(12_001):
            row = {"row_id": f"big:{n}", "kind": "timing", "at": "2026-03-01", "fields": {"count": n}}
            file.write(json.dumps(row) + "\n")
    assert metrics.ingest().rows == 12_001
    assert metrics.rows("SELECT count(*) AS n, sum(count)::BIGINT AS total FROM timing") == [{"n": 12_001, "total": 72_006_000}]


def test_an_archived_file_put_back_adds_nothing_and_overwrites_nothing(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}))
    archived = metrics.folder / "archive" / "run-1.jsonl"
    (metrics.incoming / "run-1.jsonl").write_bytes(archived.read_bytes())
    (metrics.incoming / "copy.jsonl").write_bytes(archived.read_bytes())
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert len(metrics.rows("FROM timing")) == 1
    assert sorted(path.name for path in archived.parent.iterdir()) == ["copy.jsonl", "run-1.2.jsonl", "run-1.jsonl"]


def test_a_lost_database_is_made_again_from_the_archive(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}), ("timing", {"count": 2}))
    metrics.database.unlink()
    (metrics.folder / "archive" / "run-1.jsonl").rename(metrics.incoming / "run-1.jsonl")
    assert metrics.ingest() == IngestReport(rows=2, files=1)


def test_ingesting_nothing_makes_no_database(metrics: Metrics) -> None:
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert list(metrics.folder.iterdir()) == []


def test_migrations_are_applied_once_and_an_older_database_gets_the_newer_ones(metrics: Metrics) -> None:
    metrics.take(("run", PROJECT))
    names = ["0001_tables.sql", "0002_metric_views.sql", "0003_report_views.sql", "0004_judged.sql"]
    assert [row["name"] for row in metrics.rows("SELECT name FROM migrations ORDER BY name")] == names
    with duckdb.connect(metrics.database) as connection:
        connection.execute("DROP VIEW report_departments; DROP VIEW report_spending")
        connection.execute("DELETE FROM migrations WHERE name = '0003_report_views.sql'")
    metrics.ingest()
    assert [row["name"] for row in metrics.rows("SELECT name FROM migrations ORDER BY name")] == names
    assert metrics.rows("FROM report_departments") == []
