"""What commands print of values, and of texts that no terminal can be sent."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any

import pytest

from gather_pipeline.cli.output import cell, clean, mend_streams, print_json, print_line, print_table, say

HALF = "half \ud83d a pair, and caf\xe9"


def test_half_of_a_pair_is_replaced_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    for write in (print_json, print_line):
        write([HALF])
        assert json.loads(capsys.readouterr().out.encode()) == ["half \N{REPLACEMENT CHARACTER} a pair, and caf\xe9"]


def test_no_control_character_reaches_a_terminal_and_json_keeps_it_as_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b[2J\x9b31m\u202ekeeper\u202c \u2067tower\u2069\x7f"
    print_json({"content": text})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"content": text}
    assert shown.replace("\n", "").isprintable()
    assert clean(text).isprintable()


def test_half_of_a_pair_is_replaced_for_a_person() -> None:
    assert clean(HALF) == "half \N{REPLACEMENT CHARACTER} a pair, and caf\xe9"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567, "1,234,567"),
        (1234.5678, "1,234.568"),
        (0.5, "0.5"),
        (0.00042, "0.00042"),
        (0.0, "0"),
        (2.0, "2"),
        (True, "yes"),
        ("x", "x"),
        (None, None),
    ],
)
def test_a_cell_is_for_reading(value: Any, shown: Any) -> None:
    assert cell(value) == shown


def test_closed_streams_are_stood_in_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    mend_streams()
    with sys.stdin as stdin, sys.stdout as stdout, sys.stderr as stderr:
        assert stdin.buffer.read() == b""
        print_table(["id"], [["salt"]])
        say("to nobody")
        assert {stdout.name, stderr.name} == {os.devnull}


@pytest.mark.parametrize(
    ("encoding", "shown"), [("latin-1", b"caf\xe9 \\u2014"), ("ascii", b"caf\\xe9 \\u2014"), ("cp1252", b"caf\xe9 \x97")]
)
def test_what_an_encoding_lacks_is_shown_as_an_escape(monkeypatch: pytest.MonkeyPatch, encoding: str, shown: bytes) -> None:
    written = io.BytesIO()
    with io.TextIOWrapper(written, encoding, write_through=True) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        mend_streams()
        print("caf\xe9 \N{EM DASH}", end="")
        assert written.getvalue() == shown
        monkeypatch.undo()


def test_what_nobody_can_be_told_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    say("to nobody")


@pytest.mark.parametrize(("given", "kept"), [("0", None), ("-3", None), ("\N{SUPERSCRIPT TWO}", None), ("9999999", None), ("50", "50")])
def test_a_width_that_is_none_counts_as_unset(monkeypatch: pytest.MonkeyPatch, given: str, kept: str | None) -> None:
    monkeypatch.setenv("COLUMNS", given)
    mend_streams()
    assert os.environ.get("COLUMNS") == kept


WIDE = (["department", "maxIterations", "ended by"], [["production", 2, "threshold"], ["a place", None, "stagnation"]])


@pytest.mark.parametrize("columns", [16, 30, 50, 80])
def test_a_table_breaks_no_word_whatever_the_width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", screen)
    print_table(*WIDE)
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert {"production", "maxIterations", "stagnation"} <= set(screen.getvalue().replace(":", " ").split())
    assert ("department:" in screen.getvalue()) == (columns < 40)
