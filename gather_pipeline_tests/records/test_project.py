"""What one project keeps: only what was committed is seen (S001-TEST-08)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from secrets import token_hex

import numpy as np
import pytest

from gather_pipeline.domain.decisions import DecidedText, Decision, decided_in
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.items import Item, NewItem, content_hash, version_of
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import DuplicateKey, ProjectBusy
from gather_pipeline.ports import DocumentStore
from gather_pipeline.records.lease import Lease, Owner
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline_tests.adapters.documents.store_bodies import Body
from gather_pipeline_tests.samples import a_score, an_iteration


def item(number: int, iteration: int = 1, department: str = "story", content: str | None = None, task_id: str = "t") -> Item:
    return Item(
        id=f"{department}-{iteration}-{number}" + task_id.removeprefix("t"),
        department=department,
        iteration=iteration,
        task_id=task_id,
        project_id="p",
        content=content or f"Note {number} of iteration {iteration}.",
        summary="s",
        context="c",
        provenance={"generated_by": "scripted"},
    )


def iteration(number: int, items: list[Item], department: str = "story", task_id: str = "t") -> Iteration:
    ids = tuple(one.id for one in items)
    return an_iteration(number=number, department=department, item_ids=ids, generated=len(items), task_id=task_id)


def decided(number: int, place: int, department: str, text: NewItem, decision: Decision, item_id: str, task_id: str) -> DecidedText:
    return DecidedText(
        key=decided_in(number, place, department, task_id),
        item_id=item_id,
        department=department,
        iteration=number,
        task_id=task_id,
        place=place,
        text=text,
        decision=decision,
        rules_version="v1",
    )


@pytest.fixture
def records(store: DocumentStore, body: Body) -> Iterator[ProjectRecords]:
    project_id = token_hex(12)
    yield ProjectRecords(store, project_id)
    body.drop(project_database(project_id))


@pytest.fixture
def lease(store: DocumentStore, database: str) -> Lease:
    return taken(store, database, "t")


def taken(store: DocumentStore, database: str, task_id: str, host: str = "a-laptop") -> Lease:
    """A lease that runs out at once, so that the next one takes it over, as if its owner's machine slept."""
    lease = Lease(store, database, "p", replace(Owner.this_process(task_id), host=host), 0.0)
    lease.take()
    return lease


def save(records: ProjectRecords, lease: Lease, number: int, items: list[Item], department: str = "story", *, commit: bool = True) -> None:
    task_id = lease.owner.task_id
    records.open_iteration(department, number, lease)
    vectors = np.eye(8, dtype=np.float32)[: len(items)]
    kept = Decision(duplicate=False, rule="distinct", similarity=0.1)
    drop = Decision(duplicate=True, rule="exact", similarity=1.0, match_id="x")
    rows = [decided(number, place, department, one, kept, one.id, task_id) for place, one in enumerate(items)]
    text = NewItem(content="dropped text", summary="s", context="c")
    rows.append(decided(number, len(items), department, text, drop, "dropped", task_id))
    records.save_iteration_rows(items, vectors, "m", rows)
    if commit:
        records.commit(iteration(number, items, department, task_id), lease)


def test_rows_are_seen_from_the_commit_on_and_not_before(records: ProjectRecords, lease: Lease) -> None:
    save(records, lease, 1, [item(1), item(2)], commit=False)
    assert (records.view().items, records.view().dropped, records.iterations()) == ([], [], [])
    records.commit(iteration(1, [item(1), item(2)]), lease)
    assert [one.id for one in records.view().items] == ["story-1-1", "story-1-2"]
    assert [one.text.content for one in records.view().dropped] == ["dropped text"]


def test_an_item_comes_back_as_it_was_saved(records: ProjectRecords, lease: Lease) -> None:
    save(records, lease, 1, [item(1)])
    assert records.view().items == [item(1)]


def test_a_second_attempt_at_an_iteration_replaces_the_first_one_s_rows(records: ProjectRecords, lease: Lease) -> None:
    save(records, lease, 1, [item(1), item(2), item(3)], commit=False)
    save(records, lease, 1, [item(1, content="Another text.")])
    assert [one.content for one in records.view().items] == ["Another text."]
    assert records.settle(lease) == 0


def test_what_is_committed_cannot_be_begun_anew(records: ProjectRecords, lease: Lease) -> None:
    save(records, lease, 1, [item(1)])
    assert not records.open_iteration("story", 1, lease)
    records.commit(iteration(1, []), lease)
    assert [one.id for one in records.view().items] == ["story-1-1"]


def test_settling_removes_what_was_never_committed_and_nothing_else(
    records: ProjectRecords, lease: Lease, store: DocumentStore, database: str
) -> None:
    save(records, lease, 1, [item(1)])
    save(records, lease, 2, [item(1, 2), item(2, 2)], commit=False)
    successor = taken(store, database, "t2")
    assert records.settle(successor) == 2 + 2 + 3
    assert [one.id for one in records.view().items] == ["story-1-1"]
    assert records.settle(successor) == 0


# A run that was paused (a lid closed, a machine stopped) while another took over its lease


def test_the_commit_of_a_run_whose_lease_was_taken_over_is_refused(
    records: ProjectRecords, lease: Lease, store: DocumentStore, database: str
) -> None:
    save(records, lease, 1, [item(1)], commit=False)
    successor = taken(store, database, "t2")
    records.settle(successor)
    with pytest.raises(ProjectBusy, match="another run took over the project"):
        records.commit(iteration(1, [item(1)]), lease)
    save(records, successor, 1, [item(1, task_id="t2")])
    with pytest.raises(ProjectBusy):
        records.commit(iteration(1, [item(1)]), lease)
    assert [one.id for one in records.view().items] == ["story-1-12"]
    assert len(records.embeddings()) == 1


def test_rows_that_it_still_writes_are_seen_by_nobody_and_disturb_nobody(
    records: ProjectRecords, lease: Lease, store: DocumentStore, database: str
) -> None:
    records.open_iteration("story", 1, lease)
    successor = taken(store, database, "t2")
    records.settle(successor)
    save(records, successor, 1, [item(1, task_id="t2")], commit=False)
    records.save_iteration_rows([item(1)], np.eye(8, dtype=np.float32)[:1], "m", [])
    records.commit(iteration(1, [item(1, task_id="t2")], task_id="t2"), successor)
    assert [one.task_id for one in records.view().items] == ["t2"]
    with pytest.raises(ProjectBusy):
        records.commit(iteration(1, [item(1)]), lease)
    assert {one.item_id for one in records.embeddings()} == {"story-1-12"}


def test_what_it_opens_after_it_woke_is_taken_from_it(records: ProjectRecords, lease: Lease, store: DocumentStore, database: str) -> None:
    successor = taken(store, database, "t2")
    records.settle(successor)
    with pytest.raises(ProjectBusy):
        records.open_iteration("story", 1, lease)
    save(records, successor, 1, [item(1, task_id="t2")])
    assert [one.task_id for one in records.view().items] == ["t2"]


@pytest.mark.parametrize("is_committed", [False, True])
def test_it_clears_nothing_of_its_successor(
    is_committed: bool, records: ProjectRecords, lease: Lease, store: DocumentStore, database: str
) -> None:
    successor = taken(store, database, "t2")
    save(records, successor, 1, [item(1, task_id="t2")], commit=is_committed)
    if not is_committed:
        with pytest.raises(ProjectBusy):
            records.settle(lease)
        records.commit(iteration(1, [item(1, task_id="t2")], task_id="t2"), successor)
    assert [one.task_id for one in records.view().items] == ["t2"]


def test_it_writes_no_score_over_its_successor_s(records: ProjectRecords, lease: Lease, store: DocumentStore, database: str) -> None:
    first = records.save_score(a_score(10), None, lease)
    successor = taken(store, database, "t2")
    records.save_score(a_score(30), first, successor)
    with pytest.raises(ProjectBusy):
        records.save_score(a_score(20), first, lease)
    assert [score.value for score in records.scores()] == [30]
    assert records.save_score(a_score(40), first, successor).value == 40  # somebody else has refreshed it


def test_items_come_by_department_iteration_and_place(records: ProjectRecords, lease: Lease) -> None:
    save(records, lease, 1, [item(1), item(2)])
    save(records, lease, 2, [item(1, 2)])
    save(records, lease, 1, [item(1, 1, "visual")], "visual")
    view = records.view()
    assert [one.id for one in view.items_of("story")] == ["story-1-1", "story-1-2", "story-2-1"]
    assert [one.department for one in view.items] == ["story"] * 3 + ["visual"]


def test_a_view_reads_each_part_once_and_does_not_follow_changes(records: ProjectRecords, lease: Lease) -> None:
    save(records, lease, 1, [item(1)])
    view = records.view()
    assert len(view.items) == 1
    save(records, lease, 2, [item(1, 2)])
    assert len(view.items) == 1
    assert len(records.view().items) == 2


def test_embeddings_come_back_with_what_they_are_of(records: ProjectRecords, lease: Lease) -> None:
    save(records, lease, 1, [item(1), item(2)])
    found = {one.item_id: one for one in records.embeddings("story")}
    assert np.array_equal(np.stack([found["story-1-1"].vector, found["story-1-2"].vector]), np.eye(8, dtype=np.float32)[:2])
    assert found["story-1-1"].content_hash == content_hash(item(1).content)
    assert records.embeddings("visual") == []
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
