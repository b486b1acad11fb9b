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


@pytest.mark.parametrize(
    "text",
    [
        "Ines wears a nude-coloured stocking under the oilskin.",
        "Nude tights for the dance, matt, no shine.",
        "The varnish retards the growth of mould on the oars.",
        "A naked bulb swings over the ledger; to the naked eye it never moves.",
        "The grease nipple on the winch squeals once a turn.",
        "She carries a bundle of faggots to the stove.",
        "The road runs through fields of rape in bloom.",
        "Strings of sheep's intestines for the old fiddle.",
        "The decapitated stone angel lies in the nettles.",
    ],
)
def test_words_of_the_craft_pass(text: str) -> None:
    assert objection(text) is None


@pytest.mark.parametrize(
    "text", ["He calls the boy a retard.", "They are retards, he says.", "The decapitated sailor floats by.", "She stands nude."]
)
def test_the_same_words_of_people_do_not(text: str) -> None:
    assert objection(text) is not None
