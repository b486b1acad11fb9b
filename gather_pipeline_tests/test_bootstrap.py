"""The composition root: a state folder that is none is refused, and a project's figures are put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from gather_pipeline.bootstrap import ingest_metrics, open_store, project_tables
from gather_pipeline.errors import StoreError
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.settings import load_settings
from gather_pipeline.upkeep.refresh import refresh_departments_of
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


def test_a_state_folder_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("not a folder", encoding="utf-8")
    with pytest.raises(StoreError, match=r"GATHER_HOME is '.*home', expected a folder"):
        open_store(load_settings(home=file))


def test_a_project_s_figures_have_the_score_that_an_edit_left(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, threshold=20)])
    studio.run()
    services = studio.services
    ingest_metrics(services.settings)
    desk = People(services.store, services.main_database, services.clock)
    for item in studio.repository.items("story")[1:]:
        desk.delete(item.id, "ana")
    desk.edit(studio.repository.items("story")[0].id, Texts(content="Hm."), "ana")
    (was,) = project_tables(services.settings, services.store, PROJECT).to_dict()["departments"]
    (refreshed,) = refresh_departments_of(services, PROJECT, ["story"], task_id="t")
    (row,) = project_tables(services.settings, services.store, PROJECT).to_dict()["departments"]
    assert (was["reached"], row["reached"]) == (True, False)
    assert row["quality"] == refreshed.quality < 20 < was["quality"]
    assert row["iterations"] == was["iterations"]
    studio.close()
