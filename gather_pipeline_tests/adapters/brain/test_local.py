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


def test_a_project_is_loaded_when_it_is_first_asked_about() -> None:
    assert [item.id for item in brain().context("p", "the violin of the harbour")] == ["2", "1"]
    assert brain().context("q", "anything") == []


def test_what_replaces_a_project_s_items_is_all_that_is_known_of_it() -> None:
    memory = brain()
    known = remembered(ITEMS[1:])
    memory.replace("p", known.nodes, known.vectors)
    assert [item.id for item in memory.context("p", "night")] == ["2"]
