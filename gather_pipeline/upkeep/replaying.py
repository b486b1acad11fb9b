"""Does recorded executions again in another way; what is stored stays as it is, and replays are logged apart (N07)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gather_pipeline.errors import BudgetExhausted, GatherError, InvalidInput, Stopped
from gather_pipeline.services import Services
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.replay import KEPT_TAGS, REPLAY_OF, Changes, Replay
from gather_pipeline.tasks.runner import TaskRunner
from gather_pipeline.tasks.verification.similarity import similarity

ASK_PEOPLE = ("human", "adaptive")  # methods of checks


def replay(services: Services, originals: Sequence[Execution], changes: Changes) -> list[Replay]:
    """Replays of executions, in their order; one that fails is compared like any other.

    Raises:
        InvalidInput: The changed model cannot be reached, or an execution never came to a prompt.
        UnknownEntity: A definition, or the changed prompt, is not there.
    """
    return asyncio.run(_replay(services, originals, changes))


async def _replay(services: Services, originals: Sequence[Execution], changes: Changes) -> list[Replay]:
    gate = asyncio.Semaphore(services.settings.concurrency)

    async def one(original: Execution) -> Replay:
        async with gate:
            return await _again(services, original, changes)

    try:
        return await asyncio.gather(*map(one, originals))
    finally:
        await services.model.aclose()


async def _again(services: Services, original: Execution, changes: Changes) -> Replay:
    if original.prompt_id is None:
        raise InvalidInput(f"execution {original.id} ended before it had a prompt, expected one that asked a model")
    executions = services.executions
    then = executions.definition(original) or services.catalogue.get(original.task_id, original.task_version)
    definition = _without_people(changes.definition or then)
    asked = changes.model or original.model or next(iter(original.models_used), None)
    model = services.resolve_model(asked or services.settings.model)
    services.check_reach(model)
    given = original.parameters
    known = {prompt.id for prompt in definition.prompts}  # of a prompt that is gone, the one that the same conditions choose
    shown = [executions.get(id) for id in given.get("examples", ())]
    support = replace(services.task_support, kept=None, accepted=lambda task: shown[::-1])
    records: list[Execution] = []
    runner = TaskRunner(services.model, Catalogue([definition], under=services.catalogue), services.clock, records.append, support)
    try:
        await runner.run(
            definition.id,
            original.input,
            model=model,
            prompt_id=changes.prompt_id or (original.prompt_id if original.prompt_id in known else None),
            conditions=tuple(given.get("conditions", ())),
            temperature=given.get("temperature") if changes.temperature is None else changes.temperature,
            max_tokens=changes.max_tokens or given.get("max_tokens"),
            seed=given.get("seed"),
            budget=changes.budget,
            version=definition.version,
            tags={name: tag for name, tag in original.tags.items() if name in KEPT_TAGS} | {REPLAY_OF: original.id},
        )
    except GatherError as error:
        if not records or (isinstance(error, Stopped) and not isinstance(error, BudgetExhausted)):
            raise
    services.replays.add(*records)
    again = records[-1]
    if not (original.status == again.status == "succeeded"):
        return Replay(original=original, again=again, similarity=None)
    # How alike outputs are is said by the function that a check names, else by the usual one of their schema.
    links = definition.verification.links if definition.verification else ()
    names = [(link.parameters.model_extra or {}).get("similarity") for link in links]
    name = next((one for one in names if isinstance(one, str)), None)
    alike = similarity(name, definition.output.json_schema, services.embedder)(original.output, again.output)
    return Replay(original=original, again=again, similarity=alike)


def _without_people(definition: TaskDefinition) -> TaskDefinition:
    """The definition without checks by people: nobody is asked to review a replay."""
    verification = definition.verification
    if verification is None:
        return definition
    asked = verification.fallback_strategy == "human_review" or any(one.method in ASK_PEOPLE for one in verification.links)
    return definition.model_copy(update={"verification": None}) if asked else definition
