"""From a stored execution to the very prompt that was sent (N01, N08)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gather_pipeline.domain.executions import Message
from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.catalogue import Catalogue
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


def rebuild(document: Mapping[str, Any], catalogue: Catalogue, examples: Sequence[Execution] = ()) -> Rebuilt:
    """The prompt of a stored execution, from its task's definition, the prompt variant and the input in full.

    Args:
        document: Of collection `executions`, as `Execution.to_document` makes it.
        catalogue: Where definitions are, of the version that was used.
        examples: The executions that `parameters.examples` names, in its order, where it names any.

    Raises:
        UnknownEntity: The definition, or its version, is not there any more.
        InvalidInput: The execution ended before it had a prompt, or the definition has no such prompt now.
    """
    definition = catalogue.get(document["task_id"], document["task_version"])
    prompt = next((one for one in definition.prompts if one.id == document["prompt_id"]), None)
    if prompt is None:
        told = f"execution {document['_id']} has prompt {document['prompt_id']!r}"
        raise InvalidInput(f"{told}, expected one of task {definition.id} {definition.version}: {[one.id for one in definition.prompts]}")
    conversation = converse(definition, prompt, document["input"], examples)
    return Rebuilt(messages=conversation.messages, identical=conversation.hash == document["prompt_hash"])
