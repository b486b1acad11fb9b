from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.adapters.metrics.store import ingest, query
from gather_pipeline.domain.rankings import Estimate, ModelRank, Ranking
from gather_pipeline.errors import InvalidInput
from gather_pipeline.records.changes import read_changes
from gather_pipeline.records.rankings import RANKINGS, Rankings

SURE = Estimate(mean=0.5, low=0.25, high=0.75)


def model_rank(model: str, **changes: Any) -> ModelRank:
    return ModelRank(**{"model": model, "samples": 12.5, "quality": SURE, "latency_s": SURE, "cost": None, "score": 0.4} | changes)


def ranking(*models: ModelRank, **changes: Any) -> Ranking:
    given = {"task_id": "greeting", "department": None, "kind": "judged", "updated_at": "2026-11-26T08:00:00.000000+00:00"}
    return Ranking(**given | {"models": models, "reasons": ("a keeps its place",)} | changes)


def test_a_department_without_a_ranking_of_its_own_has_the_tasks(tmp_path: Path) -> None:
    rankings = Rankings(SqliteStore(tmp_path), "shared")
    of_task, of_story = ranking(model_rank("a")), ranking(model_rank("b", latency_s=None), department="story")
    assert rankings.get("greeting") is None
    rankings.save(of_task)
    rankings.save(of_story)
    assert [rankings.get("greeting", department) for department in (None, "story", "art")] == [of_task, of_story, of_task]
    assert rankings.get("other") is None and rankings.all() == [of_task, of_story]


def test_a_document_that_is_no_ranking_is_refused_by_its_field(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.insert_many("shared", RANKINGS, [{"_id": "greeting", "task_id": "greeting", "kind": "judged"}])
    with pytest.raises(InvalidInput, match="ranking greeting: department is missing or wrong, expected the document of a ranking"):
        Rankings(store, "shared").get("greeting")


def test_duckdb_shows_rankings_as_they_stand(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    rankings, database = Rankings(store, "shared"), tmp_path / "metrics.duckdb"
    for models in ([model_rank("a"), model_rank("b", cost=0.5)], [model_rank("b", cost=0.5), model_rank("a", latency_s=None)]):
        rankings.save(ranking(*models))
        ingest(database, lambda seen: read_changes(store, "shared", seen))
    frame = query(database, "SELECT department, model, rank, quality, quality_low, latency_high_s, cost FROM model_rankings")
    assert frame.astype(object).where(frame.notna(), None).values.tolist() == [
        [None, "b", 1, 0.5, 0.25, 0.75, 0.5],
        [None, "a", 2, 0.5, 0.25, None, None],
    ]
