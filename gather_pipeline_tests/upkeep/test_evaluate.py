"""The evaluation and the draft of a department, held to the items that they were made for (S001-TEST-09)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.errors import UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.records.project import DRAFTS, EMBEDDINGS, ITEMS, SCORES
from gather_pipeline.upkeep.draft import draft_department
from gather_pipeline.upkeep.embed import embed_department
from gather_pipeline.upkeep.evaluate import evaluate_department
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    studio.run(enable_auto_evaluation=False)
    yield studio
    studio.close()


def edit_first(studio: Studio) -> None:
    first = studio.repository.items("story")[0]
    studio.services.store.update(studio.repository.database, ITEMS, first.id, {"content": "Ada oils the tower clock with 3 drops at dawn."})


def test_an_evaluation_takes_the_score_that_the_loop_gave_for_the_same_items(studio: Studio) -> None:
    calls = studio.model.calls
    row = evaluate_department(studio.services, PROJECT, "story", auto_triggered=True, user_id="u", task_id="t")
    assert row["value"] == studio.repository.iterations("story")[-1].score
    assert (row["department_number"], row["auto_triggered"], row["user_id"], row["reached"]) == (1, True, "u", False)
    assert studio.model.calls == calls


def test_an_evaluation_is_left_alone_while_nothing_changed_and_made_anew_when_an_item_did(studio: Studio) -> None:
    first = evaluate_department(studio.services, PROJECT, "story", auto_triggered=True)
    again = evaluate_department(studio.services, PROJECT, "story", auto_triggered=False)
    assert (first["unchanged"], again["unchanged"]) == (False, True)
    assert again["evaluated_at"] == first["evaluated_at"]
    edit_first(studio)
    anew = evaluate_department(studio.services, PROJECT, "story", auto_triggered=False)
    assert not anew["unchanged"]
    assert anew["data_version"] != first["data_version"]


def test_an_evaluation_gives_the_same_score_inside_a_running_event_loop(studio: Studio) -> None:
    edit_first(studio)

    async def inside() -> dict[str, Any]:
        return evaluate_department(studio.services, PROJECT, "story", auto_triggered=False)

    row = asyncio.run(inside())
    assert not row["unchanged"]
    studio.services.store.delete(studio.repository.database, SCORES, {})
    assert evaluate_department(studio.services, PROJECT, "story", auto_triggered=False)["value"] == row["value"]


def test_a_department_without_items_is_scored_zero_with_a_reason(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1)])
    row = evaluate_department(studio.services, PROJECT, "story", auto_triggered=False)
    assert row["value"] == 0
    assert all(part["reasons"] for part in row["parts"].values())
    studio.close()


def test_an_unknown_department_is_named(studio: Studio) -> None:
    for call in (
        lambda: evaluate_department(studio.services, PROJECT, "musik", auto_triggered=False),
        lambda: draft_department(studio.services, PROJECT, "musik"),
    ):
        with pytest.raises(UnknownEntity, match="'musik'.*story"):
            call()


def test_a_draft_proposes_every_item_and_waits_for_review(studio: Studio) -> None:
    draft = draft_department(studio.services, PROJECT, "story")
    items = studio.repository.items("story")
    assert draft["unchanged"] is True
    assert draft["status"] == "pending"
    assert draft["item_ids"] == [item.id for item in items]
    assert all(item.summary in draft["text"] for item in items)
    edit_first(studio)
    assert draft_department(studio.services, PROJECT, "story")["unchanged"] is False


def test_without_notes_nothing_is_proposed_and_a_draft_of_notes_that_are_gone_is_withdrawn_once(studio: Studio) -> None:
    desk = People(studio.services.store, studio.services.main_database, studio.services.clock)
    for item in studio.repository.items("story"):
        desk.delete(item.id, "ana")
    draft = draft_department(studio.services, PROJECT, "story")
    assert (draft["status"], draft["text"], draft["item_ids"], draft["unchanged"]) == ("withdrawn", "", [], False)
    assert draft_department(studio.services, PROJECT, "story")["unchanged"]
    studio.services.store.delete(studio.repository.database, DRAFTS, {})
    assert draft_department(studio.services, PROJECT, "story") == {"unchanged": True}
    assert studio.repository.rows(DRAFTS) == []


def test_an_item_edited_and_then_deleted_before_the_refresh_leaves_no_embedding(studio: Studio) -> None:
    desk = People(studio.services.store, studio.services.main_database, studio.services.clock)
    first, *others = (item.id for item in studio.repository.items("story"))
    desk.edit(first, Texts(content="Ada oils the tower clock with 3 drops at dawn."), "ana")
    desk.delete(first, "ana")
    embed_department(studio.services, PROJECT, "story")
    assert sorted(row["item_id"] for row in studio.repository.rows(EMBEDDINGS)) == sorted(others)


def test_what_a_persons_text_sets_aside_keeps_no_embedding(studio: Studio) -> None:
    desk = People(studio.services.store, studio.services.main_database, studio.services.clock)
    repeated = studio.repository.items("story")[0]
    desk.add(PROJECT, "story", Texts(content=repeated.content + "!"), "ana", studio.services.departments)
    assert embed_department(studio.services, PROJECT, "story")["set_aside"] == ["story"]
    assert sorted(row["item_id"] for row in studio.repository.rows(EMBEDDINGS)) == sorted(
        item.id for item in studio.repository.items("story")
    )


def test_embeddings_are_made_for_new_and_for_changed_texts_only(studio: Studio) -> None:
    items = len(studio.repository.items("story"))
    assert embed_department(studio.services, PROJECT, "story") == {
        "items": items,
        "embeddings": items,
        "added": 0,
        "model": "hashing-256",
        "dimensions": 256,
        "set_aside": [],
    }
    studio.services.store.delete(studio.repository.database, EMBEDDINGS, {"item_id": studio.repository.items("story")[0].id})
    assert embed_department(studio.services, PROJECT, "story")["added"] == 1
    edit_first(studio)
    embed_department(studio.services, PROJECT, "story")
    assert len(studio.repository.vectors(studio.repository.items("story"), "hashing-256")) == items
