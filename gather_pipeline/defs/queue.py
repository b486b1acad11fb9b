"""Dagster's queue, told of which project each run is: whatever asks for a run, the UI, a backfill or a sensor, comes through here."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from gather_pipeline.defs import partitions
from gather_pipeline.defs.partitions import KIND_TAG, PROJECT, PROJECT_TAG, RANGE_END, RANGE_START, range_tags, split_key
from gather_pipeline.errors import InvalidInput, listed


class ProjectQueue(dg.QueuedRunCoordinator):
    """Gives a run its partitions where it names none, and the tag `gather/project`: one run a project is admitted (`dagster.yaml`)."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Tags the run and queues it; one that names neither partitions nor a project of those that there are fails with a sentence."""
        run = context.dagster_run
        try:
            tags = missing_range(self._instance, run)
        except InvalidInput as error:
            self._instance.report_run_failed(run, message=str(error))
            return self._instance.get_run_by_id(run.run_id) or run
        project_id = project_of({**run.tags, **tags})
        if project_id is not None:
            tags[PROJECT_TAG] = project_id
        if tags:
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)


def missing_range(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, str]:
    """Tags of a range for a run that names no partitions though what it works on has some; Dagster would fail it at its first step.

    The jobs of a project get its departments, reports all projects, and checks alone ("Execute all" of the Checks tab) everything.

    Raises:
        InvalidInput: The run's config names no project of those that there are, and there is more than one.
    """
    projects, departments = (list(instance.get_dynamic_partitions(str(one.name))) for one in (partitions.projects, partitions.departments))
    if RANGE_START in run.tags or "dagster/partition" in run.tags or not projects or not departments:
        return {}
    kind = run.tags.get(KIND_TAG)
    if kind == "report":
        return {RANGE_START: projects[0], RANGE_END: projects[-1]}
    if kind in ("automation", "refresh"):
        given: Any = run.run_config
        for name in ("ops", "gather_items", "config", "project_id"):
            given = (given or {}).get(name)
        project_id = given or (projects[0] if len(projects) == 1 else "")
        if project_id not in projects:
            raise InvalidInput.field("project_id", project_id, f"{listed(projects)}; it may be empty where there is one project")
        return range_tags(project_id, departments[0], departments[-1])
    if run.asset_check_selection and not run.asset_selection:
        key = partitions.partition_key
        return {RANGE_START: key(projects[0], departments[0]), RANGE_END: key(projects[-1], departments[-1])}
    return {}


def project_of(tags: Mapping[str, str]) -> str | None:
    """The project that a run's partitions are of, by its tags; None for a run of several or none."""
    ends = {split_key(tags[tag])[0] for tag in (RANGE_START, RANGE_END) if tag in tags}
    if not ends:
        return tags.get(f"dagster/partition/{PROJECT}")
    return ends.pop() if len(ends) == 1 else None
