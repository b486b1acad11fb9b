"""Example turns from outputs that people accepted (S004-LRN-09)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rapidfuzz import fuzz

from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution, digest
from gather_pipeline.tasks.schemas import with_defaults

LOOKED_AT = 200  # newest accepted outputs among which the most similar ones are looked for


def choose_examples(
    definition: TaskDefinition, inputs: Mapping[str, Any], accepted: Callable[[str], Sequence[Execution]]
) -> list[Execution]:
    """Accepted executions to show as examples, the most telling last; none where the task asks for none.

    Never one whose input is an example of the definition, by which the task is tried, nor the present input itself. `accepted` gives a
    task's accepted executions by its id, the newest first.
    """
    rule = definition.examples_from
    if rule is None:
        return []
    schema = definition.input.json_schema
    barred = {digest(with_defaults(schema, example)) for example in (*definition.input.examples, inputs)}  # type: ignore[arg-type]
    free: dict[str, Execution] = {}  # one of each input, the newest
    for one in (replace(one, output=one.accepted_output()) for one in accepted(definition.id)[:LOOKED_AT]):
        if digest(one.input) not in barred and definition.output.complaint(one.output) is None:
            free.setdefault(digest(one.input), one)
    found = list(free.values())
    if rule.choose == "most_similar":
        text = _text(inputs)
        found.sort(key=lambda one: -fuzz.token_sort_ratio(text, _text(one.input)))
    return found[: rule.count][::-1]


def _text(inputs: Mapping[str, Any]) -> str:
    return " ".join(str(inputs[name]) for name in sorted(inputs)).lower()
