"""The review queue, on every body of the store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gather_pipeline.domain.reviews import Proposal
from gather_pipeline.errors import EditConflict, UnknownEntity
from gather_pipeline.ports import DocumentStore
from gather_pipeline.records import review
from gather_pipeline.records.review import Reviews
from gather_pipeline_tests.samples import Dial

SCHEMA: dict[str, Any] = {"$defs": {"a.b": {"type": "string"}}, "$ref": "#/$defs/a.b"}  # keys that no store takes as they are
PROPOSAL = Proposal(
    kind="task_output", title="greeting", content={"$greeting": "Hi."}, subject={"task": "greeting"}, schema=SCHEMA, source="e1"
)


@pytest.fixture
def clock() -> Dial:
    return Dial()


@pytest.fixture
def queue(store: DocumentStore, database: str, clock: Dial) -> Reviews:
    return Reviews(store, database, clock)


def test_what_is_proposed_is_kept_as_it_is(queue: Reviews) -> None:
    made = queue.propose(PROPOSAL)
    assert queue.get(made.id) == made and made.proposal == PROPOSAL and made.status == "open"
    queue.decide(made.id, "edit", by="Mara", changed={"$greeting": "Ho."})
    after = queue.get(made.id)
    assert (after.proposal.content, after.changed, after.status) == ({"$greeting": "Hi."}, {"$greeting": "Ho."}, "edited")


def test_the_same_proposal_is_one_review_with_the_newest_who_wait(queue: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "KEPT_SOURCES", 3)
    first = queue.propose(PROPOSAL)
    for source in ("e2", "e3", "e2", "e4"):
        again = queue.propose(replace(PROPOSAL, source=source, title="said otherwise"))
    assert again.id == first.id and len(queue.find()) == 1 and again.proposal.title == "greeting"
    assert again.sources == ("e3", "e2", "e4")


def test_a_decided_review_stays_decided_when_it_is_proposed_again(queue: Reviews) -> None:
    id = queue.propose(PROPOSAL).id
    queue.decide(id, "reject", by="Mara")
    assert queue.propose(replace(PROPOSAL, source="e2")).status == "rejected"


def test_of_two_who_decide_the_second_hears_who_was_first(queue: Reviews) -> None:
    id = queue.propose(PROPOSAL).id
    queue.decide(id, "accept", by="Mara", note="fine")
    with pytest.raises(EditConflict, match=rf"review {id} is not open: Mara accepted it at 2026-11-26 08:00 UTC: fine"):
        queue.decide(id, "reject", by="Jon")
    with pytest.raises(EditConflict):
        queue.decide(id, "reject", by="Mara")
    assert queue.decide(id, "accept", by="Mara").history == queue.get(id).history


def test_two_who_decide_at_once_are_one_after_the_other(store: DocumentStore, database: str, clock: Dial) -> None:
    """Jon's decision comes between the read and the write of Mara's."""

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def update(self, *args: Any, **options: Any) -> Any:
            if Reviews(store, database, clock).get(id).status == "open":
                Reviews(store, database, clock).decide(id, "reject", by="Jon")
            return store.update(*args, **options)

    id = Reviews(store, database, clock).propose(PROPOSAL).id
    with pytest.raises(EditConflict, match="Jon rejected it"):
        Reviews(Slow(), database, clock).decide(id, "accept", by="Mara")  # type: ignore[arg-type]
    assert [step.by for step in Reviews(store, database, clock).get(id).history] == ["", "Jon"]


def test_a_review_is_given_to_somebody_else(queue: Reviews) -> None:
    id = queue.propose(replace(PROPOSAL, assignee="Mara")).id
    assert queue.find(assignee="Jon") == []
    after = queue.reassign(id, "Jon", by="Mara", note="on leave")
    assert after.proposal.assignee == "Jon" and queue.find(assignee="Jon", status="open") == [after]
    assert (after.history[-1].action, after.history[-1].note) == ("reassigned", "on leave")
    assert queue.reassign(id, None, by="Mara").history[-1].note == "to anybody"


def test_a_review_lapses_by_itself_and_is_decided_no_more_until_it_is_asked_anew(queue: Reviews, clock: Dial) -> None:
    late = replace(PROPOSAL, expires_at="2026-11-26T09:00:00.000000+00:00")
    id = queue.propose(late).id
    clock.time = "2026-11-26T09:00:00.000000+00:00"
    assert [one.status for one in queue.find()] == ["expired"] and queue.find(status="open") == []
    for decide in (lambda: queue.decide(id, "accept", by="Mara"), lambda: queue.reassign(id, "Jon", by="Mara")):
        with pytest.raises(EditConflict, match="nobody in time expired it at 2026-11-26 09:00 UTC"):
            decide()
    assert queue.propose(replace(late, source="e2", expires_at=None)).status == "open"
    assert queue.decide(id, "accept", by="Mara").status == "accepted"


def test_a_person_lets_a_review_lapse(queue: Reviews) -> None:
    id = queue.propose(PROPOSAL).id
    assert queue.expire(id, by="Mara", note="the project is over").told == "Mara expired it at 2026-11-26 08:00 UTC: the project is over"


def test_reviews_are_found_by_kind_and_status_the_oldest_first(queue: Reviews, clock: Dial) -> None:
    first = queue.propose(PROPOSAL)
    clock.time = "2026-11-26T08:00:01.000000+00:00"
    draft = queue.propose(replace(PROPOSAL, kind="draft"))
    assert queue.find() == [first, draft] and queue.find(kind="draft") == [draft] and queue.find(status="rejected") == []


def test_a_review_that_is_not_there_is_told(queue: Reviews) -> None:
    with pytest.raises(UnknownEntity, match="review is 'r1', expected the id of a review"):
        queue.get("r1")
