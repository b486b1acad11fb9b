"""What the sensors share: cursors that survive a store put back from a copy, and which projects are being worked on."""

import json
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import dagster as dg

from gather_pipeline.domain.departments import Department
from gather_pipeline.errors import InvalidInput, PermanentError
from gather_pipeline.records.lease import LEASES, is_dead
from gather_pipeline.services import Services

T = TypeVar("T")

IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
RANGE_TAG, RANGE_END_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PROJECT_TAGS = ("gather/project", "dagster/partition/project", "dagster/partition")  # the last is the key of a run of `departments`
OPEN_LOOKS = 30  # at a change under way: five minutes at a tick every 10 s, far more than the write of an item takes
LOOKS = 200  # projects or partitions looked at in a tick, whose process Dagster gives 60 s

FROM_THE_START = "the store was put back from a copy or is another one, so its changes were read from the start"


def load(cursor: str | None) -> dict[str, Any]:
    """What a sensor's cursor holds; nothing where there is none, or where somebody typed another one in the UI."""
    try:
        held = json.loads(cursor or "{}")
    except json.JSONDecodeError:
        return {}
    return held if isinstance(held, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Departments as they were read once, so that a tick over many partitions does not read their source for each."""

    rows: Sequence[Department]

    def departments(self) -> list[Department]:
        """Every department, in the source's order."""
        return list(self.rows)


def read_once(services: Services) -> Services:
    """The services with the departments as they are now."""
    return replace(services, departments=Listed(rows=services.departments.departments()))


def source_of(services: Services) -> str:
    """Which store the cursors are of."""
    return f"{services.main_database} in {'MongoDB' if services.settings.mongodb_uri else 'SQLite'}"


def follow(read: Callable[[str], T], cursor: str) -> tuple[T, str]:
    """Reads a change log on from a cursor, or from its start where the cursor is of another history; the second is what to say of that."""
    try:
        return read(cursor), ""
    except InvalidInput:
        if not cursor:
            raise
        return read(""), FROM_THE_START


@dataclass(frozen=True, kw_only=True)
class Busy:
    """Projects that a run is working on, or is going to.

    Attributes:
        everything: A run is in flight that does not say which projects it is for.
    """

    projects: frozenset[str]
    everything: bool

    def __contains__(self, project_id: object) -> bool:
        """Whether a project has to wait."""
        return self.everything or project_id in self.projects


def busy_projects(services: Services, instance: dg.DagsterInstance) -> Busy:
    """Which projects have a run in flight: one of Dagster's by its tags, or one of the command line by its live lease."""
    runs = instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT))
    found = {run.tags[tag] for run in runs for tag in PROJECT_TAGS if tag in run.tags}
    everything = False
    for run in runs:
        if RANGE_TAG in run.tags:
            ends = {run.tags[tag].partition("|")[2] for tag in (RANGE_TAG, RANGE_END_TAG) if tag in run.tags}
            found |= ends
            everything = everything or len(ends) > 1
    leases = services.store.find(services.main_database, LEASES)  # a run gives its own back, so there are few
    now, host = time.time(), socket.gethostname()
    found |= {lease["_id"] for lease in leases if not is_dead(lease, host, now)}
    return Busy(projects=frozenset(found), everything=everything)


@dataclass(kw_only=True)
class Faults:
    """Projects that could not be read: one broken database must not keep the others waiting.

    Attributes:
        found: A clause for each.
    """

    found: list[str] = field(default_factory=list)

    @contextmanager
    def of(self, project_id: str) -> Iterator[None]:
        """Around the look at a project. A store that does not answer at all goes through: it is no fault of the project's."""
        try:
            yield
        except PermanentError as error:
            self.found.append(f"project {project_id} could not be looked at: {error}")

    @property
    def said(self) -> str:
        """The first of them as a clause, and how many more there are."""
        more = f" (and {len(self.found) - 1} more)" if len(self.found) > 1 else ""
        return f"{self.found[0]}{more}" if self.found else ""


def by_project(keys: Collection[str]) -> dict[str, list[str]]:
    """Slugs by project of keys ``department|project``."""
    found: dict[str, list[str]] = {}
    for key in keys:
        slug, _, project_id = key.partition("|")
        found.setdefault(project_id, []).append(slug)
    return found


def looked(waiting: dict[str, int], keys: Collection[str]) -> None:
    """Counts a look at each of these keys; those that have had theirs are waited for no more."""
    for key in keys:
        waiting[key] -= 1
        if waiting[key] <= 0:
            del waiting[key]
