"""A new task: models are tried on its examples and on made-up inputs, and people are asked early (S004-LRN-09, 10)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gather_pipeline.domain.rankings import Ranking
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.errors import GatherError, InvalidInput, Stopped
from gather_pipeline.services import Services
from gather_pipeline.tasks.catalogue import parse_definition
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution, digest
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.options import ExecutionOptions
from gather_pipeline.tasks.runner import TaskResult, check_input
from gather_pipeline.tasks.verification.human import proposal
from gather_pipeline.upkeep.rankings import update_rankings

TASK = "suggest_inputs"
TAG = "cold_start"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one model made of one input.

    Attributes:
        error: Why there is no output, or only one of a model that took its place.
        review: Id of the review in which a person says what it is worth; None where nobody is asked.
    """

    model: str
    input: Mapping[str, Any]
    execution: Execution | None
    error: str | None = None
    review: str | None = None


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """What came of it; `left_out` says what is wrong with made-up inputs that were not used."""

    trials: tuple[Trial, ...]
    left_out: tuple[str, ...]
    rankings: tuple[Ranking, ...]


def bootstrap(
    services: Services,
    task: str,
    *,
    models: Sequence[str],
    given: Sequence[Mapping[str, Any]] = (),
    synthetic: int = 0,
    review: bool = False,
) -> ColdStart:
    """Has models do a task on its examples, on given inputs and on made-up ones, and ranks them by what came of it.

    The first model makes up as many inputs as `synthetic` says; with `review` a person is asked about every output that no check accepted.

    Raises:
        InvalidInput: A given input is wrong, or the embedded model is to make inputs up.
        GatherError: Inputs cannot be made up.
    """
    definition = services.catalogue.get(task)
    wanted = [check_input(definition, one) for one in given]
    examples = [one for one in definition.input.examples if isinstance(one, dict) and definition.input.complaint(one) is None]
    inputs, left_out = [check_input(definition, one) for one in examples] + wanted, []
    if synthetic:
        if services.resolve_model(models[0]) == EMBEDDED:
            raise InvalidInput.field("--model", models[0], "a larger one first: the embedded model is too small to make inputs up")
        for one in _made_up(services, definition, models[0], inputs, synthetic):
            try:
                inputs.append(check_input(definition, one))
            except InvalidInput as error:
                left_out.append(str(error))
    if not (inputs := list({digest(one): one for one in inputs}.values())):
        raise InvalidInput(f"task {task} has no example that passes its validations, expected --input or --synthetic")
    trials = asyncio.run(_trials(services, definition, models, inputs))
    if review:
        trials = [_asked(services, definition, one) for one in trials]
    return ColdStart(trials=tuple(trials), left_out=tuple(left_out), rankings=tuple(update_rankings(services, task=task)))


def _made_up(services: Services, definition: TaskDefinition, model: str, known: Sequence[Mapping[str, Any]], count: int) -> list[Any]:
    """Inputs that a model thinks of, made after known ones; what is wrong with them is not looked at."""
    form = definition.input.json_schema
    inputs = {"type": "array", "items": _moved(form, "#/properties/inputs/items"), "minItems": count, "maxItems": count}
    schema = {"type": "object", "properties": {"inputs": inputs}, "required": ["inputs"], "additionalProperties": False}
    asking = parse_definition(services.catalogue.get(TASK).to_document() | {"output": {"schema": schema}}, TASK)
    shown = [json.dumps(one, ensure_ascii=False) for one in known[:5]]
    asked = {"task": definition.description, "form": json.dumps(form, ensure_ascii=False), "examples": shown, "count": count}
    with TaskExecutor(asking, services=services) as executor:
        found: list[Any] = executor.execute(asked, {"model": model})["inputs"]
    return found


def _moved(part: Any, place: str) -> Any:
    """A schema, or a part of one, as a part of another: it names no dialect, and its references lead to its place there."""
    if isinstance(part, list):
        return [_moved(inner, place) for inner in part]
    if not isinstance(part, dict):
        return part
    moved = {key: _moved(inner, place) for key, inner in part.items() if key != "$schema"}
    reference = moved.get("$ref")
    return moved | {"$ref": place + reference[1:]} if isinstance(reference, str) and reference[1:2] in ("", "/") else moved


async def _trials(
    services: Services, definition: TaskDefinition, models: Sequence[str], inputs: Sequence[Mapping[str, Any]]
) -> list[Trial]:
    gate = asyncio.Semaphore(services.settings.concurrency)
    with TaskExecutor(definition.id, services=services) as executor:

        async def one(model: str, given: Mapping[str, Any]) -> Trial:
            options = ExecutionOptions(model=model, fallback_models=tuple(name for name in models if name != model), tags={TAG: True})
            async with gate:
                try:
                    result: TaskResult = await executor.run_async(given, options)
                except Stopped:
                    raise
                except GatherError as error:
                    return Trial(model=model, input=given, execution=None, error=str(error))
            made = result.execution
            own = [call for call in made.calls if call.model == services.resolve_model(model) and call.purpose == "answer"]
            told = own[-1].complaint if own else "it was not asked, for it failed again and again"
            lost = None if any(call.obtained for call in own) else f"it gave no output, {made.model} did: {told}"
            return Trial(model=model, input=given, execution=made, error=lost, review=made.waiting)

        try:
            return await asyncio.gather(*(one(model, given) for given in inputs for model in models))
        finally:
            await services.model.aclose()


def _asked(services: Services, definition: TaskDefinition, trial: Trial) -> Trial:
    """The trial with a person asked about its output, unless a check has accepted it or somebody is asked already."""
    made = trial.execution
    if made is None or made.verified or trial.review is not None:
        return trial
    review = services.reviews.propose(proposal(definition, made.id, made.input, made.output, {"model": made.model}))
    return replace(trial, review=review.id)
