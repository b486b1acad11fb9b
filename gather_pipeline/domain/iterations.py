"""The record of one iteration: one write of its document is the commit point of everything that the iteration made.

Its inputs are kept as a fingerprint of what the prompts really used, so that a department whose inputs are unchanged is left alone (D5).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gather_pipeline.domain.quality import Quality, Score

if TYPE_CHECKING:
    from gather_pipeline.domain.departments import Department

EndedBy = Literal["threshold", "maxIterations", "share", "stagnation", "budget", "deadline", "failed", "unchanged", "cancelled"]
FINISHED: tuple[EndedBy, ...] = ("threshold", "maxIterations", "stagnation")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that a department's prompts used and that is another now; the reason is a clause for a person."""

    cause: Literal["brief", "department", "model", "definition", "items"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What an iteration's prompts used.

    Attributes:
        brief: Hash of project name and brief.
        department: Hash by field of the department's fields that reach a prompt or end the loop.
        definition: Hash of the task definition.
        context: Content hash by id of the context items that prompts included.
    """

    brief: str
    department: Mapping[str, str]
    model: str
    definition: str
    context: Mapping[str, str] = field(default_factory=dict)

    def differences(self, now: Fingerprint, items: Mapping[str, str]) -> list[Difference]:
        """Why work done under this fingerprint is stale; empty where nothing it used changed.

        Args:
            now: Fingerprint of the present inputs; its `context` is not looked at.
            items: Content hash by id of the project's present items.
        """
        found = []
        if self.brief != now.brief:
            found.append(Difference(cause="brief", reason="the project's name or brief changed"))
        names = sorted(set(self.department) | set(now.department))
        changed = [name for name in names if self.department.get(name) != now.department.get(name)]
        found += [Difference(cause="department", reason=f"the department's {name} changed") for name in changed]
        if self.model != now.model:
            found.append(Difference(cause="model", reason=f"the model changed from {self.model} to {now.model}"))
        if self.definition != now.definition:
            found.append(Difference(cause="definition", reason="the task definition changed"))
        used = sorted(id for id, hash in self.context.items() if items.get(id) != hash)
        if len(used) == 1:
            done = "edited" if used[0] in items else "deleted"
            found.append(Difference(cause="items", reason=f"item {used[0]}, which its prompts used, was {done}"))
        elif used:
            reason = f"{len(used)} items that its prompts used were edited or deleted, {used[0]} among them"
            found.append(Difference(cause="items", reason=reason))
        return found


def fingerprint(project_name: str, brief: str, department: Department, model: str, definition_hash: str) -> Fingerprint:
    """The present inputs of a department, context items left out."""
    fields = {
        "name": department.name,
        "description": department.description,
        "aspects": list(department.aspects),
        "threshold": department.threshold,
        "maxIterations": department.coordinationSettings.maxIterations,
    }
    return Fingerprint(
        brief=digest([project_name, brief]),
        department={name: digest(value) for name, value in fields.items()},
        model=model,
        definition=definition_hash,
    )


def asked_of(department: Department, brief: str) -> str:
    """Hash of what a department's score holds its items against."""
    return digest([brief, department.name, department.description, list(department.aspects)])


def digest(value: object) -> str:
    """SHA-256 in 16 hexadecimal digits of a JSON-able value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """One committed iteration of a department.

    Attributes:
        number: 1 for the department's first iteration ever, and on from there over all runs.
        generated: Usable texts that the model gave.
        item_ids: Items kept, in order.
        filtered: Texts dropped by the content filter.
        quality: Of the department after this iteration.
        data_version: Version of the items that the quality is of, see `items.version_of`.
        asked: Hash of what they were held against, see `asked_of`; None in rows of earlier releases.
        threshold: Quality at which the department was good enough then; None in rows of earlier releases.
        rung: Step of the stagnation ladder that it ran on, 0 for none.
        tokens: Tokens spent; None, like `cost` in US dollars, where a provider did not say.
        seconds: Seconds by phase: context, generate, deduplicate, save, score; and of these the brain's, in which it was waited for.
        faults: What went wrong, one sentence each.
        ended_by: Why the department ended after it, None where it goes on.
        partial: The run was stopped in it, so it counts neither for maxIterations nor for stagnation.
        restarted: People's changes had made the department worse, so maxIterations and stagnation count from this one on.
    """

    project_id: str
    department: str
    number: int
    task_id: str
    inputs: Fingerprint
    generated: int
    item_ids: tuple[str, ...]
    duplicates: int
    filtered: int
    quality: Quality
    data_version: str | None
    asked: str | None
    model: str
    threshold: float | None = None
    rung: int = 0
    tokens: int | None = 0
    cost: float | None = 0.0
    faults: tuple[str, ...] = ()
    partial: bool = False
    restarted: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)
    started_at: str = ""
    ended_at: str = ""
    ended_by: EndedBy | None = None

    @property
    def score(self) -> float:
        """Quality of the department after this iteration, 0 to 100."""
        return self.quality.value

    @property
    def id(self) -> str:
        """Key of the document, the same for every run, so that no two commit one iteration."""
        return iteration_id(self.department, self.number)


def iteration_id(department: str, number: int) -> str:
    """Key of an iteration within its project's database."""
    return f"{department}|{number:06d}"


def current(history: Sequence[Iteration], now: Fingerprint, items: Mapping[str, str]) -> list[Iteration]:
    """Those iterations whose inputs are unchanged, oldest first; from the last one on that began the count anew."""
    anew = max((place for place, iteration in enumerate(history) if iteration.restarted), default=0)
    return [iteration for iteration in history[anew:] if not iteration.inputs.differences(now, items)]


def quality_after_edits(last: Iteration, statistics: float, version: str | None = None) -> float:
    """Quality of a department, 0 to 100, whose items people changed after its last iteration.

    The change of the score without a judge is laid upon the last score, which may have had one: like is compared with like.

    Args:
        last: The department's newest iteration.
        statistics: Score of the present items without a judge.
        version: Scorer's version of `statistics`; where the last score is of another one, they cannot be compared, and `statistics` stands.
    """
    if version is not None and last.quality.version != version:
        return statistics
    before = last.quality.unjudged
    return round(min(100.0, max(0.0, last.score + statistics - (last.score if before is None else before))), 1)


def newest_quality(last: Iteration | None, score: Score | None) -> float | None:
    """Quality of a department, 0 to 100, people's changes included as far as they have been scored; None where nothing was.

    Args:
        last: Its newest iteration.
        score: Its stored score.
    """
    if score is None or (last is not None and score.evaluated_at < last.ended_at):
        return last.score if last else None
    if last is None or score.quality.unjudged is not None:  # then it is the last iteration's own
        return score.value
    return quality_after_edits(last, score.value, score.quality.version)


def fell(last: Iteration, now: float, threshold: float) -> bool:
    """True where people's changes made a department worse than its last iteration left it, and not good enough."""
    return now < last.score and now < threshold


def is_finished(history: Sequence[Iteration], now: Fingerprint, items: Mapping[str, str]) -> bool:
    """True where the department ended by threshold, maxIterations or stagnation and its inputs are unchanged.

    One whose last iteration brought nothing usable is not: its model may only have been out of order.
    """
    if not history or history[-1].generated == 0:
        return False
    return history[-1].ended_by in FINISHED and not history[-1].inputs.differences(now, items)
