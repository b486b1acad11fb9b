"""Moves everything that is stored from one document store to another: copied by differences, then counted and compared.

Versions move with their documents. Change cursors do not: none of another store is known to the target, or what was written over one
that is known counts as changed, so that followers read it (docs/decisions/0019).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from gather_pipeline.domain.projects import project_database
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import EditConflict, InvalidInput, ProjectBusy, listed
from gather_pipeline.ports import MaintainedStore
from gather_pipeline.records.copying import LEFT_BEHIND, CopiedCollection, Copies, DatabaseCopy, project_ids
from gather_pipeline.records.lease import Leases

TELL_S = 5.0  # between two lines of progress within a collection


@dataclass(frozen=True, kw_only=True)
class Migration:
    """What was copied, or would be.

    Attributes:
        collections: A row each, equal on both sides where it was copied.
    """

    projects: tuple[str, ...]
    collections: tuple[CopiedCollection, ...]

    @property
    def documents(self) -> int:
        """How many the source has."""
        return sum(row.documents for row in self.collections)

    @property
    def written(self) -> int:
        """How many the target lacked."""
        return sum(row.written for row in self.collections)

    @property
    def deleted(self) -> int:
        """How many the target had beyond the source."""
        return sum(row.deleted for row in self.collections)

    @property
    def differences(self) -> int:
        """How many the target lacked or had beyond the source."""
        return self.written + self.deleted


def migrate(
    source: MaintainedStore,
    target: MaintainedStore,
    *,
    database: str,
    into_existing: bool = False,
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda sentence: None,
) -> Migration:
    """Makes the target's databases of all projects, and what they share, equal to the source's.

    Args:
        source: Where everything is; it is only read.
        target: Where it is to be. A copy that was killed is continued.
        database: The database that projects share.
        into_existing: Whether the target may hold other data: what has the same id is replaced, what the source's projects have no more
            is deleted, and the rest stays.
        dry_run: Says what would be written, and writes nothing.
        progress: Told in a sentence what happens.

    Raises:
        InvalidInput: The source holds nothing, or the target other data.
        ProjectBusy: A run or an import is at work on a project.
        EditConflict: Something was changed meanwhile; calling again copies that alone.
    """
    projects = tuple(project_ids(source, database))
    names = (database, *map(project_database, projects))
    if not any(source.collections(name) for name in names):
        raise InvalidInput(f"the store at {source.place} holds nothing to be copied, expected a project or an execution")
    _check_idle(source, target, database)
    shared, *own = (DatabaseCopy(source=source, target=target, database=name) for name in names)
    walk = partial(_walk, projects, [replace(shared, projects=projects), *own])
    noted = Copies(target, database)
    if not into_existing and not noted.is_under_way(source.place):
        held = [name for name in names if any(_has_documents(target, name, one) for one in target.collections(name))]
        if held:
            progress(f"the store at {target.place} holds data already, comparing")
            compared = walk(write=False)
            if compared.differences:
                raise InvalidInput(
                    f"the store at {target.place} holds other data in {listed(held, 3)}, expected an empty one or --into-existing: "
                    "that replaces what has the same id, deletes what these projects have no more, and leaves the rest"
                )
            return compared
    if dry_run:
        return walk(write=False, progress=progress)
    noted.note(source.place, done=False)
    done = walk(write=True, progress=progress)
    progress("comparing both sides")
    compared = walk(write=False)
    _check_idle(source, target, database)
    if compared.differences:
        raise EditConflict(f"{counted(compared.differences, 'document')} changed while everything was copied: call it again")
    noted.note(source.place, done=True)
    taken = {(row.database, row.collection): row for row in done.collections}
    rows = ((now, taken.get((now.database, now.collection), now)) for now in compared.collections)
    return replace(compared, collections=tuple(replace(now, written=then.written, deleted=then.deleted) for now, then in rows))


def _walk(
    projects: tuple[str, ...], copies: list[DatabaseCopy], *, write: bool, progress: Callable[[str], None] = lambda sentence: None
) -> Migration:
    rows = []
    last = time.monotonic()
    for number, copy in enumerate(copies, 1):
        for collection in copy.collections():
            where = f"{number}/{len(copies)} {copy.database} {collection}"

            def told(documents: int, where: str = where) -> None:
                nonlocal last
                if time.monotonic() - last > TELL_S:
                    last = time.monotonic()
                    progress(f"{where}: {documents:,} documents so far")

            row = copy.run(collection, write=write, told=told)
            rows.append(row)
            progress(f"{where}: {row.written:,} of {row.documents:,} documents {'copied' if write else 'to be copied'}")
    return Migration(projects=projects, collections=tuple(rows))


def _has_documents(store: MaintainedStore, database: str, collection: str) -> bool:
    return collection not in LEFT_BEHIND and bool(store.find(database, collection, limit=1))


def _check_idle(source: MaintainedStore, target: MaintainedStore, database: str) -> None:
    for store in (source, target):
        live = sorted(Leases(store, database).live())
        if live:
            raise ProjectBusy(
                f"the store at {store.place} has runs at work on {listed(live, 5)}: wait for them, or end them with gather cancel, "
                "then call it again"
            )
