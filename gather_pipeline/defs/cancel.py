"""Turns every wish to stop a run into one thing: a cancel request in the store, which the loop looks at between awaits.

An exception raised by a signal may land inside any task of the event loop and get lost there. So the first SIGINT, SIGTERM or SIGHUP
only asks; a second one raises, as Dagster would have it. A run of the command line has no server that Dagster could ask to end it,
so its status is watched: Terminate in the UI marks it CANCELING, and the loop hears of it from here.
"""

import itertools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.exc import DBAPIError

from gather_pipeline.errors import GatherError, UnknownEntity
from gather_pipeline.gather.signals import Wishes, handled
from gather_pipeline.services import Services

logger = logging.getLogger(__name__)

SIGNAL_POLL_S = 0.2
STATUS_TICKS = 10  # a look at the run's status every 2 s
ENDING = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)


class CancelWatch:
    """Waits for a signal or a changed run status, and asks the run's task to end."""

    def __init__(self, services: Services, instance: dg.DagsterInstance, run_id: str, task_id: str) -> None:
        self._runs = services.runs
        self._instance, self._run_id, self._task_id = instance, run_id, task_id
        self.wishes = Wishes(dg.DagsterExecutionInterruptedError)
        self._stop = threading.Event()

    def watch(self) -> None:
        """Polls until the run ends or has been asked to."""
        told = logging.WARNING
        for tick in itertools.count():
            if self._stop.wait(SIGNAL_POLL_S):
                return
            if self.wishes.come or (tick % STATUS_TICKS == 0 and self._is_ending()):
                try:
                    self._runs.request_cancel(self._task_id)
                except UnknownEntity:
                    continue  # the task has not noted its start yet
                except GatherError as error:
                    logger.log(told, "[AutoGather] The cancel request could not be stored, which is tried again: %s", error)
                    told = logging.DEBUG
                    continue
                logger.warning("[AutoGather] Task %s is asked to end; it saves its work, a second signal ends it at once", self._task_id)
                return

    def _is_ending(self) -> bool:
        try:
            run = self._instance.get_run_by_id(self._run_id)
        except DBAPIError as error:  # a full disk, which the run itself will meet and tell
            logger.info("[AutoGather] Dagster's run could not be looked at: %s", error.orig)
            return False
        return run is not None and run.status in ENDING

    def stop(self) -> None:
        """Ends `watch`."""
        self._stop.set()


@contextmanager
def cancellable(services: Services, instance: dg.DagsterInstance, run_id: str, task_id: str) -> Iterator[None]:
    """Within it, signals and the run's status ask the task to end. Signals stay as they are outside the main thread."""
    watch = CancelWatch(services, instance, run_id, task_id)
    thread = threading.Thread(target=watch.watch, name="cancel-watch", daemon=True)
    with handled(watch.wishes):
        thread.start()
        try:
            yield
        finally:
            watch.stop()
            thread.join()
