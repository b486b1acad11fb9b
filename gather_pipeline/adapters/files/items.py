"""Files of items: JSON lines, CSV, Markdown and Parquet, each written whole or not at all.

A line that cannot be read is handed on with what is wrong with it; only a file that is no such file is refused as a whole.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

from gather_pipeline.adapters.files.cells import marked, to_cells
from gather_pipeline.adapters.files.given import opened
from gather_pipeline.adapters.files.lines import STRAY, read_json
from gather_pipeline.adapters.files.markdown import read_markdown, write_markdown
from gather_pipeline.adapters.files.parquet import read_parquet, write_parquet
from gather_pipeline.adapters.files.tables import read_csv
from gather_pipeline.adapters.files.whole import written_whole
from gather_pipeline.domain.item_lines import COLUMNS, Format, Line
from gather_pipeline.domain.texts import decode
from gather_pipeline.errors import InvalidInput, StoreError

logger = logging.getLogger(__name__)

Fields = Mapping[str, Any]

FILE_LIMIT = 512_000_000  # bytes; a hundred thousand notes with their histories have half of it


def write_items(rows: Iterable[Fields], format: Format, path: Path | None, stream: BinaryIO, title: str) -> None:
    """Writes items, lines by field as `to_fields` makes them, to a file whole or not at all, or without a path to `stream`.

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
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, BrokenPipeError) as error:
        raise InvalidInput.field("--output", str(path), f"a file that can be written ({error.strerror})") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def read_items(path: Path | None, stream: BinaryIO, format: Format, shown: str) -> Iterator[Line]:
    """The lines of a file, or without a path of `stream`; messages name it as it is `shown`.

    Raises:
        InvalidInput: There is no such file, or it is no file of that format; before the first line is given.
        StoreError: The disk refuses.
    """
    if format == "parquet" and path is None:
        raise InvalidInput.field("--format", format, "jsonl, csv or md on standard input: a parquet file is read by its path")
    with ExitStack() as files:
        file = files.enter_context(opened(path, "FILE")) if path else stream
        is_file = path is not None and path.is_file()
        if path and format == "parquet":
            if not is_file:
                raise InvalidInput.field("FILE", shown, "a file: parquet is not read from a pipe")
            yield from read_parquet(path, shown, FILE_LIMIT)
            return
        try:
            if not is_file:
                file = _copied(file, files.enter_context(tempfile.TemporaryFile()))
            if os.fstat(file.fileno()).st_size > FILE_LIMIT:
                raise InvalidInput(f"{shown} has more than {FILE_LIMIT} bytes, expected its notes in several files")
            if format == "jsonl":
                yield from read_json(file, shown)
                return
            data = file.read()
        except OSError as error:
            where = "" if is_file else f", or not be kept in {tempfile.gettempdir()}"
            raise StoreError(f"{shown} cannot be read{where}: {error.strerror or error}") from error
    text = _text(data, format, shown)
    del data
    yield from (read_csv if format == "csv" else read_markdown)(text, shown)


def _copied(stream: BinaryIO, file: BinaryIO) -> BinaryIO:
    """The file, with what comes through a stream, up to just above the limit."""
    while file.tell() <= FILE_LIMIT and (block := stream.read(1 << 20)):
        file.write(block)
    file.seek(0)
    return file


def _text(data: bytes, format: Format, shown: str) -> str:
    """The text of a file; a byte that is none is marked, for its line to be refused."""
    try:
        return decode(data)
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    # A table with some such bytes and no character of UTF-8 is of a spreadsheet that writes as its system does, in the west like this.
    if format == "csv" and b"\x00" not in data and STRAY.sub("", text).isascii() and 5 * len(STRAY.findall(text)) < len(text):
        with suppress(UnicodeDecodeError):
            western = data.decode("cp1252")
            logger.warning("[AutoGather] %s is not UTF-8 text and was read as Windows-1252: look at its accents", shown)
            return western
    return text


def _write_jsonl(rows: Iterable[Fields], file: BinaryIO) -> None:
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _write_csv(rows: Iterable[Fields], file: BinaryIO) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: marked(cell) for name, cell in to_cells(row).items()} for row in rows)
    file.write(text.getvalue().encode())
