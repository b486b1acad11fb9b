"""Writes records of a run behind its back: executions and events together, by a thread, while the loop goes on.

A record waits at most `LINGER_S` for others to be written with. Before an iteration is committed everything waiting is written, so that a
committed iteration never lacks the record of a call or an event before it. A kill can lose the records of its last instant, as it can lose
an answer on its way; order is never changed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Document
from gather_pipeline.records.project import GatherRepository

logger = logging.getLogger(__name__)

LINGER_S = 0.05
Job = Callable[[], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Record:
    collection: str
    document: Document
    then: Job | None


class Scribe:
    """The one writer of a run's records. Its thread starts with the first one; `close` ends it.

    Args:
        repository: Where to.
        may_write: False once another run holds the project: what waits then is let go of.
        linger_s: Seconds that a record may wait for others.
    """

    def __init__(self, repository: GatherRepository, may_write: Callable[[], bool] = lambda: True, linger_s: float = LINGER_S) -> None:
        self._repository, self._may_write, self._linger_s = repository, may_write, linger_s
        self._changed = threading.Condition()
        self._waiting: list[_Record | Job] = []
        self._busy = self._hurry = self._closed = False
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def put(self, collection: str, document: Document, then: Job | None = None) -> None:
        """Takes a new document; `then` is called once it is stored."""
        self._take(_Record(collection=collection, document=document, then=then))

    def start(self, job: Job) -> None:
        """Begins a job at once, after all that waits; `flush` waits for its end and raises its error."""
        self._take(job, hurry=True)

    def flush(self) -> None:
        """Waits until all that was given is stored.

        Raises:
            GatherError: The store refused it, now or since the last call. It is tried again at the next call.
        """
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._error or not (self._waiting or self._busy))
            error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """Writes what waits and ends the thread; raises as `flush` does, with the thread ended all the same."""
        try:
            self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            if self._thread is not None:
                self._thread.join()

    def _take(self, work: _Record | Job, *, hurry: bool = False) -> None:
        with self._changed:
            if self._closed:
                raise ValueError("the scribe is closed")
            self._waiting.append(work)
            self._hurry |= hurry
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="scribe", daemon=True)
                self._thread.start()
            if hurry or len(self._waiting) == 1:
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                # After an error only a flush, which takes the error away, begins anew.
                self._changed.wait_for(lambda: self._closed or (self._waiting and self._error is None))
                if self._closed:
                    return
                self._changed.wait_for(lambda: self._hurry or self._closed, self._linger_s)
                batch = self._next()
                self._busy = True
            error = self._write(batch)
            with self._changed:
                if error is not None:
                    self._error = error
                    self._waiting[:0] = batch
                self._busy = False
                self._hurry &= bool(self._waiting)
                self._changed.notify_all()

    def _next(self) -> list[_Record | Job]:
        """The first waiting job, or all records before it."""
        jobs = (place for place, work in enumerate(self._waiting) if not isinstance(work, _Record))
        end = max(1, next(jobs, len(self._waiting)))
        batch, self._waiting = self._waiting[:end], self._waiting[end:]
        return batch

    def _write(self, batch: list[_Record | Job]) -> Exception | None:
        """Does the work and takes it off the batch as it is done; gives back the error that ended it."""
        try:
            if not self._may_write():
                batch.clear()
            while batch:
                first = batch[0]
                if isinstance(first, _Record):
                    self._store(batch, first.collection)
                else:
                    # A job that fails is not tried again: whoever gave it is told.
                    batch.pop(0)
                    first()
        except Exception as error:
            return error
        return None

    def _store(self, batch: list[_Record | Job], collection: str) -> None:
        """Stores the records of one collection together and takes them off the batch."""
        chosen = [work for work in batch if isinstance(work, _Record) and work.collection == collection]
        try:
            self._repository.add_records(collection, [record.document for record in chosen])
            done = chosen
        except InvalidInput as error:
            if len(chosen) > 1:  # one that no store could take must not hold up the others
                for record in chosen:
                    self._store([record], collection)
                    batch.remove(record)
                return
            logger.error("[AutoGather] A record of %s cannot be stored and is lost: %s", collection, error)
            done = []
        batch[:] = [work for work in batch if work not in chosen]
        for record in done:
            if record.then is not None:
                record.then()
