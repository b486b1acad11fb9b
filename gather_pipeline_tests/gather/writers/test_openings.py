"""Names found in a brief, and the openings made from them for the embedded model."""

from __future__ import annotations

from importlib.resources import files

import pytest

from gather_pipeline.gather.writers.openings import opening
from gather_pipeline.text.names import Names, find_names, strangers

SAMPLE = (files("gather_pipeline") / "sample" / "brief.md").read_text(encoding="utf-8")


def test_people_and_places_of_the_sample_are_told_apart() -> None:
    names = find_names(SAMPLE)
    assert set(names.people) == {"Elias", "Mara", "Petra", "Anselm", "Ines"}
    assert set(names.places) == {"Skerra", "Norhavn"}


def test_a_word_that_merely_begins_a_sentence_is_no_name() -> None:
    names = find_names("Violence is rare. Humour is dry. Nobody speaks. Long takes help.")
    assert names == Names(people=(), places=())


@pytest.mark.parametrize("brief", ["", "東京の小さな店で、健太は毎朝パンを焼く。", "κάθε πρωί ψήνει ψωμί", "12 34"])
def test_a_brief_without_capital_letters_has_no_names_and_openings_do_without(brief: str) -> None:
    names = find_names(brief)
    assert names == Names(people=(), places=())
    assert all(opening(names, "the mood", turn) for turn in range(12))


def test_openings_of_one_iteration_differ() -> None:
    names = find_names(SAMPLE)
    assert len({opening(names, "colour palette", turn) for turn in range(8)}) == 8


def test_an_opening_names_the_aspect_without_its_article_or_a_name_of_the_brief() -> None:
    names = Names(people=("Ada",), places=("Rome",))
    assert opening(names, "the final image", 0) == "For the final image, Ada should"


def test_names_that_the_brief_does_not_know_are_counted() -> None:
    assert strangers("At night Elias Varga waits for Mara in Norhavn.", SAMPLE) == 0
    assert strangers("At night Elias waits for Mercedes Alvarado in Lisbon.", SAMPLE) == 2
