"""Text from outside."""

from __future__ import annotations

from gather_pipeline.domain.texts import clean


def test_text_from_outside_keeps_all_but_nul_and_lone_surrogates() -> None:
    assert clean("a\x00b\ud83d c\x01 🎬\n") == "ab\ufffd c\x01 🎬\n"
