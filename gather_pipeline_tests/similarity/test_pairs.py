"""The probability must be ordered, symmetric and bounded, and remember what it said; its fit is shown in docs/decisions/0005."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.similarity import pairs
from gather_pipeline.similarity.pairs import EXACT, SAME_WORDS, PairComparer, Similarity

KEEPER = "The keeper trims the lamp before the storm reaches the harbour."
AGAIN = "Before the storm gets to the harbour, the keeper tends the lamp."
MARA = "Mara hides the letters of the drowned sailor under the stairs."
SHORT = "Petr sleeps in the room above the tavern kitchen."
LONG = f"{SHORT} He pushes the bed against the warm wall and leaves scratch marks on the boards."


def compare(a: str, b: str, cosine: float) -> Similarity:
    return PairComparer(HashingEmbedder()).compare(a, b, cosine)


def test_a_higher_cosine_never_lowers_the_probability() -> None:
    values = [compare(KEEPER, MARA, step / 100).probability for step in range(-100, 101)]
    assert values == sorted(values)
    assert 0 < values[0] < 0.1 < 0.9 < values[-1] < 1


def test_a_conflict_lowers_the_probability() -> None:
    plain = compare("Three divers go down at dawn.", "At dawn three divers go down.", 0.9)
    contrary = compare("Three divers go down at dawn.", "Five divers go down at dawn.", 0.9)
    assert contrary.conflict is not None
    assert contrary.probability < plain.probability


def test_capitals_and_punctuation_make_no_difference() -> None:
    assert compare("The lamp goes out!", "the lamp goes out", 0.9).probability >= SAME_WORDS


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (KEEPER, AGAIN),
        (KEEPER, MARA),
        (SHORT, LONG),
        ("Anna gives Tom the key.", "Tom gives Anna the key."),
        ("彼は灯台で嵐を見た。", "彼は灯台で嵐を見なかった。"),
        (KEEPER * 12, KEEPER * 11 + MARA),
    ],
)
def test_the_order_of_the_texts_turns_the_sides_and_nothing_else(a: str, b: str) -> None:
    assert compare(a, b, 0.87) == compare(b, a, 0.87).turned()


def test_a_text_that_says_more_adds_and_one_that_says_less_is_held() -> None:
    found = compare(SHORT, LONG, 0.8)
    assert (found.left_held, found.left_adds, found.right_held) == (True, "", False)
    assert "scratch" in found.right_adds


def test_another_wording_of_the_same_length_adds_nothing() -> None:
    found = compare(KEEPER, AGAIN, 0.9)
    assert (found.left_adds, found.right_adds) == ("", "")


@pytest.mark.parametrize(
    ("held", "other"),
    [
        ("The divers go down.", "The divers do not go down at dawn, for the sea is far too rough and the rope is frayed."),
        ("Mara finds the diary of the sailor.", "The sailor of the red boat finds a rope, and Anna the diary which Mara will want."),
    ],
    ids=["a negation", "words from all over"],
)
def test_a_text_is_not_held_where_its_words_say_something_else(held: str, other: str) -> None:
    assert not compare(held, other, 0.8).left_held


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param("彼は灯台で嵐を見た。", "彼女は市場で魚を買った。", id="japanese"),
        pytest.param("Ο γέρος ψαρεύει στη θάλασσα.", "Οι τρεις αδελφές ζουν στην Αθήνα.", id="greek"),
        pytest.param("Три сестры живут в Москве.", "Старик ловит рыбу в море.", id="cyrillic"),
        pytest.param("Der alte Mann fängt im Meer die Fische.", "Die drei Schwestern wohnen in der Stadt.", id="german"),
        pytest.param("The old man fishes in the sea.", "Старик ловит рыбу в море.", id="two scripts"),
        pytest.param("Сестры не живут в Москве.", "Сестры живут в Москве.", id="a negation"),
    ],
)
def test_a_language_that_the_embedding_cannot_read_is_compared_by_its_characters(a: str, b: str) -> None:
    assert compare(a, b, 0.99).probability < 0.1
    twin = compare(b, b + "!", 0.99)
    assert twin.probability > 0.9


def test_equal_and_empty_texts_need_no_vectors() -> None:
    comparer = PairComparer(HashingEmbedder())
    assert comparer.known("The  Lamp", "the lamp ") is EXACT
    assert comparer.compare("The  Lamp", "the lamp ", -1.0).probability == 1.0
    assert comparer.compare("", "The lamp", 1.0).probability == 0.0
    assert comparer.known("", "  ") is EXACT
    assert comparer.known(KEEPER, AGAIN) is None


def test_a_conflict_is_found_anywhere_in_a_long_text() -> None:
    beginning = (KEEPER + " ") * 9
    found = compare(beginning + "Elias lights three fires.", beginning + "Elias lights five fires.", 1.0)
    assert found.conflict is not None
    assert found.conflict.kind == "number"


def test_an_answer_is_remembered_and_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "CACHE_SIZE", 2)
    comparer = PairComparer(HashingEmbedder())
    first = comparer.compare(KEEPER, AGAIN, 0.9)
    assert comparer.compare(AGAIN, KEEPER, 0.1) == first.turned()  # the cosine given first stands for the pair
    comparer.compare(KEEPER, MARA, 0.2)
    comparer.compare(AGAIN, MARA, 0.2)
    assert comparer.known(KEEPER, AGAIN) is None
    assert comparer.known(AGAIN, MARA) is not None


def test_names_that_differ_in_capitals_alone_do_not_share_a_memory() -> None:
    comparer = PairComparer(HashingEmbedder())
    comparer.compare("Then he met Rose.", "Then he met Grace.", 0.8)
    assert comparer.known("Then he met rose.", "Then he met Grace.") is None


def test_threads_agree() -> None:
    couples = [(f"{KEEPER} Take {n}.", f"{AGAIN} Take {n}.") for n in range(40)]
    comparer = PairComparer(HashingEmbedder())
    alone = [compare(a, b, 0.8) for a, b in couples]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda couple: comparer.compare(*couple, 0.8), couples * 3)) == alone * 3


@pytest.mark.parametrize("text", ["word " * 100_000, "not " * 100_000, "x" * 1_000_000, "Mara hunts Elias. " * 20_000], ids=len)
def test_a_very_long_or_monotonous_text_is_compared_in_time(text: str) -> None:
    started = time.monotonic()
    assert 0 <= compare(text, text + "Then the light goes out.", 0.9).probability <= 1
    assert time.monotonic() - started < 30
