from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.routing import most_similar, route
from gather_pipeline_tests.tasks.builders import define

SIZES = {"tiny": 2_000, "wide": 200_000}


@pytest.mark.parametrize(
    ("changes", "models"),
    [
        ({}, ("embedded", "f")),
        ({"ranked": ("b", "a")}, ("b", "a", "embedded", "f")),
        ({"ranked": ("b", "a"), "asked": "z"}, ("z", "f")),
        ({"ranked": ("b", "a"), "left_out": {"b"}}, ("a", "embedded", "f", "b")),
        ({"asked": "z", "left_out": {"z"}}, ("z", "f")),
        ({"left_out": ("embedded", "f")}, ("embedded", "f")),
        ({"ranked": ("tiny", "wide")}, ("wide", "embedded", "f", "tiny")),
        ({"asked": "tiny"}, ("tiny", "f")),
    ],
    ids=str,
)
def test_the_order_in_which_models_are_asked(changes: dict[str, Any], models: tuple[str, ...]) -> None:
    given = {"asked": None, "ranked": (), "usual": ("embedded",), "fallbacks": ("f",), "context_tokens": SIZES.get} | changes
    assert route(define(), **given).models == models


def test_every_decision_is_said() -> None:
    given = {"usual": ("u",), "fallbacks": (), "left_out": {"b"}, "context_tokens": SIZES.get}
    assert route(define(), asked=None, ranked=("a", "b", "tiny"), **given).reasons == (
        "a: first in the ranking of greeting",
        "tiny: comes last, its context of 2000 tokens is below 4000",
        "b: left out for a while after failures",
    )


def test_a_new_task_is_like_the_one_that_takes_and_gives_the_same() -> None:
    packaged = Catalogue.packaged()
    found = most_similar(packaged.get("gather_item"), packaged)
    assert found is not None and found[0].id == "gather_items_batch"
    assert most_similar(packaged.get("skill_decomposition"), packaged) is None
