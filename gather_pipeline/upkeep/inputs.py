"""What a department's prompts would use now, for the run that generates and for the look at what is stale."""

from __future__ import annotations

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.iterations import Fingerprint, fingerprint
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.routing import EMBEDDED, is_local
from gather_pipeline.services import Services
from gather_pipeline.tasks.execution import digest

SURE = 0.9  # share of a budget, by the estimate, that fits by any tokenizer, so that none needs to be loaded
NOTE_TASK, ITEM_TASK, BATCH_TASK = "gather_note", "gather_item", "gather_items_batch"


def chain_of(services: Services, department: Department) -> tuple[str, ...]:
    """Models of a department: `GATHER_MODEL` or its own, then those of its fallback chain, or else of `GATHER_FALLBACK_MODELS`."""
    settings, resolve = services.settings, services.resolve_model
    chain = services.providers.fallbacks.departments.get(department.slug, settings.fallback_models)
    models = [resolve(settings.model or department.defaultModel), *(resolve(model) for model in chain)]
    return tuple(dict.fromkeys(models))


def definition_for(services: Services, model: str) -> str:
    """Id of the task definition by which a model generates items."""
    if model == EMBEDDED:
        return NOTE_TASK
    return BATCH_TASK if services.settings.items_per_call > 1 else ITEM_TASK


def inputs_of(services: Services, project: Project, department: Department) -> Fingerprint:
    """Fingerprint of a department's present inputs, context items left out."""
    from gather_pipeline.context.selection import brief_within  # not above: a command that only reads starts without reading language
    from gather_pipeline.context.tokens import estimate_tokens

    model = chain_of(services, department)[0]
    definition = services.catalogue.get(definition_for(services, model))
    budget = services.settings.gather_context_tokens
    brief = project.brief
    if model != EMBEDDED and is_local(model) and estimate_tokens(brief) > SURE * budget:
        # What prompts do not show of it is no input; others' prompts show all of it, distilled.
        brief = brief_within(brief, budget, services.counter_of(model))
    return fingerprint(project.name, brief, department, model, digest(definition.to_document()))
