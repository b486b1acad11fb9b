"""Dagster's queue, told of which project each run is: whatever asks for a run, the UI, a backfill or a sensor, comes through here."""

import dagster as dg

from gather_pipeline.defs.partitions import PROJECT, PROJECT_TAG, RANGE_END, RANGE_START, split_key


class ProjectQueue(dg.QueuedRunCoordinator):
    """Gives a run the tag `gather/project` before it is queued, so that one run a project is admitted (`dagster.yaml`)."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Tags the run and queues it."""
        run = context.dagster_run
        project_id = project_of(run)
        if project_id is not None and PROJECT_TAG not in run.tags:
            self._instance.add_run_tags(run.run_id, {PROJECT_TAG: project_id})
        return super().submit_run(context)


def project_of(run: dg.DagsterRun) -> str | None:
    """The project that a run's partitions are of; None for a run of several or none."""
    ends = {split_key(run.tags[tag])[0] for tag in (RANGE_START, RANGE_END) if tag in run.tags}
    found = ends or {run.tags[tag] for tag in (f"dagster/partition/{PROJECT}",) if tag in run.tags}
    return found.pop() if len(found) == 1 else None
