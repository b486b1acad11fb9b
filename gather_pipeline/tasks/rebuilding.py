"""From a stored execution to the very prompt that was sent (N01, N08)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gather_pipeline.domain.executions import Message
from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.prompting import converse


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A prompt made again.

    Attributes:
        messages: Its turns as they were first sent.
        identical: Whether they have the hash that was stored then, byte by byte.
    """

    messages: tuple[Message, ...]
    identical: bool


def rebuild(execution: Execution, definition: TaskDefinition, examples: Sequence[Execution] = ()) -> Rebuilt:
    """The prompt of an execution, from its definition, the prompt variant and the input in full.

    Args:
        execution: As the log of executions has it.
        definition: That it was made by, see `Executions.definition`.
        examples: The executions that `parameters["examples"]` names, in its order, where it names any.

    Raises:
        InvalidInput: It ended before it had a prompt, or the definition has no such prompt.
    """
    prompt = next((one for one in definition.prompts if one.id == execution.prompt_id), None)
    if prompt is None:
        told = f"execution {execution.id} has prompt {execution.prompt_id!r}"
        raise InvalidInput(f"{told}, expected one of task {definition.id} {definition.version}: {[one.id for one in definition.prompts]}")
    shown = [replace(one, output=one.accepted_output(until=execution.timestamp)) for one in examples]
    conversation = converse(definition, prompt, execution.input, shown)
    return Rebuilt(messages=conversation.messages, identical=conversation.hash == execution.prompt_hash)
