"""From an item to all that is known of how it came about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.cli.views.why import why_lines
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.why import why
from gather_pipeline.tasks.rebuilding import rebuild
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Two departments that have run, with a budget that leaves some notes out."""
    rows = [department_row("story", 1), department_row("visual", 2)]
    studio = Studio.open(tmp_path_factory.mktemp("why"), rows, context_tokens=400, body=ScriptedModel(duplicate_rate=0.7))
    studio.run()
    yield studio
    studio.close()


def test_every_item_leads_to_the_very_prompt_that_was_sent(ran: Studio) -> None:
    sent = [request.messages for request in ran.model.requests]
    for item in ran.view.items:
        found = why(ran.services, item.id)
        assert found.rebuilt and found.rebuilt.identical
        assert found.rebuilt.messages in sent
        assert found.execution and found.execution.output["content"] == item.content


def test_the_document_has_ledger_model_verdicts_and_cost(ran: Studio) -> None:
    row = why(ran.services, ran.view.items_of("visual")[-1].id, PROJECT).to_document()
    ledger = row["ledger"]
    assert {one["state"] for one in ledger["elements"]} >= {"included", "dropped"}
    assert ledger["included_tokens"] == sum(one["tokens"] for one in ledger["elements"] if one["state"] != "dropped")
    assert all(one["reason"] for one in ledger["elements"])
    assert (row["model"], row["cost"], row["prompt_rebuilt"]) == ("scripted", 0.0, True)
    assert row["calls"] >= 1 and row["tokens"] > 100
    assert [(one["method"], one["ruling"]) for one in row["verdicts"]] == [("duplicates", "accept")]
    assert row["prompt"][-1]["role"] == "user"


def test_a_dropped_text_has_its_prompt_and_the_verdict_against_it(ran: Studio) -> None:
    found = why(ran.services, ran.view.dropped[0].item_id)
    assert found.rebuilt and found.rebuilt.identical
    assert found.verdicts[-1].ruling == "reject" and found.verdicts[-1].reasons


def test_of_a_persons_note_it_is_said_that_a_person_wrote_it(ran: Studio) -> None:
    item = People(ran.services).add(PROJECT, "story", Texts(content="The mayor keeps the only key to the tower."), "ana")
    found = why(ran.services, item.id)
    assert found.told == "ana wrote it, so that there is no prompt, model or cost"
    assert (found.execution, found.rebuilt, found.ledger) == (None, None, None)
    assert why_lines(found) == [f"story, no iteration  [{item.id}]: {found.told}"]


def test_an_edited_note_still_tells_how_it_was_generated(ran: Studio) -> None:
    item = ran.view.items_of("story")[1]
    People(ran.services).edit(item.id, Texts(content="Ada burns the ledger."), "bo")
    assert (found := why(ran.services, item.id)).rebuilt and found.rebuilt.identical
    assert any("byte for byte" in line for line in why_lines(found))
    assert found.told.endswith("; that was revision 1, and revision 2 was edited by bo")


def test_a_record_that_was_changed_does_not_pass_for_the_prompt(ran: Studio) -> None:
    execution = why(ran.services, ran.view.items_of("story")[0].id).execution
    assert execution is not None
    definition = ran.services.catalogue.get(execution.task_id)
    assert not rebuild(replace(execution, input={**execution.input, "brief": "Another."}), definition).identical
    with pytest.raises(InvalidInput, match="has prompt None, expected one of"):
        rebuild(replace(execution, prompt_id=None), definition)


def test_an_unknown_id_is_told(ran: Studio) -> None:
    with pytest.raises(UnknownEntity):
        why(ran.services, "0" * 24)
