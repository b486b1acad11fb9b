"""What commands print: results on standard output, everything else on standard error.

Notes are written by models and briefs by strangers, so control characters never reach the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from gather_pipeline.domain import texts

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

PIPE_WIDTH = 200  # where no terminal tells its width, lines are for grep and may be long
# With overrides of direction, which would show what follows backwards, and lone surrogates, which no terminal can be sent.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff]")


def say(text: str) -> None:
    """A line for the person: standard error, above a live display where one is shown."""
    if "rich.console" in sys.modules and error_console().is_terminal:
        error_console().print(clean(text), markup=False, highlight=False, soft_wrap=True)
    else:
        click.echo(clean(text), err=True)


def print_json(value: Any) -> None:
    """The one document of a command with --json."""
    click.echo(_json(value, indent=2))


def print_line(value: Any) -> None:
    """One JSON object on a line, handed on at once."""
    click.echo(_json(value))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table on standard output; None shows as a dash.

    Args:
        headings: Names of the columns.
        rows: Values, shown as `str` does.
        right: Headings of the columns of figures.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("-" if value is None else clean(str(value))) for value in row))
    output_console().print(table)


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
            return f"{value:,.3f}".rstrip("0").rstrip(".")
    return value


def clean(text: str) -> str:
    """The text without control characters, those of line ends and tabs excepted, and without lone surrogates."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


@cache
def error_console() -> Console:
    """The one console of standard error: a live display and the lines above it must share it."""
    from rich.console import Console

    return Console(stderr=True)


def output_console() -> Console:
    """A console of standard output as it is now."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def _json(value: Any, indent: int | None = None) -> str:
    """JSON in its own script where standard output can hold it, in plain ASCII where not."""
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    return texts.clean(json.dumps(value, ensure_ascii=not is_unicode, indent=indent, allow_nan=False))
