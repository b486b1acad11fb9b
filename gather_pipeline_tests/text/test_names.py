from __future__ import annotations

import pytest

from gather_pipeline.text.names import find_names, names_in, strangers
from gather_pipeline.text.words import tokens


def names(text: str) -> list[str]:
    return [token.text for token in tokens(text) if token.name]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Then Mara finds the diary.", ["mara"]),
        ("Mara finds the diary.", ["mara"]),
        ("Behind the door a lamp burns.", []),
        ("The letter reaches Robert Bennett in May.", ["robert", "bennett"]),
        ("Cut to Dr. Holm at the window.", ["holm"]),
        ("we follow elias", []),
    ],
)
def test_names_are_read_where_capitals_prove_them_or_other_languages_do(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_a_place_is_told_from_a_person() -> None:
    found = find_names("Elias waits in Norhavn. Skerra is an island. Petra writes to Elias.")
    assert (found.people, found.places) == (("Elias", "Petra"), ("Norhavn", "Skerra"))


def test_names_with_apostrophes_and_dots_are_whole() -> None:
    found = find_names("At noon O'Brien meets J.R. Ewing. Then D’Artagnan greets O'Brien.")
    assert found.people == ("O'Brien", "JR", "D’Artagnan")


def test_headings_hold_no_names() -> None:
    assert find_names("# The Salt Ledger\nNobody speaks.").people == ()


def test_strangers_are_names_that_the_other_text_does_not_have() -> None:
    assert strangers("Elias meets Mercedes Alvarado.", "Elias keeps the light.") == 1
    assert names_in("Elias meets Mercedes Alvarado.") == {"elias", "mercedes", "alvarado"}
