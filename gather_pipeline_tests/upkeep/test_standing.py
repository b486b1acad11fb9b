"""How departments stand: how far they have come, and which are behind and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gather_pipeline.people.edit import People, Texts
from gather_pipeline.upkeep.refresh import Upkeep
from gather_pipeline.upkeep.standing import Standing, progress, project_standings
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

ROWS = [department_row("story", 1, threshold=20), department_row("visual", 2, most=1), department_row("sound", 3, most=1)]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Two of three departments have run."""
    studio = Studio.open(tmp_path, ROWS)
    studio.run(departments=("story", "visual"))
    yield studio
    studio.close()


def stand(studio: Studio) -> dict[str, Standing]:
    project = studio.services.projects.get(PROJECT)
    return {one.department: one for one in project_standings(studio.services, studio.view, project)}


def test_a_department_is_new_until_it_has_run_and_finished_where_a_rule_ended_it(studio: Studio) -> None:
    found = stand(studio)
    assert [(one.department, one.stage, one.ended_by) for one in found.values()] == [
        ("story", "finished", "threshold"),
        ("visual", "finished", "maxIterations"),
        ("sound", "new", None),
    ]
    assert not any(one.is_stale or one.unscored for one in found.values())
    assert (found["sound"].quality, found["sound"].items) == (None, 0)
    assert found["story"].quality == studio.view.history("story")[-1].score


def test_the_progress_of_a_department_is_its_standing_without_what_is_behind(studio: Studio) -> None:
    department = studio.services.departments.departments()[0]
    now, whole = progress(studio.view, department), stand(studio)["story"]
    names = ("stage", "ended_by", "quality", "judged", "threshold", "iterations", "items", "version")
    assert [getattr(now, name) for name in names] == [getattr(whole, name) for name in names]


def test_an_edit_leaves_a_score_behind_and_a_refresh_scores_it_in_its_quality(studio: Studio) -> None:
    item = studio.view.items_of("story")[0]
    People(studio.services).edit(item.id, Texts(content="No."), "ana")
    edited = stand(studio)
    assert (edited["story"].unscored, edited["visual"].causes) == (True, {"items"})
    assert edited["story"].quality == studio.view.history("story")[-1].score
    Upkeep(studio.services, PROJECT).refresh(["story"])
    refreshed = stand(studio)["story"]
    assert not refreshed.unscored
    assert refreshed.quality is not None and refreshed.quality < studio.view.history("story")[-1].score


def test_a_department_that_left_the_list_comes_last_as_retired_and_is_never_stale(studio: Studio) -> None:
    studio.services.settings.departments.write_text(yaml.safe_dump([row for row in ROWS if row["slug"] != "story"]))
    studio.services.projects.update(PROJECT, brief="Ada has two days.")
    found = stand(studio)
    assert [(one.department, one.stage, one.is_stale) for one in found.values()] == [
        ("visual", "finished", True),
        ("sound", "new", False),
        ("story", "retired", False),
    ]
    assert (found["story"].items, found["visual"].causes) == (len(studio.view.items_of("story")), {"brief"})
