"""What people do to items is kept, version by version, and nobody's work is lost to another's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.domain.items import Item
from gather_pipeline.errors import EditConflict, InvalidInput, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import Clock
from gather_pipeline.records.marks import Touched
from gather_pipeline.records.project import ITEMS, GatherRepository
from gather_pipeline.records.registry import Runs
from gather_pipeline_tests.harness import PROJECT, Studio


class Dial:
    """A clock that shows what it is set to."""

    def __init__(self, now: str) -> None:
        self.time = now

    def now(self) -> str:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return None


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path)
    studio.run(max_iterations=1, departments=("story",))
    yield studio
    studio.close()


def desk(studio: Studio, clock: Clock | None = None) -> People:
    return People(studio.services.store, studio.services.main_database, clock or studio.services.clock)


def first(studio: Studio) -> Item:
    return studio.repository.items("story")[0]


def write(studio: Studio, content: str, slug: str = "story") -> Item:
    return desk(studio).add(PROJECT, slug, Texts(content=content), "ana", studio.services.departments)


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
    item, version = studio.repository.item(first(studio).id) or pytest.fail("no item")
    studio.repository.change_item(item.changed("dropped", "duplicate rules", "now", state="dropped"), version)
    after = desk(studio).edit(item.id, Texts(content="It stays, in my words."), "ana", revision=1)
    assert after.is_active
    assert [one.action for one in after.history()] == ["generated", "dropped", "edited"]


def test_an_added_item_is_seen_at_once_and_survives_the_clearing_of_a_killed_run(studio: Studio) -> None:
    item = write(studio, "The mayor owns the only key.")
    assert studio.repository.clear_uncommitted() == 0
    assert studio.state()[item.id] == "The mayor owns the only key."
    assert (item.origin, item.written_by, item.summary) == ("person", "ana", "The mayor owns the only key.")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (Texts(content="  "), "content is empty, expected at least a word"),
        (Texts(content="a\x00b"), "content has a NUL character at 1"),
        (Texts(content="a\ud800b"), r"content has '\\ud800', no character, at 1, expected plain text"),
        (Texts(content="x" * 20_001), "content has 20001 characters, expected at most 20000"),
        (Texts(content="Fine.", summary=" "), "summary is empty"),
        (Texts(), "content is missing"),
    ],
)
def test_a_wrong_text_is_refused_and_nothing_is_written(studio: Studio, texts: Texts, said: str) -> None:
    before = studio.state()
    with pytest.raises(InvalidInput, match=said):
        desk(studio).add(PROJECT, "story", texts, "ana", studio.services.departments)
    assert studio.state() == before


def test_what_is_not_there_is_named_with_what_is(studio: Studio) -> None:
    with pytest.raises(UnknownEntity, match="department is 'storys', expected one of story, visual, music"):
        write(studio, "A note.", "storys")
    with pytest.raises(UnknownEntity, match="item is 'nothing', expected the id of an item of any project"):
        desk(studio).edit("nothing", Texts(content="A note."), "ana")
    with pytest.raises(UnknownEntity, match="item is 'nothing'"):
        desk(studio).restore("nothing", "ana")
    for id in ("", "f" * 513):
        with pytest.raises(UnknownEntity, match="item is .*, expected the id of an item of any project"):
            desk(studio).find(id)
        with pytest.raises(UnknownEntity, match="expected the task_id that gather run printed"):
            Runs(studio.services.store, studio.services.main_database, studio.services.clock).get(id)


def test_an_item_of_an_iteration_that_was_never_committed_is_not_there(studio: Studio) -> None:
    ghost = Item(
        id="ghost", department="story", iteration=7, task_id="t", project_id=PROJECT, content="Half done.", summary="Half", context=""
    )
    studio.services.store.insert_many(studio.repository.database, ITEMS, [ghost.to_document()])
    with pytest.raises(UnknownEntity):
        desk(studio).edit("ghost", Texts(content="Mine."), "ana")


def test_a_restored_drop_becomes_an_item_and_the_pair_is_remembered(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path / "other")
    studio.run(max_iterations=12)
    row = next(row for row in studio.repository.dropped() if row["match_id"])
    item = desk(studio).restore(row["item_id"], "ana")
    assert studio.state()[row["item_id"]] == row["content"]
    assert item.provenance == row["automation"]
    assert [(one.match_id, one.rule, one.by) for one in item.overruled] == [(row["match_id"], row["rule"], "ana")]
    assert frozenset(item.overruled[0].hashes) in studio.repository.distinct_pairs()
    studio.close()


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
    touched = Touched(studio.services.store, studio.services.main_database, studio.services.clock)
    marks, cursor = touched.since("")
    assert marks == []
    item = write(studio, "The mayor owns the only key.", "visual")
    marks, cursor = touched.since(cursor)
    assert [(mark.project_id, mark.department, mark.is_open) for mark in marks] == [(PROJECT, "visual", False)]
    desk(studio).delete(item.id, "ana")
    desk(studio).restore(item.id, "ana")
    assert len(touched.since(cursor)[0]) == 1
    studio.run(departments=("music",), max_iterations=1)
    assert touched.since(touched.since(cursor)[1])[0] == []


def test_items_are_found_in_whichever_project_they_are(studio: Studio) -> None:
    other = studio.services.main_database
    people = desk(studio)
    from gather_pipeline.records.registry import Projects

    Projects(studio.services.store, other, studio.services.clock).create("Another", "Another brief.", "another")
    item = people.add("another", "story", Texts(content="Of the other film."), "ana", studio.services.departments)
    assert people.find(item.id).project_id == "another"
    with pytest.raises(UnknownEntity, match=f"of project {PROJECT}"):
        people.find(item.id, PROJECT)
    assert GatherRepository(studio.services.store, "another").items("story") == [item]
