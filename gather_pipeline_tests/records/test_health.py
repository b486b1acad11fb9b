from __future__ import annotations

from pathlib import Path

import pytest

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.domain.providers import Health
from gather_pipeline.records.health import ModelHealth
from gather_pipeline.tasks.execution import Call
from gather_pipeline_tests.samples import Dial
from gather_pipeline_tests.tasks.test_execution import answered

DOWN = Call(model="a", complaint="ModelUnreachable: the connection to custom failed")


def test_a_failing_model_is_left_out_for_a_while_that_grows_and_one_answer_makes_it_sound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, store = Dial(), SqliteStore(tmp_path)
    health, other_process = (ModelHealth(store, "shared", clock, lambda model: Health(failures=2, pause_s=60)) for _ in range(2))
    health.note([DOWN] * 8)  # asked at once, so that one outage counts once
    assert health.left_out() == set()
    other_process.note([DOWN])
    assert health.left_out(afresh=False) == set()
    health.note([DOWN])  # of a call that was under way: it does not make the pause longer
    assert health.left_out() == {"a"}
    assert caplog.messages == ["[AutoGather] Model a failed 2 times in a row and is left out for 60 s"]
    clock.time = "2026-11-26T08:01:01.000000+00:00"
    assert health.left_out() == set()  # tried again
    health.note([DOWN])
    clock.time = "2026-11-26T08:02:02.000000+00:00"
    assert other_process.left_out() == {"a"}  # twice as long
    other_process.note([answered("a")])
    assert health.left_out() == set()
    health.note([DOWN])
    assert health.left_out() == set()


@pytest.mark.parametrize(
    ("complaint", "counts"),
    [
        ("ModelTimeout: no answer", True),
        ("RateLimited: custom asks to wait (HTTP 429)", True),
        ("ModelRefused: custom refused 'a' (HTTP 404): no such model", True),
        ("ModelRefused: custom refused 'a' (HTTP 400): the prompt is too long", False),
        ("BudgetExhausted: spent", False),
        (None, False),
    ],
)
def test_only_what_says_something_of_the_model_counts_as_its_failure(tmp_path: Path, complaint: str | None, counts: bool) -> None:
    health = ModelHealth(SqliteStore(tmp_path), "shared", Dial(), lambda model: Health(failures=1))
    health.note([Call(model="a", complaint=complaint)])
    assert (health.left_out() == {"a"}) is counts
