"""A project's threshold follows what its people said of pairs, and not before they said enough."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import Embedder
from gather_pipeline.similarity.project import threshold_of
from gather_pipeline.similarity.thresholds import FLOOR_OF_EVIDENCE, Threshold
from gather_pipeline_tests.harness import PROJECT, Studio


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path)
    studio.run(max_iterations=1, departments=("story",))
    yield studio
    studio.close()


def desk(studio: Studio) -> People:
    return People(studio.services)


def threshold(studio: Studio, cost: float = 2.0) -> Threshold:
    return threshold_of(studio.view.everything, studio.view.dropped, HashingEmbedder, cost)


def mark_pairs(studio: Studio, count: int) -> None:
    """Pairs of notes that the rules hold apart and a person calls one."""
    people = desk(studio)
    for number in range(count):
        texts = (
            f"The keeper waits in cellar {number} for the tide.",
            f"Down there, until the water falls, he does not move, night {number}.",
        )
        kept, gone = (people.add(PROJECT, "story", Texts(content=text), "ana") for text in texts)
        people.mark_same(gone.id, kept.id, "ana", project_id=PROJECT)


def never() -> Embedder:
    raise AssertionError("the embedder was opened")


def test_a_pair_that_a_person_marked_is_set_aside_listed_and_restorable(studio: Studio) -> None:
    kept, gone, *_ = studio.view.items_of("story")
    after = desk(studio).mark_same(gone.id, kept.id, "ana")
    assert (after.state, after.history()[-1].note) == ("dropped", f"ana says that it is the same as {kept.id}")
    (decision,) = [one.decision for one in studio.view.dropped if one.item_id == gone.id]
    assert (decision.rule, decision.match_id, decision.match_content) == ("person", kept.id, kept.content)
    assert desk(studio).restore(gone.id, "ben").is_active


def test_below_the_floor_of_evidence_nothing_moves_and_nothing_is_embedded(studio: Studio) -> None:
    mark_pairs(studio, FLOOR_OF_EVIDENCE - 1)
    found = threshold_of(studio.view.everything, studio.view.dropped, never, 2.0)
    assert found.value == found.usual == pytest.approx(2 / 3)
    assert found.reason == f"dropped from 67%; 0 restored and {FLOOR_OF_EVIDENCE - 1} marked as the same, {FLOOR_OF_EVIDENCE} move it"


def test_enough_marked_pairs_lower_the_threshold_of_the_next_run(studio: Studio) -> None:
    mark_pairs(studio, FLOOR_OF_EVIDENCE)
    assert threshold(studio).value < 2 / 3
    assert threshold(studio, cost=9.0).usual == pytest.approx(0.9)


def test_only_two_active_items_of_one_project_can_be_marked(studio: Studio) -> None:
    kept, gone, *_ = studio.view.items_of("story")
    people = desk(studio)
    with pytest.raises(InvalidInput, match=f"other is '{kept.id}', expected another item"):
        people.mark_same(kept.id, kept.id, "ana")
    with pytest.raises(UnknownEntity, match="item is"):
        people.mark_same("0" * 24, kept.id, "ana")
    people.delete(gone.id, "ana")
    with pytest.raises(InvalidInput, match="is deleted, expected one that is there"):
        people.mark_same(gone.id, kept.id, "ana")
