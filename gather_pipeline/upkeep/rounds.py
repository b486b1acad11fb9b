"""A thread that brings what is stored to a receiver beyond the store, in rounds, with growing waits, and never in anybody's way."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from secrets import token_hex
from typing import Any, ClassVar, Generic

from gather_pipeline.domain.texts import counted
from gather_pipeline.domain.waits import back_off
from gather_pipeline.records.cursors import Cursor, Cursors, CursorT, Receiver
from gather_pipeline.records.lease import Leases, Owner

logger = logging.getLogger(__name__)

CLOSE_WAIT_S = 3.0  # longest wait at a run's end for what is still on its way; a cancel has 5 s for everything
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0  # between two attempts; doubled from the first on
HELD_WAIT_S = 1.0  # until the next look at a cursor that another process holds
PATIENCE = 5  # attempts in a row without success, after which the end of a run is not kept waiting


class Rounds(ABC, Generic[CursorT]):
    """One thread; a subclass says what a round does, and calls `start` once that can be done.

    Args:
        name: What the thread does, for messages.
        project_id: Whose things it brings.
        cursors: How far each receiver has come.
        receiver: Who gets them.

    Attributes:
        taken: Things that the receiver took.
        left: Things that wait.
        why: Why they wait, where that is known.
        failures: Attempts in a row without success.
        until: When whoever waits for the end goes on, on the clock of `time.monotonic`.
    """

    # What it brings, what is done with it, and where: "1 event still to be delivered to HOST".
    noun: ClassVar[str]
    done: ClassVar[str]
    where: ClassVar[str]

    def __init__(self, name: str, project_id: str, cursors: Cursors[CursorT], receiver: Receiver) -> None:
        self.name, self._project_id, self._cursors, self._receiver = name, project_id, cursors, receiver
        self.taken = self.left = self.failures = 0
        self.why, self.until = "", float("inf")
        self._owner = Owner.this_process(f"{name}-{token_hex(8)}")
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._go, name=name, daemon=True)

    def start(self) -> None:
        """Begins the first round."""
        self._thread.start()

    def wake(self) -> None:
        """Has a round made soon, for there is something more."""
        self._wake.set()

    def end(self, wait_s: float) -> str:
        """Waits at most so many seconds for what can be done soon; returns what is wrong, empty where nothing is."""
        self.until = time.monotonic() + wait_s
        self._closing.set()
        self._wake.set()
        self._thread.join(wait_s)
        said = [self.refused()]
        if self.left:
            why = f" ({self.why})" if self.why else ""
            left = f"{counted(self.left, self.noun)} still to be {self.done} {self.where} {self._receiver.host}{why}"
            said.append(f"{left}, with which the next run or sensor goes on")
        return "; ".join(filter(None, said))

    @abstractmethod
    def refused(self) -> str:
        """What the receiver refused, and why; empty where nothing was. Is asked at the end."""

    @abstractmethod
    def round(self, cursor: CursorT, last: bool) -> float | None:
        """Brings what there is; seconds until the next attempt, None where nothing is left. In the last round lets go of the cursor."""

    def let_go(self) -> None:  # noqa: B027  (most have nothing to let go of)
        """Is called at the end of the thread."""

    def delay(self) -> float:
        """Seconds to wait after one more failure."""
        self.failures += 1
        return back_off(self.failures, first_s=FIRST_WAIT_S, longest_s=LONGEST_WAIT_S)

    def _go(self) -> None:
        """Rounds until the caller has closed this and nothing is left, or nothing can be done soon."""
        last = False
        while True:
            self._wake.clear()  # before the look, so that what comes meanwhile is seen by the next one
            if not last and self._closing.is_set():
                last, self.failures = True, 0  # whatever was before, a few quick attempts are made at the end
            try:
                cursor = self._cursors.claim(self._project_id, self._receiver, self._owner)
                if cursor is None:
                    wait = None if last else HELD_WAIT_S
                else:
                    wait = self.round(cursor, last)
            except Exception as error:  # whatever it is: a thread that ends in silence would deliver nothing more
                logger.info("[AutoGather] No %s now, which is tried again: %s", self.name, str(error) or type(error).__name__)
                wait = self.delay()
            if last and (wait is None or self.failures >= PATIENCE or time.monotonic() + wait > self.until):
                break
            if wait is None:
                self._wake.wait()
            elif last:
                time.sleep(wait)
            else:
                self._closing.wait(wait)  # one more event is no reason to try sooner, the end of the run is
        self.let_go()


def go_on(lacking: Iterable[Cursor], leases: Leases, until: float, begin: Callable[[str], Rounds[Any]]) -> list[str]:
    """Brings one receiver what earlier processes left behind, project after project; a project in use is left to its run.

    Args:
        lacking: Cursors of the receiver that are behind.
        leases: Who holds which project.
        until: When no more is begun, on the clock of `time.monotonic`.
        begin: Begins the rounds of a project.

    Returns:
        A sentence for each project that was looked at.
    """
    said: list[str] = []
    live = leases.live()
    for project_id in (cursor.project_id for cursor in lacking if cursor.project_id not in live):
        if (left_s := until - time.monotonic()) <= 0:
            break
        rounds = begin(project_id)
        wrong = rounds.end(left_s)
        said.append(f"project {project_id}: {counted(rounds.taken, rounds.noun)} {rounds.done}" + (f"; {wrong}" if wrong else ""))
        if rounds.left and not rounds.taken:
            break  # the same receiver will not take another project's
    return said
