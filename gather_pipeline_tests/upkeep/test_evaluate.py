"""The evaluation and the draft of a department, held to the items that they were made for (S001-TEST-09)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.outcome import Outcome
from gather_pipeline.domain.projects import project_database
from gather_pipeline.domain.quality import Score
from gather_pipeline.errors import StoreError, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import DocumentStore
from gather_pipeline.records.marks import Mark
from gather_pipeline.records.project import ITEMS
from gather_pipeline.upkeep.draft import summarise
from gather_pipeline.upkeep.embed import Embedded
from gather_pipeline.upkeep.refresh import Upkeep
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    studio.run(enable_auto_evaluation=False)
    yield studio
    studio.close()


def upkeep(studio: Studio) -> Upkeep:
    return Upkeep(studio.services, PROJECT)


def evaluate(studio: Studio, *, auto_triggered: bool = False) -> Outcome[Score]:
    return upkeep(studio).evaluate("story", auto_triggered=auto_triggered, task_id="t")


def draft(studio: Studio) -> Outcome[Draft | None]:
    return upkeep(studio).draft("story")


def embed(studio: Studio) -> Embedded:
    return upkeep(studio).embed("story")


def forget(studio: Studio, collection: str, **where: str) -> None:
    studio.services.store.delete(project_database(PROJECT), collection, where)


def edit_first(studio: Studio) -> None:
    first, text = studio.view.items_of("story")[0], "Ada oils the tower clock with 3 drops at dawn."
    studio.services.store.update(project_database(PROJECT), "gather", first.id, {"content": text})


def test_an_evaluation_takes_the_score_that_the_loop_gave_for_the_same_items(studio: Studio) -> None:
    calls = studio.model.calls
    score = evaluate(studio, auto_triggered=True).value
    assert score.value == studio.view.history("story")[-1].score
    assert (score.department_number, score.auto_triggered, score.task_id, score.reached) == (1, True, "t", False)
    assert studio.model.calls == calls


def test_an_evaluation_is_left_alone_while_nothing_changed_and_made_anew_when_an_item_did(studio: Studio) -> None:
    first, again = evaluate(studio), evaluate(studio)
    assert (first.changed, again.changed) == (True, False)
    assert again.value.evaluated_at == first.value.evaluated_at
    edit_first(studio)
    anew = evaluate(studio)
    assert anew.changed
    assert anew.value.data_version != first.value.data_version


def test_an_evaluation_gives_the_same_score_inside_a_running_event_loop(studio: Studio) -> None:
    edit_first(studio)

    async def inside() -> Outcome[Score]:
        return evaluate(studio)

    score = asyncio.run(inside())
    assert score.changed
    forget(studio, "quality_scores")
    assert evaluate(studio).value.value == score.value.value


def test_a_department_without_items_is_scored_zero_with_a_reason(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1)])
    score = evaluate(studio).value
    assert score.value == 0
    assert all(part.reasons for part in score.quality.parts.values())
    studio.close()


def test_an_unknown_department_is_named(studio: Studio) -> None:
    for call in (lambda: upkeep(studio).evaluate("musik", auto_triggered=False), lambda: upkeep(studio).draft("musik")):
        with pytest.raises(UnknownEntity, match="'musik'.*story"):
            call()


def test_a_draft_proposes_every_item_and_waits_for_review(studio: Studio) -> None:
    proposed, items = draft(studio), studio.view.items_of("story")
    assert proposed.changed is False
    assert proposed.value is not None
    assert proposed.value.status == "pending"
    assert proposed.value.item_ids == tuple(item.id for item in items)
    assert all(item.summary in proposed.value.text for item in items)
    edit_first(studio)
    assert draft(studio).changed


def test_the_notes_of_a_draft_are_counted_in_words_that_fit(studio: Studio) -> None:
    (first, second), name = studio.view.items_of("story")[:2], "Story"
    assert summarise(name, [first]).startswith("Story: 1 note on 1 aspect.")
    assert summarise(name, [replace(one, aspect="sea") for one in (first, second)]).startswith("Story: 2 notes on 1 aspect.")


def test_without_notes_nothing_is_proposed_and_a_draft_of_notes_that_are_gone_is_withdrawn_once(studio: Studio) -> None:
    desk = People(studio.services)
    for item in studio.view.items_of("story"):
        desk.delete(item.id, "ana")
    withdrawn = draft(studio)
    assert withdrawn.changed
    assert withdrawn.value is not None
    assert (withdrawn.value.status, withdrawn.value.text, withdrawn.value.item_ids) == ("withdrawn", "", ())
    assert not draft(studio).changed
    forget(studio, "drafts")
    assert draft(studio) == Outcome(value=None, changed=False)
    assert studio.view.drafts == {}


def test_an_item_edited_and_then_deleted_before_the_refresh_leaves_no_embedding(studio: Studio) -> None:
    desk = People(studio.services)
    first, *others = (item.id for item in studio.view.items_of("story"))
    desk.edit(first, Texts(content="Ada oils the tower clock with 3 drops at dawn."), "ana")
    desk.delete(first, "ana")
    embed(studio)
    assert sorted(one.item_id for one in studio.records.embeddings()) == sorted(others)


def test_what_a_persons_text_sets_aside_keeps_no_embedding(studio: Studio) -> None:
    desk = People(studio.services)
    repeated = studio.view.items_of("story")[0]
    desk.add(PROJECT, "story", Texts(content=repeated.content + "!"), "ana")
    assert [item.id for item in embed(studio).set_aside] == [repeated.id]
    assert sorted(one.item_id for one in studio.records.embeddings()) == sorted(item.id for item in studio.view.items_of("story"))


def test_an_imported_note_that_nothing_embedded_yet_is_set_aside_for_a_persons_text(studio: Studio) -> None:
    imported = replace(
        studio.view.items_of("story")[0], id="imported", origin="imported", iteration=0, content="The ferry brings 9 crates of salt."
    )
    studio.records.add_items([imported])
    People(studio.services).add(PROJECT, "story", Texts(content="The ferry brings 9 crates of salt!"), "ana")
    assert [item.id for item in embed(studio).set_aside] == ["imported"]


def test_embeddings_are_made_for_new_and_for_changed_texts_only(studio: Studio) -> None:
    items = studio.view.items_of("story")
    done = embed(studio)
    assert (done.items, done.added, done.set_aside, done.vectors.shape) == (items, 0, [], (len(items), 256))
    forget(studio, "embeddings", item_id=items[0].id)
    assert embed(studio).added == 1
    edit_first(studio)
    assert embed(studio).added == 1
    assert embed(studio).added == 0


def test_a_department_is_marked_before_an_item_of_it_is_set_aside(studio: Studio) -> None:
    repeated, marks = studio.view.items_of("story")[0], studio.services.marks
    People(studio.services).add(PROJECT, "story", Texts(content=repeated.content + "!"), "ana")
    _, cursor = marks.since("")
    killed = replace(studio.services, store=Killed(studio.services.store))
    with pytest.raises(StoreError, match="killed"):
        Upkeep(killed, PROJECT).embed("story")
    assert marks.since(cursor)[0] == [Mark(project_id=PROJECT, department="story")]


class Killed:
    """A store under a program that is killed at the change of an item."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def update(self, database: str, collection: str, *given: Any, **named: Any) -> None:
        if collection == ITEMS:
            raise StoreError("killed")
        self._store.update(database, collection, *given, **named)
