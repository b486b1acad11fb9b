"""S001's three functions on the real embedding model."""

from __future__ import annotations

import asyncio

import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.errors import InvalidInput
from gather_pipeline.similarity.deduplicate import (
    batch_similarity_check,
    check_semantic_similarity,
    deduplicate_items,
)
from gather_pipeline_tests.counting import CountingEmbedder
from gather_pipeline_tests.similarity.test_detector import FIVE, LAMP, LAMP_AGAIN, LETTERS, THREE


def items(*contents: str) -> list[dict]:
    return [{"content": content, "summary": content[:10]} for content in contents]


def test_similarity_looks_at_500_characters_and_drops_are_decided_on_whole_texts():
    beginning = " ".join(["The keeper trims the lamp while the gulls circle the tower and the boats come home."] * 7)
    assert len(beginning) > 500
    one, other = f"{beginning} Then Mara burns the diary in the stove.", f"{beginning} Outside a whale surfaces beside Petr's red boat."
    assert check_semantic_similarity(one, other) == 1.0
    assert deduplicate_items(items(one), items(other)) == items(one)


def test_duplicates_of_stored_and_of_newer_items_are_left_out():
    new = items(LAMP, LETTERS, "The hull groans as the tide turns.", LAMP + " ")
    kept = deduplicate_items(new, items("Under the stairs Mara hides the drowned sailor's letters."))
    assert [item["content"] for item in kept] == ["The hull groans as the tide turns.", LAMP + " "]
    assert kept[0] is new[2]


def test_contradictions_are_kept():
    stored = items("The diver can hear the signal.", THREE, "Elias finds the diary in the tower.")
    new = items("The diver can no longer hear the signal.", FIVE, "Mara finds the diary in the tower.")
    assert deduplicate_items(new, stored) == new


NOTES = (
    "In the opening scene, Elias walks into a storm and loses the lamp that his father left him.",
    "Elias wants to leave the island, but the diary of the drowned sailor keeps him awake.",
    "The score begins with a single cello and grows into a choir when the tower burns.",
    "Costumes: oilskins stiff with salt, one red scarf that passes from Mara to Elias.",
    "Shoot the harbour at dusk, when the wet stones reflect the lamps of the boats.",
    "Mara tells the villagers that the light failed, and nobody believes her.",
)


def test_notes_on_one_story_are_not_taken_for_each_other():
    assert len(deduplicate_items(items(*NOTES), [])) == len(NOTES)


@pytest.mark.parametrize(
    "notes",
    [
        pytest.param(["彼は灯台で嵐を見た。", "彼女は市場で魚を買った。", "村人たちは鐘の音を聞いた。"], id="japanese"),
        pytest.param(["Три сестры живут в Москве.", "Старик ловит рыбу в море.", "Мальчик потерял ключ."], id="cyrillic"),
        pytest.param(["Ο γέρος ψαρεύει στη θάλασσα.", "Οι αδελφές ζουν στην Αθήνα.", "Το πλοίο φεύγει αύριο."], id="greek"),
        pytest.param(["Der alte Mann fischt im Meer.", "Drei Schwestern leben in Wien.", "Das Schiff fährt morgen."], id="german"),
    ],
)
def test_unrelated_notes_in_another_language_survive_and_repeated_ones_do_not(notes):
    assert deduplicate_items(items(*notes), []) == items(*notes)
    repeated = items(*(note.rstrip(".。") for note in notes))
    assert deduplicate_items(repeated, items(*notes)) == []


def test_similarity_orders_paraphrase_topic_and_stranger():
    paraphrase = check_semantic_similarity(LAMP, LAMP_AGAIN)
    topic = check_semantic_similarity(LAMP, "The storm breaks the windows of the harbour office.")
    stranger = check_semantic_similarity(LAMP, "Quarterly tax returns are due in April.")
    assert 1 >= paraphrase > 0.7 > topic > stranger >= 0
    assert check_semantic_similarity(LAMP_AGAIN, LAMP) == paraphrase
    assert check_semantic_similarity(LAMP, LAMP.upper()) == 1.0


def test_a_pair_is_embedded_once():
    embedder = CountingEmbedder()
    first = check_semantic_similarity(LAMP + " Once.", LETTERS + " Once.", embedder=embedder)
    assert check_semantic_similarity(LETTERS + " Once.", LAMP + " Once.", embedder=embedder) == first
    assert check_semantic_similarity("same", "Same", embedder=embedder) == 1.0
    assert len(embedder.calls) == 1


def test_all_texts_of_a_call_are_embedded_together():
    embedder = CountingEmbedder()
    deduplicate_items(items(LAMP, LETTERS), items(THREE, FIVE), embedder=embedder)
    assert embedder.calls == [[LAMP, LETTERS, THREE, FIVE]]


def test_the_check_stops_at_the_first_duplicate():
    embedder = CountingEmbedder()
    others = [f"Note {place} about the weather on day {place}." for place in range(100)]
    assert batch_similarity_check({"content": LAMP}, items(*others, LAMP), embedder=embedder)
    assert embedder.calls == []  # an equal text is found without any embedding
    twin = LAMP.replace(".", "!")
    assert batch_similarity_check({"content": LAMP}, items(*others[:3], twin, *others[3:]), embedder=embedder)
    assert sum(len(call) for call in embedder.calls) == 1 + 32


def test_the_check_compares_with_every_item_where_none_repeats():
    embedder = CountingEmbedder()
    others = [f"Sheet {place} of the schedule." for place in range(70)]
    assert not batch_similarity_check({"content": LAMP}, items(*others), embedder=embedder)
    assert sum(len(call) for call in embedder.calls) == 71


def test_the_check_knows_paraphrases_by_its_threshold_and_never_contradictions():
    assert batch_similarity_check({"content": LAMP}, items(LETTERS, LAMP_AGAIN), threshold=0.6)
    assert not batch_similarity_check({"content": THREE}, items(FIVE), threshold=0.05)


def test_the_functions_work_inside_a_running_event_loop():
    async def inside() -> tuple[int, float, bool]:
        return (
            len(deduplicate_items(items(LAMP, LETTERS), [])),
            check_semantic_similarity(LAMP, LETTERS),
            batch_similarity_check({"content": LAMP}, items(LETTERS)),
        )

    count, similarity, repeated = asyncio.run(inside())
    assert (count, repeated) == (2, False)
    assert similarity < 0.3


def test_empty_lists_are_fine():
    assert deduplicate_items([], []) == []
    assert deduplicate_items([], items(LAMP), embedder=HashingEmbedder()) == []
    assert deduplicate_items(items(LAMP), [], embedder=HashingEmbedder()) == items(LAMP)
    assert not batch_similarity_check({"content": LAMP}, [], embedder=HashingEmbedder())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: deduplicate_items([{"summary": "x"}], []), r"new_items\[0\] has no 'content'"),
        (lambda: deduplicate_items([], [{"content": LAMP}, {"content": 7}]), r"existing_items\[1\].content is 7, expected text"),
        (lambda: deduplicate_items(["note"], []), r"new_items\[0\] is 'note', expected a mapping"),
        (lambda: deduplicate_items([], [], threshold=2), "threshold is 2"),
        (lambda: check_semantic_similarity(None, "x"), "text1 is None, expected text"),
        (lambda: check_semantic_similarity("x", 3), "text2 is 3, expected text"),
        (lambda: batch_similarity_check({}, []), "new_item has no 'content'"),
        (lambda: batch_similarity_check({"content": "x"}, [{"content": None}]), r"existing_items\[0\].content is None"),
        (lambda: batch_similarity_check({"content": "x"}, [], threshold=0), "threshold is 0"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
