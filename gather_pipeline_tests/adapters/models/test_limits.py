from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.adapters.models.limits import MOST_CHARACTERS, MOST_ENTRIES, bounded
from gather_pipeline.tasks.schemas import portable

TEXT = {"type": "string", "maxLength": MOST_CHARACTERS}


@pytest.mark.parametrize(
    ("schema", "limited"),
    [
        ({"type": "string"}, TEXT),
        ({"type": "string", "maxLength": 900}, {"type": "string", "maxLength": 900}),
        ({"type": "string", "minLength": 500}, {"type": "string", "minLength": 500, "maxLength": 500}),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a"]}),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array", "items": TEXT, "maxItems": MOST_ENTRIES}),
        ({"type": "array", "minItems": 9}, {"type": "array", "minItems": 9, "maxItems": 9}),
        ({"type": "object", "properties": {"type": {"type": "string"}}}, {"type": "object", "properties": {"type": TEXT}}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"type": "integer", "minimum": 1, "maximum": 5}, {"type": "integer", "minimum": 1, "maximum": 5}),
        (None, None),
        (True, True),
    ],
    ids=str,
)
def test_what_a_portable_schema_tells_is_held_to_and_lists_and_texts_have_an_end(schema: Any, limited: Any) -> None:
    made = bounded(portable(schema) if schema is not None else None)
    if isinstance(made, dict):
        made.pop("description", None)
    assert made == limited
