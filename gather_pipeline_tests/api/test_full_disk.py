"""A disk that is full is told as such, in the words of the store, and what can be read still is."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from gather_pipeline.api.routes import reviews
from gather_pipeline.domain.reviews import Proposal
from gather_pipeline_tests.harness import PROJECT, Studio

FULL = 507, "urn:gather:problem:store-full"


@contextmanager
def full_disk() -> Iterator[None]:
    """A block in which no file of this process grows."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_on_a_full_disk_is_told_by_the_store_and_reading_goes_on(studio: Studio, api_client: TestClient) -> None:
    items = f"/api/projects/{PROJECT}/items"
    note = {"department": "story", "content": "The mayor owns the key. " * 500}
    with full_disk():
        refused = api_client.post(items, json=note)
        assert api_client.get(items).status_code == 200
    assert (refused.status_code, refused.json()["type"]) == FULL
    assert ".sqlite3 cannot be read or written: the disk may be full or failing" in refused.json()["detail"]
    assert api_client.post(items, json=note).status_code == 201


@pytest.mark.parametrize("is_full", [True, False])
def test_a_file_that_does_not_fit_is_told_too(
    studio: Studio, api_client: TestClient, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    proposal = Proposal(kind="note", title="A note", content="Ho.", subject={}, schema={"type": "string"}, source="t")
    review = studio.services.reviews.propose(proposal)

    def decide(*args: object, **kwargs: object) -> None:
        raise OSError(28 if is_full else 5, "No space left on device", "tasks/greeting-1.1.0.json")

    monkeypatch.setattr(reviews, "decide", decide)
    url, given = f"/api/reviews/{review.id}/decision", {"json": {"choice": "accept"}}
    if is_full:
        refused = api_client.post(url, **given)
        assert (refused.status_code, refused.json()["type"]) == FULL
        assert refused.json()["detail"] == "No space left on device: cannot write tasks/greeting-1.1.0.json"
    else:
        with pytest.raises(OSError, match="tasks/greeting"):  # ours to look into: the server's log has it
            api_client.post(url, **given)
