"""Input and output of the task `automated_gather_creation`, exactly as S001 has them, plus `task_id` (S001-TASK-06 to 16)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic_core import to_jsonable_python

from gather_pipeline.domain.iterations import EndedBy
from gather_pipeline.domain.projects import check_project_id
from gather_pipeline.domain.routing import is_web_address
from gather_pipeline.errors import InvalidInput

MAX_ITERATIONS = 10_000

Status = Literal["running", "completed", "cancelled", "failed"]


@dataclass(frozen=True, kw_only=True)
class AutomationRequest:
    """What a run is asked to do.

    Attributes:
        user_id: Who asked; kept with every item.
        max_iterations: Most iterations of the whole run, shared fairly between departments (C27).
        enable_auto_evaluation: Evaluate a department when it ends.
        webhook_url: Gets every event by POST; never shown in full, for it may carry a secret.
        departments: Slugs to run; empty for all.
        max_tokens: Brake on tokens of the run, None for none.
        max_cost: Brake on US dollars of the run, None for none.
    """

    project_id: str
    user_id: str | None = None
    max_iterations: int = 50
    enable_auto_evaluation: bool = True
    webhook_url: str | None = None
    departments: tuple[str, ...] = ()
    max_tokens: int | None = None
    max_cost: float | None = None

    def __post_init__(self) -> None:
        """Refuses values that no run could be made of."""
        check_project_id(self.project_id)
        if not 1 <= self.max_iterations <= MAX_ITERATIONS:
            raise InvalidInput.field("max_iterations", self.max_iterations, f"a whole number from 1 to {MAX_ITERATIONS}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InvalidInput.field("max_tokens", self.max_tokens, "a whole number from 1 up")
        if self.max_cost is not None and not 0 < self.max_cost < float("inf"):
            raise InvalidInput.field("max_cost", self.max_cost, "an amount of US dollars above 0")
        if self.webhook_url is not None:
            if not is_web_address(self.webhook_url):
                raise InvalidInput(f"webhook_url begins with {self.webhook_url[:8]!r}, expected an address like https://host/path")
            parts = urlsplit(self.webhook_url)
            if parts.username is not None:
                raise InvalidInput(f"webhook_url for {parts.hostname} carries a login, expected an address without one")

    def to_document(self) -> dict[str, Any]:
        """JSON-able form with the webhook reduced to its host."""
        document: dict[str, Any] = to_jsonable_python(self)
        return document | {"webhook_url": urlsplit(self.webhook_url).hostname if self.webhook_url else None}


@dataclass(frozen=True, kw_only=True)
class DepartmentResult:
    """How one department of a run went; counts are this run's.

    Attributes:
        quality_score: Quality at its end, 0 to 100; None where nothing was ever scored.
        reason: The rule that ended it as a sentence.
        judged: Whether a judge had a part in the quality; text statistics alone claim less.
    """

    department: str
    name: str
    quality_score: float | None
    threshold: float
    iterations: int
    items_created: int
    ended_by: EndedBy
    reason: str
    judged: bool = False


@dataclass(frozen=True, kw_only=True)
class AutomationResult:
    """The task's output."""

    task_id: str
    project_id: str
    status: Status
    iterations: int
    departments_processed: int
    items_created: int
    processing_time_ms: int
    summary: tuple[DepartmentResult, ...]
    reason: str
    tokens: int | None
    cost: float | None

    def to_document(self) -> dict[str, Any]:
        """JSON-able form."""
        document: dict[str, Any] = to_jsonable_python(self)
        return document


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it is kept.

    Attributes:
        request: What it was asked to do, as `AutomationRequest.to_document` gives it.
        reason: Why it ended; None, like `ended_at`, as long as it runs.
        cancel_requested: Whether somebody asked it to end (C24).
        away_rounds: Times that it has waited for a model server that went away.
        away_s: Seconds of these waits.
        result: Its output; None as long as it runs, and where its process ended without a word.
    """

    task_id: str
    project_id: str
    status: Status
    request: Mapping[str, Any]
    started_at: str
    ended_at: str | None = None
    reason: str | None = None
    cancel_requested: bool = False
    away_rounds: int = 0
    away_s: float = 0.0
    result: AutomationResult | None = None
