"""A change redoes what it touches and nothing else; what people wrote stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.items import Item
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.upkeep.checks import every_item_has_provenance, no_duplicate_stored
from gather_pipeline.upkeep.refresh import Refreshed, Upkeep
from gather_pipeline.upkeep.standing import Standing, standings
from gather_pipeline_tests.harness import BRIEF, PROJECT, THREE, Studio, department_row

OTHER_BRIEF = BRIEF.replace("eleven days", "two days")


@pytest.fixture
def studio(ran_home: Path, tmp_path: Path) -> Iterator[Studio]:
    """A project after its run."""
    studio = Studio.open(Path(shutil.copytree(ran_home, tmp_path / "ran")))
    yield studio
    studio.close()


def desk(studio: Studio) -> People:
    return People(studio.services)


def refresh(studio: Studio, *slugs: str) -> list[Refreshed]:
    return Upkeep(studio.services, PROJECT).refresh(slugs)


def standing(studio: Studio) -> dict[str, Standing]:
    services = studio.services
    found = standings(services, studio.view, services.projects.get(PROJECT), services.departments.departments())
    return {one.department: one for one in found}


def stale(studio: Studio) -> dict[str, tuple[str, ...]]:
    return {slug: state.reasons for slug, state in standing(studio).items() if state.is_stale}


def change_department(studio: Studio, slug: str, **fields: Any) -> None:
    rows = [{**row, **fields} if row["slug"] == slug else dict(row) for row in THREE]
    studio.services.settings.departments.write_text(yaml.safe_dump(rows), encoding="utf-8")


def change_brief(studio: Studio) -> None:
    studio.services.projects.update(PROJECT, brief=OTHER_BRIEF, by="ana")


def test_nothing_is_stale_after_a_run_and_everything_is_scored(studio: Studio) -> None:
    assert stale(studio) == {}
    assert not any(state.unscored for state in standing(studio).values())


def test_a_changed_brief_makes_every_department_stale_and_the_next_run_adds_to_them(studio: Studio) -> None:
    before = studio.state()
    change_brief(studio)
    assert stale(studio) == dict.fromkeys(("story", "visual", "music"), ("the project's name or brief changed",))
    studio.run("task-2")
    assert stale(studio) == {}
    assert before.items() < studio.state().items()


def test_the_brief_before_is_kept_with_who_changed_it(studio: Studio) -> None:
    change_brief(studio)
    projects = studio.services.projects
    assert projects.get(PROJECT).brief == OTHER_BRIEF
    assert [(one.brief, one.by) for one in projects.earlier(PROJECT)] == [(BRIEF, "ana")]
    assert projects.update(PROJECT, brief=OTHER_BRIEF) == (projects.get(PROJECT), False)


SETTINGS = dict(THREE[1]["coordinationSettings"])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "Look Department"}, "the department's name changed"),
        ({"description": "Everything that is seen."}, "the department's description changed"),
        ({"coordinationSettings": SETTINGS | {"aspects": ["light", "colour"]}}, "the department's aspects changed"),
        ({"coordinationSettings": SETTINGS | {"minQualityThreshold": 98}}, "the department's threshold changed"),
    ],
)
def test_a_changed_department_is_stale_alone_and_names_what_changed(studio: Studio, fields: dict[str, Any], reason: str) -> None:
    change_department(studio, "visual", **fields)
    assert stale(studio) == {"visual": (reason,)}


def test_a_changed_model_is_named(studio: Studio) -> None:
    state = standing(studio)["music"]
    assert not state.is_stale
    services = replace(studio.services, resolve_model=lambda model: "vendor/other")
    other = Studio(services=services, model=studio.model)
    assert stale(other)["music"] == ("the model changed from scripted to vendor/other",)


def test_one_changed_department_costs_as_many_calls_as_prompts_used_it_and_none_changed_costs_none(tmp_path: Path) -> None:
    rows = [department_row(slug, place, most=1) for place, slug in enumerate(("story", "visual", "music"), 1)]
    studio = Studio.open(tmp_path, rows)
    studio.run()
    prompts = [request for request in studio.model.requests if "Visual Department" in str(request.messages)]
    asked = studio.model.calls
    studio.run("task-2")
    assert studio.model.calls == asked
    rows[1] = rows[1] | {"description": "Everything that is seen."}
    studio.services.settings.departments.write_text(yaml.safe_dump(rows), encoding="utf-8")
    studio.run("task-3")
    assert studio.model.calls - asked == len(prompts) == 5
    studio.close()


def test_an_edit_makes_those_stale_whose_prompts_used_the_item_and_taking_it_back_makes_them_fresh(studio: Studio) -> None:
    item = studio.view.items_of("story")[0]
    users = {slug for slug in ("story", "visual", "music") if any(item.id in one.inputs.context for one in studio.view.history(slug)[-1:])}
    assert users
    desk(studio).edit(item.id, Texts(content="Nobody in Lindau owns a watch that runs."), "ana")
    assert set(stale(studio)) == users
    assert {reason for reasons in stale(studio).values() for reason in reasons} == {f"item {item.id}, which its prompts used, was edited"}
    assert {slug for slug, state in standing(studio).items() if state.unscored} == {"story"}
    desk(studio).edit(item.id, Texts(content=item.content, summary=item.summary), "ana")
    assert stale(studio) == {}
    assert not any(state.unscored for state in standing(studio).values())


def test_a_refresh_embeds_the_edited_item_scores_its_department_and_asks_no_model(studio: Studio) -> None:
    calls, item = studio.model.calls, studio.view.items_of("visual")[0]
    others = {slug: studio.view.scores[slug] for slug in ("story", "music")}
    desk(studio).edit(item.id, Texts(content="The tower is lit from below by the mayor's car, always at the same angle."), "ana")
    (done,) = refresh(studio, "visual")
    assert (done.embedded, done.score.changed, done.draft.changed) == (1, True, True)
    assert studio.model.calls == calls
    assert {slug: studio.view.scores[slug] for slug in others} == others
    assert not standing(studio)["visual"].unscored
    (again,) = refresh(studio, "visual")
    assert (again.embedded, again.score.changed, again.draft.changed) == (0, False, False)


def test_a_neighbour_that_repeats_what_a_person_wrote_is_set_aside_and_can_be_restored(studio: Studio) -> None:
    target, mine = studio.view.items_of("visual")[0], studio.view.items_of("story")[0]
    desk(studio).edit(mine.id, Texts(content=target.content), "ana")
    done = refresh(studio, "story")
    assert [(one.department, one.score.changed) for one in done] == [("story", True), ("visual", True)]
    assert studio.state()[mine.id] == target.content
    assert target.id not in studio.state()
    assert next(one.decision.match_id for one in studio.view.dropped if one.item_id == target.id) == mine.id
    assert no_duplicate_stored(studio.view.items, studio.view.items).passed
    desk(studio).restore(target.id, "ben")
    refresh(studio, "story", "visual")
    assert {mine.id, target.id} <= studio.state().keys()
    assert no_duplicate_stored(studio.view.items, studio.view.items).passed
    assert every_item_has_provenance(studio.view.items).passed


def test_a_person_s_item_is_never_dropped_though_it_repeats_another_person_s(studio: Studio) -> None:
    people = desk(studio)
    one, two = (people.add(PROJECT, "story", Texts(content="The mayor owns the only key to the tower."), who) for who in ("ana", "ben"))
    refresh(studio, "story")
    assert {one.id, two.id} <= studio.state().keys()
    assert no_duplicate_stored(studio.view.items, studio.view.items).passed


def test_no_run_generates_again_what_a_person_wrote(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path / "first", [department_row("story", 1, most=1)])
    studio.run()
    texts = [item.content for item in studio.view.items]
    other = Studio.open(tmp_path / "second", [department_row("story", 1, most=1)])
    mine = desk(other).add(PROJECT, "story", Texts(content=texts[0]), "ana")
    other.run()
    assert [item.id for item in other.view.items if item.content == texts[0]] == [mine.id]
    assert mine.id in {one.decision.match_id for one in other.view.dropped}
    studio.close()
    other.close()


def test_a_dropped_text_that_was_restored_is_not_dropped_again(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, body=ScriptedModel(duplicate_rate=0.5))
    studio.run()
    drop = next(one for one in studio.view.dropped if one.decision.match_id)
    item = desk(studio).restore(drop.item_id, "ana")
    refresh(studio, "story", "visual", "music")
    studio.run("task-2")
    assert studio.state()[item.id] == drop.text.content
    assert drop.decision.match_id in studio.state()
    studio.close()


def test_an_edit_made_while_a_run_works_is_in_its_next_prompts(tmp_path: Path) -> None:
    rows = [department_row("story", 1), department_row("visual", 2, most=6)]
    studio = Studio.open(tmp_path, rows, script_latency_s=0.4)
    text = "Ada burns the ledger of the tower at dawn."

    def edit(event: Event) -> None:
        if (event.type, event.fields.get("department"), event.fields.get("iteration")) == ("iteration_complete", "visual", 1):
            desk(studio).edit(studio.view.items_of("story")[-1].id, Texts(content=text), "ana")

    studio.run(progress=edit)
    last = "\n".join(message.content for request in studio.model.requests[-5:] for message in request.messages)
    assert text in last
    assert text in studio.state().values()
    studio.close()


def test_deleted_items_are_made_up_for_where_quality_fell_below_the_threshold(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, threshold=40, most=3)])
    ended = studio.run().summary[0]
    assert ended.ended_by == "threshold"
    for item in studio.view.items:
        desk(studio).delete(item.id, "ana")
    assert standing(studio)["story"].unscored
    refresh(studio, "story")
    assert any("its quality fell from" in reason for reason in standing(studio)["story"].reasons)
    again = studio.run("task-2").summary[0]
    assert (again.ended_by, again.items_created > 0) == ("threshold", True)
    assert studio.run("task-3").summary[0].ended_by == "unchanged"
    studio.close()


def test_a_department_that_people_filled_to_its_threshold_needs_no_model(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, threshold=5)])
    desk(studio).add(
        PROJECT,
        "story",
        Texts(
            content="The opening shows Ada on the 311 steps of the tower at 05:40; she winds the clock eleven times with a brass crank and "
            "chalks each turn on a slate."
        ),
        "ana",
    )
    result = studio.run()
    assert (studio.model.calls, result.summary[0].ended_by, result.summary[0].iterations) == (0, "threshold", 0)
    assert result.summary[0].quality_score is not None
    studio.close()


def test_a_department_that_left_the_list_keeps_its_items_and_comes_back_as_it_was(studio: Studio) -> None:
    items = studio.view.items_of("visual")
    studio.services.settings.departments.write_text(yaml.safe_dump([dict(THREE[0]), dict(THREE[2])]), encoding="utf-8")
    studio.run("task-2")
    assert studio.view.items_of("visual") == items
    assert {one.slug: one.retired for one in studio.view.departments} == {
        "story": False,
        "visual": True,
        "music": False,
    }
    studio.services.settings.departments.write_text(yaml.safe_dump([dict(row) for row in THREE]), encoding="utf-8")
    calls = studio.model.calls
    studio.run("task-3")
    assert studio.model.calls == calls
    assert [one.retired for one in studio.view.departments] == [False, False, False]


def test_new_iterations_number_on_from_imported_items(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    item = Item(
        id="0" * 24,
        department="story",
        iteration=4,
        task_id="t",
        project_id=PROJECT,
        content="Imported.",
        summary="Imported.",
        context="",
        created_at="2026-01-01",
        origin="imported",
        written_by="ana",
    )
    studio.records.add_items([item])
    studio.run()
    assert [iteration.number for iteration in studio.view.history("story")] == [5]
    assert studio.state()[item.id] == "Imported."
    studio.close()


def test_only_what_is_missing_is_embedded(studio: Studio) -> None:
    texts: list[str] = []

    class Watching:
        name = studio.services.embedder.name

        def embed(self, asked: Any) -> Any:
            texts.extend(asked)
            return studio.services.embedder.embed(asked)

    services = replace(studio.services, embedder=Watching())
    item = studio.view.items_of("story")[0]
    desk(studio).edit(item.id, Texts(content="One new sentence for the story."), "ana")
    assert Upkeep(services, PROJECT).embed("story").added == 1
    assert texts == ["One new sentence for the story."]
    texts.clear()
    assert Upkeep(services, PROJECT).embed("story").added == 0
    assert texts == []
