"""Runs any task: checks the input, asks a model, checks the output, asks again, and writes down what happened.

Work on outputs that were got (verification), on the choice of the model (routing) and on the records (learning) gets modules beside
this one; see `docs/decisions/0004-task-engine.md`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.errors import InvalidInput, ModelRefused, ModelUnavailable, OutputInvalid, TaskCancelled, shorten
from gather_pipeline.ports import Clock, LanguageModel
from gather_pipeline.tasks import parsing, schemas, templates
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import ANSWER_KEPT, Call, Execution
from gather_pipeline.tasks.prompting import Conversation, ask_again, converse

TOKEN_CHARS = 30  # most characters of one token on the average; what is longer was not written within the limit

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a task gives: a value that fits its output schema, and the record of how it came about."""

    output: Any
    execution: Execution


class TaskRunner:
    """Executes task definitions against a language model; `record` takes every execution, once, at its end."""

    def __init__(self, model: LanguageModel, catalogue: Catalogue, clock: Clock, record: Callable[[Execution], None]) -> None:
        self._model = model
        self._catalogue = catalogue
        self._clock = clock
        self._record = record

    async def run(
        self,
        task_id: str,
        inputs: Mapping[str, Any],
        *,
        model: str,
        conditions: Collection[str] = (),
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        version: str | None = None,
        fallback_models: Sequence[str] = (),
        tags: Mapping[str, Any] | None = None,
    ) -> TaskResult:
        """Executes a task once.

        Args:
            task_id: Id of the definition.
            inputs: Values for its input schema.
            model: Model to ask first.
            conditions: Conditions that hold; the first prompt that names one of them is used, else the default one.
            temperature: 0 to 1; the definition's where None.
            max_tokens: Most tokens of an answer; the definition's where None.
            seed: Sampling seed where the model knows one.
            version: Version of the definition; the newest where None.
            fallback_models: Models to ask, in order, where the one before is unavailable, limits the rate or refuses.
            tags: Kept with the record.

        Raises:
            UnknownEntity: No such task or version: nothing is executed and nothing recorded.
            InvalidInput: The input or a parameter is wrong.
            OutputInvalid: The last model's answers did not fit, re-asks included.
            ModelUnavailable, RateLimited, ModelRefused: No model could be had; the last one's error.
        """
        definition = self._catalogue.get(task_id, version)
        started = self._clock.monotonic()
        calls: list[Call] = []
        execution = Execution(
            id=uuid.uuid4().hex,
            task_id=definition.id,
            task_version=definition.version,
            definition_hash=definition.hash,
            input={},
            status="failed",
            execution_time_s=0.0,
            timestamp=self._clock.now(),
            tags=dict(tags or {}),
        )

        def ended(**changes: Any) -> Execution:
            return replace(execution, calls=tuple(calls), execution_time_s=self._clock.monotonic() - started, **changes)

        try:
            execution = replace(execution, input=_check_input(definition, inputs))
            if (verification := definition.verification) is not None:
                told = f"task {definition.id} asks for verification {verification.method!r}"
                raise InvalidInput(f"{told}, expected none: no method is available in this version")
            prompt = definition.prompt_for(conditions)
            conversation = converse(definition, prompt, execution.input)
            execution = replace(execution, prompt_id=prompt.id, prompt_hash=conversation.hash)
            generation = definition.generation
            request = ModelRequest(
                model=model,
                messages=conversation.messages,
                temperature=generation.temperature if temperature is None else temperature,
                max_tokens=generation.max_tokens if max_tokens is None else max_tokens,
                timeout_s=generation.timeout_s,
                seed=seed,
                response_schema=schemas.portable(definition.output.json_schema) if definition.output.format == "json" else None,
                sampling=generation.sampling or None,
            )
            requests = [replace(request, model=name) for name in dict.fromkeys((model, *fallback_models))]
            sent = {name: getattr(request, name) for name in ("temperature", "max_tokens", "timeout_s", "seed")}
            parameters = {**sent, "sampling": generation.sampling, "conditions": sorted(conditions)}
            execution = replace(execution, parameters=parameters)
            output = await self._first_available(definition, requests, conversation, calls)
        except BaseException as error:
            cancelled = isinstance(error, TaskCancelled) or not isinstance(error, Exception)
            try:
                self._record(ended(status="cancelled" if cancelled else "failed", error=_told(error)))
            except Exception:
                # The first error is the one to tell; a cancel must stay a cancel.
                logger.exception("[AutoGather] The record of a failed execution of %s was lost", task_id)
            raise
        execution = ended(status="succeeded", output=output)
        self._record(execution)
        return TaskResult(output=output, execution=execution)

    async def _first_available(
        self, definition: TaskDefinition, requests: Sequence[ModelRequest], conversation: Conversation, calls: list[Call]
    ) -> Any:
        for request, following in pairwise(requests):
            try:
                return await self._ask(definition, request, conversation, calls)
            except (ModelUnavailable, ModelRefused) as error:
                names = definition.id, request.model, following.model
                logger.warning("[AutoGather] Task %s goes from model %s to %s: %s", *names, error)
        return await self._ask(definition, requests[-1], conversation, calls)

    async def _ask(self, definition: TaskDefinition, request: ModelRequest, conversation: Conversation, calls: list[Call]) -> Any:
        """The output that one model gives, asked again where its answer does not fit; every call goes into `calls`."""
        times, complaint = definition.generation.max_reasks + 1, ""
        for asked in range(times):
            # The same words with the same seed would bring the same answer.
            shift = asked if definition.generation.reask == "again" else 0
            seed = None if request.seed is None else request.seed + shift
            try:
                completion = await self._model.complete(replace(request, messages=conversation.messages, seed=seed))
            except BaseException as error:
                calls.append(Call(model=request.model, complaint=_told(error)))
                raise
            answer = conversation.whole(completion.text)
            call = Call(
                model=request.model,
                answered_by=completion.model,
                finish_reason=completion.finish_reason,
                usage=completion.usage,
                latency_s=completion.latency_s,
                attempts=completion.attempts,
            )
            try:
                parsed = _read(definition, answer, completion, request.max_tokens)
            except (OutputInvalid, ModelRefused) as error:
                complaint = str(error)
                calls.append(replace(call, complaint=complaint, answer=templates.clean(answer)[:ANSWER_KEPT]))
                if isinstance(error, ModelRefused):
                    raise
                conversation = ask_again(conversation, definition, completion.text, complaint)
            else:
                calls.append(replace(call, obtained=parsed.how))
                return parsed.value
        raise OutputInvalid(
            f"task {definition.id} {definition.version}: model {request.model} gave no usable answer in {times} calls: {complaint}"
        )


def _check_input(definition: TaskDefinition, inputs: Mapping[str, Any]) -> dict[str, Any]:
    given = schemas.with_defaults(definition.input.json_schema, schemas.plain(templates.cleaned(inputs)))
    wrong = definition.input.complaint(given)
    if wrong:
        raise InvalidInput(f"input of task {definition.id} {definition.version} does not fit: {wrong}")
    return given


def _read(definition: TaskDefinition, answer: str, completion: Completion, max_tokens: int) -> parsing.Parsed:
    """The output in an answer, or `OutputInvalid` with what a model needs to hear."""
    specification, finish = definition.output, completion.finish_reason
    if finish == "content_filter":
        raise ModelRefused("the provider's content filter stopped the answer")
    most = max_tokens * TOKEN_CHARS
    if len(answer.strip()) > most:
        raise OutputInvalid(f"the answer has {len(answer.strip())} characters, expected at most {most}")
    if specification.format == "text":
        trim = specification.when_cut == "trim"
        parsed = parsing.parse_text(answer, cut=finish == "length" or (trim and finish == "unknown"), trim=trim)
    elif finish == "length":
        raise OutputInvalid("the answer was cut at the token limit (finish_reason 'length'), expected a shorter one that ends")
    else:
        parsed = _read_json(answer, completion.reasoning, specification.json_schema)
    # Only now: what a JSON string escapes (a NUL, half a surrogate pair) is not there before it is parsed.
    parsed = replace(parsed, value=templates.cleaned(parsed.value))
    wrong = specification.complaint(parsed.value)
    if wrong:
        raise OutputInvalid(f"the answer does not fit: {wrong}")
    return parsed


def _read_json(answer: str, reasoning: str, schema: schemas.Schema) -> parsing.Parsed:
    """The value in an answer; some servers send all of it as thoughts, which count only where they are it and nothing else."""
    parsed = parsing.parse_json(answer.strip() or reasoning, lambda value: schemas.fits(schema, value))
    if not answer.strip() and not (parsed.how == "strict" and schemas.fits(schema, parsed.value)):
        raise OutputInvalid(f"the answer is empty, only thoughts came: {shorten(reasoning)}, expected JSON")
    return parsed


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
