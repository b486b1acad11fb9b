"""From a prompt and an input to the turns of a chat, and to the turns that ask again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from gather_pipeline.domain.executions import Message
from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks import templates
from gather_pipeline.tasks.definition import Prompt, TaskDefinition, VerificationParameters
from gather_pipeline.tasks.execution import Execution, digest


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """The turns to send.

    Attributes:
        turns: System, example turns, question, and what was said since.
        opening: The beginning of the answer, given to the model as its own; empty where there is none.
    """

    turns: tuple[Message, ...]
    opening: str = ""

    @property
    def messages(self) -> tuple[Message, ...]:
        """All turns, the opening as the last one."""
        return (*self.turns, Message(role="assistant", content=self.opening)) if self.opening else self.turns

    @property
    def hash(self) -> str:
        """SHA-256 of what is sent."""
        return digest([[message.role, message.content] for message in self.messages])

    def whole(self, answer: str) -> str:
        """The opening and its continuation as one text, also where a model says the opening again or leaves out the space."""
        if not self.opening or answer.lstrip().startswith(self.opening):
            return answer
        gap = " " if re.match(r"\w", answer) else ""
        return f"{self.opening}{gap}{answer}"


def converse(definition: TaskDefinition, prompt: Prompt, inputs: Mapping[str, Any], examples: Sequence[Execution] = ()) -> Conversation:
    """Fills a prompt in, with the questions and outputs of earlier executions as example turns; one that it cannot ask is left out.

    Raises:
        InvalidInput: The prompt needs a value that the input lacks.
    """
    filled = _filled(definition, prompt, inputs)
    turns = [Message(role="system", content=filled["system"])] if filled.get("system") else []
    pairs = [(shot.user, shot.assistant) for shot in prompt.shots]
    for example in examples:
        with suppress(InvalidInput):
            pairs.append((_filled(definition, prompt, example.input)["text"], as_text(example.output)))
    for user, assistant in pairs:
        turns += [Message(role="user", content=user), Message(role="assistant", content=assistant)]
    turns.append(Message(role="user", content=filled["text"]))
    return Conversation(turns=tuple(turns), opening=filled.get("prefill", ""))


def check_prompt(definition: TaskDefinition, parameters: VerificationParameters, inputs: Mapping[str, Any], output: Any) -> str:
    """A verification prompt filled in: the input by name, and the output, as JSON unless it is a text, for `output` and its aliases.

    Raises:
        InvalidInput: It needs a value that the input lacks.
    """
    assert parameters.verification_prompt is not None
    values = {**inputs, **dict.fromkeys(definition.output_names(parameters), as_text(output))}
    return templates.render(parameters.verification_prompt, values, f"verification_prompt of task {definition.id}")


def ask_again(conversation: Conversation, definition: TaskDefinition, answer: str, complaint: str) -> Conversation:
    """The conversation with the answer that did not fit and the complaint about it."""
    if definition.generation.reask == "again":
        return conversation
    form = "Answer again with the JSON object alone" if definition.output.format == "json" else "Answer again with the text alone"
    request = f"That answer cannot be used: {complaint}. {form}, complete and with this corrected."
    if not answer.strip():
        # Many providers refuse an empty turn, and some two user turns in a row.
        last = conversation.turns[-1]
        return replace(conversation, turns=(*conversation.turns[:-1], replace(last, content=f"{last.content}\n\n{request}")))
    return replace(
        conversation,
        turns=(*conversation.turns, Message(role="assistant", content=answer), Message(role="user", content=request)),
    )


def _filled(definition: TaskDefinition, prompt: Prompt, inputs: Mapping[str, Any]) -> dict[str, str]:
    # Only what is declared goes in, so that one prompt cannot quietly depend on another's variables.
    values = {name: inputs[name] for name in prompt.template_variables if name in inputs}
    place = f"of prompt {prompt.id!r} of task {definition.id}"
    return {key: templates.render(text, values, f"{key} {place}") for key, text in prompt.templates}


def as_text(output: Any) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, indent=1)
