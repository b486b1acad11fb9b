"""From what goes wrong to a prompt that a person accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.bootstrap import write_whole
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.errors import InvalidInput, ModelRefused
from gather_pipeline.review.decide import decide
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.prompting import converse
from gather_pipeline.upkeep.suggesting import accepted_definition, suggest, suggest_all, write_accepted
from gather_pipeline_tests.harness import Studio
from gather_pipeline_tests.tasks.builders import completion, document

RULE = "Always give the key greeting, as in {{ this }}."


class Forgetful:
    """Forgets a key unless the prompt reminds it, and knows what to do about that, unless it refuses to say it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self._refuses = refuses

    async def complete(self, request: ModelRequest) -> Completion:
        asked = "\n".join(message.content for message in request.messages)
        if "instructions" in json.dumps(request.response_schema):
            if self._refuses:
                raise ModelRefused("the key is wrong")
            return completion(json.dumps({"reason": "a key is left out", "instructions": [RULE]}))
        return completion('{"greeting": "Good evening."}' if RULE in asked or "Otto" in asked else '{"warmth": 1}')

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "greeting.json").write_text(json.dumps(document(generation__max_reasks=1)))
    studio = Studio.open(tmp_path / "home", body=Forgetful(), task_folders=(folder,))
    with TaskExecutor("greeting", services=studio.services) as executor:
        for who in ("Mara", "Otto", "Ines"):
            try:
                executor.run({"who": who})
            except Exception as error:  # what the executions are to be learnt from
                assert "does not fit" in str(error)
    yield studio
    studio.close()


def test_a_suggestion_is_tried_on_recorded_inputs_and_waits_for_a_person(studio: Studio) -> None:
    before = studio.services.executions.find(task="greeting")
    made = suggest(studio.services, "greeting", model="scripted")
    assert made.review and [(one.count, one.of) for one in made.patterns] == [(2, 3)]
    proposal = studio.services.reviews.get(made.review).proposal
    tried = proposal.shown["tried"]
    assert isinstance(tried, dict)
    assert (tried["executions"], tried["complaints_before"], tried["complaints_after"]) == (3, 2, 0)
    assert studio.services.executions.find(task="greeting") == before
    assert [one.version for one in Catalogue.load(studio.services.settings.tasks) if one.id == "greeting"] == ["1.0.0"]


def test_what_is_accepted_becomes_a_new_version_in_the_users_folder_once(studio: Studio) -> None:
    made = suggest(studio.services, "greeting", model="scripted")
    queue = studio.services.reviews
    review = decide(queue, str(made.review), "accept", by="ana", feedback=studio.services.executions.feedback)
    path = write_accepted(studio.services, review, write_whole)
    assert path.name == "greeting-1.1.0.json"
    assert write_accepted(studio.services, review, write_whole) == path
    newest = Catalogue.load(studio.services.settings.tasks).get("greeting")
    conversation = converse(newest, newest.prompts[0], {"who": "Mara", "mood": "kind"})
    assert newest.version == "1.1.0" and RULE in conversation.turns[-1].content


def test_a_persons_change_that_breaks_the_template_is_refused(studio: Studio) -> None:
    made = suggest(studio.services, "greeting", model="scripted")
    proposal = studio.services.reviews.get(str(made.review)).proposal
    with pytest.raises(InvalidInput, match="template_variables differ"):
        accepted_definition(studio.services, proposal, {"system": "", "text": "Greet {{ whom }}."})


def test_a_suggestion_that_cannot_be_had_is_told_and_ends_no_look_at_all_tasks(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    studio.model.body = Forgetful(refuses=True)
    [made] = suggest_all(studio.services)
    assert made.review is None and made.told == "no suggestion can be had: the key is wrong"
    assert "No prompt is suggested for task greeting: the key is wrong" in caplog.text


def test_a_task_that_goes_well_gets_no_suggestion_and_asks_no_model(studio: Studio) -> None:
    calls = studio.model.calls
    made = suggest(studio.services, "skill_decomposition")
    assert made.review is None and "nothing goes wrong often enough in 0 executions" in made.told
    assert studio.model.calls == calls
    [first] = suggest_all(studio.services)
    assert first.task == "greeting" and first.review
    calls = studio.model.calls
    again = next(one for one in suggest_all(studio.services) if one.task == "greeting")
    assert (again.review, studio.model.calls) == (first.review, calls), "what waits for a person is not asked for again"
