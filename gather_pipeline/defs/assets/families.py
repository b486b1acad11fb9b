"""What the four families by department have in common: partitions, one run for any number of them, names for the UI.

A single run for a range keeps Dagster's cost of a run (seconds) from being paid for each department (D4).
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from gather_pipeline.defs.metadata import VERSION, Stored
from gather_pipeline.defs.partitions import of_its_project, partition_key, project_departments, real_partitions
from gather_pipeline.defs.versions import DEPARTMENTS, FAMILIES, described
from gather_pipeline.domain.iterations import digest
from gather_pipeline.services import Services

OWNERS = ["team:gather"]


def department_asset(*, kinds: set[str]) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for a family whose partitions are the departments of projects; `FAMILIES` says what it depends on."""

    def decorate(body: Callable[..., Any]) -> dg.AssetsDefinition:
        family = FAMILIES[body.__name__]
        deps = [dg.AssetDep(DEPARTMENTS, partition_mapping=of_its_project) if name == DEPARTMENTS else name for name in family.upstream]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy
            return dg.asset(
                partitions_def=project_departments,
                backfill_policy=dg.BackfillPolicy.single_run(),
                group_name="gather",
                owners=OWNERS,
                kinds=kinds,
                code_version=family.code_version,
                deps=deps,
            )(body)

    return decorate


def bring_up(
    context: dg.AssetExecutionContext, services: Services, family: str, update: Callable[[Services, str, str], Mapping[str, Any]]
) -> dg.MaterializeResult[Any]:
    """Brings every partition of the run up to date and shows what is stored afterwards."""
    for project_id, slugs in real_partitions(services, context.partition_keys).items():
        for slug in slugs:
            outcome = update(services, project_id, slug)
            if outcome.get("unchanged"):
                context.log.info(f"{slug} of {project_id}: nothing changed, {family} is left as it is")
    return shown(context, services, family, task_id=lambda project_id: context.run.run_id)


def shown(
    context: dg.AssetExecutionContext, services: Services, family: str, *, task_id: Callable[[str], str]
) -> dg.MaterializeResult[Any]:
    """Attaches each partition's metadata. Dagster gives a run one data version, so that of many partitions is a hash of theirs."""
    versions = {}
    for project_id, slugs in real_partitions(services, context.partition_keys).items():
        for slug in slugs:
            metadata = described(family, Stored(services=services, project_id=project_id, slug=slug, task_id=task_id(project_id)))
            key = partition_key(project_id, slug)
            context.add_asset_metadata(metadata, partition_key=key)
            versions[str(key)] = str(metadata[VERSION])
    version = next(iter(versions.values())) if len(versions) == 1 else digest(versions)
    return dg.MaterializeResult(data_version=dg.DataVersion(version))
