"""The embedded brain: the project's own items, nearest in meaning first (S001-TEST-07)."""

from __future__ import annotations

from gather_pipeline.adapters.brain.local import EmbeddedBrain, Memory
from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.bootstrap import local_brain
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.nodes import Node
from gather_pipeline_tests.domain.test_item_lines import make_item

EMBEDDER = HashingEmbedder()
ITEMS = [
    make_item("The keeper climbs the lighthouse at night.", id="1"),
    make_item("A violin plays in the empty harbour office.", id="2", department="music"),
]


def remembered(items: list[Item]) -> Memory:
    return Memory(nodes=[Node.of(item) for item in items], vectors=EMBEDDER.embed([item.content for item in items]))


def brain() -> EmbeddedBrain:
    return local_brain(EMBEDDER, lambda project_id: remembered(ITEMS if project_id == "p" else []))


def learn(memory: EmbeddedBrain, project_id: str, *items: Item) -> None:
    memory.index(project_id, [Node.of(item) for item in items])


def test_the_nearest_item_comes_first_with_its_similarity() -> None:
    first, second = brain().context("p", "the violin of the harbour", limit=2)
    assert (first.id, first.department, second.id) == ("2", "music", "1")
    assert first.similarity > second.similarity


def test_a_project_without_items_has_no_context() -> None:
    assert brain().context("q", "anything") == []


def test_what_is_indexed_is_found_and_replaces_its_older_text() -> None:
    memory = brain()
    learn(memory, "p", make_item("Salt dries on the ledger.", id="3"))
    assert memory.context("p", "salt on the ledger", limit=1)[0].id == "3"
    learn(memory, "p", make_item("The ferry is late.", id="3"))
    found = memory.context("p", "the late ferry")
    assert found[0].content == "The ferry is late."
    assert len(found) == 3


def test_projects_do_not_see_each_other() -> None:
    memory = brain()
    learn(memory, "q", make_item("Another film.", id="9"))
    assert {item.id for item in memory.context("p", "another film")} == {"1", "2"}


def test_indexing_nothing_changes_nothing() -> None:
    memory = brain()
    learn(memory, "p")
    assert len(memory.context("p", "night")) == 2


def test_what_replaces_a_project_s_items_is_all_that_is_known_of_it() -> None:
    memory = brain()
    known = remembered(ITEMS[1:])
    memory.replace("p", known.nodes, known.vectors)
    assert [item.id for item in memory.context("p", "night")] == ["2"]
