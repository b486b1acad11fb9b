"""Asset checks by partition; the rules themselves are `domain.checks`, the rows they look at are read here.

The same list judges partitions that the UI materializes and those of the automation job. The first two block what stands downstream.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from gather_pipeline.defs.metadata import table
from gather_pipeline.defs.partitions import partition_key, project_departments, real_partitions
from gather_pipeline.defs.resources import Gather
from gather_pipeline.records.project import EMBEDDINGS, SCORES, GatherRepository
from gather_pipeline.services import Services
from gather_pipeline.upkeep import checks as rules

SHOWN = 20  # failures listed in an evaluation
Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule over a partition of a family."""

    name: str
    family: str
    description: str
    judge: Callable[[Services, str, str], rules.Verdict]
    blocking: bool = False


def _no_duplicate(services: Services, project_id: str, slug: str) -> rules.Verdict:
    everything = GatherRepository(services.store, project_id).items()
    return rules.no_duplicate_stored([item for item in everything if item.department == slug], everything)


def _score(services: Services, project_id: str, slug: str) -> rules.Verdict:
    rows = GatherRepository(services.store, project_id).rows(SCORES, {"_id": slug})
    return rules.score_in_range_and_parts_add_up(rows[0] if rows else None)


def _provenance(services: Services, project_id: str, slug: str) -> rules.Verdict:
    return rules.every_item_has_provenance(GatherRepository(services.store, project_id).items(slug))


def _embedding_count(services: Services, project_id: str, slug: str) -> rules.Verdict:
    repository = GatherRepository(services.store, project_id)
    there = {item.id for item in repository.everything(slug)}
    rows = [row for row in repository.rows(EMBEDDINGS, {"department": slug}) if row["item_id"] in there]
    return rules.embedding_count_equals_item_count(repository.items(slug), rows, services.embedder.name)


CHECKS = (
    Check(
        name="no_duplicate_stored",
        family="gather_items",
        description="No item says the same as another item of its project.",
        judge=_no_duplicate,
        blocking=True,
    ),
    Check(
        name="score_in_range_and_parts_add_up",
        family="quality_scores",
        description="The score is 0 to 100, every part gives a reason, and the score is what they come to. Says where it is unjudged.",
        judge=_score,
        blocking=True,
    ),
    Check(
        name="every_item_has_provenance",
        family="gather_items",
        description="Every item says which run, iteration, task and model made it.",
        judge=_provenance,
    ),
    Check(
        name="embedding_count_equals_item_count",
        family="embeddings",
        description="Every item has one embedding of its present text, and no embedding stands alone.",
        judge=_embedding_count,
    ),
)


def evaluation(check: Check, verdict: rules.Verdict, instance: dg.DagsterInstance, project_id: str, slug: str) -> dg.AssetCheckEvaluation:
    """The event that says how one partition was judged; it names the materialization, without which the UI takes it for outdated."""
    key = partition_key(project_id, slug)
    asset = dg.AssetKey(check.family)
    newest = instance.fetch_materializations(dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[key]), limit=1).records
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=check.name,
        passed=verdict.passed,
        blocking=check.blocking,
        partition=key,
        metadata={"rows looked at": verdict.looked_at, **_failures([(slug, verdict)])},
        target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
            storage_id=newest[0].storage_id, run_id=newest[0].run_id, timestamp=newest[0].timestamp
        )
        if newest
        else None,
    )


def event_log(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Callable[[Event], None]:
    """Writes events into a run. Dagster takes evaluations too, though its annotation leaves them out."""
    return cast("Callable[[Event], None]", context.log_event)


def _failures(verdicts: Sequence[tuple[str, rules.Verdict]]) -> dict[str, Any]:
    """Metadata of a rule: what to know of its rows, and where it is broken how many break it, and the first of them."""
    rows = [{"department": slug, "failure": sentence} for slug, verdict in verdicts for sentence in verdict.failures]
    remarks = [f"{slug}: {remark}" for slug, verdict in verdicts for remark in verdict.remarks]
    told = {"remarks": "; ".join(remarks[:SHOWN])} if remarks else {}
    return told | ({"failures": len(rows), "what failed": table(rows[:SHOWN])} if rows else {})


def asset_check_of(check: Check) -> dg.AssetChecksDefinition:
    """The asset check of a rule.

    A run of many partitions logs one evaluation for each, and ends with one for all of them, by which Dagster decides whether to block.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # partitions_def of a check

        @dg.asset_check(
            name=check.name,
            asset=check.family,
            description=check.description,
            blocking=check.blocking,
            partitions_def=project_departments,
        )
        def judge(context: dg.AssetCheckExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.AssetCheckResult:
            with gather.services() as services:
                log = event_log(context.op_execution_context)
                verdicts = []
                for project_id, slugs in real_partitions(services, context.partition_keys).items():
                    for slug in slugs:
                        verdict = check.judge(services, project_id, slug)
                        verdicts.append((f"{slug} of {project_id}", verdict))
                        if len(context.partition_keys) > 1:
                            log(evaluation(check, verdict, context.instance, project_id, slug))
            passed = all(verdict.passed for _, verdict in verdicts)
            looked_at = sum(verdict.looked_at for _, verdict in verdicts)
            return dg.AssetCheckResult(passed=passed, metadata={"rows looked at": looked_at, **_failures(verdicts)})

        return judge


asset_checks = [asset_check_of(check) for check in CHECKS]
