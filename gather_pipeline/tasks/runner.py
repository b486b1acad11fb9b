"""Runs any task: checks the input, asks a model, has the output checked, and writes down what happened.

How models are asked stands in `asking`, how outputs are verified in `verification`; see `docs/decisions/0004-task-engine.md`.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from gather_pipeline.domain.executions import ModelRequest
from gather_pipeline.domain.verdicts import Budget, TrackRecord
from gather_pipeline.errors import InvalidInput, OutputRejected, TaskCancelled
from gather_pipeline.ports import Clock, LanguageModel
from gather_pipeline.tasks import schemas, templates
from gather_pipeline.tasks.asking import Asking, left_of, told
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.definition import Link, TaskDefinition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.fewshot import choose_examples
from gather_pipeline.tasks.kept import KeptAnswers
from gather_pipeline.tasks.prompting import converse
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.chain import check, verifier, verifiers
from gather_pipeline.tasks.workflow import complete_input

PERSON = Link(method="human")  # what the fallback human_review asks at the end of a chain
# Keywords that an input which dependencies are still to complete need not hold.
OF_THE_WHOLE = frozenset("required minProperties dependentRequired dependentSchemas anyOf allOf oneOf not if then else".split())
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
        kept: Answers that need not be paid again; used by executions that name a draw. `record` is to settle each execution there.
        tools: What checks are built with.
        accepted: Executions of a task whose output people accepted, the newest first.
        history: How a model has done at a task.
    """

    kept: KeptAnswers | None = None
    tools: Tools | None = None
    accepted: Callable[[str], Sequence[Execution]] = lambda task: ()
    history: Callable[[str, str], TrackRecord | None] = lambda task, model: None


@dataclass(kw_only=True)
class _Draft:
    """The record of an execution while it goes on."""

    execution: Execution
    asking: Asking | None = None

    def note(self, **changes: Any) -> None:
        self.execution = replace(self.execution, **changes)


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
            budget: What the execution may spend, together with those of its dependencies.
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
        id = execution_id or uuid.uuid4().hex
        kept = self._support.kept if draw is not None else None
        with kept.begin(id) if kept else nullcontext(), self._recorded(id, definition, tags or {}) as draft:
            checks = self._checks(definition)
            prompt = definition.prompt_for(conditions) if prompt_id is None else definition.prompt(prompt_id)
            if definition.dependencies:
                check_given(definition, inputs)
                shared = {"model": model, "fallback_models": fallback_models, "seed": seed, "draw": draw}
                inputs, budget = await self._complete(draft, definition, inputs, budget, shared)
            draft.note(input=check_input(definition, inputs))
            examples = choose_examples(definition, draft.execution.input, self._support.accepted)
            conversation = converse(definition, prompt, draft.execution.input, examples)
            draft.note(prompt_id=prompt.id, prompt_hash=conversation.hash)
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
            drawn = {} if draw is None else {"draw": draw}
            draft.note(parameters={**sent, "sampling": generation.sampling, "conditions": sorted(conditions), **shown, **drawn})
            asking = draft.asking = Asking(
                body=self._model,
                execution_id=id,
                definition=definition,
                conversation=conversation,
                request=request,
                budget=budget,
                kept=kept,
                draw=draw,
            )
            writer, output = await asking.first(candidates)
            draft.note(model=writer, output=output)
            if checks:
                case = Case(
                    execution_id=id,
                    definition=definition,
                    input=draft.execution.input,
                    output=output,
                    writer=writer,
                    candidates=candidates,
                    prompt=conversation.turns[-1].content,
                    models=asking,
                    record=partial(self._support.history, definition.id, writer),
                )
                await self._verify(draft, case, checks)
        return TaskResult(output=draft.execution.output, execution=draft.execution)

    @contextmanager
    def _recorded(self, id: str, definition: TaskDefinition, tags: Mapping[str, Any]) -> Iterator[_Draft]:
        """Makes the record of an execution, which is kept at the end of the block, however that ends."""
        started = self._clock.monotonic()
        draft = _Draft(
            execution=Execution(
                id=id,
                task_id=definition.id,
                task_version=definition.version,
                definition_hash=definition.hash,
                input={},
                status="failed",
                execution_time_s=0.0,
                timestamp=self._clock.now(),
                tags=dict(tags),
            )
        )

        def end(status: Literal["succeeded", "failed", "cancelled"], error: str | None = None) -> None:
            calls = tuple(draft.asking.calls) if draft.asking else ()
            cached = bool(calls) and all(call.cached for call in calls)
            seconds = self._clock.monotonic() - started
            draft.note(status=status, error=error, calls=calls, cached=cached, execution_time_s=seconds)
            self._record(draft.execution)

        try:
            yield draft
        except BaseException as error:
            is_cancelled = isinstance(error, TaskCancelled) or not isinstance(error, Exception)
            try:
                end("cancelled" if is_cancelled else "failed", told(error))
            except Exception:
                # The first error is the one to tell; a cancel must stay a cancel.
                logger.exception("[AutoGather] The record of a failed execution of %s was lost", definition.id)
            raise
        end("succeeded")

    async def _complete(
        self, draft: _Draft, definition: TaskDefinition, inputs: Mapping[str, Any], budget: Budget, shared: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any], Budget]:
        """The input with what the task's dependencies bring, and what is left of the budget after them."""
        needed: list[Execution] = []

        def record(execution: Execution) -> None:
            needed.append(execution)
            self._record(execution)

        def left() -> Budget:
            return left_of(budget, [call for one in needed for call in one.calls])

        runner = TaskRunner(self._model, self._catalogue, self._clock, record, self._support)
        tags = {**draft.execution.tags, "needed_by": draft.execution.id}

        async def run(task: str, version: str | None, given: Mapping[str, Any]) -> TaskResult:
            return await runner.run(task, given, version=version, tags=tags, budget=left(), **shared)

        completed, brought = await complete_input(definition, inputs, run)
        draft.note(tags={**draft.execution.tags, "dependencies": brought})
        return completed, left()

    def _checks(self, definition: TaskDefinition) -> list[Verifier]:
        if definition.verification is None:
            return []
        if self._support.tools is None:
            raise InvalidInput(f"task {definition.id} is verified, expected a runner with what checks are built with")
        if definition.verification.fallback_strategy == "human_review":
            verifier(PERSON, self._support.tools)  # is refused here, before anything is paid
        return verifiers(definition.verification, self._support.tools)

    async def _verify(self, draft: _Draft, case: Case, checks: Sequence[Verifier]) -> None:
        """Notes what the checks say of an output, and what the caller gets where none accepts it.

        Raises:
            OutputRejected: None accepts it, and the caller gets nothing.
        """
        definition, tools = case.definition, self._support.tools
        assert definition.verification is not None and tools is not None
        fallback = definition.verification.fallback_strategy
        checked = await check(case, definition.verification.links, checks)
        if fallback == "human_review" and not (checked.accepted or checked.waiting):
            before = replace(case, output=checked.output, earlier=checked.verdicts)
            asked = await check(before, [PERSON], [verifier(PERSON, tools)])
            checked = replace(asked, verdicts=(*checked.verdicts, *asked.verdicts))
        draft.note(verdicts=checked.verdicts, verified=checked.accepted, output=checked.output)
        if checked.accepted:
            return
        draft.note(waiting=checked.waiting)
        if fallback == "use_highest_ranked_model":
            draft.note(fallback=fallback, output=case.output)  # the writer is the highest ranked one that could be had
        elif fallback == "human_review" and checked.waiting:
            draft.note(fallback=fallback)
        elif not checked.waiting:
            reasons = "; ".join(reason for verdict in checked.verdicts for reason in verdict.reasons) or "no reason is given"
            label = f"task {definition.id} {definition.version}"
            raise OutputRejected(f"{label}: no check accepted the output of {case.writer}: {reasons}")


def check_given(definition: TaskDefinition, inputs: Mapping[str, Any]) -> None:
    """Raises `InvalidInput` where an input is wrong, whatever the task's dependencies may still bring to it."""
    if all(name in inputs for dependency in definition.dependencies for name in dependency.outputs):
        check_input(definition, inputs)
        return
    schema = {key: part for key, part in definition.input.json_schema.items() if key not in OF_THE_WHOLE}
    _refuse_input(definition, schemas.complaint(schema, _read_input(definition, inputs)))


def check_input(definition: TaskDefinition, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The input as plain, clean JSON with the schema's defaults.

    Raises:
        InvalidInput: It is none, does not fit the schema or a validation, or is larger than any prompt.
    """
    given = _read_input(definition, inputs)
    _refuse_input(definition, definition.input.complaint(given))
    return given


def _read_input(definition: TaskDefinition, inputs: Mapping[str, Any]) -> dict[str, Any]:
    given = schemas.with_defaults(definition.input.json_schema, schemas.plain(templates.cleaned(inputs)))
    size = len(json.dumps(given, ensure_ascii=False))
    if size > INPUT_LIMIT:
        raise InvalidInput(f"input of task {definition.id} has {size} characters as JSON, expected at most {INPUT_LIMIT}")
    return given


def _refuse_input(definition: TaskDefinition, wrong: str | None) -> None:
    if wrong:
        raise InvalidInput(f"input of task {definition.id} {definition.version} does not fit: {wrong}")
