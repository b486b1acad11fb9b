"""What the metrics are made of, read from where they last stopped (D2): runs and executions, and of each project what was done for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import StoreError
from gather_pipeline.ports import Changes, DocumentStore
from gather_pipeline.records.executions import EXECUTIONS
from gather_pipeline.records.project import EVENTS, ITERATIONS
from gather_pipeline.records.projects import PROJECTS
from gather_pipeline.records.rankings import RANKINGS
from gather_pipeline.records.runs import RUNS

logger = logging.getLogger(__name__)


def read_changes(store: DocumentStore, database: str, seen: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, str, Changes]]:
    """Body of `ports.ReadChanges`; a project whose database is damaged is left out with a warning."""

    def changed(name: str, collection: str) -> tuple[str, str, Changes]:
        return name, collection, store.changed_since(name, collection, seen.get((name, collection), ""))

    yield changed(database, RUNS)
    yield changed(database, EXECUTIONS)
    yield changed(database, RANKINGS)
    for project in store.find(database, PROJECTS):
        try:
            found = [changed(project_database(project["_id"]), collection) for collection in (ITERATIONS, EXECUTIONS, EVENTS)]
        except StoreError as error:
            logger.warning("[AutoGather] What was measured of project %s is not brought up to date: %s", project["_id"], error)
        else:
            yield from found
