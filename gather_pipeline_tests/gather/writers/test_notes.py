"""What code adds to the embedded model's texts."""

from __future__ import annotations

import numpy as np
import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.domain.departments import Department
from gather_pipeline.gather.writers import notes
from gather_pipeline.text.names import Names

TEXT = "Elias climbs the 112 steps of the lighthouse with a cold lamp in his hand. Mara waits for him at the top"


def test_a_text_is_cut_after_its_last_whole_sentence_and_loses_its_markup() -> None:
    assert notes.tidy("**" + TEXT + "**") == "Elias climbs the 112 steps of the lighthouse with a cold lamp in his hand."
    assert notes.tidy("one\n\ntwo. ") == "one two."


@pytest.mark.parametrize(("text", "usable"), [(TEXT, True), ("Too short.", False), ("no end " * 20, False), ("", False)])
def test_only_a_whole_sentence_of_some_length_is_usable(text: str, usable: bool) -> None:
    assert notes.is_usable(text) is usable


def test_the_context_names_department_aspect_and_people() -> None:
    department = Department(slug="story", name="Story Department")
    names = Names(people=("Elias", "Mara", "Petra"), places=("Skerra",))
    assert notes.context("Whenever Elias waits, Mara's boat leaves Skerra.", department, "climax", names) == (
        "Story Department, on the climax; names Elias, Mara, Skerra."
    )


def test_the_candidate_on_the_aspect_wins_over_one_told_by_an_i() -> None:
    texts = ["I want you to see my red door in the lamp room.", "The red door of the lamp room is the only red in the film."]
    assert (
        notes.best_of(texts, "the red door", "The only red is the lamp room's door.", np.empty((0, 0), np.float32), HashingEmbedder()) == 1
    )


def test_a_candidate_with_names_that_nobody_gave_loses() -> None:
    texts = ["The red door must be kept by Mercedes Alvarado of Lisbon.", "The red door must be kept by Elias, the keeper."]
    brief = "Elias keeps the red door of the lamp room."
    assert notes.best_of(texts, "the red door", brief, np.empty((0, 0), np.float32), HashingEmbedder()) == 1


def test_a_candidate_that_repeats_what_is_kept_loses() -> None:
    embedder = HashingEmbedder()
    kept = embedder.embed(["The lamp goes out and the island is dark for eleven seconds."])
    texts = ["The lamp goes out and the island is dark for eleven seconds.", "The lamp goes out while Petra locks the island's office."]
    assert notes.best_of(texts, "the lamp", "An island and its lamp.", kept, embedder) == 1
