"""Items as a Parquet file, written and read by DuckDB in memory, which is here for the metrics anyway."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gather_pipeline.adapters.files.cells import CELL_COLUMNS, from_cells, to_cells
from gather_pipeline.domain.item_lines import NEEDED, NUMBERS, Line
from gather_pipeline.errors import InvalidInput, StoreError

if TYPE_CHECKING:
    import duckdb

CHUNK = 5_000  # rows held as a frame at once
CLOSED = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}  # nothing is ever downloaded
READ_ROWS = "SELECT * FROM read_parquet(?, hive_partitioning = false)"


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes the rows, in order.

    Raises:
        StoreError: The disk refuses.
    """
    import duckdb
    import pandas as pd

    columns = ", ".join(f"{name} {'BIGINT' if name in NUMBERS else 'VARCHAR'}" for name in CELL_COLUMNS)
    left = iter(rows)
    with duckdb.connect(":memory:", config=dict(CLOSED)) as connection:
        connection.execute(f"CREATE TABLE items ({columns})")
        while chunk := [to_cells(row) for row in itertools.islice(left, CHUNK)]:
            frame = pd.DataFrame(chunk, columns=list(CELL_COLUMNS), dtype=object)
            connection.register("chunk", frame)
            connection.execute("INSERT INTO items SELECT * FROM chunk")
            connection.unregister("chunk")
        try:
            connection.execute(f"COPY items TO {_quoted(path)} (FORMAT parquet, USE_TMP_FILE false)")
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
            names, rows = _open(connection, path)
            missing = [name for name in NEEDED if name not in names]
            if missing:
                raise InvalidInput(f"{shown} has the columns {', '.join(names)}, expected {' and '.join(NEEDED)} among them")
            yield from (
                Line(number=number, fields=from_cells(dict(zip(names, cells, strict=True)))) for number, cells in enumerate(rows, start=1)
            )
        except duckdb.Error as error:
            raise InvalidInput(f"{shown} is no Parquet file that can be read: {_reason(error)}") from None


def _open(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    # DuckDB takes stars and brackets in a path for a pattern.
    result = connection.execute(READ_ROWS, [glob.escape(str(path.absolute()))])
    names = [str(column[0]) for column in result.description or ()]
    return names, itertools.chain.from_iterable(iter(lambda: result.fetchmany(CHUNK), []))


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0]
