"""Measurements as lines of JSON: one file a process, so that no two processes ever write one file (D2).

DuckDB lets one process write a database at a time, so the processes that measure never open it. Each appends to a file of its
own under ``incoming``, and the ingestion takes the rows over exactly once. The file is locked (flock) for as long as its
process lives: that is how the ingestion knows which files are finished, however their process ended.
"""

from __future__ import annotations

import fcntl
import re
import threading
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic_core import to_json

from gather_pipeline.errors import InvalidInput, StoreError
from gather_pipeline.ports import Clock

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class JsonlMetricsLog:
    """Port `MetricsLog`: appends one JSON line a row to a file of its own, ``<folder>/incoming/<run_id>.<8 hexadecimal digits>.jsonl``.

    A line is ``{"row_id": "<file's stem>:<n>", "kind": ..., "at": ..., "fields": {...}}``, handed to the system whole before `append`
    returns, so a killed process loses nothing that it appended. The file appears with the first row.

    Threads may share one log. Needs a system with flock (Linux, macOS).
    """

    def __init__(self, folder: Path, run_id: str, clock: Clock) -> None:
        """Stores where to write; touches no file.

        Raises:
            InvalidInput: The run id could not be part of a file name.
        """
        if not RUN_ID.fullmatch(run_id):
            raise InvalidInput.field("run id", run_id, "1 to 128 of letters, digits, '-' and '_', beginning with a letter or digit")
        self._path = folder / "incoming" / f"{run_id}.{uuid4().hex[:8]}.jsonl"
        self._clock = clock
        self._lock = threading.Lock()
        self._file: FileIO | None = None
        self._rows = 0
        self._closed = False

    def append(self, kind: str, row: Mapping[str, Any]) -> None:
        """Adds one row; values that JSON does not know become text, numbers that are not finite become null.

        Raises:
            StoreError: The file cannot be written (no disk, no permission); names it. The file keeps no part of the row.
            ValueError: The log is closed.
        """
        with self._lock:
            if self._closed:
                raise ValueError(f"metrics log {self._path.stem} is closed")
            line = {"row_id": f"{self._path.stem}:{self._rows + 1}", "kind": kind, "at": self._clock.now(), "fields": row}
            try:
                if self._file is None:
                    self._file = self._create()
                _write_whole(self._file, to_json(line, inf_nan_mode="null", fallback=str) + b"\n")
            except OSError as error:
                raise StoreError(f"metrics file {self._path} cannot be written: {error.strerror or error}") from error
            self._rows += 1

    def close(self) -> None:
        """Lets go of the file, which marks it as finished; a second call does nothing."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()

    def _create(self) -> FileIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("xb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        return file


def _write_whole(file: FileIO, data: bytes) -> None:
    """Writes all of `data` at the end of the file, or raises OSError and leaves the file as it was."""
    start = file.tell()
    written = 0
    try:
        while written < len(data):
            written += file.write(data[written:])
    except OSError:
        file.seek(start)
        file.truncate()
        raise
