from __future__ import annotations

import pytest

from gather_pipeline.text.numbers import canonical_numbers


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("three hundred and twelve pieces", "312 pieces"),
        ("twenty-five boats", "25 boats"),
        ("40,000 dollars", "40000 dollars"),
        ("2.5 million", "2500000"),
        ("nineteen seventy-four.", "1974."),
        ("half a million crowns", "500000 crowns"),
        ("on the first of March", "on 1 March"),
        ("the 21st take", "the 21 take"),
        ("half past six", "6:30"),
        ("at five to six", "at 5:55"),
        ("a quarter to eight in the evening", "19:45 in the evening"),
        ("6:30 a.m. sharp", "6:30 sharp"),
        ("at 5 p.m.", "at 17:00"),
        ("nine o'clock", "9:00"),
        ("a dozen ropes", "12 ropes"),
        ("two dozen nails", "24 nails"),
        ("two and a half metres", "2.5 metre"),
        ("40 cm", "0.4 metre"),
        ("a quarter of an hour", "900 second"),
        ("half an hour", "1800 second"),
        ("twelve-hour intervals", "43200 second intervals"),
        ("50 per cent", "50 percent"),
    ],
)
def test_one_number_has_one_form(text: str, canonical: str) -> None:
    assert canonical_numbers(text) == canonical


@pytest.mark.parametrize("text", ["one of them", "no one", "the second log book", "first light", "", "\n\n", "The Ten"])
def test_words_that_only_look_like_numbers_stay(text: str) -> None:
    assert canonical_numbers(text).casefold() in (text.casefold(), text.casefold().replace("ten", "10"))


def test_lines_stay_lines_and_a_lone_surrogate_does_no_harm() -> None:
    assert canonical_numbers("three\n\nfour \ud800") == "3\n\n4 \ufffd"
