"""What people do to items is kept, version by version, and nobody's work is lost to another's."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.decisions import DecidedText, Decision
from gather_pipeline.domain.items import Item, NewItem, distinct_pairs
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import EditConflict, InvalidInput, StoreError, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import Clock
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.records.marks import Mark
from gather_pipeline.records.project import ITEMS, ProjectRecords
from gather_pipeline_tests.counting import CountingStore
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.samples import Dial


@pytest.fixture
def studio(written: Path, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(shutil.copytree(written, tmp_path / "home"))
    yield studio
    studio.close()


def desk(studio: Studio, clock: Clock | None = None) -> People:
    return People(replace(studio.services, clock=clock) if clock else studio.services)


def first(studio: Studio) -> Item:
    return studio.view.items_of("story")[0]


def write(studio: Studio, content: str, slug: str = "story") -> Item:
    return desk(studio).add(PROJECT, slug, Texts(content=content), "ana")


def test_an_edit_keeps_the_version_before_it_and_says_who_made_each(studio: Studio) -> None:
    before = first(studio)
    after = desk(studio).edit(before.id, Texts(content="The tower keeps the hour. Nobody may climb it."), "ana")
    assert after == first(studio) == desk(studio).find(before.id)
    assert (after.summary, after.revision, after.written_by) == ("The tower keeps the hour.", 2, "ana")
    assert [(one.revision, one.action, one.by, one.content) for one in after.history()] == [
        (1, "generated", "scripted", before.content),
        (2, "edited", "ana", after.content),
    ]
    assert after.provenance == before.provenance


def test_an_edit_that_changes_nothing_makes_no_version(studio: Studio) -> None:
    item = first(studio)
    assert desk(studio).edit(item.id, Texts(content=f" {item.content} "), "ana") == item
    assert first(studio) == item


def test_a_deleted_item_is_out_of_sight_and_comes_back_whole(studio: Studio) -> None:
    item = first(studio)
    desk(studio).delete(item.id, "ana")
    assert item.id not in studio.state()
    with pytest.raises(InvalidInput, match=f"item {item.id} is deleted.*gather item restore {item.id}"):
        desk(studio).edit(item.id, Texts(content="Something else."), "ben")
    assert desk(studio).delete(item.id, "ben").revision == 2
    back = desk(studio).restore(item.id, "ben")
    assert studio.state()[item.id] == item.content
    assert [one.action for one in back.history()] == ["generated", "deleted", "restored"]


def test_the_second_of_two_edits_is_told_who_was_quicker(studio: Studio) -> None:
    item = first(studio)
    desk(studio).edit(item.id, Texts(content="Ana's words."), "ana", revision=1)
    with pytest.raises(EditConflict, match=f"item {item.id} was edited by ana at .*revision 2.*after the revision 1"):
        desk(studio).edit(item.id, Texts(content="Ben's words."), "ben", revision=1)
    assert first(studio).content == "Ana's words."
    with pytest.raises(InvalidInput, match="revision is 9, expected one of item"):
        desk(studio).edit(item.id, Texts(content="Ben's words."), "ben", revision=9)


def test_an_edit_wins_over_rules_that_were_dropping_the_item_meanwhile(studio: Studio) -> None:
    item, version = studio.records.item(first(studio).id) or pytest.fail("no item")
    studio.records.change_item(item.changed("dropped", "duplicate rules", "now", state="dropped"), version)
    after = desk(studio).edit(item.id, Texts(content="It stays, in my words."), "ana", revision=1)
    assert after.is_active
    assert [one.action for one in after.history()] == ["generated", "dropped", "edited"]


def test_an_added_item_is_seen_at_once_and_survives_the_clearing_of_a_killed_run(studio: Studio) -> None:
    item = write(studio, "The mayor owns the only key.")
    lease = studio.services.leases.lease(PROJECT, Owner.this_process("t"), 30)
    with holding(lease):
        assert studio.records.settle(lease) == 0
    assert studio.state()[item.id] == "The mayor owns the only key."
    assert (item.origin, item.written_by, item.summary) == ("person", "ana", "The mayor owns the only key.")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (Texts(content="  "), "content is empty, expected at least a word"),
        (Texts(content="\u200b\u2060\x00"), "content is empty, expected at least a word"),
        (Texts(content="x" * 20_001), "content has 20001 characters, expected at most 20000"),
        (Texts(content="Fine.", summary=" "), "summary is empty"),
        (Texts(), "content is missing"),
    ],
)
def test_a_wrong_text_is_refused_and_nothing_is_written(studio: Studio, texts: Texts, said: str) -> None:
    before = studio.state()
    with pytest.raises(InvalidInput, match=said):
        desk(studio).add(PROJECT, "story", texts, "ana")
    assert studio.state() == before


def test_a_text_saved_with_other_line_ends_is_the_same(studio: Studio) -> None:
    item = write(studio, "One.\r\nTwo.")
    assert item.content == "One.\nTwo."
    assert desk(studio).edit(item.id, Texts(content="One.\rTwo.\r\n"), "ben").revision == 1


def test_what_is_not_there_is_named_with_what_is(studio: Studio) -> None:
    with pytest.raises(UnknownEntity, match="department is 'storys', expected one of story, visual, music"):
        write(studio, "A note.", "storys")
    with pytest.raises(UnknownEntity, match="item is 'nothing', expected the id of an item of any project"):
        desk(studio).edit("nothing", Texts(content="A note."), "ana")
    with pytest.raises(UnknownEntity, match="item is 'nothing'"):
        desk(studio).restore("nothing", "ana")


@pytest.mark.parametrize("id", ["", "f" * 513])
def test_an_id_that_no_document_may_have_is_no_item_s(id: str, studio: Studio) -> None:
    with pytest.raises(UnknownEntity, match="item is .*, expected the id of an item of any project"):
        desk(studio).find(id)


def test_an_item_of_an_iteration_that_was_never_committed_is_not_there(studio: Studio) -> None:
    ghost = Item(
        id="ghost", department="story", iteration=7, task_id="t", project_id=PROJECT, content="Half done.", summary="Half", context=""
    )
    studio.services.store.insert_many(project_database(PROJECT), ITEMS, [ghost.to_document()])
    with pytest.raises(UnknownEntity):
        desk(studio).edit("ghost", Texts(content="Mine."), "ana")


def test_a_restored_drop_becomes_an_item_and_the_pair_is_remembered(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path / "other", body=ScriptedModel(duplicate_rate=0.5))
    studio.run(max_iterations=12)
    drop = next(drop for drop in studio.view.dropped if drop.decision.match_id)
    item = desk(studio).restore(drop.item_id, "ana")
    assert studio.state()[drop.item_id] == drop.text.content
    assert item.provenance == drop.text.provenance
    assert [(one.match_id, one.rule, one.by) for one in item.overruled] == [(drop.decision.match_id, drop.decision.rule, "ana")]
    assert frozenset(item.overruled[0].hashes) in distinct_pairs(studio.view.everything)
    studio.close()


def test_a_drop_that_two_people_restore_at_once_is_one_item(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    text = NewItem(content="The mayor waits.", summary="The mayor waits.", context="")
    decision = Decision(duplicate=True, rule="exact", similarity=1.0)
    named = {"key": "d1", "item_id": "a" * 24, "department": "story", "iteration": 1, "place": 0, "rules_version": "1"}
    studio.records.record_drops([DecidedText(text=text, decision=decision, **named)])
    store, insert = studio.services.store, studio.services.store.insert_many

    def late(*args: Any) -> None:
        monkeypatch.undo()
        desk(studio).restore("a" * 24, "ben")
        insert(*args)

    monkeypatch.setattr(store, "insert_many", late)
    assert desk(studio).restore("a" * 24, "ana").written_by == "ben"
    assert studio.state()["a" * 24] == "The mayor waits."


def test_a_project_whose_database_is_damaged_hides_no_item_of_another(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    for id in ("pepper", "zest"):
        studio.services.projects.create("Another", "A brief.", id)
    item = desk(studio).add("zest", "story", Texts(content="Of the newest film."), "ana")
    (zest,) = studio.services.settings.home.rglob(f"{project_database('zest')}.sqlite3")
    zest.with_name(f"{project_database('pepper')}.sqlite3").write_bytes(b"no database")
    assert desk(studio).edit(item.id, Texts(content="Of the very newest film."), "ana").revision == 2
    assert "Items of project pepper are left out" in caplog.text
    with pytest.raises(StoreError):
        desk(studio).find(item.id, "pepper")


def test_of_two_times_that_an_item_was_set_aside_the_last_one_is_overruled(studio: Studio) -> None:
    item, second, third = (write(studio, f"The mayor owns key {n}.") for n in (1, 2, 3))
    for other in (second, third):
        desk(studio).mark_same(item.id, other.id, "ana")
        item = desk(studio).restore(item.id, "ben")
    assert [(one.match_id, one.by) for one in item.overruled] == [(second.id, "ben"), (third.id, "ben")]


def test_of_two_people_who_at_once_keep_the_other_s_item_one_is_told_who_was_quicker(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = write(studio, "The mayor owns the key."), write(studio, "Of the key the mayor is the owner.")
    change = ProjectRecords.change_item

    def late(records: ProjectRecords, item: Item, version: int) -> None:
        if item.state == "dropped":
            monkeypatch.undo()
            desk(studio).mark_same(other.id, one.id, "ben")
        change(records, item, version)

    monkeypatch.setattr(ProjectRecords, "change_item", late)
    with pytest.raises(EditConflict, match=f"item {other.id} was dropped by ben at .*gather item show {other.id}"):
        desk(studio).mark_same(one.id, other.id, "ana")
    with pytest.raises(EditConflict, match="was dropped by ben"):  # also where she began after he had ended
        desk(studio).mark_same(one.id, other.id, "ana")
    assert (studio.state().get(one.id), studio.state().get(other.id)) == (one.content, None)


def test_two_threads_never_drop_both_of_a_pair(studio: Studio) -> None:
    def mark(pair: tuple[str, str]) -> bool:
        try:
            desk(studio).mark_same(*pair, "ana")
        except EditConflict:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        for n in range(5):
            one, other = (write(studio, f"The mayor owns key {n} of {m}.").id for m in range(2))
            dropped = sum(threads.map(mark, [(one, other), (other, one)]))
            assert dropped + len({one, other} & studio.state().keys()) == 2
            assert dropped <= 1


def test_a_drop_by_a_person_is_no_less_a_change_than_an_edit(studio: Studio) -> None:
    one, other = write(studio, "The mayor owns the key."), write(studio, "Of the key the mayor is the owner.")
    desk(studio).mark_same(one.id, other.id, "ben")
    with pytest.raises(EditConflict, match=f"item {one.id} was dropped by ben"):
        desk(studio).edit(one.id, Texts(content="The mayor owns two keys."), "ana", revision=1)


def test_what_no_store_could_keep_is_cleaned_out_of_a_text(studio: Studio) -> None:
    item = write(studio, " The bell\x00 has no clapper\ud800. ")
    assert (item.content, item.summary) == ("The bell has no clapper\ufffd.", "The bell has no clapper\ufffd.")
    assert desk(studio).find(item.id) == item


def test_a_change_costs_four_store_operations_and_one_more_a_project_where_its_item_is_looked_for(studio: Studio) -> None:
    for n in range(3):
        studio.services.projects.create("Another", "Another brief.", f"another-{n}")
    store = CountingStore(studio.services.store)
    people, item = People(replace(studio.services, store=store)), first(studio)
    people.edit(item.id, Texts(content="The tower keeps the hour."), "ana", project_id=PROJECT)
    assert store.calls == {"get": 2, "upsert": 1, "update": 1}
    store.calls.clear()
    people.delete(item.id, "ana")
    assert store.calls == {"find": 1, "get": 2, "upsert": 1, "update": 1}  # the projects, oldest first
    store.calls.clear()
    studio.services.projects.create("The newest", "A brief.", "newest")
    note = People(replace(studio.services, store=store)).add("newest", "story", Texts(content="Of the newest film."), "ana")
    store.calls.clear()
    people.edit(note.id, Texts(content="Of the very newest film."), "ana")
    assert (store.reads, store.writes, store.total) == (1 + 4 + 1, 2, 8)


def test_a_clock_that_goes_back_is_told_and_versions_keep_their_order(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    item, dial = first(studio), Dial("2031-01-01T00:00:00+00:00")
    desk(studio, dial).edit(item.id, Texts(content="Written in the year 2031."), "ana")
    dial.time = "2001-01-01T00:00:00+00:00"
    with caplog.at_level(logging.WARNING):
        after = desk(studio, dial).edit(item.id, Texts(content="Written when the clock had gone back."), "ben")
    assert "The clock says 2001-01-01" in caplog.text
    assert [one.revision for one in after.history()] == [1, 2, 3]
    assert first(studio).content == "Written when the clock had gone back."


def test_every_change_sets_its_department_s_mark_and_nothing_else_does(studio: Studio) -> None:
    marks = studio.services.marks
    found, cursor = marks.since("")
    assert found == []
    item = write(studio, "The mayor owns the only key.", "visual")
    found, cursor = marks.since(cursor)
    assert found == [Mark(project_id=PROJECT, department="visual")]
    desk(studio).edit(item.id, Texts(content=item.content), "ana")
    assert marks.since(cursor)[0] == []
    desk(studio).delete(item.id, "ana")
    desk(studio).restore(item.id, "ana")
    found, cursor = marks.since(cursor)
    assert found == [Mark(project_id=PROJECT, department="visual")]
    studio.run(departments=("music",), max_iterations=1)
    assert marks.since(cursor)[0] == []


def test_items_are_found_in_whichever_project_they_are(studio: Studio) -> None:
    people = desk(studio)
    studio.services.projects.create("Another", "Another brief.", "another")
    item = people.add("another", "story", Texts(content="Of the other film."), "ana")
    assert people.find(item.id).project_id == "another"
    with pytest.raises(UnknownEntity, match=f"of project {PROJECT}"):
        people.find(item.id, PROJECT)
    with pytest.raises(UnknownEntity, match="project id is 'pepper', expected one of"):
        people.find(item.id, "pepper")
    assert studio.services.project("another").view().items_of("story") == [item]
