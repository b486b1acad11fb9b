"""A project's figures: what was measured, with what people changed since."""

from __future__ import annotations

from pathlib import Path

from gather_pipeline.people.edit import People, Texts
from gather_pipeline.report.project import project_tables
from gather_pipeline.upkeep.refresh import Upkeep
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


def test_a_project_s_figures_have_the_score_that_an_edit_left(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, threshold=20)])
    studio.run()
    services = studio.services
    services.metrics.ingest()
    first, *others = studio.view.items_of("story")
    desk = People(services)
    for item in others:
        desk.delete(item.id, "ana")
    desk.edit(first.id, Texts(content="Hm."), "ana")
    (was,) = project_tables(services, studio.view).to_dict()["departments"]
    (refreshed,) = Upkeep(services, PROJECT).refresh(["story"])
    (row,) = project_tables(services, studio.view).to_dict()["departments"]
    assert (was["reached"], row["reached"]) == (True, False)
    assert row["quality"] == refreshed.score.value.value < 20 < was["quality"]
    assert row["iterations"] == was["iterations"]
    studio.close()
