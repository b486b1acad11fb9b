from __future__ import annotations

import pytest

from gather_pipeline.errors import InvalidInput
from gather_pipeline.gather.text_statistics import Text, parse, runs, split_words, zipf
from gather_pipeline.gather.word_order import CLASSES, GAIN, classify, order
from gather_pipeline_tests.gather.quality_notes import EMBEDDED, GIBBERISH, GOOD_LOGISTICS, GOOD_STORY, GREEK, JAPANESE
from gather_pipeline_tests.gather.shuffling import shuffled


def test_sentences_end_at_stops_and_lines_but_not_at_titles_and_initials() -> None:
    text = Text("Mr. Holm rings.  He waits!\nINT. TOWER: no answer\u2026 Then a step? 'Yes.'")
    assert text.sentences == ("Mr. Holm rings.", "He waits!", "INT. TOWER: no answer\u2026", "Then a step?", "'Yes.'")


def test_japanese_sentences_end_without_a_space() -> None:
    assert len(Text(JAPANESE[0]).sentences) == 2


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (GOOD_STORY[0], "en"),
        ("Rusty lamp, broken glass", "en"),
        ("La casa del faro es muy antigua y nadie vive allí.", "es"),
        ("Der alte Leuchtturm steht auf den Klippen und niemand wohnt dort.", "de"),
        (GREEK[0], "el"),
        ("Маяк стоит на скале.", "ru"),
        (JAPANESE[0], None),
    ],
)
def test_the_language_is_told_by_script_and_word_list(text: str, language: str | None) -> None:
    assert Text(text).language == language


def test_keyboard_noise_is_not_readable_and_every_language_is() -> None:
    assert not any(Text(noise).readable for noise in GIBBERISH)
    assert all(Text(text).readable for text in (*GOOD_STORY, *JAPANESE, *GREEK, "Lighthouse", "35mm, low angle"))


def test_an_empty_text_has_no_words_and_is_not_readable() -> None:
    empty = Text(" \n\t ")
    assert (empty.sentences, empty.words, empty.readable, empty.function_share) == ((), (), False, None)


def test_rare_words_tell_more_than_common_ones_and_grammar_nothing() -> None:
    content = Text("The keeper wiped the lens with a sleeve of oilskin.").content
    assert "the" not in content
    assert content["oilskin"] > content["sleev"] > 0


def test_names_are_capitalised_words_inside_a_sentence_not_headings_or_first_words() -> None:
    text = Text("INT. LAMP ROOM - NIGHT\nBelow, Elias calls Mara. Nobody answers Elias.")
    assert text.names == ("Elias", "Mara")


def test_numbers_are_counted_once() -> None:
    assert Text("Step 80 of 112, then 80 again at 05:00.").numbers == ("80", "112", "05:00")


def test_characters_of_a_script_without_spaces_are_counted_in_pairs() -> None:
    assert split_words("灯台守", spaced=False) == ["灯台", "台守"]


def test_runs_of_a_short_text_are_the_text() -> None:
    assert runs(["a", "b"], 4) == [("a", "b")]
    assert runs([], 4) == []


def test_a_typographic_apostrophe_counts_as_a_plain_one() -> None:
    assert zipf("don\u2019t", "en") == zipf("don't", "en") > 4


@pytest.mark.parametrize("value", [None, 3, b"note", ["note"]])
def test_content_that_is_not_text_is_refused_with_its_field(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"items\[2\]\.content is .*expected a text"):
        parse(value, "items[2].content")


def test_the_table_of_word_order_has_a_row_and_a_column_for_each_class() -> None:
    assert GAIN.shape == (len(CLASSES), len(CLASSES))
    assert abs(GAIN).max() <= 4.0


def test_contractions_are_read_as_the_words_they_join() -> None:
    names = [CLASSES[place] for place in classify("He can't say it's Mara's.")]
    assert names == ["START", "SUBJ", "MODAL", "NOT", "OTHER", "PRON", "BE", "POSS", "END"]


@pytest.mark.parametrize("note", [*GOOD_STORY, *GOOD_LOGISTICS, *EMBEDDED])
def test_every_note_has_better_word_order_than_its_shuffled_self(note: str) -> None:
    straight, jumbled = order(Text(note).sentences), order(Text(shuffled(note)).sentences)
    assert straight is not None and jumbled is not None
    assert straight > jumbled + 0.2


def test_no_opinion_on_the_order_of_a_few_words() -> None:
    assert order(["Fog."]) is None
