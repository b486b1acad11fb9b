"""Who judges: never the embedded model, a remote department's own one, or the one that the setting names."""

from __future__ import annotations

from functools import partial

import pytest

from gather_pipeline.domain.routing import resolve_model
from gather_pipeline.errors import InvalidInput
from gather_pipeline.gather.judges import judge_model

REMOTE = partial(resolve_model, provider="custom")
LOCAL = partial(resolve_model, provider=None)


@pytest.mark.parametrize(
    ("setting", "own", "judge"),
    [
        (None, "some/model", "some/model"),
        (None, "embedded", None),
        (None, "scripted", None),
        ("none", "some/model", None),
        ("other/judge", "some/model", "other/judge"),
        ("scripted", "embedded", "scripted"),
    ],
)
def test_the_judge_follows_the_setting_and_else_the_department(setting: str | None, own: str, judge: str | None) -> None:
    assert judge_model(setting, own, REMOTE) == judge


@pytest.mark.parametrize("setting", ["embedded", "other/judge"])
def test_a_judge_that_the_embedded_model_would_have_to_play_is_refused(setting: str) -> None:
    with pytest.raises(InvalidInput, match=f"GATHER_JUDGE_MODEL is '{setting}'"):
        judge_model(setting, "embedded", LOCAL)
