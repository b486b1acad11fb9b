"""The probability must be ordered, symmetric and bounded, and remember what it said; its fit is shown in docs/decisions/0005."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gather_pipeline.gather.pair_model import (
    CONFLICT_FACTOR,
    SAME_WORDS,
    WEIGHTS,
    compare,
    features,
    logistic,
)
from gather_pipeline.gather.pair_reading import read
from gather_pipeline.gather.pair_similarity import COMPARE_CHARS, REST_CEILING, PairComparer

KEEPER = "The keeper trims the lamp before the storm reaches the harbour."
AGAIN = "Before the storm gets to the harbour, the keeper tends the lamp."
MARA = "Mara hides the letters of the drowned sailor under the stairs."


def probability(a: str, b: str, cosine: float) -> float:
    return compare(read(a), read(b), cosine, None).probability


def test_a_higher_cosine_never_lowers_the_probability_of_an_orderly_pair():
    values = [probability(KEEPER, MARA, step / 100) for step in range(-100, 101)]
    assert values == sorted(values)
    assert 0 < values[0] < 0.01 and 0.9 < values[-1] < 1


def test_a_conflict_halves_the_probability():
    conflict_free = probability("Three men wait.", "Five men wait.", 0.9)
    comparer = PairComparer()
    assert comparer.compare("Three men wait.", "Five men wait.", 0.9).conflict is not None
    assert comparer.compare("Three men wait.", "Five men wait.", 0.9).probability < conflict_free
    assert comparer.compare("Three men wait.", "Five men wait.", 1.0).probability <= CONFLICT_FACTOR
    assert comparer.compare("Three men wait.", "Five men wait.", 0.9).unguarded > 0.5


def test_words_out_of_order_count_only_where_the_vectors_are_close():
    scrambled = "The storm trims the keeper before the harbour reaches the lamp."
    assert features(read(KEEPER), read(scrambled), 0.95, None).disorder > 0.2
    assert features(read(KEEPER), read(scrambled), 0.40, None).disorder < 0.001
    assert probability(KEEPER, scrambled, 0.95) < probability(KEEPER, KEEPER + " Now.", 0.95)


def test_a_number_or_negation_in_one_text_only_lowers_the_probability_without_a_conflict():
    plain = features(read("Men wait at the pier."), read("Men wait at the pier."), 0.9, None)
    counted = features(read("Men wait at the pier."), read("Three men wait at the pier."), 0.9, None)
    assert (plain.extra_number, counted.extra_number) == (0, 1)
    assert WEIGHTS.extra_number < 0 and WEIGHTS.extra_negation < 0
    negated = features(read("Nobody speaks."), read("The room is silent."), 0.9, None)
    assert negated.extra_negation == 1


def test_capitals_and_punctuation_make_no_difference():
    assert probability("The lamp goes out!", "the lamp goes out", 0.9) >= SAME_WORDS


def test_logistic_is_the_inverse_of_log_odds():
    assert logistic(0) == 0.5
    assert logistic(2.197224577) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (KEEPER, AGAIN),
        (KEEPER, MARA),
        ("Anna gives Tom the key.", "Tom gives Anna the key."),
        ("Two dogs run.", "A dog runs."),
        ("彼は灯台で嵐を見た。", "彼は灯台で嵐を見なかった。"),
        (KEEPER * 12, KEEPER * 11 + MARA),
    ],
)
def test_the_order_of_the_texts_does_not_matter(a, b):
    assert PairComparer().compare(a, b, 0.87) == PairComparer().compare(b, a, 0.87)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        pytest.param("彼は灯台で嵐を見た。", "彼女は市場で魚を買った。", id="japanese"),
        pytest.param("Ο γέρος ψαρεύει στη θάλασσα.", "Οι τρεις αδελφές ζουν στην Αθήνα.", id="greek"),
        pytest.param("Три сестры живут в Москве.", "Старик ловит рыбу в море.", id="cyrillic"),
        pytest.param("הזקן דג בים.", "שלוש אחיות גרות בעיר.", id="hebrew"),
        pytest.param("The old man fishes in the sea.", "Старик ловит рыбу в море.", id="two scripts"),
    ],
)
def test_a_script_that_the_embedding_cannot_read_is_compared_by_its_characters(a, b):
    assert PairComparer().compare(a, b, 0.99).probability < 0.05
    twin = PairComparer().compare(b, b + "!", 0.99)
    assert twin.probability > 0.9
    assert twin.lexical


def test_equal_and_empty_texts_need_no_vectors():
    comparer = PairComparer()
    assert comparer.without_vectors("The  Lamp", "the lamp ") is not None
    assert comparer.compare("The  Lamp", "the lamp ", -1.0).probability == 1.0
    assert comparer.compare("", "The lamp", 1.0).probability == 0.0
    assert comparer.without_vectors("", "  ").exact
    assert comparer.without_vectors(KEEPER, AGAIN) is None


def test_texts_that_part_after_the_compared_beginning_are_never_called_the_same():
    beginning = (KEEPER + " ") * (COMPARE_CHARS // len(KEEPER) + 1)
    left, right = beginning + "Then Elias burns the diary.", beginning + "Mara sails north with the letters."
    found = PairComparer().compare(left, right, 1.0)
    assert left[:COMPARE_CHARS] == right[:COMPARE_CHARS]
    assert found.parted
    assert found.probability <= REST_CEILING
    longer = PairComparer().compare(beginning, beginning + "Mara sails north with the letters.", 1.0)
    assert longer.parted


def test_long_texts_that_go_on_alike_may_be_the_same():
    beginning = (KEEPER + " ") * (COMPARE_CHARS // len(KEEPER) + 1)
    found = PairComparer().compare(beginning + "Then Elias burns the diary.", beginning + "The diary is then burned by Elias.", 0.98)
    assert not found.parted
    assert found.probability > 0.6


def test_the_guard_reads_past_the_compared_beginning():
    beginning = (KEEPER + " ") * (COMPARE_CHARS // len(KEEPER) + 1)
    found = PairComparer().compare(beginning + "Elias lights three fires.", beginning + "Elias lights five fires.", 1.0)
    assert found.conflict is not None
    assert found.conflict.kind == "number"


def test_a_wider_comparison_is_a_setting():
    beginning = (KEEPER + " ") * (COMPARE_CHARS // len(KEEPER) + 1)
    left, right = beginning + "Elias burns the diary.", beginning + "Mara sails north."
    assert not PairComparer(compare_chars=5_000).compare(left, right, 0.9).parted
    assert PairComparer(compare_chars=5_000).head(left) == left


def test_an_answer_is_remembered_and_the_cache_is_bounded():
    comparer = PairComparer(cache_size=2)
    first = comparer.compare(KEEPER, AGAIN, 0.9)
    assert comparer.compare(AGAIN, KEEPER, 0.1) == first  # the cosine given first stands for the pair
    comparer.compare(KEEPER, MARA, 0.2)
    comparer.compare(AGAIN, MARA, 0.2)
    assert comparer.without_vectors(KEEPER, AGAIN) is None
    assert comparer.without_vectors(AGAIN, MARA) is not None


def test_names_that_differ_in_capitals_alone_do_not_share_a_memory():
    comparer = PairComparer()
    assert comparer.compare("He met Rose.", "He met Grace.", 0.8).conflict is not None
    assert comparer.without_vectors("He met rose.", "He met Grace.") is None


def test_threads_agree():
    pairs = [(f"{KEEPER} Take {n}.", f"{AGAIN} Take {n}.") for n in range(40)]
    comparer = PairComparer()
    alone = [PairComparer().compare(a, b, 0.8) for a, b in pairs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda pair: comparer.compare(*pair, 0.8), pairs * 3)) == alone * 3


def test_a_very_long_or_monotonous_text_is_compared_in_time():
    started = time.monotonic()
    for text in ("word " * 100_000, "not " * 100_000, "x" * 1_000_000, "Mara hunts Elias. " * 20_000):
        assert PairComparer().compare(text, text + "Then the light goes out.", 0.9).parted
    assert time.monotonic() - started < 30
