"""Small real services for tests: SQLite in a folder, the scripted model, the hashing embedder, a project and its departments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from gather_pipeline import bootstrap
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult
from gather_pipeline.domain.events import Progress
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.domain.projects import project_database
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.ports import LanguageModel
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings, load_settings

PROJECT = "507f1f77bcf86cd799439011"
BRIEF = (
    "Ada Brandt repairs clocks in Lindau, a town that lost an hour in the winter of 1961 and never found it again. Her neighbour Jonas "
    "Reuter says that the hour is hidden in the tower. The mayor wants the tower closed. Ada has eleven days before the first snow."
)


def department_row(slug: str, number: int | None, *, threshold: float = 99, most: int | None = 2, **fields: Any) -> dict[str, Any]:
    """A row in the CMS's own fields."""
    settings: dict[str, Any] = {
        "minQualityThreshold": threshold,
        "aspects": [f"{slug} {word}" for word in ("opening", "conflict", "tower", "hour", "snow")],
    }
    if most is not None:
        settings["maxIterations"] = most
    return {
        "slug": slug,
        "name": f"{slug.capitalize()} Department",
        "description": f"Everything about the {slug} of the film.",
        "codeDepNumber": number,
        "gatherCheck": True,
        "isActive": True,
        "coordinationSettings": settings,
        **fields,
    }


THREE = (department_row("story", 1), department_row("visual", 2), department_row("music", 3))


def make_settings(home: Path, departments: Sequence[Mapping[str, Any]] = THREE, **overrides: Any) -> Settings:
    """Settings of their own: nothing is read from a `.env`."""
    file = home / "departments.yaml"
    home.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump([dict(row) for row in departments]), encoding="utf-8")
    values = {"home": home, "departments": file, "model": "scripted", "embedder": "hashing", "judge_model": "none"}
    return load_settings(_env_file=None, **(values | overrides))


@dataclass
class Counting:
    """A language model that counts its calls, and may be told to do something at one of them."""

    body: LanguageModel
    calls: int = 0
    requests: list[ModelRequest] = field(default_factory=list)
    at: dict[int, Callable[[], None]] = field(default_factory=dict)

    async def complete(self, request: ModelRequest) -> Completion:
        self.calls += 1
        self.requests.append(request)
        if self.calls in self.at:
            self.at[self.calls]()
        return await self.body.complete(request)

    async def aclose(self) -> None:
        await self.body.aclose()


@dataclass
class Studio:
    """Services with one project, and what tests ask of them."""

    services: Services
    model: Counting
    project_id: str = PROJECT

    @classmethod
    def open(
        cls,
        home: Path,
        departments: Sequence[Mapping[str, Any]] = THREE,
        *,
        brief: str = BRIEF,
        body: LanguageModel | None = None,
        **overrides: Any,
    ) -> Studio:
        services = bootstrap.build_services(make_settings(home, departments, **overrides))
        counting = Counting(body or services.model)
        studio = cls(services=replace(services, model=counting), model=counting)
        if services.projects.find(PROJECT) is None:
            services.projects.create("The Lost Hour", brief, PROJECT)
        return studio

    @property
    def records(self) -> ProjectRecords:
        return self.services.project(self.project_id)

    @property
    def view(self) -> ProjectView:
        """The project as it is stored now."""
        return self.records.view()

    def documents(self, collection: str) -> list[dict[str, Any]]:
        """What the project's database holds in a collection, as it is stored."""
        return self.services.store.find(project_database(self.project_id), collection)

    def run(self, task_id: str = "task-1", *, progress: Progress | None = None, **request: Any) -> AutomationResult:
        return run_automation(self.services, AutomationRequest(project_id=self.project_id, **request), task_id=task_id, progress=progress)

    def event_types(self) -> list[str]:
        return [event.type for event in self.records.events()]

    def state(self) -> dict[str, str]:
        """Content by id of every committed item: what two ways to the same end are compared by."""
        return {item.id: item.content for item in self.view.items}

    def close(self) -> None:
        self.services.close()
