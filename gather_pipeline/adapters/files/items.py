"""Files of items: JSON lines, CSV, Markdown and Parquet, each written whole or not at all.

A line that cannot be read is handed on with what is wrong with it; only a file that is no such file is refused as a whole.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from gather_pipeline.adapters.files.cells import from_cells, to_cells
from gather_pipeline.adapters.files.lines import line_of_fields, line_of_json, stray
from gather_pipeline.adapters.files.markdown import read_markdown, write_markdown
from gather_pipeline.adapters.files.parquet import read_parquet, write_parquet
from gather_pipeline.adapters.files.whole import written_whole
from gather_pipeline.domain.item_lines import COLUMNS, NEEDED, Format, Line
from gather_pipeline.errors import InvalidInput, StoreError

Fields = Mapping[str, Any]
Texts = Iterator[tuple[int, str]]  # lines of a file with their numbers, their line ends kept

LINE_LIMIT = 64_000_000  # bytes; a document of a store has at most a quarter of it
DELIMITERS = ",;\t"  # spreadsheets of many countries write the second


def write_items(rows: Iterable[Fields], format: Format, path: Path | None, stream: BinaryIO, title: str) -> None:
    """Writes items, one line each.

    Args:
        rows: Lines by field, as `to_fields` makes them, in order.
        format: Of the file.
        path: The file, which an older one is replaced by at the end; None writes to `stream`.
        stream: Standard output.
        title: Headline of a format that has one.

    Raises:
        InvalidInput: The file cannot be made there.
        StoreError: The disk refuses.
    """
    write: dict[Format, Callable[[Iterable[Fields], BinaryIO], None]] = {
        "jsonl": _write_jsonl,
        "csv": _write_csv,
        "md": lambda rows, file: write_markdown(rows, file, title),
        "parquet": lambda rows, file: write_parquet(rows, Path(file.name)),
    }
    if path is None:
        write[format](rows, stream)
        return
    try:
        with written_whole(path) as file:
            write[format](rows, file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise InvalidInput.field("--output", str(path), f"a file that can be written ({error.strerror})") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def read_items(path: Path | None, stream: BinaryIO, format: Format, shown: str) -> Iterator[Line]:
    """The lines of a file.

    Args:
        path: The file; None reads `stream`.
        stream: Standard input.
        format: Of the file.
        shown: The file as the user knows it.

    Raises:
        InvalidInput: There is no such file, or it is no file of that format; before the first line is given.
        StoreError: The disk refuses.
    """
    if format == "parquet" and path is None:
        raise InvalidInput.field("--format", format, "jsonl, csv or md on standard input: a parquet file is read by its path")
    read: dict[Format, Callable[[Texts, str], Iterator[Line]]] = {"jsonl": _read_jsonl, "csv": _read_csv, "md": read_markdown}
    if path is None:
        yield from read[format](_texts(stream, shown), shown)
        return
    with _readable(path, shown) as file:
        yield from read_parquet(path, shown) if format == "parquet" else read[format](_texts(file, shown), shown)


@contextmanager
def _readable(path: Path, shown: str) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise InvalidInput.field("FILE", shown, "a file that is there") from None
    except IsADirectoryError:
        raise InvalidInput.field("FILE", shown, "a file, and it is a folder") from None
    except OSError as error:
        raise InvalidInput.field("FILE", shown, f"a file that can be read ({error.strerror})") from None
    with file:
        try:
            yield file
        except OSError as error:
            raise StoreError(f"{shown} cannot be read: {error.strerror or error}") from error


def _texts(file: BinaryIO, shown: str) -> Texts:
    """Lines of a UTF-8 file; a byte that is none is marked, for the line to be refused."""
    number = 0
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise InvalidInput(f"{shown}: line {number} has more than {LINE_LIMIT} bytes, expected a note a line")
        yield number, line.decode("utf-8", "surrogateescape").removeprefix("\ufeff" if number == 1 else "")


def _write_jsonl(rows: Iterable[Fields], file: BinaryIO) -> None:
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _write_csv(rows: Iterable[Fields], file: BinaryIO) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(to_cells(row) for row in rows)
    file.write(text.getvalue().encode())


def _read_jsonl(lines: Texts, shown: str) -> Iterator[Line]:
    yield from (line_of_json(number, text) for number, text in lines if text.strip())


def _read_csv(lines: Texts, shown: str) -> Iterator[Line]:
    csv.field_size_limit(LINE_LIMIT)
    names, delimiter = _heading(next(lines, (0, ""))[1], shown)
    # Strict, so that a quote that is never closed is not taken for a note of all the lines after it.
    reader = csv.reader((text for _, text in lines), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 2  # the heading is line 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Line(number=number, fault=_not_csv(str(error), reader.line_num + 1))
            continue
        if cells is None:
            return
        if fault := stray(delimiter.join(cells)):
            yield Line(number=number, fault=fault)
        elif any(cells) and len(cells) != len(names):
            yield Line(number=number, fault=f"the line has {len(cells)} cells, expected {len(names)} as the first line has")
        elif any(cells):
            yield line_of_fields(number, from_cells(dict(zip(names, cells, strict=True))))


def _not_csv(reason: str, ended: int) -> str:
    if reason == "unexpected end of data":
        return f"the line opens a quote that is never closed, expected its end before the file's (line {ended})"
    if reason.startswith("new-line character"):
        return "the line has a carriage return within, expected one only in quotes"
    return f"the line is no CSV ({reason})"


def _heading(text: str, shown: str) -> tuple[Sequence[str], str]:
    """Names of the columns and the character between them."""
    for delimiter in DELIMITERS:
        try:
            names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
        except csv.Error:  # a carriage return within: no line of a table
            break
        if set(NEEDED) <= set(names):
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise InvalidInput(f"{shown}: column {twice!r} is there more than once")
            return names, delimiter
    if fault := stray(text):
        raise InvalidInput(f"{shown}: line 1: {fault}")
    raise InvalidInput.field(f"{shown}: the first line", text.strip(), f"names of columns, {' and '.join(NEEDED)} among them")
