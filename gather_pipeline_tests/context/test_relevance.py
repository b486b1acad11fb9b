from __future__ import annotations

import numpy as np
import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.context.relevance import index_of, speakers_of, terms
from gather_pipeline.context.selection import Assembly, Candidate, select
from gather_pipeline.domain.layers import Priority
from gather_pipeline.ports import Vectors

EMBEDDER = HashingEmbedder()
DIALOGUE = (
    "Ada: Did you ever find the key of the tower?",
    "Jonas: Yes, it hung behind the stove all the time.",
    "Ada: Then let us eat. I bought bread and plums this morning.",
    "Jonas: I painted the boat on Sunday, green with a white line.",
    "Ada: My sister is coming from Bregenz in May.",
    "Jonas: I sold the goat, she ate the washing.",
)


def turns(*texts: str) -> list[Candidate]:
    return [Candidate(id=str(place), text=text) for place, text in enumerate(texts or DIALOGUE)]


def words(text: str) -> int:
    return len(text.split())


def chosen(query: str, budget: int, candidates: list[Candidate] | None = None) -> list[str]:
    return [one.id for one in ask(query, budget, candidates).included]


def ask(query: str, budget: int, candidates: list[Candidate] | None = None) -> Assembly:
    return select(candidates or turns(), budget, words, query=query, embedder=EMBEDDER)


class Counting:
    """Counts what it is asked to embed."""

    name = "counting"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: list[str] | tuple[str, ...]) -> Vectors:
        self.texts += texts
        return EMBEDDER.embed(texts)


def test_words_are_compared_by_their_dictionary_forms_and_function_words_tell_nothing():
    assert terms("The keys were found, and Ada's 3 keys still hung.") == ("key", "find", "ada", "3", "key", "hang")


def test_what_the_question_is_about_goes_in_first_whatever_its_place():
    assert "3" in chosen("Who painted a boat?", 12)
    assert "5" in chosen("What happened to the goat and the washing?", 9)


def test_an_answer_is_found_by_the_question_before_it():
    """Nothing in it says that a key is meant."""
    assert chosen("Where was the key of the tower found?", 20) == ["0", "1"]


def test_the_turns_beside_each_other_are_the_same_either_way_round():
    backwards = list(reversed(turns()))
    assert set(chosen("Where was the key of the tower found?", 20, backwards)) == {"0", "1"}


def test_the_order_in_time_wins_over_that_of_the_sequence():
    texts = [DIALOGUE[place] for place in (1, 5, 3, 0, 4, 2)]
    shuffled = [Candidate(id=str(at), text=text, order=DIALOGUE.index(text)) for at, text in enumerate(texts)]
    assert set(chosen("Where was the key of the tower found?", 20, shuffled)) == {"0", "3"}


def test_of_two_who_say_the_same_who_is_asked_about_goes_first():
    said = [Candidate(id=who, text=f"{who}: I keep bees in the garden.", speaker=who) for who in ("Ada", "Jonas")]
    assert chosen("Does Jonas keep bees?", 7, said) == ["Jonas"]
    assert chosen("Does Ada keep bees?", 7, said) == ["Ada"]


def test_a_thought_said_twice_leaves_room_for_another():
    same = ["The lamp of the tower burns green oil.", "The lamp of the tower burns green oil!", "The tower has a lamp keeper, Mara."]
    said = [Candidate(id=str(place), kind="item", text=text) for place, text in enumerate(same)]
    assert chosen("the lamp of the tower", 15, said) in (["0", "2"], ["1", "2"])


@pytest.mark.parametrize(
    ("texts", "speakers"),
    [
        (("Ada: Yes.", "Dr. Holm: No."), ("Ada", "Dr. Holm")),
        (("[1:56 pm on 8 May, 2023] Caroline: Hi!", "(9 May) Mel: Hi."), ("Caroline", "Mel")),
        (("1:56 pm on 8 May, 2023 - Caroline: Hi!", "Mel (9 May): It is 10:30: go."), ("Caroline", "Mel")),
        (("The lamp burns.", "Light: all from the left.", "It rains."), ("", "", "")),
        ((), ()),
    ],
)
def test_who_speaks_is_read_from_lines_of_a_dialogue_and_from_no_others(texts: tuple[str, ...], speakers: tuple[str, ...]):
    assert speakers_of(texts) == speakers


def test_what_is_asked_again_is_neither_embedded_nor_counted_again():
    embedder, counted = Counting(), Counting()

    def counter(text: str) -> int:
        counted.texts.append(text)
        return words(text)

    for question in ("Who painted a boat?", "Who sold a goat?"):
        select(turns(), 12, counter, query=question, embedder=embedder)
    assert embedder.texts == [*DIALOGUE, "Who painted a boat?", "Who sold a goat?"]
    assert counted.texts == list(DIALOGUE)


def test_where_all_fits_nothing_is_ranked():
    embedder = Counting()
    assembly = select(turns(), 1_000, words, query="boat", embedder=embedder)
    assert embedder.texts == [] and len(assembly.included) == len(DIALOGUE) and assembly.ledger.query == ""


def test_without_a_query_the_order_given_decides():
    assert [one.id for one in select(turns(), 20, words).included] == ["0", "1"]


def test_priority_goes_before_relevance():
    priorities: list[Priority] = ["low", "medium", "low", "high"]
    said = [Candidate(id=one, text=f"The boat is {one}.", priority=one) for one in priorities[:2]] + [
        Candidate(id="high", text="Plums.", priority="high")
    ]
    assert chosen("the low boat", 5, said) == ["medium", "high"]


@pytest.mark.parametrize("query", ["?", "the", "zzz", "灯塔"])
def test_a_query_without_a_word_that_is_known_still_fills_the_budget(query: str):
    assert sum(one.tokens for one in ask(query, 20).ledger.entries if one.state == "included") > 5


def test_texts_without_words_can_be_asked():
    said = [Candidate(id=str(place), text="..." * place, kind="item") for place in range(1, 4)]
    assert len(select(said, 4, len, query="boat", embedder=EMBEDDER).included) == 1


def test_the_meaning_of_a_text_may_be_that_of_another():
    embedder = Counting()
    said = [Candidate(id=text, text=f"[story] {text}", meaning=text, kind="item") for text in ("boat", "goat")]
    select(said, 3, words, query="boat", embedder=embedder)
    assert embedder.texts[:2] == ["boat", "goat"]


def test_one_index_serves_the_same_texts_and_another_other_texts():
    assert index_of(("a",), ("",), ("a",)) is index_of(("a",), ("",), ("a",))
    assert index_of(("a",), ("",), ("a",)) is not index_of(("a",), ("Ada",), ("a",))


def test_vectors_of_another_embedder_are_not_taken_over():
    index = index_of(("one", "two"), ("", ""), ("one", "two"))
    first = index.order("one", EMBEDDER)
    other = Counting()
    assert index.order("one", other) == first and other.texts == ["one", "two", "one"]
    assert np.allclose(index.order("two", EMBEDDER), [1, 0])
