"""Asset `gather_items`: the loop itself, for one department, a range or a whole project."""

from collections.abc import Sequence

import dagster as dg

from gather_pipeline.defs import metadata
from gather_pipeline.defs.assets.families import Results, department_asset, log_partitions, materialized
from gather_pipeline.defs.assets.sources import briefs, context_notes, departments
from gather_pipeline.defs.metadata import Shown, is_begun
from gather_pipeline.defs.partitions import of_its_department, of_its_project, partition_key, real_partitions
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.running import GatherConfig, Host, run_project
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.errors import InvalidInput, listed
from gather_pipeline.services import Services

SOURCES = [
    dg.AssetDep(briefs, partition_mapping=of_its_project),
    dg.AssetDep(departments, partition_mapping=of_its_department),
    context_notes,
]


@department_asset(kinds={"openai"}, row=Item, table="gather", deps=SOURCES)
def gather_items(context: dg.AssetExecutionContext, config: GatherConfig, gather: dg.ResourceParam[Gather]) -> Results:
    """The production notes of a department: what the whole pipeline is for.

    A language model writes them aspect by aspect, from the brief and the notes of the departments before; duplicates are dropped, and
    the department is scored after each iteration, until it reaches its threshold, stops getting better, or its iterations, tokens or
    time are used up. Departments of one project work in order, in one run. A finished department whose brief, row, model and prompts
    are unchanged makes no model call; a run that was ended goes on from what it had stored.
    """
    with gather.services() as services:
        wanted = real_partitions(services, context.partition_keys, config.departments)
        if config.project_id and set(wanted) != {config.project_id}:
            raise InvalidInput.field("project_id", config.project_id, f"{listed(wanted)}, of which the run's partitions are")
        shown: dict[str, dict[str, Shown]] = {}
        for project_id, chosen in wanted.items():
            task_id = context.run.run_id if len(wanted) == 1 else f"{context.run.run_id}_{project_id}"
            host = Host(instance=context.instance, run=context.run, log=context.log, task_id=task_id, caller=gather.caller)
            request = AutomationRequest(
                project_id=project_id,
                **config.model_dump(exclude={"project_id", "departments"}),
                departments=tuple(department.slug for department in chosen),
            )
            ended: set[str] = set()
            try:
                run_project(services, request, host, on_department=ended.add)
            except BaseException:
                shown |= _stored(services, project_id, [one for one in chosen if one.slug in ended], task_id)
                _log(context, shown)
                raise
            shown |= _stored(services, project_id, chosen, task_id)
        items = {key: assets["gather_items"] for key, assets in shown.items()}
        if set(items) == set(context.partition_keys):
            yield from materialized(context, "gather_items", items)
        else:
            _log(context, shown)


def _stored(services: Services, project_id: str, departments: Sequence[Department], task_id: str) -> dict[str, dict[str, Shown]]:
    """What is stored of each department that was ever begun: by key and asset."""
    view = services.view(project_id)
    found = {}
    for department in departments:
        slug = department.slug
        if not is_begun(view, slug):
            continue
        of_department = {
            "gather_items": metadata.gather_items(view, department, task_id),
            "embeddings": metadata.embeddings(view.items_of(slug), services.embedder.name),
        }
        if slug in view.scores:
            of_department["quality_scores"] = metadata.quality_scores(view.scores[slug], department)
        if slug in view.drafts:
            of_department["drafts"] = metadata.drafts(view.drafts[slug])
        found[str(partition_key(project_id, slug))] = of_department
    return found


def _log(context: dg.AssetExecutionContext, shown: dict[str, dict[str, Shown]]) -> None:
    """Logs what ended in a run that does not reach its other assets' steps: each department's end brought them up to date as well."""
    asked = context.run.asset_selection
    for key, assets in shown.items():
        for asset, one in assets.items():
            if not asked or dg.AssetKey(asset) in asked:
                log_partitions(context, asset, {key: one})
