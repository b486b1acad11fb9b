"""What the four assets by department have in common: partitions, one run for any number of them, and one event a partition.

A single run for a range keeps Dagster's cost of a run (seconds) from being paid for each department (D4).
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from gather_pipeline.defs.metadata import Shown
from gather_pipeline.defs.partitions import project_departments
from gather_pipeline.defs.reporting import data_version, newest, shown_version, version_tags
from gather_pipeline.domain.iterations import digest

OWNERS = ["team:gather"]
Results = Iterator[dg.MaterializeResult[Any]]


def department_asset(
    *, kinds: set[str], deps: Sequence[Any], code_version: str = "1"
) -> Callable[[Callable[..., Results]], dg.AssetsDefinition]:
    """`dg.asset` for what has a partition for each department of each project."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy
        return dg.asset(
            partitions_def=project_departments,
            backfill_policy=dg.BackfillPolicy.single_run(),
            group_name="gather",
            owners=OWNERS,
            kinds=kinds,
            code_version=code_version,
            deps=deps,
            output_required=False,
        )


def materialized(context: dg.AssetExecutionContext, asset: str, shown: Mapping[str, Shown]) -> Results:
    """Lets Dagster log the run's partitions; where it would log others too, logs these one by one, and assets downstream are skipped.

    Args:
        context: Of the asset's step.
        asset: Name of the asset.
        shown: By key, what is stored of each partition of the run that anything is stored of.
    """
    if set(shown) != set(context.partition_keys):
        log_partitions(context, asset, shown)
        return
    for key, one in shown.items():
        context.add_asset_metadata(one.described, partition_key=key)
    yield dg.MaterializeResult(data_version=dg.DataVersion(_version_of_run(context.instance, asset, shown)))


def log_partitions(context: dg.AssetExecutionContext, asset: str, shown: Mapping[str, Shown]) -> None:
    """Logs an event for each of these partitions, in a step that ends without one of Dagster's own."""
    for key, one in shown.items():
        context.log_event(dg.AssetMaterialization(asset, partition=key, metadata=one.described, tags=version_tags(one.version)))


def _version_of_run(instance: dg.DagsterInstance, asset: str, shown: Mapping[str, Shown]) -> str:
    """Dagster gives a run one data version: the one that all its partitions have already, where none changed, else a hash of theirs."""
    versions = {}
    for key, one in shown.items():
        last = newest(instance, asset, key)
        versions[str(key)] = data_version(last) or one.version if shown_version(last) == one.version else one.version
    (version, *others) = set(versions.values())
    return digest(versions) if others else version
