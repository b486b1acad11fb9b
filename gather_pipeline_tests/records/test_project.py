"""What one project keeps: only what was committed is seen (S001-TEST-08)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gather_pipeline.domain.decisions import DecidedText, Decision, decided_in
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.items import Item, NewItem, content_hash, version_of
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.errors import DuplicateKey
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline_tests.harness import Studio
from gather_pipeline_tests.samples import an_iteration


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
    return an_iteration(number=number, department=department, item_ids=tuple(one.id for one in items), generated=len(items))


def decided(number: int, place: int, department: str, text: NewItem, decision: Decision, item_id: str = "dropped") -> DecidedText:
    return DecidedText(
        key=decided_in(number, place, department),
        item_id=item_id,
        department=department,
        iteration=number,
        place=place,
        text=text,
        decision=decision,
        rules_version="v1",
    )


@pytest.fixture
def records(tmp_path: Path) -> Iterator[ProjectRecords]:
    studio = Studio.open(tmp_path)
    yield studio.records
    studio.close()


def save(
    records: ProjectRecords, number: int, items: list[Item], department: str = "story", *, commit: bool = True, again: bool = False
) -> None:
    vectors = np.eye(8, dtype=np.float32)[: len(items)]
    kept = Decision(duplicate=False, rule="distinct", similarity=0.1)
    drop = Decision(duplicate=True, rule="exact", similarity=1.0, match_id="x")
    rows = [decided(number, place, department, one, kept, one.id) for place, one in enumerate(items)]
    rows.append(decided(number, len(items), department, NewItem(content="dropped text", summary="s", context="c"), drop))
    records.save_iteration_rows(items, vectors, "m", rows, again=(department, number) if again else None)
    if commit:
        records.commit(iteration(number, items, department))


def clear(records: ProjectRecords) -> int:
    return records.clear_uncommitted(records.iterations())


def test_rows_are_seen_from_the_commit_on_and_not_before(records: ProjectRecords) -> None:
    save(records, 1, [item(1), item(2)], commit=False)
    assert (records.view().items, records.view().dropped, records.iterations()) == ([], [], [])
    records.commit(iteration(1, [item(1), item(2)]))
    assert [one.id for one in records.view().items] == ["story-1-1", "story-1-2"]
    assert [one.text.content for one in records.view().dropped] == ["dropped text"]


def test_an_item_comes_back_as_it_was_saved(records: ProjectRecords) -> None:
    save(records, 1, [item(1)])
    assert records.view().items == [item(1)]


def test_a_second_attempt_at_an_iteration_replaces_the_first_one_s_rows(records: ProjectRecords) -> None:
    save(records, 1, [item(1), item(2), item(3)], commit=False)
    save(records, 1, [item(1, content="Another text.")], again=True)
    assert [one.content for one in records.view().items] == ["Another text."]
    assert clear(records) == 0


def test_an_iteration_is_committed_once(records: ProjectRecords) -> None:
    save(records, 1, [item(1)])
    with pytest.raises(DuplicateKey):
        records.commit(iteration(1, [item(1)]))


def test_clearing_removes_what_was_never_committed_and_nothing_else(records: ProjectRecords) -> None:
    save(records, 1, [item(1)])
    save(records, 2, [item(1, 2), item(2, 2)], commit=False)
    assert clear(records) == 2 + 2 + 3
    assert [one.id for one in records.view().items] == ["story-1-1"]
    assert clear(records) == 0


def test_items_come_by_department_iteration_and_place(records: ProjectRecords) -> None:
    save(records, 1, [item(1), item(2)])
    save(records, 2, [item(1, 2)])
    save(records, 1, [item(1, 1, "visual")], "visual")
    view = records.view()
    assert [one.id for one in view.items_of("story")] == ["story-1-1", "story-1-2", "story-2-1"]
    assert [one.department for one in view.items] == ["story"] * 3 + ["visual"]


def test_a_view_reads_each_part_once_and_does_not_follow_changes(records: ProjectRecords) -> None:
    save(records, 1, [item(1)])
    view = records.view()
    assert len(view.items) == 1
    save(records, 2, [item(1, 2)])
    assert len(view.items) == 1
    assert len(records.view().items) == 2


def test_embeddings_come_back_with_what_they_are_of(records: ProjectRecords) -> None:
    save(records, 1, [item(1), item(2)])
    found = {one.item_id: one for one in records.embeddings("m", "story")}
    assert np.array_equal(np.stack([found["story-1-1"].vector, found["story-1-2"].vector]), np.eye(8, dtype=np.float32)[:2])
    assert found["story-1-1"].content_hash == content_hash(item(1).content)
    assert records.embeddings("other model") == []
    records.drop_embeddings(["story-1-1"])
    assert [one.item_id for one in records.embeddings()] == ["story-1-2"]


def test_the_data_version_follows_the_texts_and_not_their_order(records: ProjectRecords) -> None:
    first, second = item(1), item(2)
    version = version_of([first, second])
    assert version == version_of([second, first])
    assert version != version_of([first])
    assert version != version_of([first, item(2, content="Edited.")])


def test_events_are_numbered_once_and_read_from_where_one_was(records: ProjectRecords) -> None:
    assert records.last_sequence() == 0
    for sequence in (1, 2, 3):
        records.add_events([deduplicating(sequence)])
    with pytest.raises(DuplicateKey):
        records.add_events([deduplicating(3)])
    assert records.last_sequence() == 3
    assert records.events(after=1) == [deduplicating(2), deduplicating(3)]


def deduplicating(sequence: int) -> Event:
    return Event(type="deduplicating", fields={"department": "story"}, project_id="p", task_id="t", sequence=sequence, at="now")
