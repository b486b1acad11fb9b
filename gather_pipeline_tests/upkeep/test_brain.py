"""The four names of seed S001, with the local index and with a Brain service."""

from __future__ import annotations

from pathlib import Path

import pytest

from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.upkeep.brain import get_brain_context, get_department_context, index_in_brain, search_brain_duplicates
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.server_process import free_port

HAND = "The keeper writes with his left hand."
LAMP = "A brass lamp stands on the north slip."


@pytest.fixture(params=["the local index", "a service that is away"])
def asked(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a note of `story` in a project that the environment's settings lead to."""
    studio = Studio.open(tmp_path)
    id = People(studio.services).add(PROJECT, "story", Texts(content=HAND), "ana").id
    settings = studio.services.settings
    studio.close()
    monkeypatch.setenv("GATHER_HOME", str(settings.home))
    monkeypatch.setenv("GATHER_DEPARTMENTS", str(settings.departments))
    monkeypatch.setenv("GATHER_EMBEDDER", "hashing")
    if request.param != "the local index":
        monkeypatch.setenv("BRAIN_SERVICE_BASE_URL", f"http://127.0.0.1:{free_port()}")
    return id


def test_the_names_of_the_seed_ask_by_meaning(asked: str) -> None:
    assert [row["id"] for row in get_brain_context(PROJECT)] == [asked]
    (twin,) = search_brain_duplicates(HAND.upper(), PROJECT)
    assert twin["id"] == asked and 0.9 <= twin["similarity"] <= 1
    assert search_brain_duplicates(LAMP, PROJECT) == []
    found = get_department_context(PROJECT, "visual", ["story", "music"])
    assert ([row["content"] for row in found["story"]], found["music"]) == ([HAND], [])
    index_in_brain(PROJECT, [{"id": "n1", "content": LAMP}], {"slug": "story"})


def test_what_they_cannot_do_is_said(asked: str) -> None:
    with pytest.raises(UnknownEntity):
        get_brain_context("nowhere")
    with pytest.raises(UnknownEntity):
        get_department_context(PROJECT, "nowhere", ["story"])
    with pytest.raises(InvalidInput, match="expected rows with an id and content"):
        index_in_brain(PROJECT, [{"content": LAMP}], {"slug": "story"})
    with pytest.raises(InvalidInput, match=r"department is \['name'\], expected a row with a slug"):
        index_in_brain(PROJECT, [{"id": "n1", "content": LAMP}], {"name": "Story"})
