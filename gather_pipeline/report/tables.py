"""The tables of a project's report.

The sums are views in the metrics database, so that `gather sql` shows the same figures as the report; here they only become
pandas frames, in the order in which the departments ran, and plain values for ``--json``. What people changed since is not measured:
a department's present score and threshold come from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from gather_pipeline.domain.projects import check_project_id

if TYPE_CHECKING:
    import pandas as pd

    Read = Callable[[str], pd.DataFrame]

QUERIES = {  # {project} is a checked id: it holds nothing that could end the quotes
    "departments": "SELECT * EXCLUDE (project_id) FROM report_departments WHERE project_id = '{project}'",
    "iterations": "SELECT * EXCLUDE (project_id) FROM quality_progression WHERE project_id = '{project}'",
    "kept": "SELECT * EXCLUDE (project_id) FROM duplicate_rate WHERE project_id = '{project}'",
    "spending": "SELECT * EXCLUDE (project_id) FROM report_spending WHERE project_id = '{project}'",
    "runs": (
        "SELECT task_id, status, reason, started_at, ended_at, processing_time_ms / 60000 AS minutes, queue_wait_s, "
        "departments_processed, iterations, items_created, tokens, cost "
        "FROM run WHERE project_id = '{project}' ORDER BY started_at, logged_at"
    ),
}


@dataclass(frozen=True, kw_only=True)
class ReportTables:
    """A project's figures over all its runs, as pandas frames with one row a thing; None and NaN are unknown.

    Attributes:
        departments: department, quality, judged, threshold, reached, iterations, kept, duplicates, filtered, tokens,
            calls_with_unknown_tokens, cost (US dollars), calls_with_unknown_cost, minutes, ended_by.
        iterations: department, iteration, logged_at, quality with its four parts, judged, gain, threshold, reached, rung, task_id.
        kept: department, generated, kept, duplicates, filtered, duplicate_rate (0 to 1).
        spending: department (None: the project as a whole), calls, prompt_tokens, completion_tokens, cost, unknown calls,
            seconds by phase (``generate_s`` and so on, ``other_s``, ``duration_s`` in all).
        runs: task_id, status, reason, started_at, ended_at (UTC), minutes, queue_wait_s, departments_processed, iterations,
            items_created, tokens, cost.
    """

    project_id: str
    departments: pd.DataFrame
    iterations: pd.DataFrame
    kept: pd.DataFrame
    spending: pd.DataFrame
    runs: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """The tables as lists of rows with plain values, for JSON: unknown is None, times are ISO 8601 in UTC."""
        tables = {field.name: rows(getattr(self, field.name)) for field in fields(self) if field.name != "project_id"}
        return {"project_id": self.project_id, **tables}


def report_tables(read: Read, project_id: str, now: Mapping[str, Mapping[str, Any]] | None = None) -> ReportTables:
    """Reads the tables of one project; without any measurement they are empty, with all their columns.

    Args:
        read: Answers a SQL query on the metrics database with a frame; what it raises goes through.
        project_id: Id of the project.
        now: By department, present values of columns of table `departments`, which replace the measured ones.

    Raises:
        InvalidInput: The id could not be a project's.
    """
    project = check_project_id(project_id)
    frames = {name: read(sql.format(project=project)) for name, sql in QUERIES.items()}
    for place, department in enumerate(frames["departments"]["department"]):
        for name, value in (now or {}).get(department, {}).items():
            frames["departments"].loc[place, name] = value
    order = {department: place for place, department in enumerate(frames["departments"]["department"])}
    for name in ("iterations", "kept"):  # the other tables come in this order
        places = frames[name]["department"].map(order)
        frames[name] = frames[name].iloc[places.argsort(kind="stable").to_numpy()].reset_index(drop=True)
    return ReportTables(project_id=project, **frames)


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as JSON can hold them: what is unknown or infinite is None, times are ISO 8601 in UTC, bytes are hexadecimal."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    import pandas as pd

    if value is pd.NaT or value is pd.NA:  # the first calls itself a datetime
        return None
    match value:
        case Mapping():
            return {str(_plain(key)): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case datetime():  # measured times carry no zone and are UTC
            return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
        case Decimal():
            return float(value) if value.is_finite() else None
    return to_jsonable_python(value, inf_nan_mode="null", bytes_mode="hex", timedelta_mode="float", fallback=_unpacked)


def _unpacked(value: Any) -> Any:
    return _plain(value.tolist()) if hasattr(value, "tolist") else str(value)
