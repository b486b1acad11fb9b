"""What commands print of values, and of texts that no terminal can be sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gather_pipeline.cli.output import cell, clean, print_json, print_line

HALF = "half \ud83d a pair, and caf\xe9"


def test_half_of_a_pair_is_replaced_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    for write in (print_json, print_line):
        write([HALF])
        assert json.loads(capsys.readouterr().out.encode()) == ["half \N{REPLACEMENT CHARACTER} a pair, and caf\xe9"]


def test_half_of_a_pair_is_replaced_for_a_person() -> None:
    assert clean(HALF) == "half \N{REPLACEMENT CHARACTER} a pair, and caf\xe9"


@pytest.mark.parametrize(("value", "shown"), [(1234567, "1,234,567"), (0.5, "0.5"), (2.0, "2"), (True, "yes"), ("x", "x"), (None, None)])
def test_a_cell_is_for_reading(value: Any, shown: Any) -> None:
    assert cell(value) == shown
