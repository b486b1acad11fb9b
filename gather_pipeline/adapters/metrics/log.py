"""Measurements as lines of JSON: one file a process, so that no two processes ever write one file (D2).

DuckDB lets one process write a database at a time, so the processes that measure never open it. Each appends to a file of its
own under ``incoming``, and the ingestion takes the lines over exactly once. The file is locked (flock) for as long as its
process lives: that is how the ingestion knows which files are finished, however their process ended. A file is never opened a
second time, so a line that a kill cut in half stays last and stays half.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gather_pipeline.adapters.metrics.measurements import Measurement
from gather_pipeline.errors import InvalidInput, StoreError
from gather_pipeline.ports import Clock

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class JsonlMetricsLog:
    """Port `MetricsLog`: appends one JSON line a row to ``<folder>/incoming/<run_id>.jsonl``.

    A line is ``{"row_id": "<run_id>:<n>", "kind": ..., "at": ..., "fields": {...}}``, handed to the system whole before `append`
    returns, so a killed process loses nothing that it appended. The file appears with the first row. Where a file of that run is
    there already (a second process of one run), the next free name is taken: ``<run_id>.2.jsonl`` with rows ``<run_id>.2:<n>``.

    Threads may share one log. Needs a system with flock (Linux, macOS).
    """

    def __init__(self, folder: Path, run_id: str, clock: Clock) -> None:
        """Stores where to write; touches no file.

        Raises:
            InvalidInput: The run id could not be part of a file name.
        """
        if not RUN_ID.fullmatch(run_id):
            raise InvalidInput.field("run id", run_id, "1 to 128 of letters, digits, '-' and '_', beginning with a letter or digit")
        self._incoming = folder / "incoming"
        self._archive = folder / "archive"
        self._run_id = run_id
        self._clock = clock
        self._lock = threading.Lock()
        self._file: int | None = None
        self._path = self._incoming / f"{run_id}.jsonl"
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
                raise ValueError(f"metrics log of run {self._run_id} is closed")
            try:
                if self._file is None:
                    self._file = self._create()
                row_id = f"{self._path.stem}:{self._rows + 1}"
                _write_whole(self._file, Measurement(row_id=row_id, kind=kind, at=self._clock.now(), fields=row).to_line())
            except OSError as error:
                raise StoreError(f"metrics file {self._path} cannot be written: {error.strerror or error}") from error
            self._rows += 1

    def close(self) -> None:
        """Lets go of the file, which marks it as finished; a second call does nothing."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _create(self) -> int:
        self._incoming.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            name = f"{self._run_id}.jsonl" if number == 1 else f"{self._run_id}.{number}.jsonl"
            number += 1
            self._path = self._incoming / name
            # Ingestion moves files from incoming to archive, so looking there second misses none. An empty one is never moved.
            try:
                file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                continue
            if (self._archive / name).exists():
                os.close(file)
                self._path.unlink()
                continue
            fcntl.flock(file, fcntl.LOCK_EX)
            return file


def _write_whole(file: int, data: bytes) -> None:
    """Writes all of `data` at the end of the file, or raises OSError and leaves the file as it was."""
    start = os.lseek(file, 0, os.SEEK_END)
    written = 0
    try:
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        os.ftruncate(file, start)
        raise
