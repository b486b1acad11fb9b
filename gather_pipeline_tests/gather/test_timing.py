"""Calls of the store and the brain are measured without being changed."""

from __future__ import annotations

import pytest

from gather_pipeline.gather.timing import Stopwatch


class Port:
    name = "port"

    def find(self, value: int) -> int:
        return value + 1

    def fail(self) -> None:
        raise ValueError("no")


def test_every_call_is_counted_and_gives_what_the_port_gives() -> None:
    stopwatch = Stopwatch()
    port = stopwatch.timed("store", Port())
    assert [port.find(1), port.find(2), port.name] == [2, 3, "port"]
    (row,) = stopwatch.rows()
    assert (row["what"], row["count"]) == ("store.find", 2)
    assert row["seconds"] >= 0


def test_a_call_that_fails_is_counted_and_fails() -> None:
    stopwatch = Stopwatch()
    with pytest.raises(ValueError, match="no"):
        stopwatch.timed("store", Port()).fail()
    assert stopwatch.rows()[0]["count"] == 1
