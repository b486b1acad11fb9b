from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.errors import EditConflict, UnknownEntity
from gather_pipeline.ports import DocumentStore
from gather_pipeline.records.projects import Projects
from gather_pipeline_tests.samples import Dial


def test_of_two_who_change_a_project_at_once_neither_loses_a_word(store: DocumentStore, database: str) -> None:
    """Jon's brief comes after Mara's look at the project."""
    projects = Projects(store, database, Dial())
    projects.create("Salt", "First.", "salt")

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def get(self, *args: Any) -> Any:
            found = store.get(*args)
            if projects.get("salt").brief == "First.":
                projects.update("salt", brief="Jon's.", by="Jon")
            return found

    with pytest.raises(EditConflict, match="project salt was changed by somebody else at the same moment"):
        Projects(Slow(), database, Dial()).update("salt", brief="Mara's.", by="Mara")  # type: ignore[arg-type]
    assert (projects.get("salt").brief, [one.brief for one in projects.earlier("salt")]) == ("Jon's.", ["First."])
    with pytest.raises(UnknownEntity, match="project id is 'pepper', expected one of salt"):
        projects.update("pepper", brief="Hot.")
