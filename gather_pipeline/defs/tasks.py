"""Tasks as the command line and the API show and cancel them: Dagster, which takes seconds to load, is asked if the store cannot tell."""

from gather_pipeline.services import Services
from gather_pipeline.upkeep import tasks
from gather_pipeline.upkeep.tasks import State, TaskStatus


def task_status(services: Services, task_id: str) -> TaskStatus:
    """How a task is going, also one that waits in Dagster's queue; raises as `upkeep.tasks.task_status` does."""

    def queued(task_id: str) -> tuple[State, str | None]:
        from gather_pipeline.defs.starting import run_state

        return run_state(services.settings, task_id)

    return tasks.task_status(services, task_id, queued)


def cancel_task(services: Services, task_id: str) -> None:
    """Asks a task to save its work and end, also one that waits in Dagster's queue; raises as `upkeep.tasks.cancel_task` does."""
    if tasks.cancel_task(services, task_id):
        from gather_pipeline.defs.starting import cancel_in_queue

        cancel_in_queue(services.settings, task_id)
