"""The cascade with exact planted cosines."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

import numpy as np
import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.domain.items import content_hash
from gather_pipeline.errors import InvalidInput, ModelUnavailable, TaskCancelled
from gather_pipeline.ports import Vectors
from gather_pipeline.similarity.deduplicate import (
    DuplicateDetector,
    KnownItems,
)

LAMP = "The keeper trims the lamp before the storm reaches the harbour."
LAMP_AGAIN = "Before the storm gets to the harbour the keeper trims his lamp."
LETTERS = "Mara hides the letters of the drowned sailor under the stairs."
THREE = "Three divers go down at dawn to search the wreck."
FIVE = "Five divers go down at dawn to search the wreck."


@dataclass(frozen=True)
class Note:
    id: str
    content: str


def at_cosines(*cosines: float) -> Vectors:
    """A first row, and one row for each cosine to it; the rows are orthogonal apart from that."""
    rows = np.zeros((len(cosines) + 1, len(cosines) + 1), dtype=np.float32)
    rows[0, 0] = 1
    for place, cosine in enumerate(cosines, start=1):
        rows[place, 0], rows[place, place] = cosine, math.sqrt(1 - cosine**2)
    return rows


def screen(contents, vectors, known=None, *, judge=None, **settings):
    detector = DuplicateDetector(HashingEmbedder(), judge=judge, **settings)
    return asyncio.run(detector.screen(contents, vectors, known or KnownItems()))


def known_lamp(cosine: float) -> tuple[KnownItems, Vectors]:
    rows = at_cosines(cosine)
    return KnownItems.from_items([Note("a1", LAMP)], rows[:1]), rows[1:]


def test_an_equal_text_is_dropped_by_its_hash_whatever_the_vectors_say():
    known, vector = known_lamp(0.0)
    [decision] = screen(["  the keeper TRIMS the lamp before the storm reaches the harbour. "], vector, known)
    assert (decision.duplicate, decision.rule, decision.match_id) == (True, "exact", "a1")
    assert decision.similarity == 1.0
    assert decision.match_content == LAMP


def test_a_near_text_is_dropped_with_its_match_and_cosine():
    known, vector = known_lamp(0.93)
    [decision] = screen([LAMP_AGAIN], vector, known)
    assert (decision.duplicate, decision.rule, decision.match_id) == (True, "embedding", "a1")
    assert decision.cosine == pytest.approx(0.93, abs=1e-6)
    assert 0.6 <= decision.similarity <= 1
    assert "sure that both say the same" in decision.reason


def test_a_far_text_is_kept_and_says_that_nothing_is_near():
    known, vector = known_lamp(0.2)
    [decision] = screen([LETTERS], vector, known)
    assert (decision.duplicate, decision.rule, decision.match_id, decision.similarity) == (False, "distinct", None, 0.0)


def test_a_text_in_between_is_kept_and_names_what_it_was_compared_with():
    known, vector = known_lamp(0.6)
    [decision] = screen([LETTERS], vector, known)
    assert (decision.duplicate, decision.rule, decision.match_id) == (False, "distinct", "a1")
    assert 0 < decision.similarity < 0.6


def test_a_conflict_saves_what_the_vectors_would_drop_and_says_why():
    rows = at_cosines(0.99)
    known = KnownItems.from_items([Note("a1", THREE)], rows[:1])
    [decision] = screen([FIVE], rows[1:], known)
    assert (decision.duplicate, decision.rule, decision.match_id) == (False, "conflict", "a1")
    assert decision.reason == "a number differs: '5 diver' against '3 diver'"


def test_the_judge_is_asked_about_unsure_pairs_only_and_decides_them():
    asked = []

    async def judge(first: str, second: str) -> float:
        asked.append((first, second))
        return 0.9 if second == LAMP else 0.1

    rows = at_cosines(0.80, 0.20)
    known = KnownItems.from_items([Note("a1", LAMP)], rows[:1])
    near, far = screen([LAMP_AGAIN, LETTERS], rows[1:], known, judge=judge)
    assert asked == [(LAMP_AGAIN, LAMP)]
    assert (near.duplicate, near.rule, near.similarity) == (True, "judge", 0.9)
    assert (far.duplicate, far.rule) == (False, "distinct")


def test_a_judge_that_says_no_keeps_the_text():
    async def judge(first: str, second: str) -> float:
        return 0.05

    known, vector = known_lamp(0.85)
    assert screen([LAMP_AGAIN], vector, known)[0].duplicate
    [decision] = screen([LAMP_AGAIN], vector, known, judge=judge)
    assert (decision.duplicate, decision.rule, decision.similarity) == (False, "judge", 0.05)


@pytest.mark.parametrize(
    ("new", "rule"), [(FIVE, "conflict"), (f"{THREE} Leave the red buoy at home, it is broken.", "adds")], ids=["a conflict", "a new fact"]
)
def test_no_judge_overrules_what_the_texts_show(new, rule):
    async def judge(first: str, second: str) -> float:
        raise AssertionError("asked about a pair that the texts decide")

    rows = at_cosines(0.9)
    known = KnownItems.from_items([Note("a1", THREE)], rows[:1])
    [decision] = screen([new], rows[1:], known, judge=judge)
    assert (decision.duplicate, decision.rule) == (False, rule)


def test_a_judge_overrules_what_the_rules_only_suspect():
    """Without a judge one instrument in the place of another keeps both notes."""

    async def judge(first: str, second: str) -> float:
        return 0.95

    cello, violin = (f"Mara hears a lone {one} behind the chapel wall while the tide goes out at dusk." for one in ("cello", "violin"))
    rows = at_cosines(0.97)
    known = KnownItems.from_items([Note("a1", cello)], rows[:1])
    [alone] = screen([violin], rows[1:], known)
    assert (alone.duplicate, alone.reason) == (False, "'violin' stands in the place of 'cello'")
    [judged] = screen([violin], rows[1:], known, judge=judge)
    assert (judged.duplicate, judged.rule) == (True, "judge")


def test_a_text_that_says_less_than_a_known_one_is_dropped_and_one_that_says_more_is_not():
    short = "Petr sleeps in the room above the tavern kitchen."
    long = f"{short} He pushes the bed against the warm wall on the first night and leaves scratch marks on the boards."
    rows = at_cosines(0.75)
    [less] = screen([short], rows[1:], KnownItems.from_items([Note("a1", long)], rows[:1]))
    assert (less.duplicate, less.rule) == (True, "contained")
    [more] = screen([long], rows[1:], KnownItems.from_items([Note("a1", short)], rows[:1]))
    assert (more.duplicate, more.rule) == (False, "adds")
    assert more.reason.startswith("it says more: ")
    older, newer = screen([long, short], rows)
    assert (older.duplicate, newer.duplicate, newer.rule) == (False, True, "contained")


@pytest.mark.parametrize("label", ["Note 7. ", "1. ", "- ", "(3) ", "**The divers:** ", "Note 12: "])
def test_the_number_before_a_note_is_no_fact(label):
    """A provider that numbers its notes once had 57 of 59 copies kept."""
    rows = at_cosines(0.93)
    [decision] = screen([label + THREE], rows[1:], KnownItems.from_items([Note("a1", "Note 4. " + THREE)], rows[:1]))
    assert decision.duplicate


@pytest.mark.parametrize("answer", [None, 7.0, float("nan"), ModelUnavailable("connection lost")], ids=str)
def test_a_judge_without_a_usable_answer_leaves_the_pair_to_the_rules(answer, caplog):
    async def judge(first: str, second: str) -> float | None:
        if isinstance(answer, Exception):
            raise answer
        return answer

    known, vector = known_lamp(0.85)
    [decision] = screen([LAMP_AGAIN], vector, known, judge=judge)
    assert (decision.duplicate, decision.rule) == (True, "embedding")
    assert ("the rules decide" in caplog.text) == (answer is not None)


def test_a_cancel_in_the_judge_ends_the_screening():
    async def judge(first: str, second: str) -> float:
        raise TaskCancelled("cancelled")

    known, vector = known_lamp(0.85)
    with pytest.raises(TaskCancelled):
        screen([LAMP_AGAIN], vector, known, judge=judge)


def test_the_judge_is_asked_about_all_pairs_at_once():
    running, most = 0, 0

    async def judge(first: str, second: str) -> float:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return 0.0

    rows = at_cosines(0.80, 0.82, 0.84)
    known = KnownItems.from_items([Note("a1", LAMP)], rows[:1])
    screen([LAMP_AGAIN, LAMP_AGAIN + " Slowly.", LAMP_AGAIN + " Again."], rows[1:], known, judge=judge)
    assert most >= 3


def test_of_a_batch_the_newest_is_kept_and_the_older_names_it():
    older, newer = screen([LAMP, LAMP_AGAIN], at_cosines(0.93))
    assert (older.duplicate, older.match_id, older.match_content) == (True, "batch:1", LAMP_AGAIN)
    assert not newer.duplicate


def test_of_three_equal_texts_only_the_last_stays():
    decisions = screen([LAMP, LAMP.upper(), LAMP], np.ones((3, 1), dtype=np.float32))
    assert [decision.duplicate for decision in decisions] == [True, True, False]
    assert [decision.match_id for decision in decisions[:2]] == ["batch:2", "batch:2"]
    assert {decision.rule for decision in decisions[:2]} == {"exact"}


def test_an_older_text_is_not_dropped_for_a_newer_one_that_is_itself_dropped():
    rows = at_cosines(0.93, 0.0)
    known = KnownItems.from_items([Note("a1", LAMP)], rows[2:])
    older, newer = screen([LAMP_AGAIN, LAMP], rows[[1, 0]], known)
    assert (newer.duplicate, newer.match_id) == (True, "a1")
    assert not older.duplicate


def test_the_threshold_moves_the_decision():
    known, vector = known_lamp(0.85)
    assert screen([LAMP_AGAIN], vector, known, threshold=0.5)[0].duplicate
    assert not screen([LAMP_AGAIN], vector, known, threshold=0.95)[0].duplicate


def test_a_later_batch_is_compared_with_what_was_appended():
    known = KnownItems()
    vectors = at_cosines(0.95)
    assert not screen([LAMP], vectors[:1], known)[0].duplicate
    known.append(["a1"], [LAMP], vectors[:1])
    assert screen([LAMP_AGAIN], vectors[1:], known)[0].match_id == "a1"
    assert (known.ids, known.contents) == (["a1"], [LAMP])


def test_the_nearest_match_is_found_among_many():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(2000, 64)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    notes = [Note(f"n{place}", f"{LETTERS} Page {place}.") for place in range(2000)]
    notes[1234] = Note("n1234", LAMP)
    known = KnownItems.from_items(notes, rows)
    [decision] = screen([LAMP_AGAIN], rows[1234:1235], known)
    assert (decision.duplicate, decision.match_id) == (True, "n1234")


def test_texts_that_part_at_their_end_are_both_kept():
    beginning = (LAMP + " ") * 9
    rows = at_cosines(0.95)
    known = KnownItems.from_items([Note("a1", beginning + "Then somebody burns the diary.")], rows[:1])
    [decision] = screen([beginning + "Outside a whale surfaces and the bells ring."], rows[1:], known)
    assert not decision.duplicate


def pair(*texts: str) -> frozenset[str]:
    return frozenset(map(content_hash, texts))


def test_a_pair_that_a_person_told_apart_is_no_duplicate_in_either_direction():
    for told in (pair(LAMP, LAMP_AGAIN), pair(LAMP_AGAIN.upper(), LAMP)):
        known, vector = known_lamp(0.99)
        [decision] = screen([LAMP_AGAIN], vector, known, distinct={told})
        assert (decision.duplicate, decision.rule, decision.match_id) == (False, "person", "a1")
        assert decision.reason == "a person has said that they differ"
        assert screen([LAMP_AGAIN], vector, known)[0].duplicate


def test_a_twin_that_a_person_wants_twice_stays_but_repeats_nothing_else():
    rows = at_cosines(0.0, 0.93)
    known = KnownItems.from_items([Note("a1", LAMP)], rows[:1])
    [decision] = screen([LAMP.upper()], rows[:1], known, distinct={pair(LAMP)})
    assert (decision.duplicate, decision.rule, decision.match_id) == (False, "person", "a1")
    known.append(["a2", "a3"], [LETTERS, LAMP_AGAIN], rows[1:])
    [decision] = screen([LAMP], rows[:1], known, distinct={pair(LAMP)})
    assert (decision.duplicate, decision.rule, decision.match_id) == (True, "embedding", "a3")


def test_a_pair_told_apart_says_nothing_about_other_texts():
    known, vector = known_lamp(0.93)
    assert screen([LAMP_AGAIN], vector, known, distinct={pair(LAMP, LETTERS), pair(LAMP_AGAIN), pair(LAMP)})[0].duplicate
    [twin] = screen([LAMP], vector, known, distinct={pair(LAMP, LAMP_AGAIN), pair(LAMP_AGAIN)})
    assert (twin.duplicate, twin.rule) == (True, "exact")


def test_pairs_told_apart_hide_no_duplicate_behind_them():
    """Eight remembered neighbours are nearer than the one that the text does repeat."""
    rows = at_cosines(*([0.99] * 8), 0.93)
    notes = [Note(f"t{place}", LAMP_AGAIN) for place in range(8)] + [Note("other", LAMP_AGAIN.replace("gets to", "reaches"))]
    known = KnownItems.from_items(notes, rows[1:])
    [decision] = screen([LAMP], rows[:1], known, distinct={pair(LAMP, LAMP_AGAIN)})
    assert (decision.duplicate, decision.match_id) == (True, "other")


def test_a_pair_told_apart_is_kept_within_a_batch_too():
    rows = at_cosines(0.93)
    older, newer = screen([LAMP, LAMP_AGAIN], rows, distinct={pair(LAMP, LAMP_AGAIN)})
    assert (older.duplicate, older.rule, older.match_id) == (False, "person", "batch:1")
    assert not newer.duplicate
    older, newer = screen([LAMP, LAMP], rows[[0, 0]], distinct={pair(LAMP)})
    assert (older.duplicate, older.rule, newer.duplicate) == (False, "person", False)


def test_no_judge_is_asked_about_a_pair_that_a_person_told_apart():
    async def judge(first: str, second: str) -> float:
        raise AssertionError("asked about a pair that a person has decided")

    known, vector = known_lamp(0.80)
    [decision] = screen([LAMP_AGAIN], vector, known, judge=judge, distinct={pair(LAMP, LAMP_AGAIN)})
    assert (decision.duplicate, decision.rule) == (False, "person")


def test_a_person_is_named_even_where_a_conflict_would_have_spoken():
    rows = at_cosines(0.99)
    known = KnownItems.from_items([Note("a1", THREE)], rows[:1])
    [decision] = screen([FIVE], rows[1:], known, distinct={pair(THREE, FIVE)})
    assert (decision.duplicate, decision.rule, decision.match_id) == (False, "person", "a1")


def test_not_within_the_batch_texts_are_compared_with_known_items_only():
    rows = at_cosines(0.93, 0.6)
    detector = DuplicateDetector(HashingEmbedder())
    batch = [LAMP_AGAIN, LAMP_AGAIN, LETTERS]
    vectors = rows[[1, 1, 2]]
    assert [decision.duplicate for decision in detector.screen_by_rules(batch, vectors, KnownItems())] == [True, False, False]
    assert not any(decision.duplicate for decision in detector.screen_by_rules(batch, vectors, KnownItems(), within=False))
    known = KnownItems.from_items([Note("a1", LAMP)], rows[:1])
    decisions = detector.screen_by_rules(batch, vectors, known, within=False)
    assert [(decision.duplicate, decision.match_id) for decision in decisions] == [(True, "a1"), (True, "a1"), (False, "a1")]
    assert detector.screen_by_rules([], vectors[:0], known, within=False) == []


def test_the_version_names_rules_model_and_threshold():
    assert DuplicateDetector(HashingEmbedder(), threshold=0.7).version == "pairs-2/hashing-256/0.7"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 0}, "threshold is 0, expected a probability above 0 and at most 1"),
        ({"threshold": 1.2}, "threshold is 1.2"),
        ({"threshold": float("nan")}, "threshold is nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InvalidInput, match=message):
        DuplicateDetector(HashingEmbedder(), **settings)


def test_counts_that_do_not_fit_are_named():
    with pytest.raises(InvalidInput, match="got 2 vectors for 1 texts"):
        screen([LAMP], at_cosines(0.5))


def test_an_empty_batch_has_no_decisions():
    assert screen([], np.empty((0, 4), dtype=np.float32)) == []
