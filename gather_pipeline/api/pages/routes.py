"""The page's routes: what it shows is read as the command line reads it; every change is a form that is answered by another page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response

from gather_pipeline.api.access import Access
from gather_pipeline.api.deps import GivenAccess, GivenProject, GivenServices
from gather_pipeline.api.pages.look import HEADERS, STATIC, PageRoute, faults_of, page
from gather_pipeline.api.problems import status_of
from gather_pipeline.api.routes import tasks
from gather_pipeline.api.routes.session import without_cookie
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.departments import Department, to_automate
from gather_pipeline.domain.event_lines import sentence
from gather_pipeline.domain.events import Event, EventType
from gather_pipeline.domain.items import TEXTS
from gather_pipeline.domain.projects import Project, check_brief
from gather_pipeline.domain.quality import WEIGHTS
from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import EditConflict, GatherError, InvalidInput, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.history import DroppedText, history_of
from gather_pipeline.people.listing import Page, drops_page, items_page
from gather_pipeline.people.why import why
from gather_pipeline.report.brief import brief_parts
from gather_pipeline.report.figures import curves
from gather_pipeline.report.page import reasons
from gather_pipeline.report.project import qualities, threshold_reason
from gather_pipeline.services import Services
from gather_pipeline.text.injection import injection, item_injection
from gather_pipeline.upkeep.progress import RunProgress, run_progress
from gather_pipeline.upkeep.runs import RunStatus, project_run, run_status
from gather_pipeline.upkeep.standing import Standing, progress, retired_standings, standings
from gather_pipeline.upkeep.tasks import AUTOMATION, TaskStatus

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


class Seen:
    """A project as a request sees it, read as far as it is looked at.

    Attributes:
        base: Path of the project's pages.
        sequence: Number of the newest event before the rest was read: the page listens for those after it.
    """

    def __init__(self, request: Request, services: GivenServices, access: GivenAccess, project_id: GivenProject) -> None:
        self.request, self.services, self.access = request, services, access
        self.project, self.base = services.projects.get(project_id), f"/projects/{project_id}"
        self.view = services.project(project_id).view()
        self.sequence = self.view.records.last_sequence()

    @cached_property
    def source(self) -> tuple[Sequence[Department], str]:
        """The departments, in order, and what is wrong with their source, empty where nothing is."""
        try:
            return to_automate(self.services.departments.departments()), ""
        except GatherError as error:
            return (), self.services.secrets.mask(str(error))

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of departments by slug."""
        return {stored.slug: stored.department.name for stored in self.view.departments} | {one.slug: one.name for one in self.source[0]}

    @cached_property
    def standings(self) -> list[Standing]:
        """How its departments stand; whether they are stale is left out where their source cannot be read."""
        departments, trouble = self.source
        if trouble:
            return [progress(self.view, stored.department, retired=stored.retired) for stored in self.view.departments]
        return [*standings(self.services, self.view, self.project, departments), *retired_standings(self.view, departments)]

    @cached_property
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
            "sequence": self.sequence,
            "notes_count": sum(self.counts.values()),
            "drops_count": len(self.view.dropped),
            "runs_count": len(self.services.runs.of_project(self.project.id)),
            "said": SAID.get(self.request.query_params.get("said", ""), ""),
        }
        return page(self.request, name, status, **common | values)


GivenSeen = Annotated[Seen, Depends()]


class Note(BaseModel):
    """The form of a new note, or of one that is edited."""

    revision: str = ""
    department: str = ""
    content: str = ""
    summary: str = ""
    context: str = ""
    aspect: str = ""


GivenNote = Annotated[Note, Form()]


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
        faults = faults_of(request, error, "name", "brief", "id")
        return _projects(request, services, access, status=422, faults=faults, given={"name": name, "brief": brief, "id": id})
    return _to(f"/projects/{created.id}", "created")


@router.get("/projects/{project_id}")
def overview(seen: GivenSeen) -> Response:
    """A project's run, departments and quality."""
    return _overview(seen)


def _overview(seen: Seen, status: int = 200, **values: Any) -> Response:
    records, project = seen.view.records, seen.project
    run, found = project_run(seen.services, seen.view), seen.standings
    if run is not None and run.process == "gone":
        tasks.shown(seen.services, seen.access, run.task_id)  # which notes its end in the store and in Dagster
    brief, brief_rest = brief_parts(project)
    under_way, ends_at = _under_way(seen, run) if run is not None and run.status == "running" else (None, None)
    rows = [
        {"department": one.department, "iteration": one.number, "quality": one.score, "threshold": one.threshold}
        for slug in seen.names
        for one in seen.view.history(slug)
    ]
    newest = records.events(after=max(0, seen.sequence - 4 * HAPPENED))
    common: dict[str, Any] = {
        "brief": brief,
        "brief_rest": brief_rest,
        "brief_flag": injection(project.brief),
        "run": run,
        "asked": _asked_for(seen, run),
        "progress": under_way,
        "ends_at": ends_at,
        "fault_count": len(_told(records.events_of(task_id=[run.task_id], type=FAULTS))) if run else 0,
        "standings": found,
        "stale": [one for one in found if one.is_stale],
        "choices": [one.slug for one in seen.source[0]],
        "trouble": seen.source[1],
        "curves": curves(rows),
        "happened": _told(newest)[::-1][:HAPPENED],
        "run_faults": {},
        "given": {},
        "chosen": (),
    }
    return seen.page("overview", "", status, **common | values)


def _asked_for(seen: Seen, last: RunStatus | None) -> TaskStatus | None:
    """The run that was asked for last, where it has not begun yet or never did."""
    asked = seen.services.submissions.newest(seen.project.id, AUTOMATION)
    if asked is None or (last is not None and (last.task_id == asked.task_id or last.started_at > asked.submitted_at)):
        return None
    return tasks.shown(seen.services, seen.access, asked.task_id)


def _under_way(seen: Seen, run: RunStatus) -> tuple[RunProgress, str | None]:
    """What is known of a run that is at work, and when it may end."""
    slugs = run.request.get("departments") or [one.slug for one in seen.source[0]]
    found = run_progress(slugs, run.started_at, seen.view.records.events_of(task_id=[run.task_id]))
    now = datetime.fromisoformat(seen.services.clock.now()).timestamp()
    left = found.left(now)
    return found, datetime.fromtimestamp(now + left, UTC).isoformat() if left else None


def _told(events: Iterable[Event]) -> list[tuple[str, str]]:
    """Time and sentence of the events that a person is shown."""
    return [(event.at, line) for event in events if event.type not in LEFT_OUT and (line := sentence(event))]


@router.get("/projects/{project_id}/notes")
def notes(seen: GivenSeen, department: str | None = None, deleted: str | None = None, after: str | None = None) -> Response:
    """Notes to read and to edit."""
    return _notes(seen, department or None, bool(deleted), after or None)


def _notes(seen: Seen, department: str | None, deleted: bool, after: str | None, status: int = 200, **values: Any) -> Response:
    try:
        found = items_page(seen.view, department, "deleted" if deleted else "active", limit=PAGE, after=after)
    except UnknownEntity:
        if department not in seen.names or after is not None:
            raise
        found = Page(rows=(), last=None)  # no run has found this department yet
    quality = qualities(seen.view).get(department) if department else None
    common: dict[str, Any] = {
        "page": found,
        "flags": {item.id: flag for item in found.rows if (flag := item_injection(item))},
        "department": department,
        "deleted": deleted,
        "after": after,
        "counts": seen.counts,
        "standing": next((one for one in seen.standings if one.department == department), None) if department else None,
        "scored": reasons(quality) if quality else None,
        "weights": WEIGHTS,
        "faults": {},
        "given": {},
    }
    return seen.page("notes", "/notes", status, **common | values)


@router.post("/projects/{project_id}/notes")
def add_note(seen: GivenSeen, given: GivenNote) -> Response:
    """Adds a note that a person wrote."""
    texts = Texts(content=given.content, summary=given.summary if typed(given.summary) else None, aspect=given.aspect)
    try:
        added = People(seen.services).add(seen.project.id, given.department, texts, seen.access.name)
    except InvalidInput as error:
        faults = faults_of(seen.request, error, "department", *TEXTS)
        return _notes(seen, None, False, None, 422, faults=faults, given=given.model_dump())
    return _to(f"{seen.base}/notes/{added.id}", "added")


@router.get("/projects/{project_id}/notes/{id}")
def note(seen: GivenSeen, id: str, edit: str | None = None) -> Response:
    """A note with its versions and how it came about; with `edit`, the form for it."""
    return _note(seen, id, with_form=bool(edit))


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
def edit_note(seen: GivenSeen, id: str, given: GivenNote) -> Response:
    """Gives a note new texts; what somebody else wrote meanwhile is shown beside them first."""
    people, project_id = People(seen.services), seen.project.id
    before = people.find(id, project_id)
    summary = None if typed(given.summary) == typed(before.summary) else given.summary
    texts = Texts(content=given.content, summary=summary, context=given.context, aspect=given.aspect)
    try:
        after = people.edit(id, texts, seen.access.name, revision=_whole("revision", given.revision), project_id=project_id)
    except (InvalidInput, EditConflict) as error:
        form, theirs = given.model_dump(), None
        if isinstance(error, EditConflict):
            now = people.find(id, project_id)
            form["revision"], theirs = now.revision, now.content
        return _note(seen, id, status=status_of(error), form=form, faults=faults_of(seen.request, error, *TEXTS), theirs=theirs)
    said = "unchanged" if after.revision == before.revision else "edited"
    return _to(f"{seen.base}/notes/{id}", said, f"note-{id}")


@router.post("/projects/{project_id}/notes/{id}/delete")
def delete_note(seen: GivenSeen, id: str) -> Response:
    """Takes a note out of prompts, duplicates and scores."""
    People(seen.services).delete(id, seen.access.name, project_id=seen.project.id)
    return _to(f"{seen.base}/notes/{id}", "deleted", f"note-{id}")


@router.post("/projects/{project_id}/notes/{id}/restore")
def restore(seen: GivenSeen, id: str, drop: Text = "", department: Text = "", after: Text = "") -> Response:
    """Brings back a deleted note or a dropped text; the latter leads back to the list that it stood in."""
    People(seen.services).restore(id, seen.access.name, project_id=seen.project.id)
    if drop:
        return _to(f"{seen.base}/drops", "restored", department=department, after=after)
    return _to(f"{seen.base}/notes/{id}", "restored", f"note-{id}")


@router.get("/projects/{project_id}/drops")
def drops(seen: GivenSeen, department: str | None = None, after: str | None = None) -> Response:
    """Dropped texts with what they were held to repeat."""
    counts = Counter(one.department for one in seen.view.dropped)
    found = drops_page(seen.view, department or None, limit=PAGE, after=after or None)
    values: dict[str, Any] = {"page": found, "counts": counts, "department": department or None, "after": after}
    return seen.page("drops", "/drops", threshold=threshold_reason(seen.services, seen.view) if found.rows else "", **values)


@router.get("/projects/{project_id}/runs")
def runs(seen: GivenSeen) -> Response:
    """The newest runs, and what went wrong last."""
    newest = seen.services.runs.of_project(seen.project.id)[-PAGE:]
    found = [run_status(seen.services, one.task_id, seen.view) for one in reversed(newest)]
    faults = _told(seen.view.records.events_of(type=FAULTS))[::-1]
    return seen.page("runs", "/runs", runs=found, faults=faults[:FAULTS_SHOWN], faults_count=len(faults))


@router.post("/projects/{project_id}/run")
def start(
    seen: GivenSeen,
    department: Annotated[list[str], Form()] = [],  # noqa: B006
    max_iterations: Text = "50",
    max_cost: Text = "",
) -> Response:
    """Starts a run."""
    try:
        asked = AutomationRequest(
            project_id=seen.project.id,
            user_id=seen.access.name,
            max_iterations=_whole("max_iterations", max_iterations),
            max_cost=_amount("max_cost", max_cost) if max_cost.strip() else None,
            departments=tuple(department),
        )
        body = tasks.Execute.model_validate({"task_type": AUTOMATION, "parameters": asked.to_document()})
        tasks.execute(body, seen.request, Response(), seen.services, seen.access)
    except GatherError as error:
        given = {"max_iterations": max_iterations, "max_cost": max_cost}
        return _overview(seen, status_of(error), run_faults=faults_of(seen.request, error, *given), given=given, chosen=department)
    return _to(seen.base, "started", "run")


@router.post("/projects/{project_id}/cancel")
def cancel(seen: GivenSeen, task_id: Text = "") -> Response:
    """Asks a run to end."""
    tasks.cancel(task_id, seen.services, seen.access)
    return _to(seen.base, "cancelling", "run")


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
    """The answer to a form that did something: the page at `path`, which says `SAID[said]`."""
    given = {name: value for name, value in query.items() if value} | {"said": said}
    return RedirectResponse(f"{path}?{urlencode(given)}{f'#{place}' if place else ''}", 303)
