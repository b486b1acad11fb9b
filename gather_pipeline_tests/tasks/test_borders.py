from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.borders import misfit
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline_tests.tasks.builders import define

NEEDS = {"task": "names", "inputs": {"who": "who"}, "outputs": {"mood": "output.greeting"}}


def names(**changes: Any) -> TaskDefinition:
    return define(id="names", **changes)


def test_a_dependency_that_fits_is_known():
    made = define(dependencies=[NEEDS])
    assert Catalogue([made, names()]).get("greeting").dependencies[0].on_error == "stop"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "nmes"}, "task is 'nmes', expected one of greeting, names"),
        ({"version": "2.0.0"}, "version of task names is '2.0.0', expected one of 1.0.0"),
        ({"inputs": {}}, "inputs lacks who, which names requires"),
        ({"inputs": {"who": "whom"}}, "inputs.who is 'whom', expected a property of the input of greeting"),
        ({"inputs": {"who": "who", "age": "mood"}}, "inputs names 'age', expected a property of the input of names"),
        ({"outputs": {"tone": "output"}}, "outputs names 'tone', expected a property of the input of greeting"),
        ({"outputs": {"mood": "output.name"}}, "'output.name' is not in the output of names"),
        ({"outputs": {"mood": "greeting"}}, "'greeting' is no place in the output of names, expected one that begins with 'output'"),
        ({"outputs": {"mood": "output.warmth"}}, "outputs.mood does not fit: it gives number, expected string"),
        ({"outputs": {"mood": "output"}}, "outputs.mood does not fit: it gives object, expected string"),
        ({"outputs": {"who": "output.nick"}}, "outputs.who is 'output.nick', which names may leave out, and greeting requires it"),
        ({"outputs": {"who": "output.greeting"}, "on_error": "skip"}, "on_error is 'skip', expected 'stop' or 'fallback'"),
        ({"outputs": {"who": "output.greeting"}, "on_error": "fallback"}, "fallback lacks who, which greeting requires"),
        ({"on_error": "fallback", "fallback": {"mod": "calm"}}, "fallback names mod, expected properties that outputs names"),
        (
            {"on_error": "fallback", "fallback": {"mood": 3}},
            "fallback.mood does not fit the input of greeting: the whole: 3 is not of type",
        ),
    ],
)
def test_a_border_that_does_not_fit_is_told_by_its_key(changes: dict[str, Any], told: str):
    nick = {"output__schema__properties__nick": {"type": "string"}}
    with pytest.raises(InvalidInput) as caught:
        Catalogue([define(dependencies=[NEEDS | changes]), names(**nick)])
    assert str(caught.value).startswith("greeting: key dependencies.0: ") and told in str(caught.value)


def test_a_circle_is_told_with_its_way():
    with pytest.raises(InvalidInput, match="greeting needs itself by way of names and greeting"):
        Catalogue([define(dependencies=[NEEDS]), names(dependencies=[NEEDS | {"task": "greeting"}])])


@pytest.mark.parametrize(
    ("given", "taken", "wrong"),
    [
        ({"type": "integer"}, {"type": "number"}, None),
        ({"type": ["string", "null"]}, {"type": "string"}, None),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "object"}}, "of its items: it gives string"),
        ({"enum": ["a", "b"]}, {"enum": ["b"]}, None),
        ({"enum": ["a"]}, {"enum": ["b"]}, "it gives one of"),
        ({"type": "object", "properties": {"a": {}}}, {"required": ["b"]}, "it lacks b"),
        ({"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "array"}}}, "of a: it gives string, expected array"),
        (True, {"type": "string"}, None),
    ],
)
def test_schemas_that_share_no_value_are_told_and_others_are_left_to_the_values(given: Any, taken: Any, wrong: str | None):
    found = misfit(given, taken)
    assert found is None if wrong is None else found is not None and wrong in found


def test_a_property_whose_schema_is_just_true_fits_all_and_has_no_parts():
    own = {"input__schema__properties__who": True, "input__examples": [], "input__validations": []}
    Catalogue([define(dependencies=[NEEDS | {"outputs": {"who": "output.greeting"}}], **own), names()])
    with pytest.raises(InvalidInput, match=r"'output\.nick\.first' is not in the output of names"):
        wrong = define(dependencies=[NEEDS | {"outputs": {"mood": "output.nick.first"}}])
        Catalogue([wrong, names(output__schema__properties__nick=True)])
