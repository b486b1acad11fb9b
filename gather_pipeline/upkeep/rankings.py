"""Rankings of models brought up to date from the log of executions (S004-CLI-05)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from gather_pipeline.domain.rankings import Ranking
from gather_pipeline.services import Services
from gather_pipeline.tasks.ranking import LEAST_SAMPLES, OLDEST_DAYS, Observation, observations, rank


def update_rankings(services: Services, *, task: str | None = None, dry_run: bool = False) -> list[Ranking]:
    """What the executions of the last months say of the models of one task (else `UnknownEntity`) or all; stored but in a dry run."""
    made = [one for id in ([task] if task else sorted({one.id for one in services.catalogue})) for one in _rankings(services, id)]
    for ranking in () if dry_run else made:
        services.rankings.save(ranking)
    return made


def _rankings(services: Services, task: str) -> Iterator[Ranking]:
    """A task's ranking, then those of departments with enough executions."""
    definition, now = services.catalogue.get(task), datetime.fromisoformat(services.clock.now())
    since = (now - timedelta(days=OLDEST_DAYS)).isoformat(timespec="microseconds")
    seen: dict[str | None, list[Observation]] = {None: []}
    for execution in services.executions.find(task=task, since=since):
        for one in observations(execution):
            seen[None].append(one)
            if one.department is not None:
                seen.setdefault(one.department, []).append(one)
    for department, found in seen.items():
        if department is not None and len(found) < LEAST_SAMPLES:
            continue
        last = services.rankings.get(task, department)
        before = [one.model for one in last.models] if last else []
        criteria = definition.model_ranking_criteria
        if (ranking := rank(task, found, now=now, criteria=criteria, before=before, department=department)) is not None:
            yield ranking
