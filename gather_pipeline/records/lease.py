"""One run a project: a lease in the store, kept alive by a heartbeat, taken over when its owner is dead (D4).

On the same machine a dead owner is known at once by its process; elsewhere, and where its process is stopped, when its lease runs out.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from secrets import token_hex
from typing import Any

from gather_pipeline.errors import DuplicateKey, GatherError, ProjectBusy, UnknownEntity, VersionConflict
from gather_pipeline.ports import Document, DocumentStore
from gather_pipeline.processes import running

logger = logging.getLogger(__name__)
LEASES = "leases"
IMPORT = "import-"  # begins the id under which an import holds a project
JOIN_S = 2.0  # the heartbeat may hang in a call to a store that does not answer
LOST = "another run took over the project, so this one stops without writing more"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who holds a lease: a run in a process of a machine."""

    task_id: str
    host: str
    pid: int
    started: float

    @classmethod
    def this_process(cls, task_id: str) -> Owner:
        """The owner that this process would be."""
        return cls.of_process(task_id, os.getpid())

    @classmethod
    def of_process(cls, task_id: str, pid: int) -> Owner:
        """The owner that a process of this machine would be."""
        found = running(pid)
        return cls(task_id=task_id, host=socket.gethostname(), pid=pid, started=found.started if found else 0.0)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Owner:
        """The owner whose fields a document has among others."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @property
    def is_of_this_machine(self) -> bool:
        """Whether its process can be looked for."""
        return self.host == socket.gethostname()

    def is_gone(self, until: float) -> bool:
        """True where it can no longer work: its process is gone (this machine), or its time ran out (another one, or it is stopped).

        `until` is the end of its time, in seconds since the epoch.
        """
        if self.is_of_this_machine:
            found = running(self.pid, self.started)
            if found is None:
                return True
            if not found.is_stopped:
                return False
        return time.time() > until

    @property
    def is_stopped(self) -> bool:
        """Whether its process was stopped on this machine (Ctrl-Z, SIGSTOP) and notices nothing."""
        found = running(self.pid, self.started) if self.is_of_this_machine else None
        return found is not None and found.is_stopped


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a project's lease.

    Attributes:
        owner: The run, as it took the lease.
        expires: Until when it holds without a heartbeat, seconds since the epoch.
        token: Of this one holding, however often a run holds the project; empty in leases of earlier releases.
    """

    project_id: str
    owner: Owner
    expires: float
    version: int
    token: str = ""

    @property
    def is_dead(self) -> bool:
        """True where the owner can no longer be at work, or let its time run out in this very process, which could not give it back."""
        here = self.owner == Owner.this_process(self.owner.task_id)
        return self.owner.is_gone(self.expires) or (here and time.time() > self.expires)


class Leases:
    """Who holds which project."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def holder(self, project_id: str) -> Holder | None:
        """Who holds the project, alive or dead; None where nobody does."""
        document = self._store.get(self._database, LEASES, project_id)
        return None if document is None else _holder(document)

    def all(self) -> list[Holder]:
        """Who holds any project, alive or dead; a lease is given back at its end, so there are few."""
        return [_holder(document) for document in self._store.find(self._database, LEASES)]

    def live(self) -> frozenset[str]:
        """Projects that a live run or import holds."""
        return frozenset(one.project_id for one in self.all() if not one.is_dead)

    def check_free(self, project_id: str) -> None:
        """Raises `ProjectBusy` where a live run or import holds the project."""
        held = self.holder(project_id)
        if held is not None and not held.is_dead:
            raise ProjectBusy(_busy(held))

    def lease(self, project_id: str, owner: Owner, seconds: float) -> Lease:
        """A lease that `holding` can take."""
        return Lease(self._store, self._database, project_id, owner, seconds)


def _holder(document: Document) -> Holder:
    own = {"expires": document["expires"], "version": document["_version"], "token": document.get("token", "")}
    return Holder(project_id=document["_id"], owner=Owner.of_row(document), **own)


class Lease:
    """The right to run the automation of one project.

    Attributes:
        token: Marks what is written in this one holding.
    """

    def __init__(self, store: DocumentStore, database: str, project_id: str, owner: Owner, seconds: float) -> None:
        self._store, self._database, self.project_id = store, database, project_id
        self.owner, self.token, self.seconds, self._expires = owner, token_hex(8), seconds, 0.0
        self._renewing = threading.Lock()  # the heartbeat and whoever asks after a pause
        self.lost = threading.Event()

    def is_lost(self) -> bool:
        """Whether somebody else holds the project now.

        After a pause that outlasted the lease (a lid closed, a machine stopped) no heartbeat has been made yet, so the store is asked.
        """
        if not self.lost.is_set() and time.time() > self._expires:
            self.renew()
        return self.lost.is_set()

    def confirm(self) -> None:
        """Asks the store whether the project is still held, so that what was read before is of no successor; else raises `ProjectBusy`."""
        self.renew()
        if self.lost.is_set():
            raise ProjectBusy(LOST)

    def take(self) -> str | None:
        """Takes the lease, perhaps from a dead owner, whose task id is returned; raises `ProjectBusy` where a live run holds it."""
        try:
            terms = self._terms()
            self._store.insert_many(self._database, LEASES, [{"_id": self.project_id, **terms}])
            self._expires = terms["expires"]
            return None
        except DuplicateKey:
            pass
        held = self._held()
        if held is None:
            return self.take()
        if not held.is_dead:
            raise ProjectBusy(_busy(held))
        # By the token too: a lease that was given back and taken anew counts its versions from 1 again.
        if not self._extend({"token": held.token} if held.token else {}, held.version):
            return self.take()
        logger.warning("[AutoGather] Took over project %s from dead run %s", self.project_id, held.owner.task_id)
        return held.owner.task_id

    def renew(self) -> None:
        """Moves the end of the lease; sets `lost`, with an error in the log, where another run holds it now."""
        with self._renewing:
            if self._extend({"token": self.token, "task_id": self.owner.task_id}) or self.lost.is_set():
                return
            self.lost.set()
        held = self._held()
        holder = "nobody" if held is None else f"run {held.owner.task_id}"
        logger.error("[AutoGather] Run %s lost its lease of project %s: %s holds it now", self.owner.task_id, self.project_id, holder)

    def release(self) -> None:
        """Gives the lease back, unless somebody else holds it."""
        self._store.delete(self._database, LEASES, {"_id": self.project_id, "token": self.token, "task_id": self.owner.task_id})

    def _extend(self, where: Mapping[str, Any], version: int | None = None) -> bool:
        """Makes this run the holder for another term; False where the lease is not that one any more."""
        terms = self._terms()
        try:
            self._store.update(self._database, LEASES, self.project_id, terms, expected_version=version, where=where)
        except (VersionConflict, UnknownEntity):
            return False
        self._expires = terms["expires"]
        return True

    def _held(self) -> Holder | None:
        return Leases(self._store, self._database).holder(self.project_id)

    def _terms(self) -> Document:
        now = time.time()
        return {**asdict(self.owner), "token": self.token, "heartbeat": now, "expires": now + self.seconds}


def _busy(held: Holder) -> str:
    where = f"process {held.owner.pid} on {held.owner.host}"
    if held.owner.is_stopped:
        where += f", which is stopped and loses it in {max(0.0, held.expires - time.time()):.0f} s unless kill -CONT wakes it"
    if held.owner.task_id.startswith(IMPORT):
        return f"project {held.project_id} is busy: an import into it is under way ({where}), wait for it"
    return (
        f"project {held.project_id} is busy: run {held.owner.task_id} holds it ({where}), wait for it, end it with "
        f"gather cancel {held.owner.task_id}, or with Terminate in Dagster's UI"
    )


@contextmanager
def holding(lease: Lease) -> Iterator[str | None]:
    """Takes the lease, renews it from a thread of its own every third of its term until it is lost, gives it back at the end.

    Yields:
        Task id of the dead owner that it was taken from, None where it was free.
    """
    taken_from = lease.take()
    stop = threading.Event()

    def beat() -> None:
        while not lease.lost.is_set() and not stop.wait(lease.seconds / 3):
            try:
                lease.renew()
            except Exception as error:  # whatever it is: a thread that ends in silence would let the lease run out
                logger.warning("[AutoGather] The lease could not be renewed, which is tried again: %s", str(error) or type(error).__name__)

    thread = threading.Thread(target=beat, name="lease-heartbeat", daemon=True)
    thread.start()
    try:
        yield taken_from
    finally:
        stop.set()
        thread.join(JOIN_S)
        try:
            lease.release()
        except GatherError as error:  # the next run finds the owner dead; what ended this one must not be hidden
            logger.warning("[AutoGather] The lease of project %s could not be given back: %s", lease.project_id, error)
