"""What is stored of a value gives the value back, and rows of earlier releases are still read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gather_pipeline.context.selection import Candidate, select
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult, DepartmentResult, Run
from gather_pipeline.domain.decisions import DecidedText, Decision
from gather_pipeline.domain.departments import Department, StoredDepartment
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.items import NewItem
from gather_pipeline.domain.quality import Part
from gather_pipeline.records import documents as rows
from gather_pipeline_tests.samples import a_quality, a_score, an_iteration


def test_an_iteration_comes_back_as_it_was() -> None:
    whole = an_iteration(partial=True, seconds={"save": 0.5}, faults=("one",))
    assert rows.iteration_of(rows.iteration_document(whole)) == whole


def test_a_ledger_comes_back_as_it_was_and_its_document_has_the_sum() -> None:
    candidates = [Candidate(id="brief", kind="brief", text="One.", priority="high"), Candidate(id="a", text="Three.")]
    ledger = replace(select(candidates, 5, len).ledger, aspects=("sea",))
    document = rows.ledger_document(ledger)
    assert rows.ledger_of(document) == ledger
    assert document["included_tokens"] == 4 and [one["state"] for one in document["elements"]] == ["included", "dropped"]


def test_the_ledger_of_an_earlier_release_is_read() -> None:
    row = {"id": "brief", "kind": "brief", "hash": "h", "outcome": "shortened", "tokens": 3, "full_tokens": 9, "reason": "high: shortened"}
    ledger = rows.early_ledger_of([row, row | {"id": "a", "kind": "brain", "outcome": "dropped"}])
    assert [(one.state, one.priority) for one in ledger.entries] == [("distilled", "high"), ("dropped", "low")]
    assert ledger.included_tokens == 3


def test_a_score_with_an_unknown_part_and_a_judge_comes_back_as_it_was() -> None:
    parts = {**a_quality().parts, "coherence": Part(value=None, reasons=("Unknown.",), evidence=("i1",))}
    score = a_score(
        quality=a_quality(parts=parts, unjudged=55.0, contradictions=("48, against 61.",), deduction=15.0), value=45.0, revision=3
    )
    assert rows.score_of(rows.score_document(score) | {"_version": 3}) == score


@pytest.mark.parametrize(("fields", "judged"), [({}, False), ({"unjudged": None}, False), ({"unjudged": 50.0}, True)])
def test_scores_of_earlier_releases_say_by_their_fields_whether_a_judge_had_a_part(fields: dict[str, object], judged: bool) -> None:
    document = rows.quality_document(a_quality())
    early = {name: document[name] for name in ("parts", "scorer", "version")} | fields
    assert rows.quality_of(early).judged is judged


def test_a_draft_a_department_an_event_and_a_decision_come_back_as_they_were() -> None:
    draft = Draft(
        department="story",
        title="Story",
        text="- one",
        status="pending",
        quality_score=60.0,
        threshold=80.0,
        item_ids=("a",),
        data_version="v",
        draft_version="1",
        created_at="now",
        revision=2,
    )
    assert rows.draft_of(rows.draft_document(draft) | {"_version": 2}) == draft
    department = Department(slug="story", name="Story", description="Plot", codeDepNumber=3)
    stored = StoredDepartment(department=department, place=1, retired=True)
    assert rows.department_of(rows.department_document(stored)) == stored
    event = Event(type="deduplicating", fields={"department": "story", "iteration": 2}, project_id="p", task_id="t", sequence=4, at="now")
    assert rows.event_of(rows.event_document(event)) == event
    decided = DecidedText(
        key="story|000001|000",
        item_id="i",
        department="story",
        iteration=1,
        place=0,
        text=NewItem(content="c", summary="s", context="", aspect="a", provenance={"model": "m"}),
        decision=Decision(duplicate=True, rule="exact", similarity=1.0, cosine=1.0, match_id="x", match_content="c", reason="same"),
        rules_version="r",
    )
    assert rows.decided_of(rows.decided_document(decided), "p") == decided


def test_a_run_comes_back_with_its_output_and_without_one_as_long_as_it_runs() -> None:
    request = AutomationRequest(project_id="p", webhook_url="https://example.org/secret")
    begun = {"_id": "t", "project_id": "p", "status": "running", "request": request.to_document(), "started_at": "now"}
    assert rows.run_of(begun) == Run(
        task_id="t", project_id="p", status="running", request=request.to_document() | {"webhook_url": "example.org"}, started_at="now"
    )
    row = DepartmentResult(
        department="story",
        name="Story",
        quality_score=60.0,
        threshold=50.0,
        iterations=1,
        items_created=2,
        ended_by="threshold",
        reason="r",
    )
    result = AutomationResult(
        task_id="t",
        project_id="p",
        status="completed",
        iterations=1,
        departments_processed=1,
        items_created=2,
        processing_time_ms=5,
        summary=(row,),
        reason="done",
        tokens=None,
        cost=0.5,
    )
    assert rows.run_of(begun | result.to_document()).result == result
