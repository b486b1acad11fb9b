"""`gather token create`, `list` and `revoke`: who may ask the API."""

from __future__ import annotations

from dataclasses import asdict

import click

from gather_pipeline.cli.lazy import NamingGroup
from gather_pipeline.cli.options import ProjectId, as_json, check_one, example
from gather_pipeline.cli.output import print_json, print_table, print_text, say
from gather_pipeline.cli.services import opened


@click.group(cls=NamingGroup, epilog=example("gather token list"))
def token() -> None:
    """Make, list and revoke tokens of the API.

    As long as none was ever made, `gather serve` answers this machine alone and needs none.
    """


@token.command(epilog=example("gather token create --project salt --name editor"))
@click.option("--project", "project_id", type=ProjectId(), help="The only project that it opens.")
@click.option("--all-projects", is_flag=True, help="It opens every project, and may create some.")
@click.option("--name", required=True, help="Whose it is, or what for; kept with what is changed by it.")
def create(project_id: str | None, all_projects: bool, name: str) -> None:
    """Print a new token, once: only its hash is kept."""
    check_one({"--project": project_id, "--all-projects": all_projects})
    with opened() as services:
        if project_id is not None:
            services.projects.get(project_id)
        print_text(services.tokens.create(name, project_id))


@token.command("list", epilog=example("gather token list --json"))
@as_json
def list_(as_json: bool) -> None:
    """List the tokens, oldest first, without their secrets."""
    with opened() as services:
        tokens = services.tokens.all()
    if as_json:
        print_json([asdict(one) for one in tokens])
    elif tokens:
        rows = [[one.id, one.name, one.project_id or "all", one.made_at, one.last_used_at, one.revoked_at] for one in tokens]
        print_table(["id", "name", "project", "made_at", "last_used_at", "revoked_at"], rows)
    else:
        say("There is no token; the API answers this machine alone.")


@token.command(epilog=example("gather token revoke editor"))
@click.argument("which", metavar="NAME|ID")
@as_json
def revoke(which: str, as_json: bool) -> None:
    """Have a token open nothing any more, at once."""
    with opened() as services:
        revoked = services.tokens.revoke(which)
    if as_json:
        print_json(asdict(revoked))
    else:
        print_text(f"Token {revoked.name} ({revoked.id}) is revoked since {revoked.revoked_at}.")
