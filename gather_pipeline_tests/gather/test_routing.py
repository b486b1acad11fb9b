"""Which models of its chain an iteration asks when one of them fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.gather import ladder
from gather_pipeline_tests.harness import Studio, department_row


@pytest.mark.parametrize(
    ("chain", "place", "left_out", "asked"),
    [
        (("a", "b", EMBEDDED), 0, (), ["a", "b"]),
        (("a", "b", "c"), 1, (), ["b", "a", "c"]),
        (("a", "b", "c"), 0, ("a",), ["b", "c", "a"]),
        (("a", "b", "c"), 0, ("a", "b", "c"), ["a", "b", "c"]),
        (("a", EMBEDDED), 0, ("a",), ["a"]),
        ((EMBEDDED, "b"), 0, (EMBEDDED,), [EMBEDDED, "b"]),
    ],
)
def test_models_that_have_just_failed_come_last(chain: tuple[str, ...], place: int, left_out: tuple[str, ...], asked: list[str]) -> None:
    assert ladder.asked(chain, place, left_out) == asked


def test_a_model_that_fails_again_and_again_is_asked_after_the_others_for_a_while(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=5)], model="scripted:down", fallback_models=("scripted:b",))
    assert studio.run(max_tokens=10**9).status == "completed"  # with a brake nothing is begun ahead
    models = [one.model for one in studio.view.history("story")]
    assert models[0] == "scripted:down" and models[-2:] == ["scripted:b"] * 2
    asked = [request.model for request in studio.model.requests]
    assert asked.count("scripted:b") == 25 and asked.count("scripted:down") == 5 * models.count("scripted:down")
    assert studio.services.health.left_out() == {"scripted:down"}
    studio.close()
