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


@contextmanager
def cancellable(services: Services, instance: dg.DagsterInstance, run_id: str, task_id: str) -> Iterator[None]:
    """Within it, signals and the run's status ask the task to end. Signals stay as they are outside the main thread."""
    wishes, stop = Wishes(dg.DagsterExecutionInterruptedError), threading.Event()

    def watch() -> None:
        told = logging.WARNING
        for tick in itertools.count():
            if stop.wait(SIGNAL_POLL_S):
                return
            if wishes.come or (tick % STATUS_TICKS == 0 and _is_ending(instance, run_id)):
                try:
                    services.runs.request_cancel(task_id)
                except UnknownEntity:
                    continue  # the task has not noted its start yet
                except GatherError as error:
                    logger.log(told, "[AutoGather] The cancel request could not be stored, which is tried again: %s", error)
                    told = logging.DEBUG
                    continue
                logger.warning("[AutoGather] Task %s is asked to end; it saves its work, a second signal ends it at once", task_id)
                return

    thread = threading.Thread(target=watch, name="cancel-watch", daemon=True)
    with handled(wishes):
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _is_ending(instance: dg.DagsterInstance, run_id: str) -> bool:
    try:
        run = instance.get_run_by_id(run_id)
    except DBAPIError as error:  # a full disk, which the run itself will meet and tell
        logger.info("[AutoGather] Dagster's run could not be looked at: %s", error.orig)
        return False
    return run is not None and run.status in ENDING
