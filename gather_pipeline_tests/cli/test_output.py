"""What commands print of texts that no terminal can be sent."""

from __future__ import annotations

import json

import pytest

from gather_pipeline.cli.output import clean, print_json, print_line

HALF = "half \ud83d a pair, and caf\xe9"


def test_half_of_a_pair_is_printed_as_json_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    for write in (print_json, print_line):
        write([HALF])
        printed = capsys.readouterr().out
        assert json.loads(printed) == [HALF]
        printed.encode()


def test_half_of_a_pair_is_replaced_for_a_person() -> None:
    assert clean(HALF) == "half \N{REPLACEMENT CHARACTER} a pair, and caf\xe9"
