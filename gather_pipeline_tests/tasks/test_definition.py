from __future__ import annotations

import json
import random
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.catalogue import Catalogue, parse_definition
from gather_pipeline.tasks.definition import TaskDefinition, version_key
from gather_pipeline_tests.tasks.builders import GREETING, define, document


def refusal(made: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_definition(made, "gather_note.json")
    return str(caught.value)


def test_a_definition_gives_back_the_document_it_was_read_from():
    assert define().to_document() == GREETING


def test_a_key_that_is_not_known_is_named_with_the_keys_that_are():
    made = document()
    made["prompts"][0]["txt"] = "Hello"
    told = refusal(made)
    assert told.startswith("gather_note.json: key prompts.0.txt is not known, expected one of id, text, template_variables, ")
    assert "system" in told and "\n" not in told


def checked(prompt: str, **parameters: Any) -> dict[str, Any]:
    return {"verification": {"method": "hierarchical", "parameters": {"verification_prompt": prompt, **parameters}}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"versoin": "1"}, "key versoin is not known, expected one of $schema, id, name"),
        ({"output__formt": "text"}, "key output.formt is not known, expected one of schema, examples, validations, format, when_cut"),
        ({"generation__temprature": 1}, "key generation.temprature is not known"),
        ({"id": None}, "key id is missing"),
        ({"prompts__0__text": None}, "key prompts.0.text is missing"),
        ({"id": "Gather Note"}, "key id is 'Gather Note', expected small letters, digits and '_'"),
        ({"version": "1.0"}, "key version is '1.0', expected a semantic version such as 1.0.0"),
        ({"prompts__0__id": "2"}, "key prompts.0.id is '2', expected letters, digits, '_' and '-'"),
        ({"version": "01.0.0"}, "key version is '01.0.0'"),
        ({"version": 1}, "key version is 1, expected a valid string"),
        ({"name": ""}, "key name is ''"),
        ({"prompts": []}, "key prompts is []"),
        ({"generation__temperature": 1.5}, "key generation.temperature is 1.5, expected less than or equal to 1"),
        ({"generation__temperature": "0.5"}, "key generation.temperature is '0.5', expected a valid number"),
        ({"generation__max_tokens": 0}, "key generation.max_tokens is 0"),
        ({"generation__max_reasks": 6}, "key generation.max_reasks is 6"),
        ({"$schema": "https://example.org/other.json"}, "key $schema is 'https://example.org/other.json'"),
        ({"prompts__0__usage_conditions": {}}, 'key prompts.0.usage_conditions: expected either {"default": true}'),
        ({"prompts__0__usage_conditions": {"default": True, "when": "x"}}, "key prompts.0.usage_conditions: expected either"),
        ({"prompts__0__usage_conditions": {"default": False}}, "key prompts.0.usage_conditions.default is False, expected True"),
        ({"prompts__1__usage_conditions": {"default": True}}, "default prompts are standard, loud, expected exactly one"),
        ({"prompts__0__usage_conditions": {"when": "blind"}}, "default prompts are none, expected exactly one"),
        ({"prompts__1__id": "standard"}, "prompts have the id 'standard' twice"),
        (
            {"prompts__0__template_variables": ["who"]},
            "key prompts.0: template_variables differ from the templates (used and not declared: mood)",
        ),
        (
            {"prompts__1__template_variables": ["who", "mood"]},
            "key prompts.1: template_variables differ from the templates (declared and not used: mood)",
        ),
        ({"prompts__0__text": "Greet {{ who"}, "key prompts.0: text is not a template: "),
        ({"prompts__0__text": "{% include 'x' %}{{ who }}{{ mood }}"}, "key prompts.0: text includes another template"),
        ({"prompts__0__text": "{{ who | urlize }} {{ mood }}"}, "key prompts.0: text is not a template: No filter named 'urlize'"),
        (
            {"prompts__1__text": "{{ age }}", "prompts__1__template_variables": ["age"]},
            "prompt loud uses 'age', expected a property of input.schema",
        ),
        ({"input__schema": {"type": "obect"}}, "key input: schema is not a JSON Schema at type: 'obect'"),
        ({"input__schema": {"type": "array"}}, "key input: schema has type 'array', expected 'object'"),
        ({"output__schema": {"$ref": "https://example.org/x.json"}}, "key output: schema refers to 'https://example.org/x.json'"),
        ({"output__schema": {"$ref": "#/$defs/gone"}}, "key output: schema refers to '#/$defs/gone', which is not in it"),
        ({"output__schema": {"type": "string", "pattern": "("}}, "key output: schema is not a JSON Schema at pattern"),
        ({"output__format": "text"}, "key output: schema has type 'object', expected 'string'"),
        ({"output__when_cut": "trim"}, "key output: when_cut is 'trim', expected 'refuse'"),
        ({"input__examples": [{}]}, "key input: examples.0 does not fit the schema: the whole: 'who' is a required property"),
        ({"examples_from": {"count": 0}}, "key examples_from.count is 0"),
        ({"dependencies": [{"task": "names", "outputs": {}}]}, "key dependencies.0.outputs is {}"),
        ({"dependencies": [{"task": "names", "outputs": {"who": "output"}, "on_error": "pray"}]}, "on_error is 'pray', expected 'stop', "),
        ({"output__validations": ["nice"]}, "key output: validation 'nice' is not known, expected one of non_empty_text, "),
        ({"output__validations": ["min_words_count_3"]}, "key output: no array of the schema has 'words' in its name"),
        ({"verification": {"method": "consensus", "parameters": {"similarity_threshold": 2}}}, "similarity_threshold is 2"),
        ({"verification": {"parameters": {}}}, "key verification: expected either a method or a chain"),
        ({"verification": {"method": "human", "chain": [{"method": "human"}]}}, "expected either a method or a chain"),
        ({"verification": {"chain": [{"method": "human"}], "parameters": {}}}, "parameters stand beside a chain"),
        ({"verification": {"chain": [{"method": "human", "on_accept": "next"}]}}, "on_accept of the last link is 'next'"),
        ({"verification": {"method": "human", "fallback_strategy": "pray"}}, "fallback_strategy is 'pray', expected 'use_highest_ranked"),
        (checked("Is {{ it }} as {{ good }}?"), "verification_prompt names the unknown good, it, expected properties of input.schema"),
        (checked("Is {{ output }} as {{ good }}?"), "verification_prompt names the unknown good"),
        (checked("Is {{ who }} well?"), "verification_prompt names no output"),
        (checked("Is {{ who"), "verification_prompt is not a template"),
        (
            {"model_ranking_criteria": {"quality_priority": 0.7, "speed_priority": 0.3, "context_size": "huge"}},
            "key model_ranking_criteria.context_size is 'huge', expected 'small', 'medium' or 'large'",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_file_and_key(changes: dict[str, Any], told: str):
    message = refusal(document(**changes))
    assert message.startswith("gather_note.json: ") and told in message and "\n" not in message


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_something_that_is_no_object_is_refused(value: Any):
    with pytest.raises(InvalidInput, match=r"x\.json: the definition is "):
        parse_definition(value, "x.json")


def test_a_definition_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        define().version = "2.0.0"  # type: ignore[misc]


def test_versions_are_ordered_as_semantic_versions_are():
    ordered = "0.9.0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0 1.2.0 1.10.0 2.0.0".split()
    shuffled = random.Random(3).sample(ordered, len(ordered))
    assert sorted(shuffled, key=version_key) == ordered
    assert version_key("1.0.0+a") == version_key("1.0.0+b")


def test_an_example_that_does_not_pass_a_named_validation_is_a_warning():
    made = define(output__examples=[{"greeting": "Hi"}, {"greeting": " "}])
    assert made.warnings == ["output.examples.1 does not pass non_empty_text: greeting is empty"]


def test_a_single_method_is_a_chain_of_one():
    verification = {"method": "consensus", "parameters": {"similarity_threshold": 0.75, "depth": 3}}
    made = define(verification=verification)
    assert made.to_document()["verification"] == verification
    [link] = made.verification.links if made.verification else ()
    assert (link.method, link.on_accept, link.on_reject) == ("consensus", "end", "next")
    assert link.parameters.model_dump(exclude_unset=True) == {"similarity_threshold": 0.75, "depth": 3}


def test_a_chain_keeps_its_order_and_says_where_a_rejection_ends_it():
    chain = [{"method": "external", "on_accept": "next", "on_reject": "end"}, {"method": "human"}]
    made = define(verification={"chain": chain, "fallback_strategy": "human_review"})
    assert made.verification is not None
    assert [(link.method, link.on_reject) for link in made.verification.links] == [("external", "end"), ("human", "next")]


@pytest.mark.parametrize(
    ("prompt", "parameters", "names"),
    [
        ("Is {{ output }} right for {{ who }}?", {}, {"output"}),
        ("Is {{ answer }} right for {{ who }}?", {}, {"answer"}),
        ("Is {{ output }} like {{ draft }}?", {"output_aliases": ["draft"]}, {"output", "draft"}),
    ],
)
def test_a_verification_prompt_names_the_output_by_its_reserved_name_or_an_alias(prompt: str, parameters: dict[str, Any], names: set[str]):
    made = define(**checked(prompt, **parameters))
    assert made.verification is not None and made.output_names(made.verification.links[0].parameters) == names


SHIPPED = json.loads((files("gather_pipeline.tasks") / "task-definition-v1.schema.json").read_text(encoding="utf-8"))


def test_the_shipped_json_schema_is_the_models():
    """To make it anew: write what is expected here into the file with `json.dumps(..., indent=2)` and a newline."""
    own = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://sunset-project.org/schemas/task-definition-v1.json"}
    assert own | TaskDefinition.model_json_schema(by_alias=True) == SHIPPED


def test_the_shipped_json_schema_accepts_what_the_model_accepts_and_refuses_an_unknown_key():
    Draft202012Validator.check_schema(SHIPPED)
    validator = Draft202012Validator(SHIPPED)
    for definition in Catalogue.packaged():
        validator.validate(definition.to_document())
    assert not validator.is_valid(document(versoin="1"))
    assert not validator.is_valid(document(prompts__0__usage_conditions={}))
