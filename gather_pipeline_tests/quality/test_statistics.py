"""Claims about what the measures tell apart without a judge: what must be high, what must be low, and what must be higher than what."""

from __future__ import annotations

import numpy as np
import pytest

from gather_pipeline.quality.notes import BLOCK, NEAR, Topic, read_notes
from gather_pipeline.quality.scorer import calculate_actionability_score, calculate_coherence_score, calculate_depth_score
from gather_pipeline_tests.quality.material import (
    BOILERPLATE,
    BRIEF,
    EMBEDDED,
    FLUENT_BOILERPLATE,
    GIBBERISH,
    GOOD_LOGISTICS,
    GOOD_STORY,
    LOGISTICS,
    OFF_TOPIC,
    ONE_WORD,
    STORY,
    STUFFED,
)
from gather_pipeline_tests.quality.scoring import EMBEDDER, one_note, scored, shuffled, value

NAMED_FILLER = (
    "The opening scene with Elias should be engaging and show the themes of Skerra clearly.",
    "The central conflict between Elias and Mara has to be powerful, so that the audience is drawn into the story of the lamp.",
    "The turning point is one of the most important moments for Mara and needs to be handled with great care.",
    "The secret of the past should affect Petra and Elias deeply and give their scenes real emotional weight.",
    "The climax with Mara and Elias must be moving and memorable and bring the story of the lighthouse together.",
    "The final image of Skerra ought to stay with the audience and reflect the theme of the film in a satisfying way.",
)
NONSENSE = (
    "Elias opened the lamp and the lamp opened Elias, so that the island was in the lamp and he was happy because he was sad.",
    "Mara has six weeks and after the weeks she has the weeks again. She is the harbour, and the harbour asks her for the harbour.",
    "The final image is an image of the image. Petra goes to the ferry and the ferry goes to Petra until both of them are the log.",
)
GERMAN = (
    "Zum Anlegen eines neuen Projekts wählen Sie im Menü den Eintrag Neu und geben im folgenden Dialog einen Namen und einen Ort an.",
    "Das Programm fragt nach, ob eine vorhandene Datei überschrieben werden soll; mit Abbrechen kehren Sie zum Hauptfenster zurück.",
)
PARAPHRASES = (
    GOOD_STORY[5],
    "The last image: the lamp is switched off and for eleven seconds the screen is black. Then Ines lights a candle in the schoolhouse, "
    "Petra answers from the harbour office, and one window after another draws the island's outline from the sea.",
    "At the end the lamp goes out and the screen stays dark eleven seconds long; Ines in the schoolhouse lights a candle, Petra in the "
    "harbour office answers, and window by window the outline of the island appears from the sea.",
)
JUNK = {
    "gibberish": GIBBERISH,
    "one word a note": ONE_WORD,
    "aspect names without content": STUFFED,
    "generic boilerplate": BOILERPLATE,
    "fluent boilerplate on every aspect": FLUENT_BOILERPLATE,
    "aspect names in sentences": tuple(f"The {aspect} is the {aspect} of the story, and it is a {aspect}." for aspect in STORY.aspects),
    "off the topic": OFF_TOPIC,
    "copied from the brief": tuple(f"{sentence.strip(' .')}." for sentence in BRIEF.split(". ")),
    "one note six times": GOOD_STORY[:1] * 6,
    "one note in other words": PARAPHRASES,
    "a manual in German": GERMAN,
}


@pytest.mark.parametrize("texts", JUNK.values(), ids=list(JUNK))
def test_notes_that_nobody_could_use_score_clearly_low(texts: tuple[str, ...]) -> None:
    assert scored(texts).value < 30


def test_careful_notes_score_between_70_and_95() -> None:
    assert 70 <= scored(GOOD_STORY).value <= 95
    assert 70 <= scored(GOOD_LOGISTICS, LOGISTICS).value <= 95


@pytest.mark.parametrize(
    "worse", [NAMED_FILLER, NONSENSE, EMBEDDED], ids=["filler with names", "fluent nonsense", "the small model's notes"]
)
def test_careful_notes_score_8_points_above(worse: tuple[str, ...]) -> None:
    assert scored(GOOD_STORY).value >= scored(worse).value + 8


def test_good_notes_of_another_department_score_20_below_the_right_ones() -> None:
    assert scored(GOOD_STORY).value >= scored(GOOD_LOGISTICS).value + 20
    assert scored(GOOD_LOGISTICS, LOGISTICS).value >= scored(GOOD_STORY, LOGISTICS).value + 20


def test_shuffled_words_lose_half_of_the_score() -> None:
    assert scored(tuple(shuffled(text) for text in GOOD_STORY)).value <= 0.5 * scored(GOOD_STORY).value


def test_a_note_that_only_names_its_aspect_covers_hardly_anything() -> None:
    assert value(scored(NAMED_FILLER), "coverage") < 0.5 * value(scored(GOOD_STORY), "coverage")


def test_what_is_not_english_earns_nothing_and_the_reasons_say_that_it_was_not_read() -> None:
    """The embedding model and the measures are English: what they do not read they cannot credit."""
    quality = scored(GERMAN)
    assert quality.value == 0
    assert any("Not read, because only English is" in reason for part in quality.parts.values() for reason in part.reasons)


def test_coherence_is_unknown_without_a_judge_and_prose_that_goes_round_in_circles_is_named() -> None:
    part = scored(NONSENSE).parts["coherence"]
    assert part.value is None
    assert part.reasons[0] == "Unknown: whether the notes agree with one another was not judged."
    assert any("come back to their own words" in reason for reason in part.reasons)


def test_a_bare_verb_and_a_duty_are_directions_and_a_description_is_none() -> None:
    told = "Hold the harbour office and the oil store as dressed interiors from day 3, and post a marshal on the landing at step 60."
    shown = "The harbour office and the oil store were dressed interiors on day 3, and a marshal stood on the landing at step 60."
    assert calculate_actionability_score(one_note(told), embedder=EMBEDDER) > calculate_actionability_score(
        one_note(shown), embedder=EMBEDDER
    )


def test_more_that_is_new_is_deeper_and_saying_it_twice_is_not() -> None:
    short, long = one_note(GOOD_STORY[0].split(".")[0] + "."), one_note(GOOD_STORY[0])
    assert calculate_depth_score(long, embedder=EMBEDDER) > calculate_depth_score(short, embedder=EMBEDDER)
    assert calculate_depth_score(long * 2, embedder=EMBEDDER) < calculate_depth_score(long, embedder=EMBEDDER)


def test_keyboard_noise_is_incoherent() -> None:
    assert calculate_coherence_score([{"content": text} for text in GIBBERISH], embedder=EMBEDDER) < 5


def test_a_notes_news_are_the_words_of_no_earlier_note_near_it_however_many_there_are() -> None:
    """Counted in blocks and by word; held here against one note after the other."""
    random = np.random.default_rng(7)
    words = [f"{first}{last}" for first in ("lamp", "rope", "salt", "tide", "oar") for last in ("", "room", "house", "maker")]
    texts = [" ".join(random.choice(words, 6)) for _ in range(BLOCK + 40)]
    rows = random.normal(size=(len(texts), 3)).astype(np.float32)  # of few dimensions, so that many lie near each other
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    topic = Topic(aspects=("the lamp",))
    notes = read_notes([{"content": text} for text in texts], EMBEDDER, topic, vectors=rows)
    for place, analysis in enumerate(notes.analyses):
        cosines = rows[:place] @ rows[place]
        known = topic.known.union(*(notes.analyses[other].worths for other in np.flatnonzero(cosines >= NEAR)))
        assert notes.mass[place] == sum(worth for word, worth in analysis.worths.items() if word not in known)
        assert notes.nearest[place] == pytest.approx(float(cosines.max()) if place else 0.0, abs=1e-6)
