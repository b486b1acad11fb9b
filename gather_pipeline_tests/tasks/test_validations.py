from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.tasks.validations import build, narrowed, word_count

NOTE = {
    "type": "object",
    "properties": {
        "content": {"type": "string"},
        "skill_name": {"type": "string"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"content": {"type": "string"}}, "required": ["content"]}},
    },
    "required": ["content"],
}
JUDGE = {"type": "object", "properties": {"same": {"type": "boolean"}, "probability": {"type": "number"}}}
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("name", "schema", "value", "told"),
    [
        ("non_empty_text", NOTE, {"content": " \n"}, "content is empty"),
        ("non_empty_text", NOTE, {"content": "a", "items": [{"content": ""}]}, "items.0.content is empty"),
        ("non_empty_text", NOTE, {"content": "a", "skill_name": ""}, None),
        ("non_empty_text", TEXT, " ", "the text is empty"),
        ("non_empty_skill", NOTE, {"skill_name": ""}, "skill_name is empty"),
        ("non_empty_items", NOTE, {"items": []}, "items is empty"),
        ("min_length_5", NOTE, {"content": "four"}, "content has 4 characters, expected at least 5"),
        ("min_length_5", TEXT, "fives", None),
        ("min_words_3", TEXT, "two words", "the text has 2 words, expected at least 3"),
        ("min_words_3", TEXT, "it's well-known here", None),
        ("content_min_words_2", NOTE, {"content": "one two", "items": [{"content": "one"}]}, "items.0.content has 1 words"),
        ("has_required_fields", NOTE, {"content": ""}, "content is missing or empty"),
        ("has_required_fields", NOTE, {"content": "a"}, None),
        ("no_empty_arrays", NOTE, {"content": "a", "items": []}, "items is an empty list"),
        ("min_items_count_2", NOTE, {"items": [{}]}, "items has 1 entries, expected at least 2"),
        ("no_duplicate_items", NOTE, {"items": ["A  b", "a B"]}, "items holds 'a B' twice"),
        ("no_duplicate_items", NOTE, {"items": ["a", "b"]}, None),
        ("no_preamble", NOTE, {"content": "Sure! Here it is"}, "content begins with 'Sure!'"),
        ("no_preamble", TEXT, "**Here is a note** about", "begins with '**Here is a'"),
        ("no_preamble", TEXT, "As an AI I cannot", "begins with 'As an AI'"),
        ("no_preamble", TEXT, "Here the keeper waits, certainly.", None),
        ("no_preamble", TEXT, "Surely the lamp fails.", None),
        ("same_matches_probability", JUDGE, {"same": True, "probability": 0.2}, "same is True but probability is 0.2"),
        ("same_matches_probability", JUDGE, {"same": False, "probability": 0.5}, "same is False but probability is 0.5"),
        ("same_matches_probability", JUDGE, {"same": True, "probability": 0.5}, None),
        ("same_matches_probability", JUDGE, {"same": True}, None),
        ("non_empty_skill", {"properties": {"skills": {"type": "object"}}}, {"skills": {}}, "skills is empty"),
    ],
)
def test_a_rule_says_what_is_wrong_and_where(name: str, schema: dict[str, Any], value: Any, told: str | None):
    found = build(name, schema)(value)
    assert found is None if told is None else found is not None and told in found


@pytest.mark.parametrize("name", ["", "nice", "min_length_", "min_length_x", "min_length_5_more", "min_words_-1"])
def test_a_name_that_is_no_rule_is_refused_with_the_rules_there_are(name: str):
    with pytest.raises(ValueError, match=r"is not known, expected one of .*min_<word>_count_<n>"):
        build(name, NOTE)


@pytest.mark.parametrize(
    "name", ["non_empty_colour", "min_content_count_2", "no_duplicate_skills", "tone_min_words_3", "same_matches_probability"]
)
def test_a_rule_that_points_to_no_field_is_refused(name: str):
    with pytest.raises(ValueError, match="of the schema has"):
        build(name, NOTE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("one two", 2),
        ("l'île d’or", 2),
        ("伊莱亚斯看守着灯塔", 5),
        ("маяк на острове", 3),
        ("ประภาคาร", 4),
        ("Elias 看守 light", 3),
    ],
)
def test_words_are_counted_in_scripts_with_and_without_spaces(text: str, words: int):
    assert word_count(text) == words


def test_a_schema_is_sent_with_what_rules_demand_of_its_lists():
    schema = {
        "type": "object",
        "properties": {
            "elementary_skills": {"type": "array", "minItems": 2},
            "groups": {"type": "array", "items": {"type": "object", "properties": {"skills": {"type": "array"}}}},
            "skill": {"type": "string"},
        },
    }
    made = narrowed(schema, ["min_skills_count_3", "non_empty_text"])
    assert made["properties"]["elementary_skills"]["minItems"] == 3
    assert made["properties"]["groups"]["items"]["properties"]["skills"]["minItems"] == 3
    assert "minItems" not in made["properties"]["groups"] and schema["properties"]["elementary_skills"] == {"type": "array", "minItems": 2}
