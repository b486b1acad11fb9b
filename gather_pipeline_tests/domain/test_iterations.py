"""A department's work is redone only where something that its prompts used has changed, and the reason is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.iterations import Fingerprint, Iteration, current, digest, fingerprint, is_finished, newest_quality
from gather_pipeline_tests.samples import a_quality, a_score, an_iteration

DEPARTMENT = Department.model_validate(
    {"slug": "story", "name": "Story", "description": "Plot", "coordinationSettings": {"aspects": ["plot"]}}
)


def inputs(**changes: Any) -> Fingerprint:
    values = {"project_name": "P", "brief": "B", "department": DEPARTMENT, "model": "m", "definition_hash": "d"} | changes
    return fingerprint(**values)


def iteration(**changes: Any) -> Iteration:
    return an_iteration(**{"inputs": replace(inputs(), context={"item": "hash"}), "generated": 5, "ended_by": "threshold"} | changes)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (inputs(brief="other"), "the project's name or brief changed"),
        (inputs(project_name="other"), "the project's name or brief changed"),
        (inputs(model="other"), "the model changed from m to other"),
        (inputs(definition_hash="other"), "the task definition changed"),
        (inputs(department=DEPARTMENT.model_copy(update={"name": "Plot"})), "the department's name changed"),
        (inputs(department=DEPARTMENT.model_copy(update={"description": "More"})), "the department's description changed"),
    ],
)
def test_each_change_is_told_by_its_reason(now: Fingerprint, reason: str) -> None:
    assert [one.reason for one in iteration().inputs.differences(now, {"item": "hash"})] == [reason]


def test_a_field_that_reaches_no_prompt_changes_nothing() -> None:
    moved = DEPARTMENT.model_copy(update={"codeDepNumber": 9, "id": "cms-id", "defaultModel": "resolved elsewhere"})
    assert iteration().inputs.differences(inputs(department=moved), {"item": "hash"}) == []


def test_a_context_item_that_changed_or_went_makes_the_work_stale() -> None:
    (edited,) = iteration().inputs.differences(inputs(), {"item": "other"})
    assert (edited.cause, edited.reason) == ("items", "item item, which its prompts used, was edited")
    (deleted,) = iteration().inputs.differences(inputs(), {})
    assert deleted.reason == "item item, which its prompts used, was deleted"


def test_an_item_that_no_prompt_used_does_not() -> None:
    assert iteration().inputs.differences(inputs(), {"item": "hash", "newer": "x"}) == []


@pytest.mark.parametrize("ended_by", ["threshold", "maxIterations", "stagnation"])
def test_a_department_that_ended_by_its_own_rule_is_finished(ended_by: Any) -> None:
    assert is_finished([iteration(ended_by=ended_by)], inputs(), {"item": "hash"})


@pytest.mark.parametrize("ended_by", ["share", "budget", "deadline", None])
def test_a_department_that_the_run_cut_short_is_not(ended_by: Any) -> None:
    assert not is_finished([iteration(ended_by=ended_by)], inputs(), {"item": "hash"})


def test_a_department_without_history_or_with_changed_inputs_is_not_finished() -> None:
    assert not is_finished([], inputs(), {})
    assert not is_finished([iteration()], inputs(brief="other"), {"item": "hash"})


def test_only_iterations_with_unchanged_inputs_count_on() -> None:
    old, new = iteration(inputs=inputs(brief="old")), iteration(number=2)
    assert current([old, new], inputs(), {"item": "hash"}) == [new]


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": "é"}) == digest({"b": "é", "a": 1})
    assert len(digest("\ud800")) == 16


def test_several_changed_items_are_one_reason_that_names_the_first() -> None:
    used = replace(inputs(), context={"b": "1", "a": "1", "c": "1"})
    (difference,) = used.differences(inputs(), {"b": "2", "c": "1"})
    assert difference.reason == "2 items that its prompts used were edited or deleted, a among them"


def test_the_newest_quality_of_a_judged_department_moves_by_what_edits_changed_without_the_judge() -> None:
    last = iteration(quality=a_quality(80.0, scorer="text-statistics+judge", unjudged=50.0), ended_at="2026-01-01T00:00:00Z")
    edited = a_score(52.0, data_version="edited", evaluated_at="2026-01-02T00:00:00Z")
    assert newest_quality(last, edited) == 82.0
    assert (
        newest_quality(last, None) == newest_quality(last, a_score(80.0, quality=last.quality, evaluated_at="2026-01-02T00:00:00Z")) == 80.0
    )
    assert newest_quality(last, replace(edited, evaluated_at="2025-12-31T00:00:00Z")) == 80.0  # of before the iteration
    assert newest_quality(None, edited) == 52.0
    assert newest_quality(None, None) is None
