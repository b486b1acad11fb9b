"""What is counted of a note by itself is kept: whoever scores next takes it, and it follows its text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gather_pipeline.people.edit import People, Texts
from gather_pipeline.quality.analysis import analyse, key_of
from gather_pipeline.records.marks import MARKS
from gather_pipeline.upkeep.analyses import Analyses
from gather_pipeline.upkeep.refresh import Upkeep
from gather_pipeline.upkeep.standing import project_standings
from gather_pipeline_tests.harness import BRIEF, PROJECT, Studio, department_row


def test_a_refresh_after_an_edit_counts_the_edited_note_alone(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=2)])
    studio.run()
    items = studio.view.items_of("story")
    assert {row["_id"]: row["_version"] for row in studio.documents("analyses")} == {item.id: 1 for item in items}
    People(studio.services).edit(items[0].id, Texts(content="Ada winds the clock eleven times."), "ana", project_id=PROJECT)
    (done,) = Upkeep(studio.services, PROJECT).refresh(["story"])
    assert done.score.changed
    written = {row["_id"]: row["_version"] for row in studio.documents("analyses")}
    assert written == {item.id: 1 + (item.id == items[0].id) for item in items}
    studio.close()


def test_what_is_kept_reads_back_as_it_was_counted_and_never_for_another_text_or_brief(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    studio.run()
    items = studio.view.items_of("story")
    first = replace(items[0], content="In the winter of 1974 ada Brandt, 34, should hide 12.5 hours in the tower. Ada hides.")
    capital = replace(first, content=first.content.replace("ada", "Ada"))  # the same content hash
    for wanted, brief in ((first, BRIEF), (capital, BRIEF), (capital, "A film about a lamp.")):
        made = Analyses(studio.records, brief).of("story", [wanted])
        assert made == Analyses(studio.records, brief).of("story", [wanted]) == [analyse(wanted.content, brief)]
    assert len({key_of(first.content, BRIEF), key_of(capital.content, BRIEF), key_of(capital.content, "")}) == 3
    studio.close()


def test_a_standing_is_told_without_a_look_at_the_items_where_nothing_can_have_changed(tmp_path: Path) -> None:
    """Nobody touched the department since, or so long before its items were read that the change was done by then."""
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1), department_row("visual", 2, most=1)])
    studio.run()
    project, services = studio.services.projects.get(PROJECT), studio.services
    untouched = studio.view
    found = project_standings(services, untouched, project)
    assert "placed" not in vars(untouched)
    services.marks.set(PROJECT, "visual")
    touched = studio.view
    assert project_standings(services, touched, project) == found
    assert "placed" in vars(touched), "a mark of just now may be of a change that is not done yet"
    before = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    services.store.update(services.settings.mongodb_db, MARKS, f"{PROJECT}|visual", {"at": before})
    settled = studio.view
    assert project_standings(services, settled, project) == found
    assert "placed" not in vars(settled)
    assert [one.items for one in found] == [len(studio.view.items_of(slug)) for slug in ("story", "visual")]
    studio.close()


def test_a_view_is_shared_until_somebody_writes(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    studio.run()
    first = studio.services.view(PROJECT)
    assert studio.services.view(PROJECT) is first
    assert first.part("story").items == first.items
    People(studio.services).delete(first.items[0].id, "ana", project_id=PROJECT)
    assert studio.services.view(PROJECT).items == first.items[1:]
    studio.close()


def test_a_view_after_a_write_beside_the_items_reads_none_of_them_again(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    studio.run()
    first = studio.services.view(PROJECT)
    assert len(first.embeddings) == len(first.items)
    studio.records.drop_embeddings([first.items[0].id])
    again = studio.services.view(PROJECT)
    assert again.items is first.items
    assert len(again.embeddings) == len(first.items) - 1
    studio.close()
