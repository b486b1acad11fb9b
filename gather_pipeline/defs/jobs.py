"""Jobs: the assets of a project's departments as one run in one process (D4), and requests for runs of them."""

from collections.abc import Collection

import dagster as dg

from gather_pipeline.defs.partitions import KIND_TAG, range_tags, stretches
from gather_pipeline.defs.running import LOOP_LIMIT_S, MARGIN_S, MAX_RUNTIME

REFRESH_LIMIT_S = 600  # embedding ten thousand new texts takes a few minutes
PRIORITY = "dagster/priority"
UPKEEP = ("embeddings", "quality_scores", "drafts")


def priority_tag(priority: int) -> str:
    """Dagster's priority, of which the highest comes first, for one of the API's, of which 1 does (C02)."""
    return str(11 - priority)


automated_gather_creation = dg.define_asset_job(
    "automated_gather_creation",
    selection=["gather_items", *UPKEEP],
    description="Writes, scores and drafts notes for departments of one project, in their order. The one job that asks a model.",
    executor_def=dg.in_process_executor,  # also where `definitions.py`, which gives it to all jobs, is not there
    tags={KIND_TAG: "automation", MAX_RUNTIME: str(LOOP_LIMIT_S + MARGIN_S), PRIORITY: priority_tag(1)},
)
refresh_departments = dg.define_asset_job(
    "refresh_departments",
    selection=list(UPKEEP),
    description="Takes up what people changed in departments of one project: embeddings, scores, drafts. No model is asked.",
    tags={KIND_TAG: "refresh", MAX_RUNTIME: str(REFRESH_LIMIT_S)},
)
report_projects = dg.define_asset_job(
    "report_projects",
    selection=["reports"],
    description="Writes a page with figures and plots for each project of the run; where it names none, for each that ever ran.",
    tags={KIND_TAG: "report"},
)
rank_models = dg.define_asset_job(
    "rank_models",
    selection=["task_executions", "model_rankings"],
    description="Ranks the models of each task by what its executions brought. No model is asked.",
    tags={KIND_TAG: "ranking"},
)
suggest_prompts = dg.define_asset_job(
    "suggest_prompts",
    selection=["prompt_suggestions"],
    description="Suggests and tries better prompts for tasks that go wrong. Asks a model; nothing is used before a person accepts it.",
    tags={KIND_TAG: "learning"},
)


def gather_target(instance: dg.DagsterInstance, project_id: str, slugs: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Tags of the run that works on these departments, and the slugs to name in its config: none where its range has no other."""
    found = stretches(instance, slugs)
    return range_tags(project_id, found[0][0], found[-1][-1]), [] if len(found) == 1 else sorted(slugs)


def gather_request(instance: dg.DagsterInstance, project_id: str, slugs: Collection[str], run_key: str) -> dg.RunRequest:
    """A run of the loop over these departments of a project."""
    tags, named = gather_target(instance, project_id, slugs)
    config = {"ops": {"gather_items": {"config": {"departments": named}}}}
    return dg.RunRequest(run_key=run_key, job_name=automated_gather_creation.name, run_config=config, tags=tags)


def refresh_requests(instance: dg.DagsterInstance, project_id: str, slugs: Collection[str], run_key: str) -> list[dg.RunRequest]:
    """Refreshes of exactly these departments: a run for each stretch of them without a gap."""
    return [
        dg.RunRequest(
            run_key=f"{run_key}:{stretch[0]}", job_name=refresh_departments.name, tags=range_tags(project_id, stretch[0], stretch[-1])
        )
        for stretch in stretches(instance, slugs)
    ]
