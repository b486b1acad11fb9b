"""What sensors and schedules share: their cursors, which projects are being worked on, and one broken project among many."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import dagster as dg
from pydantic import BaseModel, ConfigDict, ValidationError

from gather_pipeline.defs.partitions import PROJECT_TAG
from gather_pipeline.errors import InvalidInput, PermanentError
from gather_pipeline.services import Services

T = TypeVar("T")
LOOK_S = 40.0  # Dagster gives the process that decides 60 s

IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class Cursor(BaseModel):
    """What a sensor's next tick begins with."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Seen = TypeVar("Seen", bound=Cursor)


def read_cursor(kind: type[Seen], cursor: str | None) -> Seen:
    """A sensor's cursor; one of any other shape is read as none."""
    try:
        return kind.model_validate_json(cursor or "{}")
    except ValidationError:
        return kind()


def store_of(services: Services) -> str:
    """Which store the cursors are of."""
    return f"{services.settings.mongodb_db} in {'MongoDB' if services.settings.mongodb_uri else 'SQLite'}"


def since(read: Callable[[str], tuple[list[T], str]], cursor: str) -> tuple[list[T], str, bool]:
    """Reads a change log from a cursor on; from its start, which the last value says, where the cursor is empty or of another history."""
    try:
        return *read(cursor), not cursor
    except InvalidInput:
        if not cursor:
            raise
        return *read(""), True


def busy_projects(services: Services, instance: dg.DagsterInstance) -> frozenset[str]:
    """Projects that a run or an import is working on, or a run in the queue is going to."""
    runs = instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT))
    return services.leases.live() | {run.tags[PROJECT_TAG] for run in runs if PROJECT_TAG in run.tags}


def is_anything_in_flight(instance: dg.DagsterInstance) -> bool:
    """Whether a run or a requested backfill may be using a partition's key."""
    asked = any(backfill.status.value == "REQUESTED" for backfill in instance.get_backfills(limit=20))
    return asked or bool(instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT), limit=1))


@dataclass(kw_only=True)
class Looks:
    """The looks at projects within one tick: none begins when its time is over, and a broken project keeps no other waiting.

    Attributes:
        until: When the tick has to end, on the clock of `time.monotonic`.
        faults: A clause for each project that could not be read.
    """

    until: float = field(default_factory=lambda: time.monotonic() + LOOK_S)
    faults: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """True where the tick has no time for another project."""
        return time.monotonic() > self.until

    @contextmanager
    def at(self, project_id: str) -> Iterator[None]:
        """Around the look at a project. A store that does not answer at all goes through: it is no fault of the project's."""
        try:
            yield
        except PermanentError as error:
            self.faults.append(f"project {project_id} could not be looked at: {error}")

    @property
    def said(self) -> list[str]:
        """The first fault as a clause, and how many more there are; empty for none."""
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        return [f"{self.faults[0]}{more}"] if self.faults else []
