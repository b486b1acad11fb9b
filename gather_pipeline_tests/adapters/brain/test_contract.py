"""What every body of the port `Brain` promises: the local index, and the client over HTTP of what `gather brain serve` serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gather_pipeline.adapters.brain.http import HttpBrain
from gather_pipeline.adapters.brain.local import Memory
from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.bootstrap import local_brain
from gather_pipeline.domain.departments import parse_departments
from gather_pipeline.domain.nodes import Node
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.ports import Brain
from gather_pipeline_tests.brain_server import KEY, BrainServer
from gather_pipeline_tests.harness import department_row

LIGHT, VIOLIN = "The keeper climbs the lighthouse at night.", "A violin plays in the empty harbour office."


def node(id: str, content: str, department: str = "story", **fields: object) -> Node:
    return Node(id=id, department=department, content=content, summary=content[:10], **fields)  # type: ignore[arg-type]


@pytest.fixture(params=["local", "http"])
def brain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Brain]:
    if request.param == "local":
        yield local_brain(HashingEmbedder(), lambda project_id: Memory(nodes=[], vectors=np.empty((0, 0), np.float32)))
        return
    with BrainServer(tmp_path) as server:
        client = HttpBrain(server.url, KEY, Secrets())
        yield client
        client.close()


def test_the_nearest_item_comes_first_with_its_similarity(brain: Brain) -> None:
    brain.index("salt", [node("1", LIGHT), node("2", VIOLIN, "music")])
    first, second = brain.context("salt", "the violin of the harbour", limit=2)
    assert (first.id, first.department, first.content, first.summary, second.id) == ("2", "music", VIOLIN, "A violin p", "1")
    assert 1 >= first.similarity > second.similarity
    assert len(brain.context("salt", "the violin", limit=1)) == 1


def test_a_department_s_context_is_of_those_before_it_where_they_are_named(brain: Brain) -> None:
    brain.index("salt", [node("1", LIGHT), node("2", VIOLIN, "music"), node("3", "Brass in the fog.", "sound")])
    found = brain.context("salt", "violin", department="visual", previous=["story", "sound"])
    assert {one.id for one in found} == {"1", "3"}


def test_a_later_version_replaces_the_earlier_one_and_a_deletion_removes_it(brain: Brain) -> None:
    brain.index("salt", [node("1", LIGHT), node("2", VIOLIN)])
    brain.index("salt", [node("1", "Salt dries on the ledger.", version=2)])
    assert {one.id: one.content for one in brain.context("salt", "salt")} == {"1": "Salt dries on the ledger.", "2": VIOLIN}
    brain.index("salt", [node("1", "", version=3, is_active=False)])
    brain.index("salt", [node("2", "", version=2, is_active=False)])
    assert brain.context("salt", "salt") == []
    brain.index("salt", [node("1", LIGHT, version=4)])
    assert [one.id for one in brain.context("salt", "salt")] == ["1"]


def test_the_same_again_changes_nothing_and_the_last_of_a_batch_stands(brain: Brain) -> None:
    brain.index("salt", [node("1", LIGHT), node("1", VIOLIN, version=2)])
    brain.index("salt", [node("1", VIOLIN, version=2)])
    assert [one.content for one in brain.context("salt", "salt")] == [VIOLIN]
    brain.index("salt", [])


def test_projects_do_not_see_each_other(brain: Brain) -> None:
    brain.index("salt", [node("1", LIGHT)])
    assert brain.context("pepper", "lighthouse") == [] == brain.duplicates("pepper", LIGHT)


def test_what_says_the_same_is_found_and_what_contradicts_it_is_not(brain: Brain) -> None:
    brain.index("salt", [node("1", LIGHT), node("2", VIOLIN)])
    (same,) = brain.duplicates("salt", "the keeper climbs the lighthouse  at night.")
    assert (same.id, same.similarity) == ("1", 1.0)
    assert brain.duplicates("salt", "The keeper never climbs the lighthouse at night.") == []
    assert brain.duplicates("salt", "An entirely different matter.", threshold=0.5) == []


def test_a_department_is_covered_by_what_its_items_say(brain: Brain) -> None:
    (department,) = parse_departments([department_row("story", 1)], "test")
    assert brain.coverage("salt", department, []).score == 0
    items = [node("1", "The tower opening in story: the tower's bell rings eleven times while Ada counts the copper gears aloud.")]
    found = brain.coverage("salt", department, items)
    assert 0 < found.score <= 100 and set(found.least_covered) == set(department.aspects)
