"""What one project keeps: only what was committed is seen (S001-TEST-08)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gather_pipeline.domain.decisions import Decision
from gather_pipeline.domain.items import Item, NewItem, version_of
from gather_pipeline.domain.iterations import Fingerprint, Iteration
from gather_pipeline.errors import DuplicateKey
from gather_pipeline.records.project import GatherRepository
from gather_pipeline.records.rows import decision_row
from gather_pipeline_tests.harness import Studio


def item(number: int, iteration: int = 1, department: str = "story", content: str | None = None) -> Item:
    return Item(
        id=f"{department}-{iteration}-{number}",
        department=department,
        iteration=iteration,
        task_id="t",
        project_id="p",
        content=content or f"Note {number} of iteration {iteration}.",
        summary="s",
        context="c",
        provenance={"generated_by": "scripted"},
    )


def iteration(number: int, items: list[Item], department: str = "story") -> Iteration:
    return Iteration(
        project_id="p",
        department=department,
        number=number,
        task_id="t",
        inputs=Fingerprint(brief="b", department={}, model="m", definition="d"),
        generated=len(items),
        item_ids=tuple(one.id for one in items),
        duplicates=0,
        filtered=0,
        quality={"value": 50.0},
        model="m",
    )


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[GatherRepository]:
    studio = Studio.open(tmp_path)
    yield studio.repository
    studio.close()


def save(repository: GatherRepository, number: int, items: list[Item], department: str = "story", *, commit: bool = True) -> None:
    vectors = np.eye(8, dtype=np.float32)[: len(items)]
    kept = Decision(duplicate=False, rule="distinct", similarity=0.1)
    drop = Decision(duplicate=True, rule="exact", similarity=1.0, match_id="x")
    decisions = [decision_row(one.id, one, department, number, place, "v1", kept) for place, one in enumerate(items)]
    dropped = NewItem(content="dropped text", summary="s", context="c")
    decisions.append(decision_row("dropped", dropped, department, number, len(items), "v1", drop))
    repository.save_iteration_rows(department, number, items, vectors, "m", decisions)
    if commit:
        repository.commit(iteration(number, items, department))


def test_rows_are_seen_from_the_commit_on_and_not_before(repository: GatherRepository) -> None:
    save(repository, 1, [item(1), item(2)], commit=False)
    assert (repository.items(), repository.dropped(), repository.iterations()) == ([], [], [])
    repository.commit(iteration(1, [item(1), item(2)]))
    assert [one.id for one in repository.items()] == ["story-1-1", "story-1-2"]
    assert [row["content"] for row in repository.dropped()] == ["dropped text"]


def test_an_item_comes_back_as_it_was_saved(repository: GatherRepository) -> None:
    save(repository, 1, [item(1)])
    assert repository.items() == [item(1)]


def test_a_second_attempt_at_an_iteration_replaces_the_first_one_s_rows(repository: GatherRepository) -> None:
    save(repository, 1, [item(1), item(2), item(3)], commit=False)
    save(repository, 1, [item(1, content="Another text.")])
    assert [one.content for one in repository.items()] == ["Another text."]
    assert repository.clear_uncommitted() == 0


def test_an_iteration_is_committed_once(repository: GatherRepository) -> None:
    save(repository, 1, [item(1)])
    with pytest.raises(DuplicateKey):
        repository.commit(iteration(1, [item(1)]))


def test_clearing_removes_what_was_never_committed_and_nothing_else(repository: GatherRepository) -> None:
    save(repository, 1, [item(1)])
    save(repository, 2, [item(1, 2), item(2, 2)], commit=False)
    assert repository.clear_uncommitted() == 2 + 2 + 3
    assert [one.id for one in repository.items()] == ["story-1-1"]
    assert repository.clear_uncommitted() == 0


def test_items_come_by_department_and_newest_first_where_asked(repository: GatherRepository) -> None:
    save(repository, 1, [item(1), item(2)])
    save(repository, 2, [item(1, 2)])
    save(repository, 1, [item(1, 1, "visual")], "visual")
    assert [one.id for one in repository.items("story")] == ["story-1-1", "story-1-2", "story-2-1"]
    assert [one.id for one in repository.newest_items("story", 2)] == ["story-2-1", "story-1-2"]
    assert len(repository.read_gather_items("507f1f77bcf86cd799439011")) == 4


def test_vectors_are_those_of_the_present_texts(repository: GatherRepository) -> None:
    save(repository, 1, [item(1), item(2)])
    stored = repository.vectors(repository.items(), "m")
    assert np.array_equal(np.stack([stored["story-1-1"], stored["story-1-2"]]), np.eye(8, dtype=np.float32)[:2])
    assert repository.vectors(repository.items(), "other model") == {}
    assert list(repository.vectors([item(1, content="An edited text."), item(2)], "m")) == ["story-1-2"]
    assert repository.vectors([], "m") == {}
    assert repository.embedding_count(repository.items(), "m") == 2


def test_the_data_version_follows_the_texts_and_not_their_order(repository: GatherRepository) -> None:
    first, second = item(1), item(2)
    version = version_of([first, second])
    assert version == version_of([second, first])
    assert version != version_of([first])
    assert version != version_of([first, item(2, content="Edited.")])


def test_events_are_numbered_once_and_read_from_where_one_was(repository: GatherRepository) -> None:
    assert repository.last_sequence() == 0
    for sequence in (1, 2, 3):
        repository.save_event({"type": "deduplicating", "sequence": sequence})
    with pytest.raises(DuplicateKey):
        repository.save_event({"type": "deduplicating", "sequence": 3})
    assert repository.last_sequence() == 3
    assert [event["sequence"] for event in repository.events(after=1)] == [2, 3]
    assert all("_id" not in event for event in repository.events())
