"""What a department's prompts would use now: one place for the run that generates and for the look that only says what is stale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.iterations import Fingerprint, fingerprint
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.settings import Settings
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.execution import digest

ResolveModel = Callable[[str | None], str]


def chain_of(settings: Settings, resolve: ResolveModel, department: Department) -> tuple[str, ...]:
    """Models of a department: `GATHER_MODEL` or its own, then those of the fallback chain."""
    models = [resolve(settings.model or department.defaultModel), *(resolve(model) for model in settings.fallback_models)]
    return tuple(dict.fromkeys(models))


def definition_for(settings: Settings, model: str) -> str:
    """Id of the task definition by which a model generates items."""
    if model == EMBEDDED:
        return "gather_note"
    return "gather_items_batch" if settings.items_per_call > 1 else "gather_item"


def inputs_of(settings: Settings, catalogue: Catalogue, project: Project, department: Department, chain: Sequence[str]) -> Fingerprint:
    """Fingerprint of a department's present inputs, context items left out."""
    definition = catalogue.get(definition_for(settings, chain[0]))
    return fingerprint(project.name, project.brief, department, chain[0], digest(definition.to_document()))
