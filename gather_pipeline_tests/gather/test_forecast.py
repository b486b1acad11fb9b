"""What a run will take, held against what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.gather.forecast import PLAYS, Job, Series, Work, foretell, play
from gather_pipeline.gather.past_runs import _to_distil, forecast_run, past_of
from gather_pipeline.tasks.forecast import WIDEST
from gather_pipeline_tests.gather.test_prompt_context import Distilling
from gather_pipeline_tests.harness import BRIEF, PROJECT, Studio, department_row

ROWS = [department_row("story", 1, threshold=99, most=3), department_row("visual", 2, threshold=45), department_row("music", 3, most=1)]


def a_work(**changes: object) -> Work:
    return Work(**{"slug": "story", "aspects": 5, "threshold": 99.0, "most": 2} | changes)  # type: ignore[arg-type]


def a_job(*works: Work, most: int = 50) -> Job:
    return Job(works=works, max_iterations=most, model="m", brief=100)


SERIES = [Series(run=f"r{at}", slug="story", aspects=5, model="m", scores=(40.0 + at, 60.0, 70.0), kept=1.0) for at in range(5)]


def steps_of(job: Job) -> int:
    from random import Random

    return len(play(job, SERIES, Random(1)))


@pytest.mark.parametrize(
    ("work", "most", "iterations"),
    [
        (a_work(most=2), 50, 2),
        (a_work(threshold=10.0), 50, 1),
        (a_work(ended=True), 50, 0),
        (a_work(most=None), 4, 4),
        (a_work(most=3, scores=(40.0, 41.0), score=41.0, number=2), 50, 1),
    ],
)
def test_a_play_ends_a_department_as_the_loop_does(work: Work, most: int, iterations: int) -> None:
    assert steps_of(a_job(work, most=most)) == iterations


def test_what_a_department_leaves_of_its_share_goes_to_the_next() -> None:
    assert steps_of(a_job(a_work(ended=True), a_work(most=None), most=8)) == 8


def test_a_department_that_never_gains_is_stopped_by_the_ladder() -> None:
    flat = [Series(run="r", slug="story", aspects=5, model="m", scores=(50.0,) * 30, kept=1.0)]
    from random import Random

    assert len(play(a_job(a_work(most=None)), flat, Random(1))) == 7


def test_a_job_of_which_nothing_is_known_has_wide_ranges() -> None:
    calls, tokens, seconds, known = foretell(a_job(a_work()), [], [], concurrency=8)
    assert known == 0 and PLAYS > 1
    assert calls.low < 10 < calls.high and tokens.high > 4 * tokens.low and seconds.low > 0


def test_runs_of_other_projects_foretell_the_next_one(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, ROWS)
    for at in range(10):
        studio.services.projects.create(f"The Hour {at}", BRIEF, f"p{at}")
        studio.project_id = f"p{at}"
        studio.run(f"t{at}", departments=tuple(row["slug"] for row in ROWS[at % 2 :]))
    studio.project_id = PROJECT
    forecast = forecast_run(studio.services, AutomationRequest(project_id=PROJECT))
    before = studio.model.calls
    result = studio.run("last")
    assert forecast.known == 10 and forecast.notes == ()
    assert forecast.tokens and forecast.cost and result.tokens is not None
    assert forecast.calls.low <= studio.model.calls - before <= forecast.calls.high
    assert forecast.tokens.low <= result.tokens <= forecast.tokens.high
    assert (forecast.cost.low, forecast.cost.high) == (0, 0)
    for one in (forecast.calls, forecast.tokens, forecast.seconds):
        assert one.low <= one.expected <= one.high <= WIDEST * one.low * (1 + 1e-9)
    nothing = forecast_run(studio.services, AutomationRequest(project_id=PROJECT))
    assert (nothing.calls.high, nothing.seconds.high, nothing.notes) == (0, 0, ("there is nothing to do",))
    braked = forecast_run(studio.services, AutomationRequest(project_id="p1", max_tokens=100))
    assert isinstance(braked.calls.low, int) and braked.calls.low >= 1
    assert braked.tokens and braked.tokens.expected <= 100 and "max_tokens 100" in braked.notes[-1]
    studio.close()


def test_a_brief_that_has_to_be_distilled_is_one_more_call_until_it_is(tmp_path: Path) -> None:
    brief, row = "Ada Brandt repairs clocks in Lindau and has eleven days. " * 60, department_row("story", 1, threshold=99, most=2)
    remote: dict[str, Any] = {"brief": brief, "model": "a/model", "openai_base_url": "http://localhost:9/v1"}
    request = AutomationRequest(project_id=PROJECT)
    whole = Studio.open(tmp_path / "whole", [row], **remote)
    fits = forecast_run(whole.services, request)
    studio = Studio.open(tmp_path / "small", [row], body=Distilling("Ada has eleven days. " * 10), context_tokens=300, **remote)
    forecast = forecast_run(studio.services, request)
    assert fits.tokens and forecast.tokens and [forecast.calls.low, forecast.calls.high] == [fits.calls.low + 1, fits.calls.high + 1]
    assert forecast.tokens.expected < fits.tokens.expected and forecast.seconds.low > fits.seconds.low
    studio.run()
    view, [run] = studio.view, studio.services.runs.of_project(PROJECT)
    made = studio.services.executions.find(project_id=PROJECT)
    known = past_of(studio.services, view, studio.services.projects.get(PROJECT), run, made)
    assert known and run.result and run.result.tokens and known.tokens
    assert known.calls == studio.model.calls - 1 and 0 < known.tokens < run.result.tokens
    assert sum(tokens or 0 for _, tokens in known.steps) == known.tokens
    assert not _to_distil(studio.services, studio.services.projects.get(PROJECT), {"a/model", "scripted"})
    whole.close()
    studio.close()


def test_a_price_that_nobody_names_is_unknown(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, ROWS, model="vendor/model", openai_base_url="http://127.0.0.1:9/v1")
    forecast = forecast_run(studio.services, AutomationRequest(project_id=PROJECT))
    assert forecast.cost is None and "the price of model vendor/model is not known" in forecast.notes[0]
    studio.close()
    studio = Studio.open(tmp_path, ROWS, model="vendor/model", openai_base_url="http://127.0.0.1:9/v1", prices={"vendor/model": (1.0, 2.0)})
    forecast = forecast_run(studio.services, AutomationRequest(project_id=PROJECT))
    assert forecast.cost and forecast.cost.low > 0
    studio.close()
