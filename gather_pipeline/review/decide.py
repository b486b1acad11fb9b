"""A person's decision: checked, kept, and told to the executions that wait for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gather_pipeline.domain.reviews import TASK_OUTPUT, Choice, Proposal, Review
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.ports import ReviewQueue
from gather_pipeline.tasks import schemas
from gather_pipeline.tasks.definition import Specification
from gather_pipeline.tasks.execution import Feedback


def decide(
    queue: ReviewQueue,
    id: str,
    choice: Choice,
    *,
    by: str,
    note: str = "",
    changed: Any = None,
    feedback: Callable[[str, Feedback], object],
) -> Review:
    """Ends a review and tells every execution that waits for its output; who says the same again only tells them again.

    `changed` is what the content should be instead, for `edit` alone; `feedback` takes an execution's id and what is said of its output.

    Raises:
        InvalidInput: The changed content is missing or does not fit, or there is one and the choice is another.
        UnknownEntity: There is no such review.
        EditConflict: Somebody else has decided it, or it has lapsed.
    """
    proposal = queue.get(id).proposal
    if (choice == "edit") is (changed is None):
        raise InvalidInput(f"the decision is to {choice}, expected {'a changed output' if choice == 'edit' else 'no changed output'}")
    if choice == "edit":
        changed = _checked(proposal, changed)
    review = queue.decide(id, choice, by=by, note=note, changed=changed)
    last = review.history[-1]
    told = f"review {id} {last.action}. {last.note}".strip()
    said = Feedback(by=last.by, at=last.at, source="review", accepted=choice != "reject", note=told, corrected=review.changed)
    for source in review.sources if proposal.kind == TASK_OUTPUT else ():
        with suppress(UnknownEntity):  # its process ended before its record
            feedback(source, said)
    return review


def _checked(proposal: Proposal, changed: Any) -> Any:
    """What a person wrote as plain JSON, or a refusal."""
    plain = schemas.plain({"changed": changed})["changed"]
    wrong = Specification(schema=dict(proposal.schema), validations=proposal.validations).complaint(plain)
    if wrong:
        raise InvalidInput(f"the changed output does not fit: {wrong}")
    return plain
