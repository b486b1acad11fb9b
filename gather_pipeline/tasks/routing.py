"""Which models an execution asks, in order: by ranking, priorities, context size and health, then what the settings name (S004-EXEC-05)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.ranking import USUAL
from gather_pipeline.tasks.schemas import values
from gather_pipeline.text.words import lemma, raw_words

CONTEXT_TOKENS = {"small": 4_000, "medium": 16_000, "large": 100_000}  # what a task of that size may need
LEAST_ALIKE = 0.25  # from which a task may do for another one


@dataclass(frozen=True, kw_only=True)
class Route:
    """Models to ask, the first one first, and a sentence for each thing that decided it."""

    models: tuple[str, ...]
    reasons: tuple[str, ...] = ()


def route(
    definition: TaskDefinition,
    *,
    asked: str | None,
    ranked: Sequence[str],
    usual: Sequence[str],
    fallbacks: Sequence[str],
    left_out: Collection[str] = (),
    context_tokens: Callable[[str], int | None] = lambda model: None,
) -> Route:
    """The models of one execution.

    Args:
        definition: The task.
        asked: Model that the caller wants; it comes first whatever else is known.
        ranked: Models in the order of the task's ranking.
        usual: What the settings name, asked where there is no ranking.
        fallbacks: Asked where those before cannot be had.
        left_out: Models that have failed just now; they come last, for where all fail one of them must do.
        context_tokens: Gives a model's context size; None where it is unknown.
    """
    chosen = list(dict.fromkeys(([asked] if asked else [*ranked, *usual]) + list(fallbacks)))
    reasons = []
    if asked:
        reasons.append(f"{asked}: named by the caller")
    elif ranked:
        reasons.append(f"{ranked[0]}: first in the ranking of {definition.id}")
    needed = CONTEXT_TOKENS[(definition.model_ranking_criteria or USUAL).context_size]
    small = [model for model in chosen if model != asked and (size := context_tokens(model)) is not None and size < needed]
    reasons += [f"{model}: comes last, its context of {context_tokens(model)} tokens is below {needed}" for model in small]
    failing = [model for model in chosen if model in left_out and model != asked]
    reasons += [f"{model}: left out for a while after failures" for model in failing]
    last = [*small, *failing]
    return Route(models=tuple(model for part in (False, True) for model in chosen if (model in last) is part), reasons=tuple(reasons))


def most_similar(definition: TaskDefinition, others: Iterable[TaskDefinition]) -> tuple[TaskDefinition, float] | None:
    """The task that is most like one, with their likeness from 0 to 1; None where none is alike (S004-LRN-07)."""
    alike = ((other, likeness(definition, other)) for other in others if other.id != definition.id)
    best = max(alike, key=lambda pair: pair[1], default=None)
    return best if best is not None and best[1] >= LEAST_ALIKE else None


def likeness(one: TaskDefinition, other: TaskDefinition) -> float:
    """How much two tasks have in common, 0 to 1: words of name and description, properties taken and given, what matters in a model."""
    criteria = [task.model_ranking_criteria or USUAL for task in (one, other)]
    wanted = 1 - abs(criteria[0].quality_priority - criteria[1].quality_priority)
    return 0.5 * _overlap(_words(one), _words(other)) + 0.4 * _overlap(_properties(one), _properties(other)) + 0.1 * wanted


def _words(task: TaskDefinition) -> set[str]:
    return {lemma(word.lower()) for word in raw_words(f"{task.name} {task.description}") if len(word) > 3}


def _properties(task: TaskDefinition) -> set[str]:
    """Names of properties, with the side that has them, however deep."""
    found = ((side, part) for side, whole in (("in", task.input), ("out", task.output)) for part in values(whole.json_schema, "properties"))
    return {f"{side} {name}" for side, part in found if isinstance(part, dict) for name in part}


def _overlap(one: set[str], other: set[str]) -> float:
    """Share of what either has that both have."""
    return len(one & other) / len(one | other) if one | other else 0.0
