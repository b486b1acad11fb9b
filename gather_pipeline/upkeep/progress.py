"""What is known of a run while it goes on, put together from its events and the states between them. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from gather_pipeline.domain.events import Event

Stage = Literal["waiting", "working", "ended"]


@dataclass(kw_only=True)
class DepartmentProgress:
    """One department's part of the run.

    Attributes:
        iteration: Number of its newest iteration, counted over all runs.
        score: Its newest quality, None before the first one that this run sees.
        judged: Whether a judge had a part in it.
        tokens: Tokens of this run, None where a provider did not say.
        done: Calls answered in the iteration under way.
        total: Calls of that iteration, 0 before the first is answered.
        answered: Calls answered in this run.
        faults: Calls that failed.
        round_began: When the iteration under way began.
    """

    slug: str
    stage: Stage = "waiting"
    threshold: float | None = None
    iteration: int = 0
    score: float | None = None
    judged: bool = True
    kept: int = 0
    dropped: int = 0
    tokens: int | None = 0
    done: int = 0
    total: int = 0
    answered: int = 0
    faults: int = 0
    phase: str = ""
    reason: str = ""
    began: float = 0.0
    round_began: float = 0.0
    ended: float | None = None

    def seconds(self, now: float) -> float:
        """Seconds that it has been worked on."""
        return (self.ended if self.ended is not None else now) - self.began if self.stage != "waiting" else 0.0

    def rate(self, now: float) -> float | None:
        """Calls answered a minute, None before there is one to go by."""
        seconds = self.seconds(now)
        return self.answered * 60 / seconds if self.answered and seconds > 0 else None

    def left(self, now: float) -> float | None:
        """Seconds until the calls of this iteration are answered, at the pace of those that are; None where unknown."""
        if self.stage != "working" or not self.done or self.done >= self.total:
            return None
        return (now - self.round_began) / self.done * (self.total - self.done)


@dataclass(kw_only=True)
class RunProgress:
    """The whole run; its departments by slug, in the order in which they run."""

    began: float
    task_id: str | None = None
    iterations: int = 0
    departments: dict[str, DepartmentProgress] = field(default_factory=dict)

    @classmethod
    def of(cls, slugs: Sequence[str], now: float) -> RunProgress:
        """A run that has not begun a department yet."""
        return cls(began=now, departments={slug: DepartmentProgress(slug=slug) for slug in slugs})

    def take(self, event: Event, now: float) -> None:
        """Takes an event or a state up; kinds that say nothing about progress change nothing."""
        self.task_id, fields = event.task_id, event.fields
        slug = fields.get("department")
        if not isinstance(slug, str):
            return
        department = self.departments.setdefault(slug, DepartmentProgress(slug=slug))
        match event.type:
            case "department_started":
                department.stage, department.began, department.round_began = "working", now, now
                department.threshold, department.phase = fields["threshold"], "generate"
            case "progress":
                department.answered += max(0, fields["done"] - department.done)
                department.done, department.total, department.phase = fields["done"], fields["total"], fields["phase"]
            case "deduplicating":
                department.phase = "de-duplicate"
            case "model_away":
                department.phase = "no server"
            case "model_back":
                department.phase = "generate"
            case "model_fault":
                department.faults += 1
            case "iteration_complete":
                self.iterations += 1
                department.iteration, department.score = fields["iteration"], fields["quality_score"]
                department.judged = fields.get("judged", True)
                department.kept += fields["items_created"]
                department.dropped += fields.get("duplicates_dropped") or 0
                tokens = fields.get("tokens")
                department.tokens = None if tokens is None or department.tokens is None else department.tokens + tokens
                department.done, department.total, department.round_began, department.phase = 0, 0, now, "generate"
            case "skipped_unchanged":
                department.score, department.judged = fields["quality_score"], fields.get("judged", True)
            case "department_complete":
                department.stage, department.ended, department.phase = "ended", now, ""
                if fields["quality_score"] is not None:
                    department.score, department.judged = fields["quality_score"], fields.get("judged", True)
                department.reason = str(fields.get("ended_by") or "ended")

    @property
    def kept(self) -> int:
        """Items of this run."""
        return sum(department.kept for department in self.departments.values())

    @property
    def ended(self) -> int:
        """Departments that have ended."""
        return sum(department.stage == "ended" for department in self.departments.values())

    def left(self, now: float) -> float | None:
        """Seconds until the run ends, if departments to come take as long as those that ended; None before the first one did."""
        done = [department.seconds(now) for department in self.departments.values() if department.stage == "ended"]
        if not done:
            return None
        usual = sum(done) / len(done)
        working = [department.seconds(now) for department in self.departments.values() if department.stage == "working"]
        waiting = sum(department.stage == "waiting" for department in self.departments.values())
        return usual * waiting + sum(max(usual - seconds, 0.0) for seconds in working)


def run_progress(slugs: Sequence[str], started_at: str, events: Iterable[Event]) -> RunProgress:
    """A run's progress as its stored events tell it, in seconds since the epoch; `started_at` is ISO 8601."""
    progress = RunProgress.of(slugs, datetime.fromisoformat(started_at).timestamp())
    for event in events:
        progress.take(event, datetime.fromisoformat(event.at).timestamp())
    return progress
