"""Items as a Parquet file, written and read by DuckDB in memory, which is here for the metrics anyway."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gather_pipeline.adapters.files.cells import NUMBERS, from_cells, to_cells
from gather_pipeline.adapters.files.lines import line_of_fields
from gather_pipeline.domain.item_lines import COLUMNS, NEEDED, Line
from gather_pipeline.errors import InvalidInput, StoreError

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


def read_parquet(path: Path, shown: str) -> Iterator[Line]:
    """The rows of a file that `write_parquet` or another program made.

    Raises:
        InvalidInput: It is no Parquet file, or has not the columns that an item needs.
    """
    import duckdb

    with duckdb.connect(":memory:", config=dict(CLOSED)) as connection:
        try:
            # DuckDB takes stars and brackets in a path for a pattern.
            table = connection.read_parquet(glob.escape(str(path.absolute())), hive_partitioning=False)
            if not set(NEEDED) <= set(table.columns):
                raise InvalidInput(f"{shown} has the columns {', '.join(table.columns)}, expected {' and '.join(NEEDED)} among them")
            names, rows = table.columns, table.fetchall()
        except duckdb.Error as error:
            raise InvalidInput(f"{shown} is no Parquet file that can be read: {_reason(error)}") from None
    for number, cells in enumerate(rows, start=1):
        yield line_of_fields(number, from_cells(dict(zip(names, cells, strict=True))))


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0]
