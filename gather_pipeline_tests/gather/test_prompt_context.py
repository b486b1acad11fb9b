"""What a prompt sees, and that the record says exactly that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gather_pipeline.context.selection import fitting
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import InvalidInput
from gather_pipeline.gather.prompt_context import format_gather_items
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import Remembered
from gather_pipeline.tasks.rebuilding import rebuild
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


def test_items_become_lines_with_their_department() -> None:
    one, two = (
        Remembered(id=id, department="story", content=text, summary="", similarity=1.0) for id, text in (("a", "One."), ("b", "Two."))
    )
    assert format_gather_items([one, two]) == "- [story] One.\n- [story] Two."
    assert format_gather_items([]) == ""


@pytest.mark.parametrize("brief", ["word " * 9000, "語" * 9000, "x" * 9000])
def test_a_brief_of_one_endless_line_is_cut_to_fit(brief: str) -> None:
    cut = fitting(brief, 500, estimate_tokens)
    assert 0 < estimate_tokens(cut) <= 500
    assert brief.startswith(cut)


def test_a_brief_with_a_first_sentence_that_fits_is_left_to_the_budget() -> None:
    brief = "Short. " + "word " * 5000
    assert fitting(brief, 500, estimate_tokens) == brief


def test_a_tight_budget_keeps_the_brief_and_drops_items_with_a_reason(tmp_path: Path) -> None:
    rows = [department_row("story", 1), department_row("visual", 2)]
    studio = Studio.open(tmp_path, rows, context_tokens=300)
    studio.run()
    last = studio.view.history("visual")[-1]
    ledgers = studio.records.ledgers("visual", last.number)
    assert {aspect for ledger in ledgers for aspect in ledger.aspects} == set(rows[1]["coordinationSettings"]["aspects"])
    for ledger in ledgers:
        assert {entry.state for entry in ledger.entries} == {"included", "dropped"}
        assert all(entry.reason for entry in ledger.entries)
        assert ledger.included_tokens <= ledger.budget == 300
    included = {entry.id for ledger in ledgers for entry in ledger.entries if entry.state == "included"} - {"brief"}
    assert set(last.inputs.context) == included
    studio.close()


def test_an_old_note_that_the_aspect_is_about_reaches_the_prompt_before_newer_ones(tmp_path: Path) -> None:
    visual = department_row("visual", 2)
    visual["coordinationSettings"]["aspects"] = ["the colour of the harbour crane"]
    studio = Studio.open(tmp_path, [department_row("story", 1), visual], context_tokens=300)
    old = "The harbour crane is painted a faded green, with one red cabin."
    People(studio.services).add(PROJECT, "story", Texts(content=old), "ana")
    for place in range(12):
        People(studio.services).add(PROJECT, "story", Texts(content=f"Scene {place} belongs to the keeper and his {place} lamps."), "ana")
    studio.run()
    assert all(ledger.unlisted for ledger in studio.records.ledgers("visual", 1))  # what lies far from every aspect is only counted
    asked = [request for request in studio.model.requests if "colour of the harbour crane" in request.messages[-1].content]
    assert asked and all(old in request.messages[-1].content for request in asked)
    studio.close()


def test_every_note_leads_to_the_ledger_of_its_prompt_and_to_the_prompt_itself(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1), department_row("visual", 2)], context_tokens=400)
    studio.run()
    log = studio.services.executions
    for item in studio.view.items:
        [ledger] = [one for one in studio.records.ledgers(item.department, item.iteration) if item.aspect in one.aspects]
        assert {id: hash for id, hash in ledger.used.items() if id != "brief"} == item.provenance["context_items"]
        execution = log.get(item.provenance["execution_id"])
        definition = log.definition(execution)
        assert definition is not None
        again = rebuild(execution, definition)
        assert again.identical
        assert list(again.messages) in [list(request.messages) for request in studio.model.requests]
        assert not rebuild(replace(execution, input={**execution.input, "brief": "Another."}), definition).identical
    with pytest.raises(InvalidInput, match="expected one of task gather_item"):
        rebuild(replace(execution, prompt_id=None), definition)
    studio.close()


def test_a_change_of_the_brief_behind_what_prompts_show_of_it_makes_nothing_run_again(tmp_path: Path) -> None:
    brief = "Ada Brandt repairs clocks in Lindau and has eleven days. " * 60
    studio = Studio.open(tmp_path, [department_row("story", 1)], brief=brief, context_tokens=300)
    studio.run()
    studio.services.projects.update(PROJECT, brief=brief + "The mayor closes the tower.")
    assert studio.run("task-2").summary[0].ended_by == "unchanged"
    studio.services.projects.update(PROJECT, brief="The mayor closes the tower. " + brief)
    assert studio.run("task-3").summary[0].ended_by != "unchanged"
    studio.close()


def test_an_item_that_the_budget_left_out_is_no_input(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1), department_row("visual", 2)], context_tokens=300)
    studio.run()
    used = set(studio.view.history("visual")[-1].inputs.context)
    unused = [item for item in studio.view.items_of("story") if item.id not in used]
    studio.services.store.update(project_database(PROJECT), "gather", unused[0].id, {"content": "Something else."})
    assert studio.run("task-2", departments=("visual",)).summary[0].ended_by == "unchanged"
    studio.close()
