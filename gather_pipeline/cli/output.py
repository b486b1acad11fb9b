"""What commands print: results on standard output, everything else on standard error.

Notes are written by models and briefs by strangers, so control characters never reach the terminal.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from gather_pipeline.domain import texts

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

PIPE_WIDTH = 200  # columns of a table that no terminal shows


def mend_streams() -> None:
    """Makes the standard streams fit to be used, whatever this process was started with.

    The null device stands in for one that is closed, for the next file that is opened would take its number. What standard output's
    encoding lacks is written as an escape.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[1-9][0-9]{0,3}", os.environ.get(name, "80")):
            del os.environ[name]  # rich would draw on no columns at all


def say(text: str) -> None:
    """A line for the person: standard error, above a live display where one is shown."""
    with suppress(OSError):  # nobody is there to be told where standard error takes no more
        if "rich.console" in sys.modules and error_console().is_terminal:
            error_console().print(clean(text), markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(clean(text), err=True)


def print_text(text: str) -> None:
    """Lines of a result for a person."""
    click.echo(clean(text))


def print_json(value: Any) -> None:
    """The one document of a command with --json."""
    click.echo(_json(value, indent=2))


def print_line(value: Any) -> None:
    """One JSON object on a line, handed on at once."""
    click.echo(_json(value))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table on standard output, or a line for each value where the terminal is too narrow for whole words.

    Values are shown as `str` does, None as a dash; `right` names the columns of figures.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = io.StringIO()
    # With a height, or rich takes a terminal of kind `dumb` for one of 80 columns.
    console = Console(file=shown, width=terminal_width() or PIPE_WIDTH, height=25, force_terminal=sys.stdout.isatty())
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    cells = [["-" if value is None else clean(str(value)) for value in row] for row in rows]
    for row in cells:
        table.add_row(*map(Text, row))
    if console.measure(table, options=console.options.update(max_width=sys.maxsize)).minimum <= console.width:
        console.print(table)
    else:
        for row in cells:
            console.print(Text("\n".join(f"{heading}: {value}" for heading, value in zip(headings, row, strict=True)) + "\n"))
    click.echo(shown.getvalue(), nl=False)


def print_frame(frame: pd.DataFrame, columns: Sequence[str] = ()) -> None:
    """A frame as a table; of all its columns where none is named."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    from gather_pipeline.report.tables import rows

    shown = frame[list(columns)] if columns else frame
    numbers = [str(name) for name in shown.columns if is_numeric_dtype(shown[name]) and not is_bool_dtype(shown[name])]
    print_table([str(name) for name in shown.columns], [[cell(value) for value in row.values()] for row in rows(shown)], right=numbers)


def cell(value: Any) -> Any:
    """A value of a table as a person reads it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.3g}"
    return value


def capitalized(sentence: str) -> str:
    """The sentence as it stands at the beginning of a line."""
    return sentence[:1].upper() + sentence[1:]


def clean(text: str) -> str:
    """The text without control characters, those of line ends and tabs excepted, and without lone surrogates."""
    return texts.CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


@cache
def error_console() -> Console:
    """The one console of standard error: a live display and the lines above it must share it."""
    from rich.console import Console

    return Console(stderr=True)


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is, None where it is none: lines are for grep then, and may be long."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _json(value: Any, indent: int | None = None) -> str:
    """JSON in its own script where standard output can hold it, in plain ASCII where not; control characters as escapes."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    text = texts.clean(json.dumps(value, ensure_ascii=not is_unicode, indent=indent, allow_nan=False))
    return texts.CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)  # of the line ends that lay it out none is among them
