"""What ends a run early, and that what was finished by then is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from gather_pipeline.domain.executions import Usage
from gather_pipeline.errors import BudgetExhausted, DeadlineReached, ProjectBusy, TaskCancelled
from gather_pipeline.gather.control import RunControl


@dataclass
class HandClock:
    """A clock that moves when it is told to."""

    seconds: float = 0.0

    def now(self) -> str:
        return "2026-01-01T00:00:00+00:00"

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Switches:
    cancelled: bool = False
    lost: bool = False
    asked: int = 0
    clock: HandClock = field(default_factory=HandClock)

    def control(self, **limits: Any) -> RunControl:
        def cancelled() -> bool:
            self.asked += 1
            return self.cancelled

        values: dict[str, Any] = {"timeout_s": 100.0, "max_tokens": None, "max_cost": None} | limits
        return RunControl(self.clock, cancelled=cancelled, lease_lost=lambda: self.lost, **values)


def test_nothing_ends_a_run_that_nobody_wants_to_end() -> None:
    control = Switches().control()
    control.check()
    control.check_budget()


def test_a_request_to_cancel_is_seen_within_half_a_second_and_the_store_not_asked_more_often() -> None:
    switches = Switches()
    control = switches.control()
    control.check()
    switches.cancelled = True
    for _ in range(100):
        control.check()
    assert switches.asked == 1
    switches.clock.seconds += 0.5
    with pytest.raises(TaskCancelled):
        control.check()


def test_the_deadline_leaves_time_to_save() -> None:
    switches = Switches()
    control = switches.control(timeout_s=100.0)
    switches.clock.seconds = 96.9
    control.check()
    switches.clock.seconds = 97.1
    with pytest.raises(DeadlineReached):
        control.check()


def test_a_lost_lease_ends_the_run_before_anything_else() -> None:
    switches = Switches(lost=True, cancelled=True)
    with pytest.raises(ProjectBusy):
        switches.control().check()


def test_the_brake_on_tokens_names_what_was_spent() -> None:
    control = Switches().control(max_tokens=100)
    control.spend(Usage(prompt_tokens=40, completion_tokens=50))
    control.check_budget()
    control.spend(Usage(prompt_tokens=10, completion_tokens=5))
    with pytest.raises(BudgetExhausted, match="105 of max_tokens 100"):
        control.check_budget()


def test_a_brake_that_cannot_be_kept_stops_instead_of_guessing() -> None:
    control = Switches().control(max_cost=1.0)
    control.check_budget()
    control.spend(Usage(prompt_tokens=1, completion_tokens=1, cost=None))
    with pytest.raises(BudgetExhausted, match="price is not known"):
        control.check_budget()
    unknown = Switches().control(max_tokens=5)
    unknown.spend(Usage(prompt_tokens=None, completion_tokens=1))
    with pytest.raises(BudgetExhausted, match="does not tell its tokens"):
        unknown.check_budget()


def test_the_brake_on_cost_stops_at_its_amount() -> None:
    control = Switches().control(max_cost=0.02)
    control.spend(Usage(cost=0.02))
    with pytest.raises(BudgetExhausted, match="0.0200 of max_cost 0.02"):
        control.check_budget()
