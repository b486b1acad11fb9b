"""Files of items: JSON lines, CSV, Markdown and Parquet, each written whole or not at all.

A line that cannot be read is handed on with what is wrong with it; only a file that is no such file is refused as a whole.
"""

from __future__ import annotations

import csv
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from gather_pipeline.adapters.files.cells import CELL_COLUMNS, from_cells, not_json, stray, to_cells, to_json
from gather_pipeline.adapters.files.markdown import read_markdown, write_markdown
from gather_pipeline.adapters.files.parquet import read_parquet, write_parquet
from gather_pipeline.domain.item_lines import NEEDED, Format, Line
from gather_pipeline.errors import InvalidInput, StoreError

Fields = Mapping[str, Any]
Texts = Iterator[tuple[int, str]]  # lines of a file with their numbers, their line ends kept

LINE_LIMIT = 64_000_000  # bytes; a document of a store has at most a quarter of it
BOM = b"\xef\xbb\xbf"
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
    with _written_whole(path) as file:
        write[format](rows, file)


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
    if format == "parquet":
        if path is None:
            raise InvalidInput.field("--format", format, "jsonl, csv or md on standard input: a parquet file is read by its path")
        with _readable(path, shown):
            pass
        yield from read_parquet(path, shown)
        return
    read: dict[Format, Callable[[Texts, str], Iterator[Line]]] = {"jsonl": _read_jsonl, "csv": _read_csv, "md": read_markdown}
    if path is None:
        yield from read[format](_texts(stream, shown), shown)
        return
    with _readable(path, shown) as file:
        yield from read[format](_texts(file, shown), shown)


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


@contextmanager
def _written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file beside the one wanted, which takes its place when all is written."""
    target = path.resolve()  # a link goes on to point where it points
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            with target.open("wb") as file:  # a pipe or a device: there is nothing to replace
                yield file
            return
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".export-", delete=False) as file:
            fresh = Path(file.name)
            try:
                yield cast(BinaryIO, file)
                file.flush()
                os.fsync(file.fileno())
                fresh.chmod(0o666 & ~_umask())
                fresh.replace(target)
            except BaseException:
                fresh.unlink(missing_ok=True)
                raise
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise InvalidInput.field("--output", str(path), f"a file that can be written ({error.strerror})") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _write_jsonl(rows: Iterable[Fields], file: BinaryIO) -> None:
    for row in rows:
        file.write(to_json(row).encode() + b"\n")


def _write_csv(rows: Iterable[Fields], file: BinaryIO) -> None:
    class Lines:
        def write(self, line: str) -> int:
            return file.write(line.encode())

    writer = csv.DictWriter(Lines(), CELL_COLUMNS, restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if cell is None else cell for name, cell in to_cells(row).items()})


def _texts(file: BinaryIO, shown: str) -> Texts:
    """Lines of a UTF-8 file; a byte that is none is marked, for the line to be refused."""
    number = 0
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise InvalidInput(f"{shown}: line {number} has more than {LINE_LIMIT} bytes, expected a note a line")
        yield number, (line.removeprefix(BOM) if number == 1 else line).decode("utf-8", "surrogateescape")


def _read_jsonl(lines: Texts, shown: str) -> Iterator[Line]:
    for number, text in lines:
        if not text.strip():
            continue
        if fault := stray(text):
            yield Line(number=number, fault=fault)
            continue
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Line(number=number, fault=not_json("line", error))
            continue
        if isinstance(fields, dict):
            yield Line(number=number, fields=fields)
        else:
            yield Line(number=number, fault=f"the line is {type(fields).__name__}, expected a JSON object")


def _read_csv(lines: Texts, shown: str) -> Iterator[Line]:
    csv.field_size_limit(LINE_LIMIT)
    number, head = next(lines, (0, ""))
    names, delimiter = _heading(head, shown)
    ended = 0

    def texts() -> Iterator[str]:
        nonlocal ended
        for at, text in lines:
            ended = at
            yield text

    # Strict, so that a quote that is never closed is not taken for a note of all the lines after it.
    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    began = number + 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            number, began = began, ended + 1
            yield Line(number=number, fault=_not_csv(str(error), ended))
            continue
        if cells is None:
            return
        number, began = began, ended + 1
        if not any(cells):
            continue
        fault = stray(delimiter.join(cells))
        if not fault and len(cells) != len(names):
            fault = f"the line has {len(cells)} cells, expected {len(names)} as the first line has"
        yield Line(number=number, fault=fault) if fault else Line(number=number, fields=from_cells(dict(zip(names, cells, strict=True))))


def _not_csv(reason: str, ended: int) -> str:
    if reason == "unexpected end of data":
        return f"the line opens a quote that is never closed, expected its end before the file's (line {ended})"
    if reason.startswith("new-line character"):
        return "the line has a carriage return within, expected one only in quotes"
    return f"the line is no CSV ({reason})"


def _heading(text: str, shown: str) -> tuple[Sequence[str], str]:
    """Names of the columns and the character between them."""
    names: list[str] = []
    for delimiter in DELIMITERS:
        try:
            names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
        except csv.Error:  # a carriage return within: no line of a table
            break
        if set(NEEDED) <= set(names):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise InvalidInput(f"{shown}: column {twice!r} is there more than once")
            return names, delimiter
    if fault := stray(text):
        raise InvalidInput(f"{shown}: line 1: {fault}")
    raise InvalidInput.field(f"{shown}: the first line", text.strip(), f"names of columns, {' and '.join(NEEDED)} among them")
