"""Runs any task: checks the input, asks a model, checks the output, asks again, and writes down what happened.

Work on outputs that were got (verification), on the choice of the model (routing) and on the records (learning) has its place in
`gather_pipeline/tasks/verification` and in modules beside this one; see `docs/decisions/0004-task-engine.md`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.errors import InvalidInput, ModelRefused, ModelUnavailable, OutputInvalid, TaskCancelled
from gather_pipeline.ports import Clock, LanguageModel
from gather_pipeline.tasks import parsing, schemas, templates
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import ANSWER_KEPT, Call, Execution, Status, VerificationResult
from gather_pipeline.tasks.prompting import Conversation, ask_again, converse

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a task gives: a value that fits its output schema, and the record of how it came about."""

    output: Any
    execution: Execution


@dataclass(kw_only=True)
class _Log:
    """What is known so far; becomes an `Execution` at the end."""

    definition: TaskDefinition
    tags: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    prompt_id: str | None = None
    prompt_hash: str | None = None
    calls: list[Call] = field(default_factory=list)


class TaskRunner:
    """Executes task definitions against a language model.

    Args:
        model: Whom to ask.
        catalogue: What can be asked.
        clock: Time for the records.
        record: Takes every execution, once, at its end.
    """

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
        log = _Log(definition=definition, tags=dict(tags or {}))
        timestamp, started = self._clock.now(), self._clock.monotonic()

        def finish(status: Status, output: Any = None, error: BaseException | None = None) -> Execution:
            return _execution(log, status, timestamp, self._clock.monotonic() - started, output, error)

        try:
            log.inputs = _check_input(definition, inputs)
            models = _check_models(model, fallback_models)
            log.parameters = _parameters(definition, temperature, max_tokens, seed, conditions)
            _refuse_verification(definition)
            prompt = definition.prompt_for(conditions)
            conversation = converse(definition, prompt, log.inputs)
            log.prompt_id, log.prompt_hash = prompt.id, conversation.hash
            output = await self._first_available(log, models, conversation)
        except BaseException as error:
            cancelled = isinstance(error, TaskCancelled) or not isinstance(error, Exception)
            try:
                self._record(finish("cancelled" if cancelled else "failed", error=error))
            except Exception:
                # The first error is the one to tell; a cancel must stay a cancel.
                logger.exception("[AutoGather] The record of a failed execution of %s was lost", task_id)
            raise
        execution = finish("succeeded", output)
        self._record(execution)
        return TaskResult(output=output, execution=execution)

    async def _first_available(self, log: _Log, models: Sequence[str], conversation: Conversation) -> Any:
        for model, following in zip(models, (*models[1:], None), strict=True):
            try:
                return await self._ask(log, model, conversation)
            except (ModelUnavailable, ModelRefused) as error:
                if following is None:
                    raise
                logger.warning("[AutoGather] Task %s goes from model %s to %s: %s", log.definition.id, model, following, error)
        raise AssertionError("models are never empty")

    async def _ask(self, log: _Log, model: str, conversation: Conversation) -> Any:
        definition, complaint = log.definition, ""
        for asked in range(definition.generation.max_reasks + 1):
            completion = await self._complete(log, model, conversation, asked)
            answer = conversation.whole(completion.text)
            call = Call(
                model=model,
                answered_by=completion.model,
                finish_reason=completion.finish_reason,
                usage=completion.usage,
                latency_s=completion.latency_s,
                attempts=completion.attempts,
            )
            try:
                parsed = _read(definition, answer, completion.finish_reason)
            except (OutputInvalid, ModelRefused) as error:
                complaint = str(error)
                log.calls.append(replace(call, complaint=complaint, answer=answer[:ANSWER_KEPT]))
                if isinstance(error, ModelRefused):
                    raise
                conversation = ask_again(conversation, definition, completion.text, complaint)
            else:
                log.calls.append(replace(call, obtained=parsed.how))
                return parsed.value
        times = definition.generation.max_reasks + 1
        raise OutputInvalid(f"task {definition.id} {definition.version}: model {model} gave no usable answer in {times} calls: {complaint}")

    async def _complete(self, log: _Log, model: str, conversation: Conversation, asked: int) -> Completion:
        definition, chosen = log.definition, log.parameters
        seed = chosen["seed"]
        again = definition.generation.reask == "again"
        request = ModelRequest(
            model=model,
            messages=conversation.messages,
            temperature=chosen["temperature"],
            max_tokens=chosen["max_tokens"],
            timeout_s=chosen["timeout_s"],
            # The same words with the same seed would bring the same answer.
            seed=seed + asked if again and seed is not None else seed,
            response_schema=definition.output.checker.portable if definition.output.format == "json" else None,
            sampling=chosen["sampling"] or None,
        )
        try:
            return await self._model.complete(request)
        except BaseException as error:
            log.calls.append(Call(model=model, complaint=_told(error)))
            raise


def _check_input(definition: TaskDefinition, inputs: Mapping[str, Any]) -> dict[str, Any]:
    given = schemas.with_defaults(definition.input.json_schema, templates.cleaned(schemas.plain(inputs)))
    wrong = definition.input.complaint(given)
    if wrong:
        raise InvalidInput(f"input of task {definition.id} {definition.version} does not fit: {wrong}")
    return given


def _check_models(model: str, fallback_models: Sequence[str]) -> list[str]:
    for name in (model, *fallback_models):
        if not isinstance(name, str) or not name.strip():
            raise InvalidInput.field("model", name, "a model id such as 'anthropic/claude-sonnet-4.5' or 'embedded'")
    return list(dict.fromkeys((model, *fallback_models)))


def _parameters(
    definition: TaskDefinition, temperature: float | None, max_tokens: int | None, seed: int | None, conditions: Collection[str]
) -> dict[str, Any]:
    generation = definition.generation
    heat = generation.temperature if temperature is None else temperature
    most = generation.max_tokens if max_tokens is None else max_tokens
    if not 0 <= heat <= 1:
        raise InvalidInput.field("temperature", heat, "a number from 0 to 1")
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InvalidInput.field("max_tokens", most, "a whole number from 1")
    return {
        "temperature": heat,
        "max_tokens": most,
        "timeout_s": generation.timeout_s,
        "seed": seed,
        "sampling": dict(generation.sampling),
        "conditions": sorted(conditions),
    }


def _refuse_verification(definition: TaskDefinition) -> None:
    if definition.verification is not None:
        method = definition.verification.method
        raise InvalidInput(f"task {definition.id} asks for verification {method!r}, expected none: no method is available in this version")


def _read(definition: TaskDefinition, answer: str, finish_reason: str) -> parsing.Parsed:
    """The output in an answer, or `OutputInvalid` with what a model needs to hear."""
    specification = definition.output
    cut = finish_reason == "length"
    if finish_reason == "content_filter":
        raise ModelRefused("the provider's content filter stopped the answer")
    if specification.format == "text":
        parsed = parsing.parse_text(answer, cut=cut, trim=specification.when_cut == "trim")
    elif cut:
        raise OutputInvalid("the answer was cut at the token limit (finish_reason 'length'), expected a shorter one that ends")
    else:
        parsed = parsing.parse_json(answer, specification.checker.fits)
    parsed = replace(parsed, value=templates.cleaned(parsed.value))
    wrong = specification.complaint(parsed.value)
    if wrong:
        raise OutputInvalid(f"the answer does not fit: {wrong}")
    return parsed


def _execution(log: _Log, status: Status, timestamp: str, seconds: float, output: Any, error: BaseException | None) -> Execution:
    definition = log.definition
    return Execution(
        id=uuid.uuid4().hex,
        task_id=definition.id,
        task_version=definition.version,
        definition_hash=definition.hash,
        prompt_id=log.prompt_id,
        prompt_hash=log.prompt_hash,
        input=log.inputs,
        output=output,
        status=status,
        error=_told(error) if error is not None else None,
        models_used=tuple(dict.fromkeys(call.model for call in log.calls)),
        parameters=log.parameters,
        calls=tuple(log.calls),
        verification=VerificationResult(),
        execution_time_s=seconds,
        timestamp=timestamp,
        tags=log.tags,
    )


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
