"""The embedded brain: the project's own items, nearest in meaning first (S001-TEST-07)."""

from __future__ import annotations

from gather_pipeline.adapters.brain.local import LocalBrain
from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.domain.departments import Department
from gather_pipeline.ports import Document, Vectors

STORY = Department(slug="story", name="Story")
ITEMS: list[Document] = [
    {"id": "1", "content": "The keeper climbs the lighthouse at night.", "summary": "", "department": "story"},
    {"id": "2", "content": "A violin plays in the empty harbour office.", "summary": "", "department": "music"},
]


def brain(items: list[Document] = ITEMS, stored: bool = True) -> LocalBrain:
    embedder = HashingEmbedder()

    def load(project_id: str) -> tuple[list[Document], Vectors | None]:
        known = items if project_id == "p" else []
        return list(known), embedder.embed([item["content"] for item in known]) if stored else None

    return LocalBrain(load, embedder)


def test_the_nearest_item_comes_first_with_its_similarity() -> None:
    found = brain().context("p", "the violin of the harbour", limit=2)
    assert [item["id"] for item in found] == ["2", "1"]
    assert found[0]["similarity"] > found[1]["similarity"]


def test_a_project_without_items_has_no_context() -> None:
    assert brain().context("q", "anything") == []


def test_what_is_indexed_is_found_and_replaces_its_older_text() -> None:
    memory = brain()
    memory.index("p", [{"id": "3", "content": "Salt dries on the ledger.", "summary": ""}], STORY)
    assert memory.context("p", "salt on the ledger", limit=1)[0]["id"] == "3"
    memory.index("p", [{"id": "3", "content": "The ferry is late.", "summary": ""}], STORY)
    found = memory.context("p", "the late ferry", limit=10)
    assert found[0]["content"] == "The ferry is late."
    assert len(found) == 3


def test_projects_do_not_see_each_other() -> None:
    memory = brain()
    memory.index("q", [{"id": "9", "content": "Another film.", "summary": ""}], STORY)
    assert {item["id"] for item in memory.context("p", "another film")} == {"1", "2"}


def test_vectors_that_are_not_stored_are_made() -> None:
    assert brain(stored=False).context("p", "lighthouse at night", limit=1)[0]["id"] == "1"


def test_indexing_nothing_changes_nothing() -> None:
    memory = brain()
    memory.index("p", [], STORY)
    assert len(memory.context("p", "night")) == 2


def test_a_forgotten_project_is_read_anew() -> None:
    items = list(ITEMS)
    memory = brain(items)
    assert len(memory.context("p", "night")) == 2
    del items[0]
    assert len(memory.context("p", "night")) == 2
    memory.forget("p")
    memory.forget("unknown")
    assert [item["id"] for item in memory.context("p", "night")] == ["2"]
