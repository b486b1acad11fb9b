"""Better prompts, suggested from what went wrong, tried on recorded inputs, and used once a person accepts them (S004-LRN-05, 06)."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

from gather_pipeline.domain.reviews import Choice, Proposal, Review
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import GatherError, InvalidInput, Stopped
from gather_pipeline.review.decide import decide as decide_review
from gather_pipeline.services import Services
from gather_pipeline.tasks.catalogue import load_definition, parse_definition
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.learning import Pattern, complaints, patterns
from gather_pipeline.tasks.replay import Changes
from gather_pipeline.upkeep.replaying import replay

logger = logging.getLogger(__name__)

KIND = "prompt_suggestion"  # of a review
TASK = "suggest_prompt"
LEAST = 2  # complaints of a kind from which a prompt is worth a change
TRIED = 6  # recorded inputs on which a suggestion is tried, at most half of them such as went well
RECENT_DAYS = 7  # in which a task was executed that is looked at by itself
CONTENT = {
    "type": "object",
    "properties": {"system": {"type": "string"}, "text": {"type": "string", "minLength": 1}},
    "required": ["system", "text"],
    "additionalProperties": False,
}


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What came of the look at a task.

    Attributes:
        told: What was found and done, in a sentence.
        patterns: What goes wrong, the surest first.
        review: Id of the review in which a person decides; None where nothing is suggested.
    """

    task: str
    told: str
    patterns: tuple[Pattern, ...]
    review: str | None = None


def failures(services: Services, task: str, days: int) -> tuple[list[Execution], list[Pattern]]:
    """The executions of a task in the last days, the newest first, and what went wrong with them."""
    executions = services.executions.find(task=services.catalogue.get(task).id, since=_since(services, days))
    return executions, patterns(executions)


def _since(services: Services, days: int) -> str:
    return (datetime.fromisoformat(services.clock.now()) - timedelta(days=days)).isoformat(timespec="microseconds")


def suggest(services: Services, task: str, *, days: int = 30, model: str | None = None) -> Suggestion:
    """Suggests instructions for the prompt of the newest version that goes wrong most, tries them, and asks a person.

    `model` is the one that suggests, chosen as for any task where None.

    Raises:
        UnknownEntity: There is no such task.
        GatherError: The suggestion cannot be had.
    """
    definition = services.catalogue.get(task)
    executions, found = failures(services, task, days)
    known = {prompt.id for prompt in definition.prompts}
    of_prompts = [one for one in found if one.version == definition.version and one.prompt in known and one.kind != "not had"]
    wrong = [one for one in of_prompts if one.count >= LEAST]
    if not wrong:
        told = f"nothing goes wrong often enough in {len(executions)} executions of the last {days} days"
        return Suggestion(task=task, told=told, patterns=tuple(found))
    if services.resolve_model(model or services.settings.model) == EMBEDDED:
        return Suggestion(task=task, told="the embedded model is too small to suggest prompts: name another one", patterns=tuple(found))
    prompt = definition.prompt(wrong[0].prompt)
    wrong = [one for one in wrong if one.prompt == prompt.id]
    said = [told for one in wrong for told in _lines(one)]
    content = {"system": prompt.system or "", "text": prompt.text}
    given = {"task": definition.description, **content, "output": json.dumps(definition.output.json_schema), "complaints": said}
    with TaskExecutor(TASK, services=services) as executor:
        asked = executor.run(given, {"model": model} if model else None)
    rules = "".join(f"\n- {_literal(one)}" for one in asked.output["instructions"])
    content["system" if prompt.system else "text"] += f"\n\nKeep to this too:{rules}"
    candidate = changed_definition(services, definition, prompt.id, content)
    proposal = Proposal(
        kind=KIND,
        title=f"prompt {prompt.id} of {task} {definition.version}: {asked.output['reason']}",
        content=content,  # type: ignore[arg-type]
        subject={"task": task, "version": definition.version, "prompt": prompt.id},
        schema=CONTENT,  # type: ignore[arg-type]
        shown={
            "instructions": asked.output["instructions"],
            "complaints": said,  # type: ignore[dict-item]
            "tried": _tried(services, candidate, prompt.id, executions, wrong),
        },
        source=asked.execution.id,
    )
    review = services.reviews.propose(proposal)
    return Suggestion(task=task, told=f"{proposal.title}; it waits for a person", patterns=tuple(found), review=review.id)


def suggest_all(services: Services) -> list[Suggestion]:
    """Looks at every task that was executed lately, but for those whose last suggestion still waits for a person.

    One for which no suggestion can be had keeps back no other.
    """
    recent = services.executions.find(since=_since(services, RECENT_DAYS))
    waiting = {one.proposal.subject["task"]: one for one in services.reviews.find(status="open", kind=KIND)}
    found = []
    for task in sorted({one.task_id for one in recent} & {one.id for one in services.catalogue}):
        if (last := waiting.get(task)) is not None:
            found.append(Suggestion(task=task, told=f"{last.proposal.title}; it still waits for a person", patterns=(), review=last.id))
            continue
        try:
            found.append(suggest(services, task, days=RECENT_DAYS))
        except Stopped:
            raise
        except GatherError as error:
            logger.warning("[AutoGather] No prompt is suggested for task %s: %s", task, error)
            found.append(Suggestion(task=task, told=f"no suggestion can be had: {error}", patterns=()))
    return found


def changed_definition(services: Services, definition: TaskDefinition, prompt_id: str, content: Any) -> TaskDefinition:
    """The definition with another text of one prompt, as the next minor version; raises `InvalidInput` where it is not valid."""
    document = definition.to_document()
    for prompt in document["prompts"]:
        if prompt["id"] == prompt_id:
            prompt["text"] = content["text"]
            prompt.pop("system", None)
            if content["system"]:
                prompt["system"] = content["system"]
    major, minor = re.split(r"[.+-]", services.catalogue.get(definition.id).version)[:2]
    return parse_definition(document | {"version": f"{major}.{int(minor) + 1}.0"}, f"suggestion for {definition.id}")


def decide(
    services: Services, id: str, choice: Choice, *, by: str, note: str, changed: Any = None, write: Callable[[Path, str], None]
) -> tuple[Review, Path | None]:
    """A person's decision of a review with what follows from it; see `review.decide`. `write` writes a text to a path as a whole.

    Returns:
        The review, and where an accepted suggestion of a prompt was written; None where it is of another kind.

    Raises:
        InvalidInput: Also where a suggestion is no valid definition; nothing is decided then.
    """
    proposal = services.reviews.get(id).proposal
    is_suggestion = proposal.kind == KIND and choice != "reject"
    if is_suggestion:
        accepted_definition(services, proposal, changed)
    feedback = services.executions.feedback
    after = decide_review(services.reviews, id, choice, by=by, note=typed(note), changed=changed, feedback=feedback)
    return after, write_accepted(services, after, write) if is_suggestion else None


def accepted_definition(services: Services, proposal: Proposal, changed: Any = None) -> TaskDefinition:
    """What a suggestion makes of its task, or a person's change of it; raises `InvalidInput` where that is no valid definition."""
    task, version, prompt = (str(proposal.subject[name]) for name in ("task", "version", "prompt"))
    return changed_definition(services, services.catalogue.get(task, version), prompt, changed or proposal.content)


def write_accepted(services: Services, review: Review, write: Callable[[Path, str], None]) -> Path:
    """Writes the definition of an accepted suggestion beside the user's own; one that is there already is not written again."""
    settings = services.settings
    made = accepted_definition(services, review.proposal, review.changed)
    folder = settings.tasks[0] if settings.tasks else settings.home / "tasks"
    before = next((path for path in sorted(folder.glob(f"{made.id}-*.json")) if load_definition(path).prompts == made.prompts), None)
    if before is not None:
        return before
    path = folder / f"{made.id}-{made.version}.json"
    if path.exists():
        raise InvalidInput.field("file of the task", str(path), "one that is not there yet")
    folder.mkdir(parents=True, exist_ok=True)
    write(path, json.dumps(made.to_document(), indent=2, ensure_ascii=False) + "\n")
    return path


def _tried(
    services: Services, candidate: TaskDefinition, prompt_id: str, executions: Sequence[Execution], wrong: Sequence[Pattern]
) -> dict[str, Any]:
    """How the suggestion does on inputs that went wrong and on some that went well."""
    failed = set(wrong[0].executions)
    bad = [one for one in executions if one.id in failed][: TRIED // 2]
    good = [one for one in executions if one.prompt_id == prompt_id and not list(complaints(one))][: TRIED - len(bad)]
    replays = replay(services, [*bad, *good], Changes(definition=candidate, prompt_id=prompt_id))
    alike = [one.similarity for one in replays if one.similarity is not None]
    return {
        "executions": len(replays),
        "complaints_before": sum(bool(list(complaints(one.original))) for one in replays),
        "complaints_after": sum(bool(list(complaints(one.again))) for one in replays),
        "similarity": round(fmean(alike), 3) if alike else None,
        "replays": [one.again.id for one in replays],
    }


def _lines(pattern: Pattern) -> list[str]:
    often = f"{pattern.kind}: {pattern.count} of {pattern.of} ({pattern.low:.0%} to {pattern.high:.0%})"
    return [f"{often}: {said[:300]}" for said in pattern.examples]


def _literal(text: str) -> str:
    """A sentence of a model within a template: nothing in it is filled in."""
    line = " ".join(text.split())
    return f"{{% raw %}}{line.replace('endraw', 'end raw')}{{% endraw %}}" if re.search(r"\{[{%#]", line) else line
