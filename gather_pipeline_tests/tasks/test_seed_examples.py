"""The two definitions of seed S004, word for word, are the engine's oldest test (C58)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.verdicts import Budget
from gather_pipeline.errors import InvalidInput
from gather_pipeline.records.review import Reviews
from gather_pipeline.tasks import validations
from gather_pipeline.tasks.catalogue import Catalogue, load_definition
from gather_pipeline.tasks.runner import Support
from gather_pipeline_tests.tasks.builders import Bench, parse_definition
from gather_pipeline_tests.tasks.verification.cases import TOOLS

SEED = Path(__file__).parent / "seed"


@pytest.mark.parametrize("name", ["job_detail_extraction", "skill_decomposition"])
def test_an_example_of_the_seed_loads_and_comes_back_unchanged(name: str):
    path = SEED / f"{name}.json"
    assert load_definition(path).to_document() == json.loads(path.read_text(encoding="utf-8"))


def test_the_example_that_is_shorter_than_its_own_rule_is_a_warning():
    assert load_definition(SEED / "job_detail_extraction.json").warnings == [
        "input.examples.0 does not pass min_length_100: job_posting has 63 characters, expected at least 100"
    ]


@pytest.mark.parametrize("name", ["job_detail_extraction", "skill_decomposition"])
def test_a_full_length_example_is_catalogued_and_a_users_verbatim_file_wins_over_it(name: str):
    packaged = Catalogue.packaged().get(name)
    assert packaged.warnings == []
    known = Catalogue.from_folder(SEED, under=Catalogue.packaged())
    assert known.get(name).to_document() == json.loads((SEED / f"{name}.json").read_text(encoding="utf-8")) != packaged.to_document()


def test_the_verification_of_the_first_is_a_consensus():
    definition = load_definition(SEED / "job_detail_extraction.json")
    assert definition.verification is not None
    [link] = definition.verification.links
    assert link.method == "consensus" and definition.verification.fallback_strategy == "use_highest_ranked_model"
    assert (link.parameters.similarity_threshold, link.parameters.min_models, link.parameters.max_models) == (0.75, 2, 3)


def test_the_verification_prompt_of_the_second_names_the_output_by_an_alias():
    definition = load_definition(SEED / "skill_decomposition.json")
    assert definition.verification is not None
    assert definition.output_names(definition.verification.links[0].parameters) == {"decomposition"}


def test_its_prompts_and_validations_work_once_it_asks_for_no_verification():
    document = json.loads((SEED / "skill_decomposition.json").read_text(encoding="utf-8"))
    del document["verification"]
    bench = Bench(
        '{"elementary_skills": ["a", "b"]}',
        '{"elementary_skills": ["a", "b", "A"]}',
        '{"elementary_skills": ["a", "b", "c"]}',
        definition=parse_definition(document, "x.json"),
    )
    inputs = {"skill_name": "Editing", "context": "film"}
    assert bench.run(inputs, conditions=["context_provided"]) == {"elementary_skills": ["a", "b", "c"]}
    assert "specifically in the context of film" in bench.model.requests[0].messages[0].content
    assert [call.complaint for call in bench.record.calls] == [
        "the answer does not fit: elementary_skills has 2 entries, expected at least 3",
        "the answer does not fit: elementary_skills holds 'A' twice",
        None,
    ]


def test_a_variant_whose_value_is_not_given_is_refused():
    document = json.loads((SEED / "skill_decomposition.json").read_text(encoding="utf-8"))
    del document["verification"]
    bench = Bench(definition=parse_definition(document, "x.json"))
    with pytest.raises(InvalidInput, match="prompt 'with_context' of task skill_decomposition needs a value .*'context' is undefined"):
        bench.run({"skill_name": "Editing"}, conditions=["context_provided"])


@pytest.mark.parametrize("name", ["non_empty_skill", "min_length_100", "has_required_fields", "no_empty_arrays"])
def test_every_validation_that_the_seed_names_is_there(name: str):
    schema = {"type": "object", "properties": {"skill_name": {"type": "string"}}, "required": ["skill_name"]}
    assert validations.build(name, schema)({"skill_name": "x" * 100}) is None


JOB = {"job_title": "Sound editor", "responsibilities": ["Cut dialogue"], "requirements": ["Five years of practice"]}
SKILLS = {"elementary_skills": ["Listening", "Cutting", "Mixing"]}


def seed_bench(name: str, *answers: Any, reviews: Reviews | None = None) -> Bench:
    support = Support(tools=replace(TOOLS, reviews=reviews))
    return Bench(*map(json.dumps, answers), definition=load_definition(SEED / f"{name}.json"), support=support)


def test_the_first_runs_word_for_word_by_the_consensus_of_two_models():
    made = seed_bench("job_detail_extraction", JOB, {**JOB, "location": "Hamburg"})
    assert made.run({"job_posting": "A posting. " * 12}, model="a", fallback_models=["b", "c"]) == JOB
    assert (made.record.verified, made.record.models_used) == (True, ("a", "b"))


def test_the_first_gives_the_highest_ranked_models_output_where_all_differ():
    other = {"job_title": "Baker", "responsibilities": ["Bake bread"], "requirements": ["Early hours"]}
    third = {"job_title": "Pilot", "responsibilities": ["Fly planes"], "requirements": ["A licence"]}
    made = seed_bench("job_detail_extraction", JOB, other, third)
    assert made.run({"job_posting": "A posting. " * 12}, model="a", fallback_models=["b", "c", "d"]) == JOB
    assert (made.record.verified, made.record.fallback, made.record.models_used) == (False, "use_highest_ranked_model", ("a", "b", "c"))


def test_the_second_runs_word_for_word_by_a_review_and_else_waits_for_a_person(reviews: Reviews):
    made = seed_bench("skill_decomposition", SKILLS, {"confidence": 0.9}, SKILLS, {"confidence": 0.5}, reviews=reviews)
    for inputs in ({"skill_name": "Editing"}, {"skill_name": "Sound editing"}):
        assert made.run(inputs, model="a", fallback_models=["b"]) == SKILLS
    first, second = made.records
    assert (first.verified, first.waiting, first.models_used) == (True, None, ("a", "b"))
    assert (second.verified, second.fallback, second.waiting) == (False, "human_review", reviews.find()[0].id)
    asked = made.model.requests[1].messages[-1].content
    assert asked.startswith("Verify if this skill decomposition for 'Editing' is complete and accurate: {") and '"Cutting"' in asked


def test_a_budget_that_is_spent_in_the_middle_of_its_consensus_gives_the_highest_ranked_models_output():
    made = seed_bench("job_detail_extraction", JOB)
    assert made.run({"job_posting": "A posting. " * 12}, model="a", fallback_models=["b", "c"], budget=Budget(cost=0.25)) == JOB
    assert made.record.verdicts[0].ruling == "undecided" and made.record.verdicts[0].reasons[0].startswith(
        "the budget was spent after 1 of 2"
    )
    assert (made.record.fallback, made.record.usage.cost, made.record.status) == ("use_highest_ranked_model", 0.25, "succeeded")
