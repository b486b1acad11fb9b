"""Claims about scores: what must be high, what must be low, and what must be higher than what."""

from __future__ import annotations

import numpy as np
import pytest

from gather_pipeline.domain.departments import Department
from gather_pipeline.gather.score import (
    calculate_actionability_score,
    calculate_coherence_score,
    calculate_coverage_score,
    calculate_depth_score,
    measure,
)
from gather_pipeline_tests.gather.quality_notes import (
    BOILERPLATE,
    BRIEF,
    EMBEDDED,
    EMBEDDED_BRIEF,
    EMBEDDED_STORY,
    FLUENT_BOILERPLATE,
    GIBBERISH,
    GOOD_LOGISTICS,
    GOOD_STORY,
    GREEK,
    JAPANESE,
    LOGISTICS,
    OFF_TOPIC,
    ONE_WORD,
    STORY,
    STUFFED,
)
from gather_pipeline_tests.gather.scoring import EMBEDDER, items_of, one_note, scored
from gather_pipeline_tests.gather.shuffling import shuffled

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
}


@pytest.mark.parametrize("texts", JUNK.values(), ids=list(JUNK))
def test_notes_that_nobody_could_use_score_clearly_low(texts: tuple[str, ...]) -> None:
    assert scored(texts).value < 30


@pytest.mark.parametrize("texts", JUNK.values(), ids=list(JUNK))
def test_the_reasons_of_a_low_score_name_a_fault(texts: tuple[str, ...]) -> None:
    reasons = " ".join(reason for part in scored(texts).parts.values() for reason in part.reasons)
    faults = (
        "Not readable",
        "Hardly a sentence",
        "A list of words",
        "Only general things",
        "Nothing definite",
        "Far from",
        "Copied from",
        "Said by an earlier",
    )
    assert any(fault in reasons for fault in faults), reasons


@pytest.mark.parametrize(("texts", "department"), [(GOOD_STORY, STORY), (GOOD_LOGISTICS, LOGISTICS)], ids=["story", "logistics"])
def test_careful_notes_that_cover_every_aspect_score_near_80_and_above(texts: tuple[str, ...], department: Department) -> None:
    quality = scored(texts, department)
    assert quality.value >= 77
    assert quality.parts["coverage"].value >= 80


def test_the_embedded_model_reaches_modest_thresholds_and_stays_below_careful_notes() -> None:
    quality = scored(EMBEDDED, EMBEDDED_STORY, EMBEDDED_BRIEF)
    assert 55 <= quality.value <= 72
    assert quality.value < scored(GOOD_STORY).value - 8
    assert quality.parts["actionability"].value < 50


SPECIFIC = (
    "At 05:40 Elias wipes the salt from the lens with his sleeve, counts the 112 steps down to the quay, and hides the fuse keys "
    "behind the chapel bell."
)
LIGHT = "Hang two tungsten practicals above the table, gel the window with half CTB, and keep the key light below 200 lux."
CONTRASTS = [
    ("depth", "specific over general", SPECIFIC, "Someone does something with some things in a place, and then it is all very different."),
    ("depth", "names and numbers over none", SPECIFIC, "A man cleans something with his clothes and goes down to the water."),
    ("depth", "a whole note over a short one", GOOD_STORY[3], "Elias turned the beam away."),
    ("depth", "content over boilerplate", GOOD_STORY[1], BOILERPLATE[3] + " " + BOILERPLATE[4]),
    ("depth", "words over keyboard noise", EMBEDDED[1], "asdf qwer zxcv hjkl poiu wert lkjh gfds mnbv trew"),
    ("depth", "new sentences over one repeated", GOOD_STORY[0], "Elias wipes salt off the lens. " * 6),
    ("coherence", "straight over shuffled", GOOD_STORY[5], shuffled(GOOD_STORY[5])),
    ("coherence", "one subject over five", GOOD_STORY[4], " ".join(text.split(". ")[0] + "." for text in (*OFF_TOPIC[:4], "Fog falls."))),
    ("coherence", "progress over repetition", GOOD_STORY[2], "Mara reads the log. Mara reads the log book. Again Mara reads the log."),
    ("coherence", "sentences over a list of words", SPECIFIC, "lamp salt lens sleeve quay keys chapel bell steps fuse light tower"),
    ("coherence", "sentences over stumps", SPECIFIC, "He wipes. Salt. He counts. Steps. Keys. Chapel. He hides. Bell."),
    ("coherence", "finished over broken off", "Mara counts the steps and stops on the landing.", "Mara counts the steps and stops on the"),
    ("actionability", "a direction over a feeling", LIGHT, "The light might perhaps be sort of nice somehow, maybe like something warm."),
    ("actionability", "exact over loose", LIGHT, "Use some lights and make it look good."),
    ("actionability", "what to do over what is felt", GOOD_LOGISTICS[1], EMBEDDED[4]),
]


@pytest.mark.parametrize(
    ("part", "better", "worse"), [(p, b, w) for p, _, b, w in CONTRASTS], ids=[f"{p}: {n}" for p, n, _, _ in CONTRASTS]
)
def test_the_better_text_scores_higher_by_a_margin(part: str, better: str, worse: str) -> None:
    score = {
        "depth": lambda notes: calculate_depth_score(notes, embedder=EMBEDDER),
        "coherence": lambda notes: calculate_coherence_score(notes, embedder=EMBEDDER),
        "actionability": calculate_actionability_score,
    }[part]
    margin = 5 if "stops on the" in worse else 15
    assert score(one_note(better)) >= score(one_note(worse)) + margin


@pytest.mark.parametrize("texts", [GOOD_STORY, GOOD_LOGISTICS, EMBEDDED], ids=["story", "logistics", "embedded"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffling_the_words_within_sentences_lowers_coherence_much(texts: tuple[str, ...], seed: int) -> None:
    straight = calculate_coherence_score([{"content": text} for text in texts], embedder=EMBEDDER)
    jumbled = calculate_coherence_score([{"content": shuffled(text, seed)} for text in texts], embedder=EMBEDDER)
    assert jumbled < straight - 30


def test_notes_of_one_film_are_more_coherent_than_a_mixture() -> None:
    mixed = [*GOOD_STORY[:3], *OFF_TOPIC[:3]]
    whole = calculate_coherence_score(one_note(GOOD_STORY[0]) + [{"content": text} for text in GOOD_STORY[1:6]], embedder=EMBEDDER)
    assert calculate_coherence_score([{"content": text} for text in mixed], embedder=EMBEDDER) < whole - 15


def test_every_further_aspect_raises_coverage() -> None:
    values = [calculate_coverage_score(STORY, items_of(GOOD_STORY[:count]), embedder=EMBEDDER) for count in range(len(GOOD_STORY) + 1)]
    assert values[0] == 0.0
    assert all(later > earlier + 3 for earlier, later in zip(values, values[1:], strict=False))


def test_further_notes_on_one_aspect_raise_its_coverage_but_less_than_the_first_did() -> None:
    department = Department.model_validate(
        {"slug": "sound", "name": "Sound Department", "description": "What is heard.", "coordinationSettings": {"aspects": ["wind"]}}
    )
    winds = (
        "A north-west wind whistles through the cracked pane of the lamp room in every night scene.",
        "Record the wind in the 112-step stairwell with two microphones, one at the door and one on the gallery.",
        "When the wind drops at dawn, the silence of the quay tells Elias that the ferry can land.",
        "The wind in the chapel comes through the bell rope hole, a low flute note under every prayer.",
    )
    values = [calculate_coverage_score(department, items_of(winds[:count], "sound"), embedder=EMBEDDER) for count in (1, 2, 3, 4)]
    gains = np.diff(values)
    assert values[0] >= 60
    assert (gains > 0).all()
    assert gains.sum() < values[0] / 2
    assert values[-1] < 100


def test_an_aspect_that_no_note_speaks_of_comes_first_in_least_covered() -> None:
    without_climax = tuple(text for text in GOOD_STORY if "Climax" not in text)
    assert scored(without_climax).least_covered[0] == "climax"
    assert sorted(scored(GOOD_STORY).least_covered) == sorted(STORY.aspects)


def test_an_off_topic_text_that_names_an_aspect_covers_it_far_less() -> None:
    advert = "The opening scene of our pizza advert shows a chef in Naples who throws the dough; the final image is the price, 9.99."
    note = "In the opening scene Elias lights the lamp alone; the final image is the island's windows, lit one by one."
    assert scored((advert,)).parts["coverage"].value < 0.6 * scored((note,)).parts["coverage"].value


def test_a_note_that_only_names_an_aspect_covers_it_less_than_one_about_it() -> None:
    echo = "At the heart of the weather cover is Mara's grandfather, who once married a sailor in the month of May, and she was happy."
    note = "Weather cover: when the wind passes 12 m/s, the crew moves into the harbour office, and rain scenes wait for week four."
    named, covered = (scored((text,), LOGISTICS).parts["coverage"].value for text in (echo, note))
    assert named < 0.75 * covered


def test_a_long_description_is_a_source_text_whose_central_and_early_clauses_count_most() -> None:
    source = (
        "The lighthouse of Skerra goes dark on Friday. The keeper, Elias Varga, has served for thirty years. The harbour board replaces "
        "the lamp by an automatic one. An engineer from the mainland has six weeks for the work. Fishermen fear the change. "
        "A choir from Norhavn sang at the quay. Coffee was sold at the church. The ferry was late because of fog. "
        "Children drew pictures of seals. A bakery in the village won a prize for rye bread. The weather will be fair on Sunday. "
        "The school roof is to be painted green. A lost dog was found near the chapel. The library opens at noon. "
    )
    department = Department(slug="news", name="Summary", description=source)
    main = "Elias Varga, keeper for thirty years, leaves on Friday when the lighthouse of Skerra goes dark and an automatic lamp is fitted."
    minor = "The library opens at noon, a lost dog was found near the chapel, and the school roof is to be painted green by volunteers."
    central, trifling = (calculate_coverage_score(department, one_note(text), embedder=EMBEDDER) for text in (main, minor))
    assert central > 2 * trifling > 0


def test_a_copied_brief_covers_less_than_the_same_matter_in_own_words() -> None:
    copied = "In the oil store she finds a second log book with eleven names that appear in no register."
    own = "Turning point: behind the paraffin cans Mara discovers another log, and eleven people in it whom Skerra never recorded."
    assert scored((copied,)).parts["depth"].value < 0.3 * scored((own,)).parts["depth"].value


@pytest.mark.parametrize("texts", [JAPANESE, GREEK], ids=["Japanese", "Greek"])
def test_a_note_in_another_script_is_judged_by_what_can_be_counted_and_says_so(texts: tuple[str, ...]) -> None:
    quality = scored(texts)
    assert all(part.value > 10 for part in quality.parts.values())
    assert all("not in English" in " ".join(quality.parts[name].reasons) for name in ("coverage", "coherence", "actionability"))


def test_a_note_in_another_script_counts_for_the_aspect_that_it_was_asked_for() -> None:
    asked = items_of(JAPANESE, aspects=["climax", "theme"])
    quality = measure(STORY, asked, EMBEDDER)
    assert set(quality.least_covered[-2:]) == {"climax", "theme"}
