"""The filter drops what a studio could not show and leaves crime, death and weather alone."""

from __future__ import annotations

import pytest

from gather_pipeline.text.content_filter import objection


@pytest.mark.parametrize(
    "text", ["The final image shows Mara, lying naked before the keeper.", "A SEX SCENE in the oil store.", "He decapitates it."]
)
def test_a_text_that_could_not_be_shown_is_named_with_its_words(text: str) -> None:
    reason = objection(text)
    assert reason is not None
    assert any(word in reason for word in ("naked", "SEX SCENE", "decapitates"))


@pytest.mark.parametrize(
    "text",
    [
        "The keeper killed a man in the storm and buried him.",
        "Rapeseed fields, a shot of grapes, the scrape of a boat.",
        "Chinks of light in Essex, an Assassin's cocked hat.",
        "The sexton rings the bell.",
    ],
)
def test_crime_and_words_that_only_look_alike_pass(text: str) -> None:
    assert objection(text) is None
