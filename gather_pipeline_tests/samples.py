"""Small values of the trade, for tests that need one and not a particular one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gather_pipeline.domain.iterations import Fingerprint, Iteration
from gather_pipeline.domain.quality import WEIGHTS, Part, Quality, Score


@dataclass
class Dial:
    """A clock that shows what it is set to."""

    time: str = "2026-11-26T08:00:00.000000+00:00"

    def now(self) -> str:
        return self.time

    def monotonic(self) -> float:
        raise AssertionError

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


def a_quality(value: float = 60.0, **changes: Any) -> Quality:
    """A quality of that value."""
    parts = {name: Part(value=value, reasons=("because",)) for name in WEIGHTS}
    return Quality(**{"parts": parts, "scorer": "text-statistics", "version": "2"} | changes)


def a_score(value: float = 60.0, **changes: Any) -> Score:
    """A score of that value for department story."""
    values: dict[str, Any] = {
        "department": "story",
        "department_number": 1,
        "value": value,
        "quality": a_quality(value),
        "threshold": 80.0,
        "data_version": "v",
        "asked": "a",
        "auto_triggered": True,
        "user_id": None,
        "task_id": "t",
        "evaluated_at": "2026-01-01T00:00:00.000000Z",
    }
    return Score(**values | changes)


def an_iteration(**changes: Any) -> Iteration:
    """The first iteration of department story, with two items."""
    values: dict[str, Any] = {
        "project_id": "p",
        "department": "story",
        "number": 1,
        "task_id": "t",
        "inputs": Fingerprint(brief="b", department={}, model="m", definition="d"),
        "generated": 2,
        "item_ids": ("a", "b"),
        "duplicates": 0,
        "filtered": 0,
        "quality": a_quality(),
        "data_version": "v",
        "asked": "a",
        "model": "m",
    }
    return Iteration(**values | changes)
