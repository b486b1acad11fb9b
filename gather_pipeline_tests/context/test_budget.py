from __future__ import annotations

import logging

import pytest

from gather_pipeline.context.budget import allocate, budget_of
from gather_pipeline.context.selection import Candidate, select
from gather_pipeline.domain.layers import Kind, Layer, Priority
from gather_pipeline.errors import InvalidInput

LAYERS: dict[Layer, int] = {"A": 2_000, "B": 0, "C": 13_000, "D": 5_000, "E": 10_000}  # as the settings have them by default


def test_the_layers_fill_the_budget_that_the_seed_leaves_for_them():
    found = budget_of(32_000, 2_000, LAYERS)
    assert found.tokens == 30_000 == sum(found.shares.values()) and found.shares == LAYERS


def test_a_small_window_scales_the_layers_in_proportion_and_says_so(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        found = budget_of(32_000, 2_000, LAYERS, window=4_096, answer=1_096)
    assert found.tokens == 3_000 and found.shares == {"A": 200, "B": 0, "C": 1_300, "D": 500, "E": 1_000}
    assert "ask for 30000 tokens and 3000 are there" in caplog.text


def test_nothing_is_said_where_the_layers_fit(caplog: pytest.LogCaptureFixture):
    budget_of(40_000, 2_000, LAYERS)
    assert caplog.text == "" and allocate(38_000, LAYERS).shares == LAYERS


@pytest.mark.parametrize(("most", "buffer", "window", "answer"), [(2_000, 2_000, None, 0), (32_000, 2_000, 1_000, 1_000)])
def test_a_budget_of_nothing_is_refused_with_what_to_change(most: int, buffer: int, window: int | None, answer: int):
    with pytest.raises(InvalidInput, match="no token is left for the context: CONTEXT_MAX_TOKENS"):
        budget_of(most, buffer, LAYERS, window=window, answer=answer)


def texts(kind: Kind, count: int, priority: Priority = "medium") -> list[Candidate]:
    return [Candidate(id=f"{kind}{place}", kind=kind, text="x" * 10, priority=priority) for place in range(count)]


def included(candidates: list[Candidate], shares: dict[str, int], budget: int = 100) -> list[str]:
    return [one.id for one in select(candidates, budget, len, shares=shares).included]  # type: ignore[arg-type]


def test_a_layer_keeps_its_share_from_one_that_comes_before_it():
    found = included([*texts("own", 20), *texts("character", 20)], {"C": 60, "D": 40})
    assert [sum(id.startswith(kind) for id in found) for kind in ("own", "character")] == [6, 4]


def test_what_a_layer_does_not_need_is_for_the_others_and_for_requests():
    found = included([*texts("own", 20), *texts("character", 1), *texts("request", 1)], {"C": 60, "D": 40})
    assert len(found) == 10 and "character0" in found
    found = included([*texts("request", 1), *texts("own", 20), *texts("character", 1)], {"C": 60, "D": 40})
    assert "request0" in found


def test_low_priority_is_given_up_in_every_layer_before_medium_in_any():
    found = included([*texts("character", 4, "low"), *texts("own", 20)], {"C": 60, "D": 40})
    assert not any(id.startswith("character") for id in found)


def test_what_must_be_included_counts_against_its_layer():
    found = included(
        [*texts("own", 6, "high"), *[Candidate(id="more", kind="own", text="x" * 10)], *texts("character", 4)], {"C": 60, "D": 40}
    )
    assert "more" not in found and len(found) == 10
