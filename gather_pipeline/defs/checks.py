"""Asset checks by partition; the rules themselves are `upkeep.checks`. Two block what stands downstream, one only warns."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg

from gather_pipeline.defs.metadata import table
from gather_pipeline.defs.partitions import RANGE_START, partition_key, project_departments, real_partitions
from gather_pipeline.defs.private import target_of
from gather_pipeline.defs.reporting import newest
from gather_pipeline.defs.resources import Gather
from gather_pipeline.domain.departments import Department
from gather_pipeline.errors import listed
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.upkeep import checks as rules

SHOWN = 20  # failures listed in an evaluation


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule over a partition of an asset; `judge` gets the services, the project's view and the department."""

    name: str
    asset: str
    description: str
    judge: Callable[[Services, ProjectView, Department], rules.Verdict]
    blocking: bool = False
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


def _embedding_count(services: Services, view: ProjectView, department: Department) -> rules.Verdict:
    part = view.part(department.slug)
    there = {item.id for item in part.everything}
    rows = [one for one in part.embeddings if one.item_id in there]
    return rules.embedding_count_equals_item_count(view.items_of(department.slug), rows, services.embedder.name)


CHECKS = (
    Check(
        name="no_duplicate_stored",
        asset="gather_items",
        description="No item says the same as another item of its project.",
        judge=lambda services, view, department: rules.no_duplicate_stored(view.items_of(department.slug), view.items),
        blocking=True,
    ),
    Check(
        name="score_in_range_and_parts_add_up",
        asset="quality_scores",
        description="The score is 0 to 100, every part gives a reason, and the score is what they come to. Says where it is unjudged.",
        judge=lambda services, view, department: rules.score_in_range_and_parts_add_up(view.scores.get(department.slug)),
        blocking=True,
    ),
    Check(
        name="score_reaches_threshold",
        asset="quality_scores",
        description="The score is at least the department's threshold. Where it is not, says which part is weakest and what it lacks.",
        judge=lambda services, view, department: rules.score_reaches_threshold(view.scores.get(department.slug), department.threshold),
        severity=dg.AssetCheckSeverity.WARN,
    ),
    Check(
        name="every_item_has_provenance",
        asset="gather_items",
        description="Every item says which run, iteration, task and model made it.",
        judge=lambda services, view, department: rules.every_item_has_provenance(view.items_of(department.slug)),
    ),
    Check(
        name="embedding_count_equals_item_count",
        asset="embeddings",
        description="Every item has one embedding of its present text, and no embedding stands alone.",
        judge=_embedding_count,
    ),
)


def _metadata(verdicts: Sequence[tuple[str, rules.Verdict]]) -> dict[str, Any]:
    """How many rows were looked at, remarks on them, and where the rule is broken, how many break it and the first of them."""
    rows = [{"department": slug, "failure": sentence} for slug, verdict in verdicts for sentence in verdict.failures]
    remarks = [f"{slug}: {remark}" for slug, verdict in verdicts for remark in verdict.remarks]
    told: dict[str, Any] = {"rows looked at": sum(verdict.looked_at for _, verdict in verdicts)}
    told |= verdicts[0][1].facts if len(verdicts) == 1 else {}
    told |= {"remarks": listed(remarks, SHOWN)} if remarks else {}
    return told | ({"failures": len(rows), "what failed": table(rows[:SHOWN])} if rows else {})


def asset_check_of(check: Check) -> dg.AssetChecksDefinition:
    """The asset check of a rule.

    A run over a range logs one evaluation for each partition, and ends with one for all, by which Dagster decides whether to block.
    So does "Execute all" of the Checks tab (`queue`), of all partitions that were ever materialized.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # partitions_def of a check

        @dg.asset_check(
            name=check.name,
            asset=check.asset,
            description=check.description,
            blocking=check.blocking,
            partitions_def=project_departments,
        )
        def judge(context: dg.AssetCheckExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.AssetCheckResult:
            # Dagster takes evaluations too, though its annotation leaves them out.
            log = cast("Callable[[dg.AssetCheckEvaluation], None]", context.op_execution_context.log_event)
            verdicts = []
            with gather.services() as services:
                for project_id, departments in real_partitions(services, context.partition_keys).items():
                    view = services.view(project_id)
                    for department in departments:
                        key = partition_key(project_id, department.slug)
                        target = newest(context.instance, check.asset, key)
                        if target is None and len(context.partition_keys) > 1:
                            continue  # "Execute all" is for every department of every project
                        verdict = check.judge(services, view, department)
                        verdicts.append((f"{department.slug} of {project_id}", verdict))
                        if RANGE_START in context.run.tags:
                            log(
                                dg.AssetCheckEvaluation(
                                    asset_key=dg.AssetKey(check.asset),
                                    check_name=check.name,
                                    passed=verdict.passed,
                                    blocking=check.blocking,
                                    severity=check.severity,
                                    partition=key,
                                    metadata=_metadata([(department.slug, verdict)]),
                                    target_materialization_data=target_of(target),
                                )
                            )
            passed = all(verdict.passed for _, verdict in verdicts)
            return dg.AssetCheckResult(passed=passed, severity=check.severity, metadata=_metadata(verdicts))

        return judge


asset_checks = [asset_check_of(check) for check in CHECKS]
