"""Judging by a language model, where there is one: pairs that may say the same, and a department's quality.

Both are task definitions, packaged without verification: a version of a studio's own may ask for a consensus of judges.
`GATHER_JUDGE_MODEL` names the judge; unset, the department's own model judges where it is a remote one; ``none`` switches judging off. The
embedded model never judges.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.routing import EMBEDDED, is_local
from gather_pipeline.errors import BudgetExhausted, GatherError, InvalidInput, Stopped
from gather_pipeline.gather.session import Session
from gather_pipeline.quality.judge import QualityJudge
from gather_pipeline.services import Services
from gather_pipeline.tasks.runner import TaskRunner
from gather_pipeline.upkeep.inputs import chain_of

logger = logging.getLogger(__name__)

PairJudge = Callable[[str, str], Awaitable[float | None]]


def judge_model(setting: str | None, own_model: str, resolve: Callable[[str | None], str]) -> str | None:
    """Which model judges, None for none.

    Args:
        setting: `GATHER_JUDGE_MODEL`.
        own_model: Model that the department generates with.
        resolve: Gives the model that answers for a model id.

    Raises:
        InvalidInput: The embedded model is named as a judge, or would answer in its place.
    """
    if setting == "none":
        return None
    if setting is None:
        return None if is_local(own_model) else own_model
    judge = resolve(setting)
    if judge == EMBEDDED:
        raise InvalidInput.field(
            "GATHER_JUDGE_MODEL", setting, "a model of a configured provider, or 'none': the embedded model never judges"
        )
    return judge


def check_models(services: Services, departments: Sequence[Department]) -> None:
    """Refuses models and judges that could not be asked, before anything is begun.

    Raises:
        InvalidInput: A department's model, `GATHER_MODEL` or `GATHER_JUDGE_MODEL` cannot be served or reached.
    """
    for department in departments:
        own = chain_of(services, department)[0]
        for model in (own, judge_model(services.settings.judge_model, own, services.resolve_model) or own):
            services.check_reach(model)


def pair_judge(session: Session, runner: TaskRunner, model: str, department: Department, iteration: int) -> PairJudge:
    """Asks the task `judge_duplicate` about two notes; a call that failed, or was not waited for, leaves the pair undecided."""

    async def judge(first: str, second: str) -> float | None:
        try:
            output = await _ask(session, runner, "judge_duplicate", {"first": first, "second": second}, model, department, iteration)
        except Stopped:
            return None
        return None if output is None else float(output["probability"])

    return judge


def quality_judge(session: Session, runner: TaskRunner, model: str, iteration: int, on_fault: Callable[[str], None]) -> QualityJudge:
    """Asks the task `judge_quality` about a department's notes, in the order given; a failed call leaves the score unjudged, and is told.

    It raises `Stopped` where the run is to end: no department ends by a score that a cancel kept from being judged.
    """

    async def judge(department: Department, items: Sequence[Item]) -> Mapping[str, object] | None:
        inputs = {
            "project_name": session.project.name,
            "department_name": department.name,
            "department_description": department.description,
            "aspects": list(department.aspects),
            "brief": session.project.brief,
            "notes": [item.content for item in items],
        }
        return await _ask(session, runner, "judge_quality", inputs, model, department, iteration, on_fault)

    return judge


async def _ask(
    session: Session,
    runner: TaskRunner,
    task: str,
    inputs: Mapping[str, object],
    model: str,
    department: Department,
    iteration: int,
    on_fault: Callable[[str], None] = lambda told: None,
) -> Mapping[str, Any] | None:
    """The judge's answer, None where there is none, or where the task has checks and they do not accept it."""
    asked = {"model": model, "temperature": 0.0, "tags": session.tags(department, iteration), "draw": session.draw(department, iteration)}
    try:
        session.control.check_budget()
        if session.services.catalogue.get(task).verification is not None:
            others = map(session.services.resolve_model, session.services.settings.fallback_models)
            asked["fallback_models"] = [other for other in others if other != EMBEDDED]
        result = await session.ask(runner, task, inputs, **asked)
    except BudgetExhausted:
        return None
    except Stopped:
        raise
    except GatherError as error:
        logger.error("[AutoGather] The judge %s failed: %s", task, error)
        on_fault(f"the judge failed: {error}")
        return None
    if result.execution.is_pending:
        return None  # a run does not wait for a person
    output: Mapping[str, Any] = result.output
    return output
