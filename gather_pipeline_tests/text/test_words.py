from __future__ import annotations

import pytest

from gather_pipeline.text.words import lemma, raw_words, tokens


@pytest.mark.parametrize(
    ("text", "lemmas"),
    [
        ("The chapel stands empty.", ["the", "chapel", "stand", "empty", "."]),
        ("They don't open it", ["they", "do", "not", "open", "it"]),
        ("Mara's books can't wait", ["mara", "book", "can", "not", "wait"]),
        ("U.N. envoys", ["un", "envoy"]),
        ("twenty-five men", ["25", "man"]),
        ("灯台 stands", ["灯", "台", "stand"]),
        ("", []),
    ],
)
def test_words_have_their_dictionary_form(text: str, lemmas: list[str]) -> None:
    assert [token.lemma for token in tokens(text)] == lemmas


def test_a_token_knows_how_it_was_written_and_whether_it_opens_a_sentence() -> None:
    first, second, stop, third = tokens("Mara waits. Then")
    assert (first.written, first.capital, first.start, first.telling) == ("Mara", True, True, True)
    assert (second.start, stop.kind, third.start, third.telling) == (False, "stop", True, False)


def test_a_word_of_another_language_stays_as_it_is() -> None:
    assert lemma("огни") == "огни"
    assert raw_words("Grüße, Привет!") == ["grüsse", "привет"]
