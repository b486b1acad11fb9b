"""The four Brain functions of seed S001, for an application of one's own; they choose their engines by the settings.

Each asks the service that `BRAIN_SERVICE_BASE_URL` names; without one, or while it does not answer, the local index over the project's
stored items. Answers are JSON-able. Runs ask through `upkeep.remember`, which waits for less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from gather_pipeline.domain.departments import department_of
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.nodes import Node
from gather_pipeline.domain.projects import check_project_id
from gather_pipeline.errors import BrainUnavailable, InvalidInput
from gather_pipeline.ports import Brain
from gather_pipeline.services import Services
from gather_pipeline.upkeep.remember import Told

Answer = TypeVar("Answer")


def get_brain_context(project_id: str) -> list[dict[str, Any]]:
    """Items nearest to the project's brief, nearest first, each with its `similarity` (S001-BRAIN-01)."""
    return _asked(
        project_id, lambda services, brain: [asdict(one) for one in brain.context(project_id, services.projects.get(project_id).brief)]
    )


def index_in_brain(project_id: str, items: Sequence[Item | Mapping[str, Any]], department: Mapping[str, Any]) -> None:
    """Makes items findable in one call, over older versions of the same ids (S001-BRAIN-02).

    The local index has whatever is stored by itself; what is given to it lasts as long as the call.

    Args:
        project_id: The project.
        items: Items, or rows with `id` and `content`, and with `summary` and `context` where they have any.
        department: Its row, of which `slug` counts.

    Raises:
        InvalidInput: A row lacks what it needs.
    """
    slug = department.get("slug")
    if not isinstance(slug, str) or not slug:
        raise InvalidInput.field("department", sorted(department), "a row with a slug")
    nodes = [Node.of(one) if isinstance(one, Item) else _node(one, slug) for one in items]
    _asked(project_id, lambda services, brain: brain.index(project_id, nodes))


def search_brain_duplicates(content: str, project_id: str, threshold: float = 0.90) -> list[dict[str, Any]]:
    """Items that say the same as a text, likeliest first; their `similarity` is at least `threshold` (S001-BRAIN-03)."""
    return _asked(project_id, lambda services, brain: [asdict(one) for one in brain.duplicates(project_id, content, threshold=threshold)])


def get_department_context(project_id: str, department: str, previous_depts: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """What earlier departments have settled that matters to one, else `UnknownEntity`: items by slug, nearest first (S001-BRAIN-04)."""

    def call(services: Services, brain: Brain) -> dict[str, list[dict[str, Any]]]:
        own = department_of(services.departments.departments(), department)
        question = f"{own.name}: {', '.join(own.aspects)}. {own.description}"
        found = brain.context(project_id, question, department=own.slug, previous=previous_depts) if previous_depts else []
        return {slug: [asdict(one) for one in found if one.department == slug] for slug in previous_depts}

    return _asked(project_id, call)


def _node(row: Mapping[str, Any], slug: str) -> Node:
    if not all(isinstance(row.get(name), str) and row[name] for name in ("id", "content")):
        raise InvalidInput.field("items", sorted(row), "rows with an id and content")
    return Node(id=row["id"], department=slug, content=row["content"], summary=row.get("summary") or "", context=row.get("context") or "")


def _asked(project_id: str, call: Callable[[Services, Brain], Answer]) -> Answer:
    from gather_pipeline.bootstrap import build_services  # chooses engines, which this room does not know

    check_project_id(project_id)
    services = build_services()
    try:
        services.projects.get(project_id)
        if services.brain_service is not None:
            try:
                return call(services, services.brain_service)
            except BrainUnavailable as error:
                Told().away(error)
        return call(services, services.brain)
    finally:
        services.close()
