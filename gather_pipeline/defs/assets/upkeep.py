"""Assets `embeddings`, `quality_scores` and `drafts`: what follows from a department's items. No model is asked."""

from collections.abc import Callable

import dagster as dg

from gather_pipeline.defs import metadata
from gather_pipeline.defs.assets.families import Results, department_asset, materialized
from gather_pipeline.defs.metadata import Shown, is_begun
from gather_pipeline.defs.partitions import partition_key, real_partitions
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.running import most_seconds
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.quality import SCORER_VERSION, Score
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.project import Embedding
from gather_pipeline.services import Services
from gather_pipeline.upkeep import draft
from gather_pipeline.upkeep.refresh import Upkeep

Update = Callable[[Services, Upkeep, Department], tuple[Shown | None, bool]]
"""Brings a department up to date; says what is stored then, and whether that changed."""


@department_asset(kinds={"huggingface"}, row=Embedding, table="embeddings", deps=["gather_items"])
def embeddings(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> Results:
    """The department's notes as vectors, by which duplicates are found and notes of other departments are chosen for prompts.

    Only what is missing for the present embedder is made, on this machine; no language model is asked.
    """

    def update(services: Services, upkeep: Upkeep, department: Department) -> tuple[Shown | None, bool]:
        made = upkeep.embed(department.slug)
        return metadata.embeddings(made.items, services.embedder.name), made.added > 0

    yield from _bring_up(context, gather, "embeddings", update)


@department_asset(kinds={"numpy"}, row=Score, table="quality_scores", deps=["gather_items", "embeddings"], code_version=SCORER_VERSION)
def quality_scores(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> Results:
    """How good the department's notes are, 0 to 100: coverage, depth, coherence and actionability, each with its reasons.

    A check warns where the score is below the department's threshold. Left alone where notes and scorer are unchanged; no model is asked.
    """

    def update(services: Services, upkeep: Upkeep, department: Department) -> tuple[Shown | None, bool]:
        outcome = upkeep.evaluate(department.slug, auto_triggered=False, task_id=context.run.run_id)
        return metadata.quality_scores(outcome.value, department), outcome.changed

    yield from _bring_up(context, gather, "quality_scores", update)


@department_asset(kinds={"file"}, row=Draft, table="drafts", deps=["gather_items", "quality_scores"], code_version=draft.VERSION)
def drafts(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> Results:
    """The department's notes as one summary that waits for a person's approval.

    Left alone where the notes are unchanged, withdrawn where there are none any more; no model is asked.
    """

    def update(services: Services, upkeep: Upkeep, department: Department) -> tuple[Shown | None, bool]:
        outcome = upkeep.draft(department.slug)
        return None if outcome.value is None else metadata.drafts(outcome.value), outcome.changed

    yield from _bring_up(context, gather, "drafts", update)


def _bring_up(context: dg.AssetExecutionContext, gather: Gather, asset: str, update: Update) -> Results:
    shown: dict[str, Shown] = {}
    with gather.services() as services:
        for project_id, departments in real_partitions(services, context.partition_keys).items():
            # Whoever looks next settles it where it is killed: as long as Dagster takes it for alive, the project's other runs wait.
            services.open_runs.note(project_id, Owner.this_process(context.run.run_id), most_seconds(services.settings))
            upkeep = Upkeep(services, project_id)
            for department in departments:
                if not is_begun(upkeep.view(department.slug), department.slug):
                    context.log.info(f"{department.slug} of {project_id}: nothing is stored of it yet")
                    continue
                stored, changed = update(services, upkeep, department)
                if not changed:
                    context.log.info(f"{department.slug} of {project_id}: nothing changed, {asset} is left as it is")
                if stored is not None:
                    shown[str(partition_key(project_id, department.slug))] = stored
    yield from materialized(context, asset, shown)
