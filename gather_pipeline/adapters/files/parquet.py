"""Items as a Parquet file, written and read by DuckDB in memory, which is here for the metrics anyway."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from gather_pipeline.adapters.files.cells import EXACT, NUMBERS, columns_of, from_cells, to_cells
from gather_pipeline.adapters.files.lines import line_of_fields, stray
from gather_pipeline.domain.item_lines import COLUMNS, NEEDED, Line
from gather_pipeline.errors import InvalidInput, StoreError, listed

PER_ROW = 100  # bytes that even a row of nothing takes
CLOSED = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}  # nothing is ever downloaded


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes the rows, in order.

    Raises:
        StoreError: The disk refuses.
    """
    import duckdb
    import pandas as pd

    cells = pd.DataFrame([to_cells(row) for row in rows], columns=list(COLUMNS), dtype=object)
    columns = ", ".join(f"{name}::{'BIGINT' if name in NUMBERS else 'VARCHAR'} AS {name}" for name in COLUMNS)
    with duckdb.connect(":memory:", config=dict(CLOSED)) as connection:
        try:
            connection.register("cells", cells)
            connection.sql(f"SELECT {columns} FROM cells").write_parquet(str(path))
        except duckdb.Error as error:
            raise StoreError(f"the parquet file cannot be written: {_reason(error)}") from error


def read_parquet(path: Path, shown: str, limit: int) -> Iterator[Line]:
    """The rows of a file that `write_parquet` or another program made; a few kilobytes may unpack to gigabytes.

    Raises:
        InvalidInput: It is no Parquet file, has not the columns that an item needs, or unpacks to more than `limit` characters.
    """
    import duckdb

    with duckdb.connect(":memory:", config=dict(CLOSED)) as connection:
        try:
            # DuckDB takes stars and brackets in a path for a pattern.
            table = connection.read_parquet(glob.escape(str(path.absolute())), hive_partitioning=False)
            columns = columns_of(table.columns, shown)
            if not set(NEEDED) <= set(columns):
                raise InvalidInput(f"{shown} has the columns {listed(table.columns)}, expected {' and '.join(NEEDED)} among them")
            # Of the others only the names are told; a time is as good as its text, and needs no database of time zones.
            kept = [place for place, name in enumerate(columns) if name in (*COLUMNS, EXACT)]
            types = [f"::{'VARCHAR' if str(table.types[place]).startswith('TIME') else table.types[place]}" for place in kept]
            chosen = ", ".join(_quoted(table.columns[place]) + type for place, type in zip(kept, types, strict=True))
            sizes = " + ".join(f"sum(strlen(coalesce({_quoted(table.columns[place])}::VARCHAR, '')))" for place in kept)
            ((unpacked,),) = table.project(f"{PER_ROW} * count(*) + coalesce({sizes}, 0)").fetchall()
            if unpacked > limit:
                raise InvalidInput(f"{shown} unpacks to more than {limit} bytes, expected its notes in several files")
            rows = table.project(chosen).fetchall()
        except duckdb.Error as error:
            raise InvalidInput(f"{shown} is no Parquet file that can be read: {_reason(error)}") from None
    others = dict.fromkeys(name for name in columns if name not in (*COLUMNS, EXACT))
    for number, cells in enumerate(rows, start=1):
        values = dict(zip((columns[place] for place in kept), map(_plain, cells), strict=True))
        if fault := stray("".join(value for value in values.values() if isinstance(value, str))):
            yield Line(number=number, fault=fault)
        else:
            yield line_of_fields(number, others | from_cells(values))


def _plain(cell: Any) -> Any:
    """A cell as JSON has it; bytes are a text of a program that did not say so, and what is no number is nothing."""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "surrogateescape")
    return None if cell != cell else to_jsonable_python(cell)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0]
