"""The reviews of all kinds, in the shared database (the body of `ReviewQueue`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic import JsonValue

from gather_pipeline.domain.reviews import BECOMES, Choice, Proposal, Review, Status, Step
from gather_pipeline.errors import DuplicateKey, EditConflict, UnknownEntity, VersionConflict
from gather_pipeline.ports import Clock, Document, DocumentStore

REVIEWS = "reviews"
KEPT_SOURCES = 200  # the newest: a batch that is run again and again must not let a document grow for ever


class Reviews:
    """Reviews by id; what two people do at once is done one after the other."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    def propose(self, proposal: Proposal) -> Review:
        """Asks a person, once; see `ReviewQueue.propose`."""
        first = self._step("", "proposed")
        new = Review(id=proposal.id, proposal=proposal, status="open", sources=(proposal.source,), history=(first,))
        try:
            self._store.insert_many(self._database, REVIEWS, [_document(new)])
        except DuplicateKey:
            return self._change(proposal.id, lambda review: self._proposed_again(review, proposal))
        return new

    def get(self, id: str) -> Review:
        """The review of that id; raises `UnknownEntity` where there is none."""
        return self._found(id)[0]

    def find(self, *, status: Status | None = None, kind: str | None = None, assignee: str | None = None) -> list[Review]:
        """Reviews of a status, a kind and an assignee, all where None, the oldest first."""
        where = {"kind": kind} if kind is not None else None
        found = [self._of(row) for row in self._store.find(self._database, REVIEWS, where, sort=[("created_at", 1)])]
        return [one for one in found if status in (None, one.status) and assignee in (None, one.proposal.assignee)]

    def decide(self, id: str, choice: Choice, *, by: str, note: str = "", changed: JsonValue | None = None) -> Review:
        """Ends a review; see `ReviewQueue.decide`."""
        step = self._step(by, BECOMES[choice], note)

        def decided(review: Review) -> dict[str, Any]:
            if review.is_decided and (review.status, review.history[-1].by, review.changed) == (BECOMES[choice], by, changed):
                return {}
            return _while_open(review, step, status=BECOMES[choice], changed=json.dumps(changed))

        return self._change(id, decided)

    def reassign(self, id: str, assignee: str | None, *, by: str, note: str = "") -> Review:
        """Gives a review to somebody else, to anybody where None; raises as `decide` does."""
        step = self._step(by, "reassigned", note or f"to {assignee or 'anybody'}")
        return self._change(id, lambda review: _while_open(review, step, assignee=assignee))

    def expire(self, id: str, *, by: str, note: str = "") -> Review:
        """Lets a review lapse; raises as `decide` does."""
        step = self._step(by, "expired", note)
        return self._change(id, lambda review: _while_open(review, step, status="expired"))

    def _proposed_again(self, review: Review, proposal: Proposal) -> dict[str, Any]:
        sources = [*(source for source in review.sources if source != proposal.source), proposal.source][-KEPT_SOURCES:]
        changes: dict[str, Any] = {} if tuple(sources) == review.sources else {"sources": sources}
        if review.status == "expired":
            again = {"status": "open", "assignee": proposal.assignee, "expires_at": proposal.expires_at}
            changes |= again | {"history": _with(review, self._step("", "proposed"))}
        return changes

    def _change(self, id: str, change: Callable[[Review], dict[str, Any]]) -> Review:
        """The review after a change that is worked out anew whenever somebody else was faster."""
        while True:
            review, version = self._found(id)
            changes = change(review)
            if not changes:
                return review
            try:
                return self._of(self._store.update(self._database, REVIEWS, id, changes, expected_version=version))
            except VersionConflict:
                continue

    def _found(self, id: str) -> tuple[Review, int]:
        row = self._store.get(self._database, REVIEWS, id)
        if row is None:
            raise UnknownEntity.field("review", id, "the id of a review (tlm review list)")
        return self._of(row), row["_version"]

    def _of(self, row: Document) -> Review:
        """The review of a document; one that is open past its time has lapsed, whether or not anybody has said so."""
        review = _review(row)
        if review.status == "open" and review.proposal.expires_at is not None and review.proposal.expires_at <= self._clock.now():
            lapsed = Step(at=review.proposal.expires_at, by="", action="expired")
            return Review(**{**vars(review), "status": "expired", "history": (*review.history, lapsed)})
        return review

    def _step(self, by: str, action: Any, note: str = "") -> Step:
        return Step(at=self._clock.now(), by=by, action=action, note=note)


def _while_open(review: Review, step: Step, **changes: Any) -> dict[str, Any]:
    """Changes of a review that nobody has ended yet, with the step that makes them."""
    if review.status != "open":
        raise EditConflict(f"review {review.id} is not open: {review.told}")
    return {**changes, "history": _with(review, step)}


def _with(review: Review, step: Step) -> list[dict[str, Any]]:
    return [asdict(one) for one in (*review.history, step)]


def _document(review: Review) -> Document:
    """The review as a document; what is proposed stands in it as JSON, for its keys may be any."""
    proposal = review.proposal
    frozen = {name: getattr(proposal, name) for name in ("title", "content", "subject", "schema", "validations", "shown", "source")}
    return {
        "_id": review.id,
        "kind": proposal.kind,
        "status": review.status,
        "assignee": proposal.assignee,
        "expires_at": proposal.expires_at,
        "created_at": review.history[0].at,
        "proposal": json.dumps(frozen),
        "sources": list(review.sources),
        "changed": json.dumps(review.changed),
        "history": [asdict(step) for step in review.history],
    }


def _review(row: Document) -> Review:
    frozen = json.loads(row["proposal"])
    kept = {name: row[name] for name in ("kind", "assignee", "expires_at")}
    return Review(
        id=row["_id"],
        proposal=Proposal(**{**frozen, **kept, "validations": tuple(frozen["validations"])}),
        status=row["status"],
        sources=tuple(row["sources"]),
        history=tuple(Step(**step) for step in row["history"]),
        changed=json.loads(row["changed"]),
    )
