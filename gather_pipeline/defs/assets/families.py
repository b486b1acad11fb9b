"""What the assets have in common: owner, group, layer and table; and of the four by department partitions and one event a partition.

A single run for a range keeps Dagster's cost of a run (seconds) from being paid for each department (D4).
"""

import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any, TypedDict

import dagster as dg

from gather_pipeline.defs.metadata import Shown
from gather_pipeline.defs.partitions import project_departments
from gather_pipeline.defs.reporting import data_version, newest, shown_version, version_tags
from gather_pipeline.domain.iterations import digest
from gather_pipeline.settings import load_settings

FRESHNESS_HOURS = load_settings().freshness_hours
GROUP = "gather"  # one for all: the first look at the lineage shows the assets, not the groups
Results = Iterator[dg.MaterializeResult[Any]]


class Shared(TypedDict):
    """Arguments that all assets give to Dagster."""

    group_name: str
    owners: list[str]
    tags: dict[str, str]
    kinds: set[str]
    metadata: dict[str, str | dg.TableSchema]


def shared(*, layer: str, kinds: set[str], row: type | None = None, table: str | None = None) -> Shared:
    """Dagster's arguments of an asset: what all have alike, its layer as a tag, and its table.

    Args:
        layer: ``sources``, ``notes`` or ``figures``: to filter the lineage by, e.g. ``tag:"layer"="notes"``.
        kinds: What it is made with, or kept in; each has an icon in the UI.
        row: The value that a row of its table is read as: its fields are the columns, described by its docstring.
        table: Full name of its table.
    """
    metadata: dict[str, str | dg.TableSchema] = {} if table is None else {"dagster/table_name": table}
    if row is not None:
        docs = "\n".join(inspect.getdoc(kind) or "" for kind in reversed(row.__mro__))
        said = dict(re.findall(r"^ *(\w+): (.+)$", docs, re.MULTILINE))
        columns = [dg.TableColumn(one.name, str(one.type), said.get(one.name)) for one in fields(row)]
        metadata["dagster/column_schema"] = dg.TableSchema(columns)
    return {"group_name": GROUP, "owners": ["team:gather"], "tags": {"layer": layer}, "kinds": kinds, "metadata": metadata}


def department_asset(
    *, kinds: set[str], row: type, table: str, deps: Sequence[Any], code_version: str = "1"
) -> Callable[[Callable[..., Results]], dg.AssetsDefinition]:
    """`dg.asset` for what has a partition for each department of each project, in a table of the project's database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy
        return dg.asset(
            partitions_def=project_departments,
            backfill_policy=dg.BackfillPolicy.single_run(),
            code_version=code_version,
            deps=deps,
            output_required=False,
            freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=FRESHNESS_HOURS)) if FRESHNESS_HOURS else None,
            **shared(layer="notes", kinds=kinds, row=row, table=f"aladdin-gather-{{project}}.{table}"),
        )


def materialized(context: dg.AssetExecutionContext, asset: str, shown: Mapping[str, Shown]) -> Results:
    """Lets Dagster log the run's partitions; where nothing is stored of some, logs the others itself, and assets downstream are skipped.

    `shown` has by key what is stored of each partition of the run that anything is stored of.
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
