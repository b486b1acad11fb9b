"""What is told of an item's versions, of what its prompt had, and of dropped texts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gather_pipeline.domain.decisions import DecidedText, Decision
from gather_pipeline.domain.items import NewItem
from gather_pipeline.errors import UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.history import DroppedText, ItemHistory, drops_of, history_of
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

UNKNOWN = "0" * 24


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Two departments that have run; tests change items of their own choice."""
    studio = Studio.open(tmp_path_factory.mktemp("ran"), [department_row("story", 1, most=2), department_row("visual", 2, most=1)])
    studio.run()
    yield studio
    studio.close()


def of_item(studio: Studio, id: str) -> ItemHistory:
    history = history_of(studio.services, id)
    assert isinstance(history, ItemHistory)
    return history


def test_each_version_names_the_texts_that_it_changed(ran: Studio) -> None:
    item = ran.view.items_of("story")[0]
    People(ran.services).edit(item.id, Texts(content="Ada burns the ledger.", aspect="ending"), "bo")
    People(ran.services).delete(item.id, "ana")
    versions = of_item(ran, item.id).versions
    assert [(one.revision.action, one.revision.by, one.changed) for one in versions] == [
        ("generated", "scripted", ()),
        ("edited", "bo", ("content", "summary", "aspect")),
        ("deleted", "ana", ()),
    ]
    assert versions[0].revision.content == item.content


def test_what_a_prompt_had_is_told_as_it_is_now(ran: Studio) -> None:
    user = next(item for item in ran.view.items_of("visual") if len(item.provenance["context_items"]) > 2)
    used = of_item(ran, user.id).context_items
    as_it_was = [one.id for one in used if one.state == "as it was"]
    People(ran.services).edit(as_it_was[0], Texts(content="Nobody comes."), "ana")
    People(ran.services).delete(as_it_was[1], "ana")
    now = {one.id: one for one in of_item(ran, user.id).context_items}
    assert list(now) == list(user.provenance["context_items"])
    assert (now[as_it_was[0]].state, now[as_it_was[0]].summary) == ("edited", "Nobody comes.")
    assert now[as_it_was[1]].state == "deleted"


def test_a_text_that_was_dropped_is_found_by_the_id_that_brings_it_back(ran: Studio) -> None:
    text = NewItem(content="The mayor waits.", summary="The mayor waits.", context="")
    decision = Decision(duplicate=True, rule="embedding", similarity=0.9, match_content="The mayor is waiting.", reason="it is near")
    decided = DecidedText(
        key="d1", item_id="a" * 24, department="story", iteration=1, place=0, text=text, decision=decision, rules_version="1"
    )
    ran.records.record_drops([decided])
    dropped = history_of(ran.services, decided.item_id)
    assert isinstance(dropped, DroppedText)
    assert (dropped.project_id, dropped.drop.content, dropped.drop.rule) == (PROJECT, decided.text.content, decided.decision.rule)
    People(ran.services).restore(decided.item_id, "ana")
    restored = of_item(ran, decided.item_id)
    assert [drop.restored_by for drop in restored.drops] == ["ana"]
    assert [one.rule for one in restored.item.overruled] == [decided.decision.rule]


def test_an_item_that_was_set_aside_without_a_decision_is_listed_by_its_own_history(ran: Studio) -> None:
    gone = ran.view.items_of("visual")[-1].changed("dropped", "duplicate rules", "2026-01-01", note="like another", state="dropped")
    (drop,) = drops_of([], [gone])
    assert (drop.item_id, drop.rule, drop.reason, drop.match_id, drop.similarity) == (gone.id, "set aside", "like another", None, None)


def test_what_is_neither_an_item_nor_a_dropped_text_is_named(ran: Studio) -> None:
    for project_id in (None, PROJECT):
        with pytest.raises(UnknownEntity, match=UNKNOWN):
            history_of(ran.services, UNKNOWN, project_id)
