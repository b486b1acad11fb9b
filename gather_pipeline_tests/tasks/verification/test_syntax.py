"""Texts that must be readable as what they are meant to be."""

from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.errors import InvalidInput
from gather_pipeline_tests.tasks.verification.cases import case, ruled


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [
        ("json", '{"a": [1]}', "{'a': 1}"),
        ("python", "def f(x):\n    return x", "def f(x)\n    return x"),
        ("json", "[1]", "[NaN]"),
        ("toml", "a = 1", "a = "),
        ("yaml", "a: [1, 2]", "a: [1, 2"),
        ("python", "```python\nx = 1\n```", "```python\nx = \n```"),
        ("python", "x = '\\d'", "(" * 500),
        ("json", "[" * 50 + "]" * 50, "[" * 100_000),
    ],
)
def test_a_text_is_read_and_never_run(language: str, good: str, bad: str):
    assert ruled("syntax", case(good), {"language": language}).ruling == "accept"
    verdict = ruled("syntax", case(bad), {"language": language})
    assert verdict.ruling == "reject" and verdict.reasons[0].startswith(f"the output is no {language}: ")


@pytest.mark.parametrize(
    ("output", "ruling"),
    [
        ({"parts": [{"code": "x = 1"}]}, "accept"),
        ({"parts": [{"code": "x ="}]}, "reject"),
        ({"parts": []}, "undecided"),
        ("x", "undecided"),
    ],
)
def test_a_part_of_an_output_is_named_by_its_place(output: Any, ruling: str):
    assert ruled("syntax", case(output), {"language": "python", "field": "parts.0.code"}).ruling == ruling


def test_aliases_that_would_grow_to_gigabytes_stay_small():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefghi", "bcdefghij", strict=True)
    )
    assert ruled("syntax", case(bomb), {"language": "yaml"}).ruling == "accept"


def test_an_unknown_language_is_refused():
    with pytest.raises(InvalidInput, match="verification syntax: parameter language is 'cobol', expected one of json, python, toml, yaml"):
        ruled("syntax", case(""), {"language": "cobol"})
