"""JSON from outside: what is nested or long without need is refused, and the refusal names the limit."""

from __future__ import annotations

import json

import pytest

from gather_pipeline.domain.json_texts import DEEPEST, LONGEST_NUMBER, load_json


def nested(levels: int) -> str:
    return '{"a":[' * (levels // 2) + "1" + "]}" * (levels // 2)


@pytest.mark.parametrize("text", [nested(DEEPEST), "9" * LONGEST_NUMBER, '{"a": [1, -2.5, true, null]}', "[" + "[]," * 5000 + "[]]"])
def test_what_is_within_the_limits_is_read_as_ever(text: str) -> None:
    assert load_json(text) == json.loads(text)


@pytest.mark.parametrize("levels", [DEEPEST + 2, 900, 20_000])
def test_nesting_beyond_the_limit_is_refused_by_the_limit(levels: int) -> None:
    with pytest.raises(ValueError, match=f"nested more than {DEEPEST} levels deep, expected at most {DEEPEST}"):
        load_json(nested(levels))


@pytest.mark.parametrize("digits", [LONGEST_NUMBER + 1, 10_000, 1_000_000])
def test_a_number_beyond_the_limit_is_refused_by_the_limit(digits: int) -> None:
    with pytest.raises(ValueError, match=f"a number has {digits} digits, expected at most {LONGEST_NUMBER}"):
        load_json(f"[{'9' * digits}]")


def test_the_mark_that_some_programs_put_before_utf_8_is_no_part_of_it() -> None:
    assert load_json("\ufeff[1]") == [1]
