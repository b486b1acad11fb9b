"""The page's routes: what it shows is read as the command line reads it; every change is a form that is answered by another page."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Form, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response

from gather_pipeline.api.access import Access
from gather_pipeline.api.deps import GivenAccess, GivenProject, GivenServices
from gather_pipeline.api.pages.look import HEADERS, STATIC, PageRoute, faults_of, page
from gather_pipeline.api.routes import tasks
from gather_pipeline.api.routes.session import without_cookie
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.departments import Department, to_automate
from gather_pipeline.domain.event_lines import sentence
from gather_pipeline.domain.events import EventType
from gather_pipeline.domain.items import TEXTS
from gather_pipeline.domain.projects import Project, check_brief
from gather_pipeline.domain.quality import WEIGHTS
from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import EditConflict, GatherError, InvalidInput, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.history import DroppedText, history_of
from gather_pipeline.people.listing import Page, drops_page, items_page
from gather_pipeline.people.why import why
from gather_pipeline.records.view import ProjectView
from gather_pipeline.report.brief import brief_parts
from gather_pipeline.report.figures import curves
from gather_pipeline.report.page import reasons
from gather_pipeline.report.project import qualities, threshold_reason
from gather_pipeline.services import Services
from gather_pipeline.text.injection import injection, item_injection
from gather_pipeline.upkeep.progress import RunProgress, run_progress
from gather_pipeline.upkeep.runs import RunStatus, project_run, run_status
from gather_pipeline.upkeep.standing import Standing, progress, retired_standings, standings
from gather_pipeline.upkeep.tasks import AUTOMATION

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Text = Annotated[str, Form()]

PAGE = 30  # notes, dropped texts or projects on one page
HAPPENED = 10  # events told on the overview
LEFT_OUT = ("max_iterations_reached", "evaluation_triggered")  # told by the line of the department's end
FAULTS_SHOWN = 100
FAULTS: tuple[EventType, ...] = ("model_fault", "model_away", "below_threshold", "skipped_budget", "automation_failed")
SAID = {
    "added": "The note is added.",
    "edited": "The note is saved.",
    "unchanged": "Nothing differs: the note stays as it was.",
    "deleted": "The note is deleted; every version of it is kept, and it can be restored.",
    "restored": "It is there again.",
    "started": "The run is started.",
    "cancelling": "The run is asked to end: it saves what it has first.",
    "created": "The project is created. Start its first run when you are ready.",
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A project as a request sees it.

    Attributes:
        departments: As their source has them, in order; none where the source is out of order.
        trouble: What is wrong with the source, empty where nothing is.
    """

    request: Request
    services: Services
    project: Project
    view: ProjectView
    departments: Sequence[Department]
    trouble: str

    @classmethod
    def of(cls, request: Request, services: Services, project_id: str) -> Seen:
        project, departments, trouble = services.projects.get(project_id), list[Department](), ""
        try:
            departments = to_automate(services.departments.departments())
        except GatherError as error:
            trouble = services.secrets.mask(str(error))
        view = services.project(project_id).view()
        return cls(request=request, services=services, project=project, view=view, departments=departments, trouble=trouble)

    @property
    def base(self) -> str:
        """Path of the project's pages."""
        return f"/projects/{self.project.id}"

    @property
    def names(self) -> dict[str, str]:
        """Names of departments by slug."""
        return {stored.slug: stored.department.name for stored in self.view.departments} | {one.slug: one.name for one in self.departments}

    @property
    def standings(self) -> list[Standing]:
        """How its departments stand; without a look at what is stale where their source is out of order."""
        if self.trouble:
            return [progress(self.view, stored.department, retired=stored.retired) for stored in self.view.departments]
        return [
            *standings(self.services, self.view, self.project, self.departments),
            *retired_standings(self.view, self.departments),
        ]

    def counts(self) -> dict[str, int]:
        """Notes of each department, those without any included."""
        return {slug: self.view.count(slug) for slug in self.names}

    def page(self, name: str, tab: str, status: int = 200, **values: Any) -> Response:
        """A page of the project."""
        common: dict[str, Any] = {
            "project": self.project,
            "base": self.base,
            "tab": tab,
            "names": self.names,
            "sequence": self.view.records.last_sequence(),
            "notes_count": sum(self.counts().values()),
            "drops_count": len(self.view.dropped),
            "runs_count": len(self.services.runs.of_project(self.project.id)),
            "said": SAID.get(self.request.query_params.get("said", ""), ""),
        }
        return page(self.request, name, status, **common | values)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A style sheet, the script or the icon."""
    if name not in STATIC:
        raise HTTPException(404)
    path, media_type = STATIC[name]
    return FileResponse(path, media_type=media_type, headers=HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"})


@router.get("/docs")
def docs(request: Request, access: GivenAccess) -> Response:
    """Every call of the API, as `/openapi.json` has it."""
    document = request.app.openapi()
    return page(request, "docs", document=document, schemas=document["components"]["schemas"])


@router.post("/sign-out")
def sign_out() -> Response:
    """Forgets the cookie, by a form that works without a script."""
    return without_cookie(RedirectResponse("/", 303))


@router.get("/")
def projects(request: Request, services: GivenServices, access: GivenAccess, after: str | None = None) -> Response:
    """The projects, newest first."""
    return _projects(request, services, access, after)


def _projects(request: Request, services: Services, access: Access, after: str | None = None, status: int = 200, **values: Any) -> Response:
    found = [one for one in reversed(services.projects.all()) if access.project_id in (None, one.id)]
    ids = [one.id for one in found]
    first = ids.index(after) + 1 if after in ids else 0
    shown = found[first : first + PAGE]
    common: dict[str, Any] = {
        "rows": [_project_row(services, project) for project in shown],
        "further": shown[-1].id if len(found) > first + PAGE else None,
        "after": after,
        "may_create": access.project_id is None,
        "faults": {},
        "given": {},
    }
    return page(request, "projects", status, **common | values)


def _project_row(services: Services, project: Project) -> dict[str, Any]:
    view = services.project(project.id).view()
    found = [progress(view, stored.department) for stored in view.departments if not stored.retired]
    line = " ".join(project.brief.strip().removeprefix(f"# {project.name}\n").split())
    return {
        "project": project,
        "beginning": textwrap.shorten(line, 200, placeholder=" ..."),
        "run": project_run(services, view),
        "departments": len(found),
        "reached": sum(one.quality is not None and one.quality >= one.threshold for one in found),
        "notes": sum(one.items for one in found),
    }


@router.post("/projects")
def create_project(
    request: Request, services: GivenServices, access: GivenAccess, name: Text = "", brief: Text = "", id: Text = ""
) -> Response:
    """Creates a project."""
    access.check(None)
    try:
        created = services.projects.create(name, check_brief(brief.encode("utf-8", "replace"), "of the form"), id.strip() or None)
    except InvalidInput as error:
        faults = faults_of(error, "name", "brief", "id")
        return _projects(request, services, access, status=422, faults=faults, given={"name": name, "brief": brief, "id": id})
    return _to(f"/projects/{created.id}", "created")


@router.get("/projects/{project_id}")
def overview(request: Request, services: GivenServices, access: GivenAccess, project_id: GivenProject) -> Response:
    """A project's run, departments and quality."""
    return _overview(Seen.of(request, services, project_id), access)


def _overview(seen: Seen, access: Access, status: int = 200, **values: Any) -> Response:
    records, project = seen.view.records, seen.project
    run, found = project_run(seen.services, seen.view), seen.standings
    if run is not None and run.process == "gone":
        tasks.shown(seen.services, access, run.task_id)  # which has the store and Dagster say so
    brief, brief_rest = brief_parts(project)
    under_way, ends_at = None, None
    if run is not None and run.status == "running":
        under_way, ends_at = _under_way(seen, run)
    rows = [
        {"department": one.department, "iteration": one.number, "quality": one.score, "threshold": one.threshold}
        for slug in seen.names
        for one in seen.view.history(slug)
    ]
    newest = records.events(after=max(0, records.last_sequence() - 4 * HAPPENED))
    common: dict[str, Any] = {
        "brief": brief,
        "brief_rest": brief_rest,
        "brief_flag": injection(project.brief),
        "run": run,
        "asked": _asked_for(seen, access, run),
        "progress": under_way,
        "ends_at": ends_at,
        "fault_count": len(_told(event for event in records.events_of(task_id=[run.task_id]) if event.type in FAULTS)) if run else 0,
        "standings": found,
        "stale": [one for one in found if one.is_stale],
        "choices": [one.slug for one in seen.departments],
        "trouble": seen.trouble,
        "curves": curves(rows),
        "happened": _told(newest)[::-1][:HAPPENED],
        "run_faults": {},
        "given": {},
        "chosen": (),
    }
    return seen.page("overview", "", status, **common | values)


def _asked_for(seen: Seen, access: Access, last: RunStatus | None) -> tasks.Task | None:
    """The run that was asked for last, where it has not begun yet or never did."""
    asked = seen.services.submissions.newest(seen.project.id, AUTOMATION)
    if asked is None or (last is not None and (last.task_id == asked.task_id or last.started_at > asked.submitted_at)):
        return None
    return tasks.shown(seen.services, access, asked.task_id)


def _under_way(seen: Seen, run: RunStatus) -> tuple[RunProgress, str | None]:
    """What is known of a run that is at work, and when it may end."""
    slugs = run.request.get("departments") or [one.slug for one in seen.departments]
    found = run_progress(slugs, run.started_at, seen.view.records.events_of(task_id=[run.task_id]))
    now = datetime.fromisoformat(seen.services.clock.now()).timestamp()
    left = found.left(now)
    return found, datetime.fromtimestamp(now + left, UTC).isoformat() if left else None


def _told(events: Any) -> list[tuple[str, str]]:
    """When and what, of those events that are of interest by themselves."""
    return [(event.at, line) for event in events if event.type not in LEFT_OUT and (line := sentence(event))]


@router.get("/projects/{project_id}/notes")
def notes(
    request: Request,
    services: GivenServices,
    project_id: GivenProject,
    department: str | None = None,
    deleted: str | None = None,
    after: str | None = None,
) -> Response:
    """Notes to read and to edit."""
    return _notes(Seen.of(request, services, project_id), department or None, bool(deleted), after or None)


def _notes(seen: Seen, department: str | None, deleted: bool, after: str | None, status: int = 200, **values: Any) -> Response:
    try:
        found = items_page(seen.view, department, "deleted" if deleted else "active", limit=PAGE, after=after)
    except UnknownEntity:
        if department not in seen.names or after is not None:
            raise
        found = Page(rows=(), last=None)  # no run has found it yet
    quality = qualities(seen.view).get(department) if department else None
    common: dict[str, Any] = {
        "page": found,
        "flags": {item.id: flag for item in found.rows if (flag := item_injection(item))},
        "department": department,
        "deleted": deleted,
        "after": after,
        "counts": seen.counts(),
        "standing": next((one for one in seen.standings if one.department == department), None) if department else None,
        "scored": reasons(quality) if quality else None,
        "weights": WEIGHTS,
        "faults": {},
        "given": {},
    }
    return seen.page("notes", "/notes", status, **common | values)


@router.post("/projects/{project_id}/notes")
def add_note(
    request: Request,
    services: GivenServices,
    access: GivenAccess,
    project_id: GivenProject,
    department: Text = "",
    content: Text = "",
    summary: Text = "",
    aspect: Text = "",
) -> Response:
    """Adds a note that a person wrote."""
    texts = Texts(content=content, summary=summary if typed(summary) else None, aspect=aspect)
    try:
        added = People(services).add(project_id, department, texts, access.name)
    except InvalidInput as error:
        given = {"department": department, "content": content, "summary": summary, "aspect": aspect}
        seen = Seen.of(request, services, project_id)
        return _notes(seen, None, False, None, 422, faults=faults_of(error, "department", *TEXTS), given=given)
    return _to(f"/projects/{project_id}/notes/{added.id}", "added")


@router.get("/projects/{project_id}/notes/{id}")
def note(request: Request, services: GivenServices, project_id: GivenProject, id: str, edit: str | None = None) -> Response:
    """A note with its versions and how it came about; with `edit`, the form for it."""
    return _note(Seen.of(request, services, project_id), id, with_form=bool(edit))


def _note(seen: Seen, id: str, *, with_form: bool = False, status: int = 200, **values: Any) -> Response:
    history = history_of(seen.services, id, seen.project.id)
    if isinstance(history, DroppedText):
        return seen.page("note", "/drops", drop=history.drop, history=None)
    common: dict[str, Any] = {
        "drop": None,
        "history": history,
        "injected": item_injection(history.item),
        "form": history.item if with_form and history.item.is_active else None,
        "why": why(seen.services, id, seen.project.id),
        "faults": {},
        "theirs": None,
    }
    return seen.page("note", "/notes", status, **common | values)


@router.post("/projects/{project_id}/notes/{id}")
def edit_note(
    request: Request,
    services: GivenServices,
    access: GivenAccess,
    project_id: GivenProject,
    id: str,
    revision: Text = "",
    content: Text = "",
    summary: Text = "",
    context: Text = "",
    aspect: Text = "",
) -> Response:
    """Gives a note new texts; what somebody else wrote meanwhile is shown beside them first."""
    people, given = People(services), {"content": content, "summary": summary, "context": context, "aspect": aspect}
    before = people.find(id, project_id)
    texts = Texts(**given | {"summary": None if typed(summary) == typed(before.summary) else summary})
    try:
        after = people.edit(id, texts, access.name, revision=_whole("revision", revision), project_id=project_id)
    except (InvalidInput, EditConflict) as error:
        is_late = isinstance(error, EditConflict)
        now = people.find(id, project_id)
        form = given | {"revision": now.revision if is_late else revision}
        seen = Seen.of(request, services, project_id)
        return _note(
            seen,
            id,
            status=409 if is_late else 422,
            form=form,
            faults=faults_of(error, *TEXTS),
            theirs=now.content if is_late else None,
        )
    said = "unchanged" if after.revision == before.revision else "edited"
    return _to(f"/projects/{project_id}/notes/{id}", said, f"note-{id}")


@router.post("/projects/{project_id}/notes/{id}/delete")
def delete_note(services: GivenServices, access: GivenAccess, project_id: GivenProject, id: str) -> Response:
    """Takes a note out of prompts, duplicates and scores."""
    People(services).delete(id, access.name, project_id=project_id)
    return _to(f"/projects/{project_id}/notes/{id}", "deleted", f"note-{id}")


@router.post("/projects/{project_id}/notes/{id}/restore")
def restore(request: Request, services: GivenServices, access: GivenAccess, project_id: GivenProject, id: str, drop: Text = "") -> Response:
    """Brings back a deleted note or a dropped text; of the latter its reader goes on where he was."""
    People(services).restore(id, access.name, project_id=project_id)
    if not drop:
        return _to(f"/projects/{project_id}/notes/{id}", "restored", f"note-{id}")
    path, came_from = f"/projects/{project_id}/drops", urlsplit(request.headers.get("referer", ""))
    shown = {name: value for name, value in parse_qsl(came_from.query) if name in ("department", "after")}
    return _to(path, "restored", **(shown if came_from.path == path else {}))


@router.get("/projects/{project_id}/drops")
def drops(
    request: Request, services: GivenServices, project_id: GivenProject, department: str | None = None, after: str | None = None
) -> Response:
    """Dropped texts with what they were held to repeat."""
    seen = Seen.of(request, services, project_id)
    counts: dict[str, int] = {}
    for one in seen.view.dropped:
        counts[one.department] = counts.get(one.department, 0) + 1
    found = drops_page(seen.view, department or None, limit=PAGE, after=after or None)
    values: dict[str, Any] = {"page": found, "counts": counts, "department": department or None, "after": after}
    return seen.page("drops", "/drops", threshold=threshold_reason(services, seen.view) if found.rows else "", **values)


@router.get("/projects/{project_id}/runs")
def runs(request: Request, services: GivenServices, project_id: GivenProject) -> Response:
    """Runs, and what went wrong in them."""
    seen = Seen.of(request, services, project_id)
    found = [run_status(services, one.task_id, seen.view) for one in services.runs.of_project(project_id)[-PAGE:]]
    faults = _told(seen.view.records.events_of(type=FAULTS))
    return seen.page("runs", "/runs", runs=found[::-1], faults=faults[::-1][:FAULTS_SHOWN])


@router.post("/projects/{project_id}/run")
def start(
    request: Request,
    services: GivenServices,
    access: GivenAccess,
    project_id: GivenProject,
    department: Annotated[list[str], Form()] = [],  # noqa: B006
    max_iterations: Text = "50",
    max_cost: Text = "",
) -> Response:
    """Starts a run."""
    try:
        asked = AutomationRequest(
            project_id=project_id,
            user_id=access.name,
            max_iterations=_whole("max_iterations", max_iterations),
            max_cost=_amount("max_cost", max_cost) if max_cost.strip() else None,
            departments=tuple(department),
        )
        tasks.execute(
            tasks.Execute.model_validate({"task_type": AUTOMATION, "parameters": asked.to_document()}),
            request,
            Response(),
            services,
            access,
        )
    except GatherError as error:
        given = {"max_iterations": max_iterations, "max_cost": max_cost}
        values = {"run_faults": faults_of(error, *given), "given": given, "chosen": department}
        return _overview(Seen.of(request, services, project_id), access, 422 if isinstance(error, InvalidInput) else 409, **values)
    return _to(f"/projects/{project_id}", "started", "run")


@router.post("/projects/{project_id}/cancel")
def cancel(services: GivenServices, access: GivenAccess, project_id: GivenProject, task_id: Text = "") -> Response:
    """Asks a run to end."""
    tasks.cancel(task_id, services, access)
    return _to(f"/projects/{project_id}", "cancelling", "run")


def _whole(name: str, given: str) -> int:
    if not (given.strip().isascii() and given.strip().isdecimal() and len(given.strip()) < 10):
        raise InvalidInput.field(name, given, "a whole number")
    return int(given)


def _amount(name: str, given: str) -> float:
    try:
        return float(given.strip().replace(",", "."))
    except ValueError:
        raise InvalidInput.field(name, given, "an amount such as 2.50") from None


def _to(path: str, said: str, place: str = "", **query: str) -> Response:
    """The answer to a form: go there, where it is said that it is done."""
    return RedirectResponse(f"{path}?{urlencode({**query, 'said': said})}{f'#{place}' if place else ''}", 303)
