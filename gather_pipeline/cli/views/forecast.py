"""A forecast, as a document for --json and as a table for a person."""

from __future__ import annotations

from dataclasses import asdict

from gather_pipeline.cli.output import capitalized, print_json, print_table, say
from gather_pipeline.tasks.forecast import Forecast

QUANTITIES = ("calls", "tokens", "cost", "seconds")


def show_forecast(forecast: Forecast, as_json: bool) -> None:
    """Prints it; with --json null stands for what cannot be known, and `notes` say why."""
    if as_json:
        print_json(asdict(forecast))
        return
    rows = []
    for name in QUANTITIES:
        one, digits = getattr(forecast, name), {"cost": 4, "seconds": 1}.get(name, 0)
        values = (one.low, one.expected, one.high) if one else ()
        rows.append([name, *([f"{value:,.{digits}f}" for value in values] or ["unknown"] * 3)])
    print_table(["", "low", "expected", "high"], rows, right=["low", "expected", "high"])
    for note in forecast.notes:
        say(f"{capitalized(note)}.")
