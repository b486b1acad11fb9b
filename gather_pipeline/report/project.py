"""A project's figures and its page, as the command line, the API and the schedules show them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gather_pipeline.domain.iterations import newest_quality
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import Quality
from gather_pipeline.errors import GatherError, SetupMissing, StoreError, StoreUnavailable, UnknownEntity
from gather_pipeline.ports import IngestReport
from gather_pipeline.records.view import ProjectView
from gather_pipeline.report.page import render_page
from gather_pipeline.report.tables import ReportTables, report_tables
from gather_pipeline.services import Services
from gather_pipeline.similarity.project import threshold_of

logger = logging.getLogger(__name__)


@contextmanager
def brought_up_to_date(services: Services, report: Callable[[Services, IngestReport], None], tell: Callable[[str], None]) -> Iterator[None]:
    """Takes in the newest measurements before the block reads them; where they cannot be had, it reads the older ones.

    Args:
        services: The engines.
        report: Tells Dagster of what was taken in; where it cannot, that is logged.
        tell: Is given a sentence after the block, where the newest measurements were not read.
    """
    fault: GatherError | None = None
    try:
        done = services.metrics.ingest()
    except (StoreUnavailable, StoreError) as error:
        fault = error
    else:
        try:
            if done.rows:
                report(services, done)
        except (SetupMissing, StoreError) as error:
            logger.warning("[AutoGather] Dagster was not told of the newest measurements: %s", error)
    try:
        yield
    except UnknownEntity as error:  # nothing was ever measured
        raise fault or error from None
    if fault is not None:
        tell(f"The newest measurements are not shown: {fault}")


def project_tables(services: Services, view: ProjectView) -> ReportTables:
    """A project's figures, each department with its newest score, people's changes included, and with its present threshold.

    Raises:
        InvalidInput: The list of departments is wrong.
    """
    thresholds = {slug: score.threshold for slug, score in view.scores.items()}
    thresholds |= {department.slug: department.threshold for department in services.departments.departments()}
    now: dict[str, dict[str, Any]] = {}
    for slug, last in view.newest.items():
        quality = newest_quality(last, view.scores.get(slug))
        now[slug] = {"quality": quality, "judged": last.quality.judged}
        if slug in thresholds and quality is not None:
            now[slug] |= {"threshold": thresholds[slug], "reached": quality >= thresholds[slug]}
    return report_tables(services.metrics.query, view.records.project_id, now)


def qualities(view: ProjectView) -> dict[str, Quality]:
    """What each department's newest score rests on, people's changes included."""
    found = {}
    for slug, last in view.newest.items():
        score = view.scores.get(slug)
        found[slug] = score.quality if score is not None and score.evaluated_at >= last.ended_at else last.quality
    return found


def project_page(services: Services, project: Project, view: ProjectView, tables: ReportTables) -> str:
    """A project's report as one HTML page with plots, from its figures and its items."""
    return render_page(
        project=project,
        tables=tables,
        qualities=qualities(view),
        departments=[stored.department for stored in view.departments],
        items=view.items,
        drops=view.dropped,
        threshold=threshold_reason(services, view),
        generated_at=services.clock.now(),
    )


def threshold_reason(services: Services, view: ProjectView) -> str:
    """From which probability a project's texts are dropped and why, one clause."""
    return threshold_of(view.everything, view.dropped, lambda: services.embedder, services.settings.wrong_drop_cost).reason
