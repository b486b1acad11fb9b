"""`gather project create`, `update`, `show` and `list`, `gather departments`."""

from __future__ import annotations

from dataclasses import asdict

import click

from gather_pipeline.cli.inputs import read_brief
from gather_pipeline.cli.lazy import NamingGroup
from gather_pipeline.cli.options import ProjectId, as_json, by_option, example
from gather_pipeline.cli.output import cell, print_json, print_table, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.standing import tell_stale, told_quality
from gather_pipeline.errors import GatherError, InvalidInput
from gather_pipeline.people.person import person
from gather_pipeline.services import Services
from gather_pipeline.upkeep.standing import made_stale, project_rows, source_rows, stale_of


@click.group(cls=NamingGroup, epilog=example("gather project list"))
def project() -> None:
    """Create, change, show and list projects."""


@project.command(epilog=example('gather project create --name "Salt Ledger" --brief brief.md --id salt'))
@click.option("--name", required=True, help="Name of the project.")
@click.option("--brief", "path", metavar="FILE", required=True, help="The brief, UTF-8 text; - reads standard input.")
@click.option("--id", "project_id", type=ProjectId(), help="24 hexadecimal digits or a short name; made up where left out.")
@click.option("--if-missing", is_flag=True, help="Leave a project of that id as it is.")
@as_json
def create(name: str, path: str, project_id: str | None, if_missing: bool, as_json: bool) -> None:
    """Create a project from a brief and print its id."""
    if if_missing and project_id is None:
        raise InvalidInput("--if-missing has no --id with it, expected the id of the project that may be there")
    brief = read_brief(path)
    with opened() as services:
        found = services.projects.find(project_id) if if_missing and project_id else None
        created = found or services.projects.create(name, brief, project_id)
    if found is not None:
        say(f"Project {found.id} is there already and was left as it is.")
    if as_json:
        print_json(asdict(created))
    else:
        print_text(created.id)


@project.command("list", epilog=example("gather project list --json"))
@as_json
def list_(as_json: bool) -> None:
    """List the projects, oldest first."""
    with opened() as services:
        projects = services.projects.all()
    if as_json:
        print_json([asdict(project) for project in projects])
    elif projects:
        print_table(["id", "name", "brief"], [[project.id, project.name, _beginning(project.brief)] for project in projects])
    else:
        say("There is no project yet; type: gather project create --help")


@project.command(epilog=example("gather project update salt --brief brief.md"))
@click.argument("project_id", metavar="ID", type=ProjectId())
@click.option("--brief", "path", metavar="FILE", help="The new brief, UTF-8 text; - reads standard input.")
@click.option("--name", help="The new name.")
@by_option
@as_json
def update(project_id: str, path: str | None, name: str | None, by: str | None, as_json: bool) -> None:
    """Give a project another brief or name; what it had before is kept.

    It says which departments are stale now. The next run adds to these and deletes nothing.
    """
    if path is None and name is None:
        raise InvalidInput("neither --brief nor --name is given, expected what is to change")
    brief = None if path is None else read_brief(path)
    with opened() as services:
        updated, changed = services.projects.update(project_id, name=name, brief=brief, by=person(by, services.settings))
        stale = _made_stale(services, project_id) if changed else []
    if as_json:
        print_json(asdict(updated) | {"changed": changed, "stale": stale})
        return
    print_text(f"Project {project_id} is changed." if changed else f"Nothing differs: project {project_id} stays as it is.")
    tell_stale(stale or [])
    if stale:
        say(f"The next run adds to these departments and deletes nothing; type: gather run --project {project_id}")


def _made_stale(services: Services, project_id: str) -> list[dict[str, str]] | None:
    """Departments that the change made stale, None where the list of departments cannot be had."""
    try:
        return stale_of(made_stale(services, project_id))
    except GatherError as error:  # the change is made
        say(f"Which departments are stale now cannot be told: {error}")
        return None


@project.command(epilog=example("gather project show salt"))
@click.argument("project_id", metavar="ID", type=ProjectId())
@as_json
def show(project_id: str, as_json: bool) -> None:
    """Show a project's brief, and the names and briefs that it had before."""
    with opened() as services:
        found, earlier = services.projects.get(project_id), services.projects.earlier(project_id)
    if as_json:
        print_json(asdict(found) | {"earlier": [asdict(past) for past in earlier]})
        return
    print_text(f"{found.id}: {found.name}\n\n{found.brief}")
    for past in reversed(earlier):
        print_text(f"\nUntil {past.until}, changed by {past.by or 'somebody unknown'}: {past.name}\n\n{past.brief}")


def _beginning(brief: str) -> str:
    line = " ".join(brief.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


@click.command(epilog=example("gather departments --project salt"))
@click.option("--project", "project_id", type=ProjectId(), help="Also show how far this project's departments have come.")
@as_json
def departments(project_id: str | None, as_json: bool) -> None:
    """List the departments, and how far a project's have come.

    They stand in the order in which they run. Without --project these are the rows of GATHER_DEPARTMENTS, or of the CMS; all of
    them are checked first. With it, the departments as the project's last run found them.
    """
    with opened() as services:
        rows = source_rows(services) if project_id is None else project_rows(services, project_id)
    if as_json:
        print_json(rows)
        return
    headings = ["slug", "name", "codeDepNumber", "threshold", "maxIterations", "automated"]
    if project_id is not None:
        headings += ["state", "quality", "iterations", "items"]
        rows = [row | {"quality": told_quality(row)} for row in rows]
    print_table(
        headings,
        [[cell(row[heading]) for heading in headings] for row in rows],
        right=["codeDepNumber", "threshold", "maxIterations", "quality", "iterations", "items"],
    )
