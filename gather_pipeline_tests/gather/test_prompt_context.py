"""What a prompt sees, and that the record says exactly that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.context.selection import fitting
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import InvalidInput, ModelUnavailable
from gather_pipeline.gather.prompt_context import assemble_small, format_gather_items
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import Remembered
from gather_pipeline.tasks.rebuilding import rebuild
from gather_pipeline_tests.gather.test_batch import Opened
from gather_pipeline_tests.harness import PROJECT, Studio, department_row
from gather_pipeline_tests.tasks.builders import completion


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


def test_a_note_with_the_rare_word_of_an_aspect_is_weighed_though_many_lie_nearer_by_meaning(tmp_path: Path) -> None:
    visual = department_row("visual", 2)
    visual["coordinationSettings"]["aspects"] = ["the colour of the harbour crane"]
    studio = Studio.open(tmp_path, [department_row("story", 1), visual], context_tokens=300)
    people, rare = People(studio.services), f"{' '.join(f'It weighs {number} tons.' for number in range(4))} Nobody oils the harbour crane."
    id = people.add(PROJECT, "story", Texts(content=rare), "ana").id
    for place in range(30):
        people.add(PROJECT, "story", Texts(content=f"The colour in view {place} is the colour of the sea."), "ana")
    studio.run()
    assert all(id in {entry.id for entry in ledger.entries} for ledger in studio.records.ledgers("visual", 1))
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


class Distilling:
    """A remote model that is scripted, but shortens briefs in its own words, or fails to."""

    def __init__(self, *answers: str) -> None:
        self._scripted, self.answers = ScriptedModel(), list(answers)
        self.asked = 0

    async def complete(self, request: ModelRequest) -> Completion:
        if "in at most" not in request.messages[-1].content:
            return await self._scripted.complete(replace(request, model="scripted"))
        self.asked += 1
        if not self.answers:
            raise ModelUnavailable("it is away")
        return completion(self.answers.pop(0))

    async def aclose(self) -> None:
        await self._scripted.aclose()


LONG = "Ada Brandt repairs clocks in Lindau and has eleven days. " * 60
REMOTE: dict[str, Any] = {"model": "a/model", "openai_base_url": "http://localhost:9/v1", "context_tokens": 300}


def briefs(studio: Studio) -> set[str]:
    """What prompts for notes showed of the brief."""
    asked = [one.messages[-1].content for one in studio.model.requests if "<brief>" in one.messages[-1].content]
    return {text.partition("<brief>\n")[2].partition("\n</brief>")[0] for text in asked}


def test_a_brief_that_does_not_fit_goes_in_distilled_once_for_all_prompts_and_the_ledger_says_so(tmp_path: Path) -> None:
    told, after = "Ada has eleven days. " * 10, "The mayor has ten of them. " * 10
    body = Distilling(told, after)
    studio = Studio.open(tmp_path, [department_row("story", 1), department_row("visual", 2)], brief=LONG, body=body, **REMOTE)
    studio.run()
    assert (briefs(studio), body.asked) == ({told.strip()}, 1)
    entry = next(one for one in studio.records.ledgers("story", 1)[0].entries if one.id == "brief")
    assert entry.state == "distilled" and entry.reason.startswith(f"high: distilled from {entry.full_tokens} to {entry.tokens} tokens")
    [record] = studio.services.executions.find(task="distil_brief")
    assert record.tags["project_id"] == PROJECT and studio.run("task-2").summary[0].ended_by == "unchanged"
    studio.services.projects.update(PROJECT, brief=LONG + "The mayor closes the tower.")  # which a distilled brief may tell of
    studio.run("task-3")
    assert after.strip() in briefs(studio)
    studio.close()


@pytest.mark.parametrize(("answers", "why"), [((), "it is away"), (("Ada has it.",), "what the model made of it is far too short")])
def test_a_brief_that_nobody_can_distil_is_cut_at_a_sentence_and_the_run_says_why(tmp_path: Path, answers: tuple[str], why: str) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)], brief=LONG, body=Distilling(*answers), **REMOTE)
    studio.run()
    [shown] = briefs(studio)
    assert LONG.startswith(shown) and shown.endswith("days.")
    [iteration] = studio.view.history("story")
    assert any(fault.startswith(f"the brief was not distilled ({why})") for fault in iteration.faults)
    entry = next(one for one in studio.records.ledgers("story", 1)[0].entries if one.id == "brief")
    assert "shortened at a sentence" in entry.reason
    studio.close()


def test_the_ledger_of_the_small_model_tells_that_it_sees_the_first_sentences_alone(tmp_path: Path) -> None:
    opened = Opened(tmp_path, brief=LONG)
    department = Department.model_validate(department_row("story", 1))
    contexts = assemble_small(opened.session, department, [], estimate_tokens)
    [entry] = contexts.about(()).ledger.entries
    whole = estimate_tokens(LONG)
    assert (entry.state, entry.full_tokens) == ("distilled", whole) and entry.tokens < whole
    assert entry.reason == f"high: shortened at a sentence from {whole} to {entry.tokens} tokens"
    opened.close()
