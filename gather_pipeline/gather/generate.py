"""Generates the items of one iteration: one call an aspect in parallel, as the department's model can do it best (S001-GEN).

A remote model gets the task `gather_item` (or `gather_items_batch`, several items a call) and answers in JSON. The embedded model gets
`gather_note`: a text from a given opening, a few candidates of which the best is kept; its summary and context are made by code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.items import NewItem
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.errors import DeadlineReached, GatherError, OutputInvalid, Stopped
from gather_pipeline.gather.ladder import Plan
from gather_pipeline.gather.prompt_context import PromptContext
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.writers import notes
from gather_pipeline.gather.writers.openings import opening
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.runner import TaskResult, TaskRunner
from gather_pipeline.text.names import find_names
from gather_pipeline.text.sentences import summary_line
from gather_pipeline.upkeep.inputs import definition_for

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Harvest:
    """What an iteration's calls have brought so far; filled while they run, so that an interruption loses nothing.

    Attributes:
        items: Usable items by the place of their aspect, one or more.
        faults: What went wrong, one sentence a call.
        unavailable: The faults that were no answer at all, as against an answer that did not fit.
        calls: Calls that came to an end.
    """

    items: dict[int, list[NewItem]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    unavailable: list[GatherError] = field(default_factory=list)
    calls: int = 0

    def in_order(self) -> list[NewItem]:
        """The items in the order of their aspects."""
        return [item for place in sorted(self.items) for item in self.items[place]]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One iteration's work for one department."""

    department: Department
    iteration: int
    plan: Plan
    model: str
    fallback_models: Sequence[str]
    context: PromptContext

    def seed(self, place: int, candidate: int = 0) -> int:
        """A seed of its own for every call, the same on a rerun."""
        return (self.iteration * 100 + place) * 10 + candidate + 1

    def tags(self, session: Session, aspect: str) -> dict[str, Any]:
        """What the execution's record is found by."""
        return {
            "project_id": session.project.id,
            "department": self.department.slug,
            "iteration": self.iteration,
            "automation_task_id": session.task_id,
            "aspect": aspect,
        }


async def generate_content_batch(session: Session, work: Assignment, runner: TaskRunner, harvest: Harvest) -> Stopped | None:
    """Makes the calls of one iteration, at most `GATHER_CONCURRENCY` at once, into the harvest.

    Returns:
        The reason to stop the run where one came up meanwhile; what was finished by then is in the harvest.
    """
    gate = asyncio.Semaphore(session.services.settings.concurrency)
    size = session.services.settings.items_per_call if work.model != EMBEDDED else 1
    groups = [(place, work.plan.aspects[place : place + size]) for place in range(0, len(work.plan.aspects), size)]

    async def slot(place: int, aspects: Sequence[str]) -> None:
        async with gate:
            try:
                session.control.check_budget()
                harvest.items[place] = await _items(session, work, runner, place, aspects)
            except GatherError as error:
                _note_fault(session, work, harvest, error)
        harvest.calls += 1
        session.announcer.tick(
            {"type": "progress", "department": work.department.slug, "phase": "generate", "done": harvest.calls, "total": len(groups)}
        )

    tasks = [asyncio.create_task(slot(place, aspects)) for place, aspects in groups]
    try:
        reason = await session.control.watch(tasks)
    finally:
        for task in tasks:
            task.cancel()
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Stopped):
            reason = reason or error
        elif error is not None:
            raise error
    return reason


def _note_fault(session: Session, work: Assignment, harvest: Harvest, error: GatherError) -> None:
    if isinstance(error, Stopped):
        raise error
    harvest.faults.append(str(error))
    if not isinstance(error, OutputInvalid):
        harvest.unavailable.append(error)
    logger.error("[AutoGather] A call for department %s failed: %s", work.department.slug, error, extra={TOLD_BY_EVENT: True})
    session.announcer.announce("model_fault", department=work.department.slug, error=str(error), model=work.model, iteration=work.iteration)


async def _items(session: Session, work: Assignment, runner: TaskRunner, place: int, aspects: Sequence[str]) -> list[NewItem]:
    if work.model == EMBEDDED:
        return [await _note(session, work, runner, place, aspects[0])]
    task = definition_for(session.services.settings, work.model)
    asked = {"aspects": list(aspects), "count": len(aspects)} if task == "gather_items_batch" else {"aspect": aspects[0]}
    call = runner.run(
        task,
        _inputs(session, work) | asked,
        model=work.model,
        conditions=("longer",) if work.plan.longer else (),
        temperature=work.plan.temperature,
        seed=work.seed(place),
        fallback_models=work.fallback_models,
        tags=work.tags(session, ", ".join(aspects)),
    )
    (result,) = await _within_time(session, [call])
    if isinstance(result, GatherError):
        raise result
    rows = result.output["items"] if task == "gather_items_batch" else [result.output]
    return [_item(row, aspects[min(index, len(aspects) - 1)], work, result.execution) for index, row in enumerate(rows)]


def _inputs(session: Session, work: Assignment) -> dict[str, Any]:
    return {
        "project_name": session.project.name,
        "brief": work.context.brief,
        "department_name": work.department.name,
        "department_description": work.department.description,
        "own_items": work.context.own,
        "predecessors": work.context.predecessors,
        "brain": work.context.brain,
        "avoid": work.context.avoid,
    }


async def _note(session: Session, work: Assignment, runner: TaskRunner, place: int, aspect: str) -> NewItem:
    """The best of a few candidates of the embedded model; one usable candidate is enough."""
    names = find_names(session.project.brief)
    # Every department begins elsewhere in the templates and names, so that their first notes do not all begin alike.
    begin = opening(names, aspect, work.iteration * 3 + place + crc32(work.department.slug.encode()))
    inputs = {
        "project_name": session.project.name,
        "brief_digest": " ".join([work.context.brief, *work.context.predecessors]),
        "department_name": work.department.name,
        "aspect": aspect,
        "opening": begin,
    }
    calls = [
        runner.run(
            "gather_note",
            inputs,
            model=work.model,
            temperature=work.plan.temperature,
            seed=work.seed(place, candidate),
            tags=work.tags(session, aspect),
        )
        for candidate in range(session.services.settings.candidates)
    ]
    results = await _within_time(session, calls)
    usable = [result for result in results if isinstance(result, TaskResult) and notes.is_usable(result.output)]
    if not usable:
        for result in results:
            if isinstance(result, GatherError):
                raise result
        raise OutputInvalid(f"none of {len(results)} candidates on the {aspect} was a whole sentence of at least {notes.MIN_WORDS} words")
    texts = [notes.tidy(result.output) for result in usable]
    best = notes.best_of(texts, aspect, session.project.brief, session.vectors_of(work.department.slug), session.services.embedder)
    row = {
        "content": texts[best],
        "summary": summary_line(texts[best]),
        "context": notes.context(texts[best], work.department, aspect, names),
    }
    return _item(row, aspect, work, usable[best].execution)


async def _within_time(session: Session, calls: Sequence[Coroutine[Any, Any, TaskResult]]) -> list[TaskResult | GatherError]:
    """Runs calls together for the rest of the run's time and no longer, retries included (C26); what came in time is kept."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        await asyncio.wait(tasks, timeout=max(0.0, session.control.remaining_s()))
    finally:
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
    outcomes: list[TaskResult | GatherError] = []
    for task in tasks:
        if task.cancelled():
            outcomes.append(DeadlineReached("the time given is spent"))
        elif isinstance(error := task.exception(), GatherError):
            outcomes.append(error)
        else:
            outcomes.append(task.result())
    return outcomes


def _item(row: Mapping[str, str], aspect: str, work: Assignment, execution: Execution) -> NewItem:
    model = execution.models_used[-1]
    return NewItem(
        content=row["content"].strip(),
        summary=row["summary"].strip(),
        context=row["context"].strip(),
        aspect=aspect,
        provenance={
            "generated_by": model,
            "model": model,
            "task": execution.task_id,
            "task_version": execution.task_version,
            "definition_hash": execution.definition_hash,
            "prompt_id": execution.prompt_id,
            "prompt_hash": execution.prompt_hash,
            "execution_id": execution.id,
            "parameters": dict(execution.parameters),
            "context_items": dict(work.context.used),
        },
    )
