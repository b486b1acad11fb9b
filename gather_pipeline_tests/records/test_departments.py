"""Departments of a project: asked from the source each time, remembered when they leave (S001-TEST-02)."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gather_pipeline.domain.departments import to_automate
from gather_pipeline.errors import InvalidInput
from gather_pipeline.records.departments import store_departments
from gather_pipeline_tests.harness import THREE, Studio, department_row


def test_a_source_without_any_department_to_run_is_refused(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("off", 1, isActive=False)])
    with pytest.raises(InvalidInput, match="gatherCheck and isActive"):
        to_automate(studio.services.departments.departments())
    studio.close()


def test_a_department_that_left_is_retired_and_comes_back_and_an_unchanged_one_is_not_written(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, THREE)

    def store() -> None:
        store_departments(studio.view, to_automate(studio.services.departments.departments()))

    def rows() -> dict[str, tuple[bool, int]]:
        return {row["_id"]: (row["retired"], row["_version"]) for row in studio.documents("departments")}

    store()
    assert rows() == {"story": (False, 1), "visual": (False, 1), "music": (False, 1)}
    store()
    assert {version for _, version in rows().values()} == {1}
    file = studio.services.settings.departments
    file.write_text(yaml.safe_dump([dict(row) for row in THREE[:2]]), encoding="utf-8")
    store()
    assert rows()["music"] == (True, 2)
    file.write_text(yaml.safe_dump([dict(row) for row in THREE]), encoding="utf-8")
    store()
    assert rows()["music"] == (False, 3)
    studio.close()
