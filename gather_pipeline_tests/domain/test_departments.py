"""Departments come in the CMS's own fields, are checked as a whole and run in their order."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gather_pipeline.domain.departments import Department, in_order, parse_departments, select
from gather_pipeline.errors import InvalidInput, UnknownEntity


def row(**fields: Any) -> dict[str, Any]:
    return {"slug": "story", "name": "Story Department", **fields}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        pytest.param([{"name": "Story"}], ["row 1", "slug", "missing"], id="no slug"),
        pytest.param([row(), row(slug="visual"), row()], ["row 3", "slug", "'story'", "row 1"], id="two of one slug"),
        pytest.param([row(codeDepNumber="3")], ["row 1", "codeDepNumber", "'3'", "integer"], id="a string for a number"),
        pytest.param([row(gatherCheck="yes")], ["gatherCheck", "'yes'"], id="a string for a truth"),
        pytest.param([row(coordinationSettings={"minQualityThreshold": 0})], ["minQualityThreshold", "0"], id="threshold 0"),
        pytest.param([row(), row(slug="b", coordinationSettings={"minQualityThreshold": 150})], ["row 2", "150"], id="threshold 150"),
        pytest.param([row(coordinationSettings={"minQualityThreshold": "80"})], ["minQualityThreshold", "'80'"], id="threshold as text"),
        pytest.param([row(coordinationSettings={"maxIterations": 0})], ["maxIterations", "0"], id="no iterations"),
        pytest.param([row(slug="Story|Two")], ["slug", "'Story|Two'", "a-z"], id="a slug that no partition key could be"),
        pytest.param(["story"], ["row 1", "'story'", "mapping"], id="a row that is no mapping"),
        pytest.param({"departments": "story"}, ["holds 'story', expected a list of departments"], id="a list that is none"),
        pytest.param(None, ["holds none, expected a list of departments"], id="an empty file"),
    ],
)
def test_one_bad_row_refuses_the_whole_list_and_is_named(rows: object, told: list[str]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_departments(rows, "departments.yaml")
    assert "departments.yaml" in str(refusal.value)
    for part in told:
        assert part in str(refusal.value)


def test_an_inactive_bad_row_refuses_the_list_too() -> None:
    with pytest.raises(InvalidInput, match="row 2"):
        parse_departments([row(), row(slug="old", isActive=False, codeDepNumber="x")], "file")


def test_the_envelope_of_the_cms_is_opened() -> None:
    assert [one.slug for one in parse_departments({"docs": [row()], "totalDocs": 1}, "file")] == ["story"]


def test_departments_run_by_number_and_those_without_one_last_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    rows = [row(slug="late"), row(slug="two", codeDepNumber=2), row(slug="one", codeDepNumber=1), row(slug="zero", codeDepNumber=0)]
    with caplog.at_level(logging.WARNING):
        assert [one.slug for one in in_order(parse_departments(rows, "file"))] == ["zero", "one", "two", "late"]
    assert "late" in caplog.text


def test_only_checked_and_active_departments_run() -> None:
    rows = [row(slug="a", gatherCheck=False), row(slug="b", isActive=False), row(slug="c")]
    assert [one.slug for one in in_order(parse_departments(rows, "file"))] == ["c"]


def test_aspects_come_from_the_description_where_none_are_listed() -> None:
    department = Department.model_validate(row(description="Plot, structure and theme of the film."))
    assert department.aspects == ("Plot", "structure", "theme of the film")
    assert Department.model_validate(row()).aspects == ("Story Department",)


def test_the_threshold_is_80_where_the_cms_says_nothing() -> None:
    assert Department.model_validate(row()).threshold == 80
    assert Department.model_validate(row(coordinationSettings=None)).threshold == 80
    assert Department.model_validate(row(coordinationSettings={"minQualityThreshold": 65.5})).threshold == 65.5


def test_an_unknown_slug_names_those_there_are() -> None:
    departments = parse_departments([row(), row(slug="visual")], "file")
    with pytest.raises(UnknownEntity, match="'musik'.*story, visual"):
        select(departments, ["musik"])
    assert [one.slug for one in select(departments, ["visual"])] == ["visual"]
    assert select(departments, []) == departments
