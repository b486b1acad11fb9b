"""What follows from a person's decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.domain.reviews import BECOMES, Proposal
from gather_pipeline.errors import EditConflict, InvalidInput
from gather_pipeline.records.executions import Executions
from gather_pipeline.records.review import Reviews
from gather_pipeline.review.decide import decide
from gather_pipeline.tasks.execution import Feedback
from gather_pipeline_tests.tasks.builders import Bench, define


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def queue(store: SqliteStore) -> Reviews:
    return Reviews(store, "studio", SystemClock())


def proposed(queue: Reviews, source: str = "e1") -> str:
    output = define().output
    proposal = Proposal(
        kind="task_output",
        title="greeting",
        content={"greeting": "Hi."},
        subject={"task": "greeting"},
        schema=output.json_schema,
        validations=output.validations,
        source=source,
    )
    return queue.propose(proposal).id


@pytest.mark.parametrize(
    ("choice", "accepted", "changed"), [("accept", True, None), ("reject", False, None), ("edit", True, {"greeting": "Ho."})]
)
def test_everyone_who_waits_is_told(queue: Reviews, choice: Any, accepted: bool, changed: Any):
    id = proposed(queue)
    proposed(queue, "e2")
    told: list[tuple[str, Feedback]] = []
    decide(queue, id, choice, by="Mara", note="so", changed=changed, feedback=lambda source, said: told.append((source, said)))
    assert [source for source, _ in told] == ["e1", "e2"]
    said = told[0][1]
    assert (said.by, said.accepted, said.source, said.note) == ("Mara", accepted, "review", f"review {id} {BECOMES[choice]}. so")
    assert said.corrected == changed


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"greeting": 7}, "the changed output does not fit: greeting: 7 is not of type 'string'"),
        ({"greeting": " "}, "the changed output does not fit: greeting is empty"),
        ({"greeting": "Ho.", "extra": 1}, "the changed output does not fit: the whole: Additional properties"),
        ("Ho.", "the changed output does not fit: the whole: 'Ho.' is not of type 'object'"),
        (None, "the decision is to edit, expected a changed output"),
    ],
)
def test_a_changed_output_must_fit_the_task(queue: Reviews, changed: Any, told: str):
    id = proposed(queue)
    with pytest.raises(InvalidInput) as refused:
        decide(queue, id, "edit", by="Mara", changed=changed, feedback=lambda *_: None)
    assert str(refused.value).startswith(told) and queue.get(id).status == "open"


def test_a_changed_output_belongs_to_an_edit(queue: Reviews):
    with pytest.raises(InvalidInput, match="the decision is to accept, expected no changed output"):
        decide(queue, proposed(queue), "accept", by="Mara", changed={"greeting": "Ho."}, feedback=lambda *_: None)


def test_what_is_no_output_of_a_task_has_no_execution_to_tell(queue: Reviews):
    draft = Proposal(kind="draft", title="story", content="A draft.", subject={"department": "story"}, source="draft-1")
    assert decide(queue, queue.propose(draft).id, "accept", by="Mara", feedback=lambda *_: pytest.fail("told")).status == "accepted"


def test_the_second_person_tells_nobody(queue: Reviews):
    id = proposed(queue)
    decide(queue, id, "accept", by="Mara", feedback=lambda *_: None)
    with pytest.raises(EditConflict, match="Mara accepted it"):
        decide(queue, id, "reject", by="Jon", feedback=lambda *_: pytest.fail("told"))


def test_a_decision_is_feedback_of_the_execution_once_however_often_it_is_told(queue: Reviews, store: SqliteStore):
    bench, executions = Bench('{"greeting": "Hi."}'), Executions(store, "studio")
    bench.run()
    executions.add(bench.record)
    id = proposed(queue, bench.record.id)
    for note in ("too stiff", "too stiff", ""):  # as after a kill between the decision and its telling
        decide(queue, id, "reject", by="Mara", note=note, feedback=executions.feedback)
    [said] = executions.get(bench.record.id).feedback
    assert (said.by, said.accepted, said.source, said.note) == ("Mara", False, "review", f"review {id} rejected. too stiff")


def test_an_execution_whose_process_ended_before_its_record_stops_nobody(queue: Reviews, store: SqliteStore):
    assert decide(queue, proposed(queue, "gone"), "accept", by="Mara", feedback=Executions(store, "studio").feedback).status == "accepted"
