"""Runs any task: checks the input, asks a model, has the output checked, and writes down what happened.

How models are asked stands in `asking`, how outputs are verified in `verification`; see `docs/decisions/0004-task-engine.md`.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gather_pipeline.domain.executions import ModelRequest
from gather_pipeline.domain.verdicts import Budget, TrackRecord
from gather_pipeline.errors import InvalidInput, OutputRejected, TaskCancelled
from gather_pipeline.ports import Clock, LanguageModel
from gather_pipeline.tasks import schemas, templates
from gather_pipeline.tasks.asking import Asking, told
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.definition import Link, TaskDefinition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.fewshot import choose_examples
from gather_pipeline.tasks.kept import KeptAnswers
from gather_pipeline.tasks.prompting import converse
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.chain import Checked, check, verifier, verifiers
from gather_pipeline.tasks.workflow import complete_input

PERSON = Link(method="human")  # what the fallback human_review asks at the end of a chain
INPUT_LIMIT = 2_000_000  # characters of an input as JSON: what no prompt can hold is refused before it is worked on

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a task gives: a value that fits its output schema, and the record of how it came about."""

    output: Any
    execution: Execution


@dataclass(frozen=True, kw_only=True)
class Support:
    """What a runner may use beside a model; a task that needs what is not there is refused.

    Attributes:
        kept: Answers that need not be paid again; used by executions that name a draw. Whoever stores the record settles it there.
        tools: What checks are built with.
        accepted: Executions of a task whose output people accepted, the newest first.
        history: How a model has done at a task.
    """

    kept: KeptAnswers | None = None
    tools: Tools | None = None
    accepted: Callable[[str], Sequence[Execution]] = lambda task: ()
    history: Callable[[str, str], TrackRecord | None] = lambda task, model: None


class TaskRunner:
    """Executes task definitions against a language model; `record` takes every execution, once, at its end."""

    def __init__(
        self,
        model: LanguageModel,
        catalogue: Catalogue,
        clock: Clock,
        record: Callable[[Execution], None],
        support: Support = Support(),  # noqa: B008
    ) -> None:
        self._model = model
        self._catalogue = catalogue
        self._clock = clock
        self._record = record
        self._support = support

    async def run(
        self,
        task_id: str,
        inputs: Mapping[str, Any],
        *,
        model: str,
        conditions: Collection[str] = (),
        prompt_id: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        draw: object = None,
        version: str | None = None,
        fallback_models: Sequence[str] = (),
        budget: Budget = Budget(),  # noqa: B008
        tags: Mapping[str, Any] | None = None,
        execution_id: str | None = None,
    ) -> TaskResult:
        """Executes a task once, and before it what it depends on.

        Args:
            task_id: Id of the definition.
            inputs: Values for its input schema.
            model: Model to ask first.
            conditions: Conditions that hold; the first prompt that names one of them is used, else the default one.
            prompt_id: Prompt to use, whatever the conditions.
            temperature: 0 to 1; the definition's where None.
            max_tokens: Most tokens of an answer; the definition's where None.
            seed: Sampling seed where the model knows one.
            draw: Answers of an earlier execution that was the same and named the same draw are used again; where None, of none.
            version: Version of the definition; the newest where None.
            fallback_models: Models to ask, in order, where the one before is unavailable, limits the rate or refuses; checks may ask them.
            budget: What the execution may spend.
            tags: Kept with the record.
            execution_id: Id of the record, which no other may have; made up where None.

        Raises:
            UnknownEntity: No such task or version: nothing is executed and nothing recorded.
            InvalidInput: The input or a parameter is wrong.
            OutputInvalid: The last model's answers did not fit, re-asks included.
            OutputRejected: No check accepted the output, and the task names no fallback.
            BudgetExhausted: The budget is spent.
            ModelUnavailable, RateLimited, ModelRefused: No model could be had; the last one's error.
        """
        definition = self._catalogue.get(task_id, version)
        started = self._clock.monotonic()
        asking: Asking | None = None
        execution = Execution(
            id=execution_id or uuid.uuid4().hex,
            task_id=definition.id,
            task_version=definition.version,
            definition_hash=definition.hash,
            input={},
            status="failed",
            execution_time_s=0.0,
            timestamp=self._clock.now(),
            tags=dict(tags or {}),
        )
        kept = self._support.kept if draw is not None else None

        def ended(**changes: Any) -> Execution:
            calls = tuple(asking.calls) if asking else ()
            cached = bool(calls) and all(call.cached for call in calls)
            return replace(execution, calls=calls, cached=cached, execution_time_s=self._clock.monotonic() - started, **changes)

        async def run_first(task: str, wanted: str | None, given: Mapping[str, Any]) -> TaskResult:
            same = {"model": model, "fallback_models": fallback_models, "seed": seed, "draw": draw, "budget": budget}
            return await self.run(task, given, version=wanted, tags={**execution.tags, "needed_by": execution.id}, **same)  # type: ignore[arg-type]

        with kept.begin(execution.id) if kept else nullcontext():
            try:
                if definition.dependencies:
                    inputs, brought = await complete_input(definition, inputs, run_first)
                    execution = replace(execution, tags={**execution.tags, "dependencies": brought})
                execution = replace(execution, input=check_input(definition, inputs))
                checks = self._checks(definition)
                prompt = definition.prompt_for(conditions) if prompt_id is None else definition.prompt(prompt_id)
                accepted = self._support.accepted(definition.id) if definition.examples_from else ()
                examples = choose_examples(definition, execution.input, accepted)
                conversation = converse(definition, prompt, execution.input, examples)
                execution = replace(execution, prompt_id=prompt.id, prompt_hash=conversation.hash)
                generation = definition.generation
                request = ModelRequest(
                    model=model,
                    messages=conversation.messages,
                    temperature=generation.temperature if temperature is None else temperature,
                    max_tokens=generation.max_tokens if max_tokens is None else max_tokens,
                    timeout_s=generation.timeout_s,
                    seed=seed,
                    response_schema=definition.output.asked if definition.output.format == "json" else None,
                    sampling=generation.sampling or None,
                )
                candidates = tuple(replace(request, model=name).model for name in dict.fromkeys((model, *fallback_models)))
                sent = {name: getattr(request, name) for name in ("temperature", "max_tokens", "timeout_s", "seed")}
                shown = {"examples": [one.id for one in examples]} if examples else {}
                drawn = {"draw": draw} if draw is not None else {}
                parameters = {**sent, "sampling": generation.sampling, "conditions": sorted(conditions), **shown, **drawn}
                execution = replace(execution, parameters=parameters)
                asking = Asking(
                    body=self._model,
                    execution_id=execution.id,
                    definition=definition,
                    conversation=conversation,
                    request=request,
                    budget=budget,
                    kept=kept,
                    draw=draw,
                )
                writer, output = await asking.first(candidates)
                execution = replace(execution, model=writer, output=output)
                if checks:
                    case = Case(
                        execution_id=execution.id,
                        definition=definition,
                        input=execution.input,
                        output=output,
                        writer=writer,
                        candidates=candidates,
                        prompt=conversation.turns[-1].content,
                        models=asking,
                        record=partial(self._support.history, definition.id, writer),
                    )
                    execution = await self._verified(execution, case, checks)
                    if not (execution.verified or execution.fallback or execution.waiting):
                        raise OutputRejected(f"task {definition.id} {definition.version}: {_refusal(execution)}")
            except BaseException as error:
                cancelled = isinstance(error, TaskCancelled) or not isinstance(error, Exception)
                try:
                    self._record(ended(status="cancelled" if cancelled else "failed", error=told(error)))
                except Exception:
                    # The first error is the one to tell; a cancel must stay a cancel.
                    logger.exception("[AutoGather] The record of a failed execution of %s was lost", task_id)
                raise
            execution = ended(status="succeeded")
            self._record(execution)
        return TaskResult(output=execution.output, execution=execution)

    def _checks(self, definition: TaskDefinition) -> list[Verifier]:
        if definition.verification is None:
            return []
        if self._support.tools is None:
            raise InvalidInput(f"task {definition.id} is verified, expected a runner with what checks are built with")
        if definition.verification.fallback_strategy == "human_review":
            verifier(PERSON, self._support.tools)  # is refused here, before anything is paid
        return verifiers(definition.verification, self._support.tools)

    async def _verified(self, execution: Execution, case: Case, checks: Sequence[Verifier]) -> Execution:
        """The execution with what the checks said of its output, and with what the caller gets where none accepted it."""
        verification, support = case.definition.verification, self._support
        assert verification is not None
        checked = await check(case, verification.links, checks)
        waiting = _waiting(checked)
        if verification.fallback_strategy == "human_review" and not (checked.accepted or waiting):
            assert support.tools is not None
            before = replace(case, output=checked.output, earlier=checked.verdicts)
            asked = await check(before, [PERSON], [verifier(PERSON, support.tools)])
            checked, waiting = replace(asked, verdicts=(*checked.verdicts, *asked.verdicts)), _waiting(asked)
        said = {"verdicts": checked.verdicts, "verified": checked.accepted, "output": checked.output, "waiting": waiting}
        if checked.accepted:
            return replace(execution, **{**said, "waiting": None})
        match verification.fallback_strategy:
            case "use_highest_ranked_model":
                # The writer is the highest ranked one that could be had.
                said |= {"fallback": verification.fallback_strategy, "output": case.output}
            case "human_review" if waiting:
                said |= {"fallback": verification.fallback_strategy}
        return replace(execution, **said)


def _waiting(checked: Checked) -> str | None:
    return next((verdict.waiting for verdict in reversed(checked.verdicts) if verdict.waiting), None)


def check_input(definition: TaskDefinition, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The input as plain, clean JSON with the schema's defaults.

    Raises:
        InvalidInput: It is none, does not fit the schema or a validation, or is larger than any prompt.
    """
    given = schemas.with_defaults(definition.input.json_schema, schemas.plain(templates.cleaned(inputs)))
    size = len(json.dumps(given, ensure_ascii=False))
    if size > INPUT_LIMIT:
        raise InvalidInput(f"input of task {definition.id} has {size} characters as JSON, expected at most {INPUT_LIMIT}")
    wrong = definition.input.complaint(given)
    if wrong:
        raise InvalidInput(f"input of task {definition.id} {definition.version} does not fit: {wrong}")
    return given


def _refusal(execution: Execution) -> str:
    reasons = "; ".join(reason for verdict in execution.verdicts for reason in verdict.reasons)
    return f"no check accepted the output of {execution.model}: {reasons or 'no reason is given'}"
