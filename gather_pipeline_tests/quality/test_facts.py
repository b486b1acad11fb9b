"""Claims about contradictions with the brief: which are named, what they cost, and what is none."""

from __future__ import annotations

import pytest

from gather_pipeline.quality.facts import clashes
from gather_pipeline.quality.scorer import CONTRADICTION_COST
from gather_pipeline_tests.quality.material import BRIEF as SKERRA
from gather_pipeline_tests.quality.material import GOOD_LOGISTICS, GOOD_STORY, LOGISTICS
from gather_pipeline_tests.quality.scoring import scored

BRIEF = (
    "The mill at Brodno has four looms and employs 45 people. On 6 May 1931 Agnes Weil, 29, comes by train to inspect it within "
    "three weeks. "
    "The night watchman Ruben Lasker was killed in the fire of 2 November 1928. His widow Klara, 51, lives at 9 Tanner Street. "
    "Josef Marek, 63, the owner, lost two fingers of his right hand in the carding machine. The mill closes on 30 May."
)


def found(text: str, brief: str = BRIEF) -> list[str]:
    return list(clashes(text, brief).values())


@pytest.mark.parametrize(
    ("text", "said", "brief"),
    [
        ("Agnes (34) steps down from the train with one case.", "agnes as 34", "29"),
        ("At 71 Josef still oils the carding machine himself.", "josef as 71", "63"),
        ("The mill has six looms, and only one of them runs.", "loom as 6", "4"),
        ("Show his right hand, four fingers short, on the carding machine when Josef signs.", "finger as 4", "2"),
        ("Agnes has five weeks to inspect the mill.", "week as 5", "3"),
        ("Agnes comes by train on 6 August 1931 in the rain.", "6 August 1931", "6 May 1931"),
        ("Nobody speaks of the fire of 2 November 1926.", "2 November 1926", "2 November 1928"),
        ("Ruben walks through the hall with his lamp and greets the weavers.", "Ruben living", "killed"),
        ("Klara looks after Ruben, alive but blind.", "Ruben living", "killed"),
        ("The door of 19 Tanner Street is painted green.", "tanner as 19", "9"),
        ("Agnes Weill signs the register at the station.", "Weill", "Weil"),
        ("Josef dies in his office before the train leaves.", "Josef die", "says nothing"),
    ],
)
def test_a_note_against_the_brief_is_named_with_both_places(text: str, said: str, brief: str) -> None:
    sentences = found(text)
    assert len(sentences) == 1
    assert said in sentences[0]
    assert brief in sentences[0].split("against", 1)[1]


@pytest.mark.parametrize(
    "text",
    [
        "Agnes, 29, counts four looms and 45 people before noon on 6 May.",
        "Three weavers sit by the window, and two of the looms are under sheets.",
        "Group the five loom nights in the last week of the shoot.",
        "Klara keeps Ruben's coat on the hook. In a flashback Ruben walks through the hall.",
        "File the permits by 12 December and book twelve extras for the station.",
        "Hold the shot for nine seconds, then cut to the train at 6:30.",
        "Ruben does not survive the fire.",
    ],
)
def test_what_a_note_may_add_is_no_contradiction(text: str) -> None:
    assert found(text) == []


def test_without_a_brief_nothing_is_contradicted() -> None:
    assert found("Agnes is 34.", brief="") == []


def test_careful_notes_contradict_nothing() -> None:
    assert scored(GOOD_STORY).contradictions == ()
    assert scored(GOOD_LOGISTICS, LOGISTICS).contradictions == ()


def test_each_contradiction_costs_5_points_and_stands_in_the_reasons() -> None:
    wrong = (GOOD_STORY[0].replace("Elias wipes", "Elias, 48, wipes"), *GOOD_STORY[1:])
    assert "sixty-one" in SKERRA
    quality = scored(wrong)
    assert (len(quality.contradictions), quality.deduction) == (1, CONTRADICTION_COST)
    assert quality.value == pytest.approx(scored(GOOD_STORY).value - CONTRADICTION_COST, abs=2.0)
    assert "the age of elias as 48" in quality.parts["coherence"].reasons[0]
