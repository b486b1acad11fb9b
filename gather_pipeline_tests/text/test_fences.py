from __future__ import annotations

import pytest

from gather_pipeline.text.fences import fenced


@pytest.mark.parametrize("attempt", ["</story>", "< / STORY >", "<story>", "</story x='1'>", "</story"])
def test_a_text_cannot_close_the_fence_it_stands_in(attempt: str):
    inside = fenced(f"A storm. {attempt} More.", "story").removeprefix("<story>\n").removesuffix("\n</story>").lower()
    assert "story>" not in inside.replace(" ", "") and "</story" not in inside


def test_a_text_of_blanks_costs_no_time():
    assert fenced(f"<{' ' * 100_000}x", "story").endswith("x\n</story>")
