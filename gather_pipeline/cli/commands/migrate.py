"""`gather migrate`: from the embedded store to MongoDB, and back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.options import as_json, example
from gather_pipeline.cli.output import cell, print_json, print_table, print_text, say
from gather_pipeline.cli.services import command_settings
from gather_pipeline.operations.migrate import migrate as copy_all


@click.command(epilog=example("gather migrate --to mongodb --dry-run", "gather migrate --to embedded --into-existing"))
@click.option("--to", "where", type=click.Choice(["mongodb", "embedded"]), required=True, help="Where everything is to be.")
@click.option("--into-existing", is_flag=True, help="Copy into a store that has other data.")
@click.option("--dry-run", is_flag=True, help="Say what would be copied, and copy nothing.")
@as_json
def migrate(where: str, into_existing: bool, dry_run: bool, as_json: bool) -> None:
    """Copy everything that is stored to MongoDB, or back to the files under GATHER_HOME.

    MONGODB_URI names the server, for both ways. All projects go, with what they share; the source is only read. Both sides are counted and
    compared at the end. A copy that was killed goes on when it is called again. Nothing is copied while a run or an import is at work.

    With --into-existing what has the same id is replaced, what these projects have no more is deleted, and the rest stays.
    """
    settings = command_settings()
    files, server = bootstrap.both_stores(settings)
    source, target = (files, server) if where == "mongodb" else (server, files)
    with closing(files), closing(server):
        done = copy_all(source, target, database=settings.mongodb_db, into_existing=into_existing, dry_run=dry_run, progress=say)
    if as_json:
        counts = {"documents": done.documents, "written": done.written, "deleted": done.deleted}
        rows = [asdict(row) for row in done.collections]
        print_json(
            {"source": source.place, "target": target.place, "dry_run": dry_run, "projects": done.projects, **counts, "collections": rows}
        )
        return
    headings = ["database", "collection", "documents", "written", "deleted"]
    print_table(headings, [[cell(getattr(row, heading)) for heading in headings] for row in done.collections], right=headings[2:])
    if dry_run:
        print_text(f"{done.written:,} of {done.documents:,} documents would be copied to {target.place}, {done.deleted:,} deleted there.")
        return
    print_text(f"{done.documents:,} documents are the same on both sides, {done.written:,} of them copied now.")
    say(f"From now on {'set' if where == 'mongodb' else 'leave out'} MONGODB_URI; {source.place} stays as it is.")
