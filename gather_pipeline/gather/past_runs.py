"""A forecast of what a run would take, from the runs of all projects in the store."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import TYPE_CHECKING

from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.automation import AutomationRequest, Run
from gather_pipeline.domain.departments import Department, select, to_automate
from gather_pipeline.domain.iterations import Fingerprint, Iteration, current, is_finished
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.routing import EMBEDDED, SCRIPTED, is_local
from gather_pipeline.errors import StoreError
from gather_pipeline.gather.forecast import COLD_LATENCY_S, Job, Past, Series, Step, Work, foretell
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.tasks.distilling import TASKS
from gather_pipeline.tasks.forecast import KNOWN, Forecast, Range, counted, scaled
from gather_pipeline.text.sentences import first_sentences
from gather_pipeline.upkeep.inputs import chain_of, inputs_of

if TYPE_CHECKING:
    from gather_pipeline.tasks.execution import Execution

DISTILLING = TASKS["brief"]
RUNS = 40  # newest finished runs that a forecast rests on
LATEST = 5  # of them tell the latency and the price of a model
PROMPT_PART = 0.85  # of the tokens of a run, where only a price table tells what a token costs

logger = logging.getLogger(__name__)


def forecast_run(services: Services, request: AutomationRequest) -> Forecast:
    """Calls, tokens, cost and seconds of a run that would start now; zero of one that has nothing to do.

    Raises:
        UnknownEntity: The project or a department is not there.
        InvalidInput: The list of departments is wrong.
    """
    settings = services.settings
    project = services.projects.get(request.project_id)
    chosen = select(to_automate(services.departments.departments()), request.departments)
    view = services.project(project.id).view()
    works = tuple(work_now(view, one, inputs_of(services, project, one)) for one in chosen)
    chains = [chain_of(services, one) for one, work in zip(chosen, works, strict=True) if not work.ended]
    nothing = Range(low=0, expected=0, high=0)
    if not chains:
        return Forecast(calls=nothing, tokens=nothing, cost=nothing, seconds=nothing, known=0, notes=("there is nothing to do",))
    [(chain, _)] = Counter(chains).most_common(1)
    model = chain[0]
    past, series = _read(services)
    alike = [one for one in past if one.job.model == model]
    latency = [one.latency_s for one in alike[-LATEST:]]
    job = Job(
        works=works,
        max_iterations=request.max_iterations,
        model=model,
        brief=_shown(services, project, model),
        chain=len(chain),
        latency_s=settings.script_latency_s if model.partition(":")[0] == SCRIPTED else fmean(latency) if latency else None,
    )
    calls, tokens, seconds, known = foretell(job, past, series, concurrency=settings.concurrency)
    if count := len(_to_distil(services, project, {chain[0] for chain in chains})):
        calls, seconds = _later(calls, count), _later(seconds, count * (COLD_LATENCY_S if job.latency_s is None else job.latency_s))
        tokens = _later(tokens, count * (estimate_tokens(project.brief) + job.brief))
    forecast = Forecast(calls=calls, tokens=tokens, cost=None, seconds=seconds, known=known)
    if alike and all(one.tokens is None for one in alike):
        forecast = replace(forecast, tokens=None, notes=(f"model {model} does not tell its tokens, so tokens and cost are unknown",))
    else:
        price = _price(services, model, alike)
        told = () if price is not None else (f"the price of model {model} is not known, so the cost is unknown (set GATHER_PRICES)",)
        forecast = replace(forecast, cost=None if price is None else scaled(tokens, price), notes=told)
    if known < KNOWN:
        few = f"finished runs known: {known}, so the ranges are wide defaults; from {KNOWN} on they come from the history"
        forecast = replace(forecast, notes=(*forecast.notes, few))
    return _braked(forecast, request, settings.timeout_s)


def _shown(services: Services, project: Project, model: str) -> int:
    """Tokens of the brief that a prompt for a model shows, estimated."""
    size, budget = estimate_tokens(project.brief), services.settings.gather_context_tokens
    if model == EMBEDDED:
        return min(size, estimate_tokens(first_sentences(project.brief)))
    return size if size <= budget else budget if is_local(model) else budget // 2


def _to_distil(services: Services, project: Project, models: set[str]) -> set[str]:
    """Models that will be asked once to shorten the brief: it does not fit into their prompts, and they have not done it yet."""
    if estimate_tokens(project.brief) <= services.settings.gather_context_tokens:
        return set()
    done = services.executions.find(task=DISTILLING, project_id=project.id, status="succeeded")
    return {model for model in models if not is_local(model)} - {one.model for one in done if one.input["text"] == project.brief}


def _later(one: Range, much: float) -> Range:
    return Range(low=one.low + much, expected=one.expected + much, high=one.high + much)


def _price(services: Services, model: str, alike: Sequence[Past]) -> float | None:
    """US dollars of a token, on the average of prompts and answers; None where nothing says."""
    if is_local(model):
        return 0.0
    paid = [one.cost / one.tokens for one in alike if one.cost is not None and one.tokens]
    if paid:
        return median(paid[-LATEST:])
    if model in services.settings.prices:
        asked, answered = services.settings.prices[model]
        return (PROMPT_PART * asked + (1 - PROMPT_PART) * answered) / 1_000_000
    return None


def _braked(forecast: Forecast, request: AutomationRequest, timeout_s: float) -> Forecast:
    """The forecast of a run that its time or a brake ends before its work is done."""
    limits = (("GATHER_TIMEOUT_S", forecast.seconds, timeout_s), ("max_tokens", forecast.tokens, request.max_tokens))
    for name, one, most in (*limits, ("max_cost", forecast.cost, request.max_cost)):
        if one is None or most is None or one.high <= most:
            continue
        part, told = min(1.0, most / one.expected), f"{name} {most:g} may end it before its work is done"
        calls, seconds = counted(scaled(forecast.calls, part)), scaled(forecast.seconds, part)
        tokens, cost = forecast.tokens and counted(scaled(forecast.tokens, part)), forecast.cost and scaled(forecast.cost, part)
        forecast = Forecast(calls=calls, tokens=tokens, cost=cost, seconds=seconds, known=forecast.known, notes=(*forecast.notes, told))
    return forecast


def _read(services: Services) -> tuple[list[Past], list[Series]]:
    """The newest finished runs of all projects, the oldest first, and how all departments went; what cannot be read is left out."""
    projects = services.projects.all()
    done = [run for project in projects for run in services.runs.of_project(project.id) if run.status == "completed"]
    newest = sorted(done, key=lambda run: run.started_at)[-RUNS:]
    found: list[tuple[str, Past]] = []
    series: list[Series] = []
    for project in projects:
        runs = [run for run in newest if run.project_id == project.id]
        try:
            view = services.project(project.id).view()
            series += series_of(view)
            made: dict[str, list[Execution]] = {}
            for one in services.executions.find(project_id=project.id, since=runs[0].started_at) if runs else ():
                made.setdefault(one.tags.get("automation_task_id", ""), []).append(one)
        except StoreError as error:
            logger.warning("[AutoGather] Project %s is left out of the forecast: %s", project.id, error)
            continue
        for run in runs:
            if (one_past := past_of(services, view, project, run, made.get(run.task_id, []))) is not None:
                found.append((run.started_at, one_past))
    return [one for _, one in sorted(found, key=lambda pair: pair[0])], series


def series_of(view: ProjectView) -> list[Series]:
    """How the departments of a project went."""
    aspects = {stored.slug: len(stored.department.aspects) for stored in view.departments}
    found = []
    for slug in dict.fromkeys(one.department for one in view.iterations):
        history = [one for one in view.history(slug) if one.generated]
        if history:
            kept = sum(len(one.item_ids) for one in history) / sum(one.generated for one in history)
            scores = tuple(one.score for one in history)
            first = history[0]
            size = aspects.get(slug, first.generated)
            found.append(Series(run=first.task_id, slug=slug, aspects=size, model=first.model, scores=scores, kept=kept))
    return found


def past_of(services: Services, view: ProjectView, project: Project, run: Run, executions: Sequence[Execution]) -> Past | None:
    """A finished run of a project, None of one that says nothing: it did not end by its rules, or did nothing.

    What shortening the brief took is no part of it.
    """
    result = run.result
    own = [one for one in view.iterations if one.task_id == run.task_id]
    if result is None or run.status != "completed" or not own or any(one.partial for one in own):
        return None
    asked = set(run.request.get("departments") or ())
    stored = [one for one in view.departments if not asked or one.slug in asked]
    extra: Counter[tuple[object, ...]] = Counter()
    for execution in (one for one in executions if one.task_id == DISTILLING):
        extra[execution.tags.get("department"), execution.tags.get("iteration")] += execution.usage.tokens or 0
    works, steps, earlier = [], [], 0
    for one in stored:
        history = view.history(one.slug)
        mine = [each for each in history if each.task_id == run.task_id]
        before = [each for each in history if mine and each.number < mine[0].number]
        items = sum(len(each.item_ids) for each in before)
        works.append(_past_work(one.department, mine, before, items))
        for each in mine:
            tokens = each.tokens and max(0, each.tokens - extra[one.slug, each.number])
            steps.append((Step(notes=max(1, each.generated), own=items, earlier=earlier), tokens))
            items += len(each.item_ids)
        earlier += items
    calls = [call for execution in executions if execution.task_id != DISTILLING for call in execution.calls]
    latencies = [call.latency_s for call in calls if call.latency_s is not None]
    [(model, _)] = Counter(one.model for one in own).most_common(1)
    latency = fmean(latencies) if latencies else 0.0
    return Past(
        id=run.task_id,
        job=Job(
            works=tuple(works),
            max_iterations=int(run.request.get("max_iterations") or 50),
            model=model,
            brief=_shown(services, project, model),
            latency_s=latency,
        ),
        steps=tuple(steps),
        calls=len(calls),
        tokens=(rest := result.tokens and max(0, result.tokens - extra.total())),
        cost=result.cost * rest / result.tokens if result.cost and rest and result.tokens else result.cost,
        seconds=result.processing_time_ms / 1000,
        latency_s=latency,
    )


def _past_work(department: Department, mine: Sequence[Iteration], before: Sequence[Iteration], items: int) -> Work:
    """A department as it stood when a run began."""
    counted = [one for one in before if mine and one.generated and not one.partial and _same(one.inputs, mine[0].inputs)]
    return Work(
        slug=department.slug,
        aspects=len(department.aspects),
        threshold=mine[0].threshold or department.threshold if mine else department.threshold,
        most=department.coordinationSettings.maxIterations,
        number=len(before),
        scores=tuple(one.score for one in counted),
        score=before[-1].score if before else None,
        items=items,
        ended=not mine,
    )


def _same(one: Fingerprint, other: Fingerprint) -> bool:
    return (one.brief, one.department, one.model, one.definition) == (other.brief, other.department, other.model, other.definition)


def work_now(view: ProjectView, department: Department, inputs: Fingerprint) -> Work:
    """A department as a run that starts now would find it."""
    history = view.history(department.slug)
    hashes = view.hashes({id for one in history for id in one.inputs.context})
    counted = [one for one in current(history, inputs, hashes) if not one.partial and one.generated]
    return Work(
        slug=department.slug,
        aspects=len(department.aspects),
        threshold=department.threshold,
        most=department.coordinationSettings.maxIterations,
        number=len(history),
        scores=tuple(one.score for one in counted),
        score=history[-1].score if history else None,
        items=len(view.items_of(department.slug)),
        ended=is_finished(history, inputs, hashes),
    )
