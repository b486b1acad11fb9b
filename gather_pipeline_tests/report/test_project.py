"""A project's figures: what was measured, with what people changed since."""

from __future__ import annotations

from pathlib import Path

import pytest

from gather_pipeline.errors import StoreError
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import IngestReport
from gather_pipeline.report.project import brought_up_to_date, project_tables
from gather_pipeline.services import Services
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


def test_figures_are_shown_where_dagster_cannot_be_told_of_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1)])
    studio.run(max_iterations=1)
    said: list[str] = []

    def refuse(services: Services, done: IngestReport) -> None:
        raise StoreError("the Dagster folder cannot be written")

    with brought_up_to_date(studio.services, refuse, said.append):
        assert len(project_tables(studio.services, studio.view).iterations) == 1
    assert said == [] and "the Dagster folder cannot be written" in caplog.text
    studio.close()
