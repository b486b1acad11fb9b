"""Runs that the API begins: in Dagster's queue where a daemon takes runs from it, else in a process of their own.

Either way the run has the id that the API gave out before, and is the same to the UI, the API and the command line.
"""

import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import IO

import dagster as dg

import gather_pipeline
from gather_pipeline.defs import launch
from gather_pipeline.defs.jobs import PRIORITY, priority_tag
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.running import most_seconds
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.errors import GatherError, ProjectBusy, UnknownEntity
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.submissions import Place
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings
from gather_pipeline.upkeep.tasks import BEFORE, NEVER_BEGAN, State

logger = logging.getLogger(__name__)
DAEMON = "QUEUED_RUN_COORDINATOR"
BEAT_S = 45.0  # Dagster's daemons beat every 30 s
TAIL = 4000  # bytes of a process's standard error in which its last sentence is looked for
# Python's `-m` would look for every module in the current folder first, and a user's may hold a `queue.py`.
FOUND = "import sys; sys.path.insert(0, sys.argv.pop(1)); import gather_pipeline; del sys.path[0]"
ITSELF = f"{FOUND}; from gather_pipeline.cli import main; main()"
COMMAND = (sys.executable, "-P", "-c", ITSELF, str(Path(gather_pipeline.__file__).parents[1]))
NOBODY = "it waits in Dagster's queue, which no daemon empties: start make dev"


def begin_run(services: Services, request: AutomationRequest, task_id: str, priority: int) -> tuple[Place, Owner]:
    """Has a run begun under an id that is a UUID, and says where and by which process.

    Raises:
        UnknownEntity: The project or a department is not there.
        ProjectBusy: No daemon runs, and another live run holds the project or is about to.
        SetupMissing, StoreError: As `open_instance`.
    """
    settings = services.settings
    with launch.open_instance(settings) if launch.has_instance(settings) else nullcontext() as instance:
        if instance is not None and _is_emptied(instance):
            target, gather = launch.target_of(services, request), Gather(build=lambda: services)
            tags = {PRIORITY: priority_tag(priority)}
            _, run = launch.create_run(instance, services, target, gather, task_id, tags, {}, request.webhook_url)
            instance.run_coordinator.submit_run(dg.SubmitRunContext(run, workspace=None))  # type: ignore[arg-type]  # ours asks for none
            return "queue", Owner.this_process(task_id)
    services.leases.check_free(request.project_id)
    noted = {run.task_id for run in services.runs.of_project(request.project_id)}  # one that has ended keeps its process a moment
    for one in services.open_runs.all():
        if one.project_id == request.project_id and one.task_id not in noted and not one.is_over(services.leases):
            raise ProjectBusy(f"project {request.project_id} is busy: run {one.task_id} is about to begin, wait for it or cancel it")
    return "process", _start_process(services, request, task_id)


def run_state(settings: Settings, task_id: str) -> tuple[State, str | None]:
    """What Dagster says of a run that the store knows nothing of."""
    with launch.open_instance(settings) as instance:
        run = instance.get_run_by_id(task_id)
        match run.status if run is not None else None:
            case dg.DagsterRunStatus.QUEUED:
                return "pending", None if _is_emptied(instance) else NOBODY
            case dg.DagsterRunStatus.NOT_STARTED | dg.DagsterRunStatus.STARTING | dg.DagsterRunStatus.MANAGED:
                return "pending", None
            case dg.DagsterRunStatus.STARTED | dg.DagsterRunStatus.CANCELING:
                return "running", None
            case dg.DagsterRunStatus.CANCELED:
                return "cancelled", BEFORE
            case None:
                return "failed", "Dagster knows the run no more"
            case _:
                return "failed", "the run's event log in Dagster's UI says why"


def cancel_in_queue(settings: Settings, task_id: str) -> None:
    """Takes a run out of Dagster's queue, or ends it where it is on its way from there."""
    with launch.open_instance(settings) as instance:
        instance.run_coordinator.cancel_run(task_id)


def _is_emptied(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon takes runs from the queue."""
    beat = instance.get_daemon_heartbeats().get(DAEMON)
    return beat is not None and time.time() - beat.timestamp < BEAT_S


def _start_process(services: Services, request: AutomationRequest, task_id: str) -> Owner:
    """Starts `gather run` in a session of its own, so that neither the end of this process nor Ctrl-C ends it."""
    options = [
        f"--project={request.project_id}",
        f"--task-id={task_id}",
        f"--max-iterations={request.max_iterations}",
        *([] if request.user_id is None else [f"--user-id={request.user_id}"]),
        *([] if request.enable_auto_evaluation else ["--no-evaluation"]),
        *([] if request.max_tokens is None else [f"--max-tokens={request.max_tokens}"]),
        *([] if request.max_cost is None else [f"--max-cost={request.max_cost}"]),
        *(f"--department={slug}" for slug in request.departments),
    ]
    # The address of a webhook may be a secret, and everybody can see a process's arguments.
    environment = os.environ | ({} if request.webhook_url is None else {"GATHER_WEBHOOK_URL": request.webhook_url})
    said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the thread below; a pipe would break with this process
    process = subprocess.Popen(
        [*COMMAND, "run", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        env=environment,
        start_new_session=True,
    )
    owner = Owner.of_process(task_id, process.pid)
    services.open_runs.note(request.project_id, owner, most_seconds(services.settings))
    threading.Thread(target=_await_end, args=(services, process, task_id, said), name=f"run-{task_id}", daemon=True).start()
    return owner


def _await_end(services: Services, process: subprocess.Popen[bytes], task_id: str, said: IO[bytes]) -> None:
    """Notes why a run's process ended where the run itself could not; where this process ends first, the next that looks finds out."""
    process.wait()
    with said:
        said.seek(0, os.SEEK_END)
        said.seek(max(0, said.tell() - TAIL))
        lines = said.read().decode(errors="replace").splitlines()
    told = next((line.removeprefix("Error: ") for line in reversed(lines) if line.startswith("Error: ")), None)
    try:
        try:
            services.runs.get(task_id)
        except UnknownEntity:
            services.submissions.failed(task_id, told or (BEFORE if process.returncode in (130, -15) else NEVER_BEGAN))
        if any(one.task_id == task_id for one in services.open_runs.all()):
            launch.settle_runs(services)
    except GatherError as error:  # the server ends
        logger.info("[AutoGather] How run %s ended was not looked at: %s", task_id, error)
