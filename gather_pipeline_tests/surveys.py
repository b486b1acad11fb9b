"""What must hold of a studio's store after kills, and where it is kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gather_pipeline.records.project import DECISIONS, EMBEDDINGS, ITEMS
from gather_pipeline_tests.harness import Studio


@dataclass(frozen=True)
class Place:
    """Where the documents of a project are kept: a folder, or databases of a server."""

    home: Path
    uri: str = ""
    database: str = "gather_pipeline"

    @property
    def settings(self) -> dict[str, Any]:
        return {"mongodb_uri": self.uri or None, "mongodb_db": self.database}

    def open(self) -> Studio:
        return Studio.open(self.home, **self.settings)


def survey(studio: Studio) -> None:
    """What must hold of a store at any time: whole iterations, nothing twice, nothing without its vector and decision."""
    view = studio.view
    assert not [key for key, times in Counter((one.department, one.number) for one in view.iterations).items() if times > 1]
    assert len(view.items) == sum(len(one.item_ids) for one in view.iterations)
    assert {item.id for item in view.items} <= {one.item_id for one in view.embeddings}
    events = studio.records.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def check_the_end(studio: Studio) -> None:
    """What must hold once a run got through: every iteration, no row that is of none, and no run still open."""
    survey(studio)
    iterations = studio.view.iterations
    assert Counter(one.department for one in iterations) == {"story": 2, "visual": 2, "music": 2}
    for collection in (ITEMS, EMBEDDINGS):
        assert len(studio.documents(collection)) == len(studio.state()) > 0
    assert len(studio.documents(DECISIONS)) == sum(one.generated for one in iterations)
    runs = studio.services.runs.of_project(studio.project_id)
    assert {run.status for run in runs} <= {"failed", "completed"}
