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
        pytest.param([row(codeDepNumber="three")], ["row 1", "codeDepNumber", "'three'", "integer"], id="a word for a number"),
        pytest.param([row(gatherCheck="perhaps")], ["gatherCheck", "'perhaps'"], id="a word for a truth"),
        pytest.param([row(coordinationSettings={"minQualityThreshold": 0})], ["minQualityThreshold", "0"], id="threshold 0"),
        pytest.param([row(), row(slug="b", coordinationSettings={"minQualityThreshold": 150})], ["row 2", "150"], id="threshold 150"),
        pytest.param([row(name="\u200b\u2060")], ["field name is missing"], id="a name that nobody sees"),
        pytest.param({"docs": [row()], "totalDocs": 12}, ["1 of 12", "limit=0"], id="a first page"),
        pytest.param({"data": {"Departments": {"docs": [row()], "hasNextPage": True}}}, ["one page"], id="a first page of GraphQL"),
        pytest.param({"errors": [{"message": "You are not allowed"}]}, ["a refusal of the CMS", "not allowed"], id="a refusal"),
        pytest.param([row(description={"en": {"a": 1}})], ["field description is {'a': 1}"], id="a mapping that is no rich text"),
        pytest.param([[["x"] * 9] * 9], ["row 1 is [['x', 'x',", "..."], id="a row too large to show"),
        pytest.param([row(coordinationSettings={"maxIterations": 0})], ["maxIterations", "0"], id="no iterations"),
        pytest.param([row(slug="Story|Two")], ["slug", "'Story|Two'", "a-z"], id="a slug that no partition key could be"),
        pytest.param(["story"], ["row 1", "'story'", "mapping"], id="a row that is no mapping"),
        pytest.param({"departments": "story"}, ["holds 'story', expected a list of departments"], id="a list that is none"),
        pytest.param(None, ["holds none, expected a list of departments"], id="an empty file"),
        pytest.param({"story": row(), "sound": row()}, ["a mapping of story, sound, expected a list"], id="a mapping by slug"),
        pytest.param([row(coordinationSettings={"aspects": {"one": 1}})], ["aspects is 1, expected a list"], id="one aspect that is none"),
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


PARAGRAPH = {"type": "paragraph", "children": [{"text": "Plot of "}, {"type": "link", "children": [{"text": "acts"}]}]}
LEXICAL = {"root": {"type": "root", "children": [PARAGRAPH, {"type": "paragraph", "children": [{"text": "Theme"}]}]}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": 2, "codeDepNumber": "3", "name": 2024}, {"id": "2", "codeDepNumber": 3, "name": "2024"}),
        ({"gatherCheck": 0, "isActive": "false"}, {"gatherCheck": False, "isActive": False}),
        ({"slug": " story\n", "code_dep_number": 4, "Description": "Plot"}, {"slug": "story", "codeDepNumber": 4, "description": "Plot"}),
        ({"coordination_settings": {"min_quality_threshold": "70"}}, {"threshold": 70}),
        ({"description": None, "codeDepNumber": None, "gatherCheck": None, "defaultModel": None}, {"description": "", "gatherCheck": True}),
        ({"name": {"de": "Geschichte", "en": "Story"}, "isActive": {"en": False}}, {"name": "Story", "isActive": False}),
        ({"name": {"de": "Geschichte", "en": None}}, {"name": "Geschichte"}),
        ({"description": LEXICAL}, {"description": "Plot of acts\nTheme", "aspects": ("Plot of acts", "Theme")}),
        ({"description": [PARAGRAPH]}, {"description": "Plot of acts"}),
        ({"coordinationSettings": {"minQualityThreshold": "82.5", "aspects": None}}, {"threshold": 82.5, "aspects": ("Story Department",)}),
        (
            {"coordinationSettings": {"aspects": [{"id": "a1", "aspect": "ending"}, None, {"aspect": {"en": "theme"}}]}},
            {"aspects": ("ending", "theme")},
        ),
        ({"coordinationSettings": {"aspects": "ending, theme"}}, {"aspects": ("ending", "theme")}),
        ({"coordinationSettings": {"aspects": "an end, at last\ntheme"}}, {"aspects": ("an end, at last", "theme")}),
        ({"_status": "draft"}, {"isActive": False}),
        ({"_status": "published", "deletedAt": "2026-11-20"}, {"isActive": False}),
    ],
)  # fmt: skip
def test_a_row_of_the_cms_is_read_as_any_database_gives_it(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    (department,) = parse_departments({"docs": [row(**fields)], "totalDocs": 1, "hasNextPage": False}, "file")
    assert {name: getattr(department, name) for name in expected} == expected


def test_a_draft_without_what_a_department_needs_is_left_out() -> None:
    rows = [row(), {"id": 2, "slug": None, "name": None, "_status": "draft"}]
    assert [one.slug for one in parse_departments(rows, "file")] == ["story"]


def test_a_rich_text_that_aliases_blow_up_is_refused() -> None:
    text: dict[str, Any] = {"children": [{"text": "x"}] * 9}
    for _ in range(20):
        text = {"children": [text] * 9}
    with pytest.raises(InvalidInput, match="field description is") as refusal:
        parse_departments([row(description=text)], "file")
    assert len(str(refusal.value)) < 500


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
