"""Text from outside."""

from __future__ import annotations

import pytest

from gather_pipeline.domain.texts import clean, decode, decoded, typed
from gather_pipeline.errors import InvalidInput


def test_text_from_outside_keeps_all_but_nul_and_lone_surrogates() -> None:
    assert clean("a\x00b\ud83d c\x01 🎬\n") == "ab\ufffd c\x01 🎬\n"


@pytest.mark.parametrize("text", ["", " \r\n", "\u200b\u2060", "\ufeff", "\u200e\u202b", "\ufe0f", "\u3164", "\u2800", "\x00"])
def test_a_text_of_nothing_visible_is_empty(text: str) -> None:
    assert typed(text) == ""


def test_a_text_that_is_typed_has_one_kind_of_line_end() -> None:
    assert typed(" One.\r\nTwo.\rThree. \n") == "One.\nTwo.\nThree."
    assert typed("سلام\u200f") == "سلام\u200f"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_mark_before_a_text_says_its_encoding(encoding: str) -> None:
    assert decode("Café".encode(encoding)) == "Café"


def test_a_byte_that_is_no_text_is_named() -> None:
    with pytest.raises(InvalidInput, match="note.txt has byte 0xe9 at 3, expected UTF-8 text"):
        decoded(b"caf\xe9", "note.txt")
