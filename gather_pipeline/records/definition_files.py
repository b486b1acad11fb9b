"""Which version of a task a user's file held when it was last read, so that one that goes back is noticed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from gather_pipeline.errors import InvalidInput, StoreError
from gather_pipeline.ports import DocumentStore
from gather_pipeline.tasks.definition import TaskDefinition, version_key
from gather_pipeline.tasks.execution import digest

FILES = "task_files"

logger = logging.getLogger(__name__)


class DefinitionFiles:
    """The files of all folders of definitions, in the shared database."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def read(self, files: Iterable[tuple[Path, TaskDefinition]]) -> dict[Path, str]:
        """Remembers the versions in files that were just read; gives what is wrong with those whose version went back."""
        wrong: dict[Path, str] = {}
        found = {digest([str(path), definition.id]): (path, definition) for path, definition in files}
        known = {row["_id"]: row["version"] for row in self._store.find(self._database, FILES, {"_id": {"$in": list(found)}})}
        for id, (path, definition) in found.items():
            before = known.get(id)
            if before is not None and version_key(definition.version) < version_key(before):
                told = f"a version from {before} up, which the file had before; an older one goes into a file of its own"
                wrong[path] = f"{path.name}: {InvalidInput.field('key version', definition.version, told)}"
            elif before != definition.version:
                row = {"_id": id, "path": str(path), "task": definition.id, "version": definition.version}
                try:
                    self._store.upsert(self._database, FILES, row)
                except StoreError as error:  # whoever only reads needs nothing remembered
                    logger.info("[AutoGather] The version in %s is not remembered: %s", path, error)
        return wrong
