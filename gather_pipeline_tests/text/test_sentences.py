from __future__ import annotations

import pytest

from gather_pipeline.text.sentences import first_sentences, sentence_ends, summary_line


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", " Two!", " Three?"]),
        ('He says: "Go." She goes.', ['He says: "Go."', " She goes."]),
        ("It is 1.5 metres... high", []),
        ("Dr. Holm waits. At 6 a.m. she goes.", ["Dr. Holm waits.", " At 6 a.m. she goes."]),
        ("灯灭了。「走吧！」他说", ["灯灭了。", "「走吧！」"]),
        ("क्या हुआ। फिर", ["क्या हुआ।"]),
        ("no end", []),
        ("", []),
    ],
)
def test_sentences_end_after_their_stops(text: str, sentences: list[str]) -> None:
    ends = sentence_ends(text)
    assert [text[start:end] for start, end in zip([0, *ends], ends, strict=False)] == sentences


def test_lines_end_sentences_only_where_asked() -> None:
    text = "Title  \n\nA list\n- one"
    assert sentence_ends(text) == []
    assert [text[:end] for end in sentence_ends(text, lines=True)] == ["Title", "Title  \n\nA list"]


def test_a_summary_is_the_first_sentence_and_never_longer_than_a_line() -> None:
    assert summary_line("First one. Second one.") == "First one."
    long = summary_line("word " * 60 + "end.")
    assert len(long) <= 140
    assert long.endswith("…")


def test_first_sentences_are_whole_and_skip_headings() -> None:
    sentences = [f"{'word ' * 30}{number}." for number in ("one", "two", "three")]
    assert first_sentences("# Title\n" + " ".join(sentences)) == " ".join(sentences[:2])
    assert len(first_sentences("word " * 5000)) <= 700
    assert first_sentences("こんにちは。" * 300)
