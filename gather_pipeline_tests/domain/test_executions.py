from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.domain.executions import Message, ModelRequest
from gather_pipeline.errors import InvalidInput

VALID: dict[str, Any] = {"model": "embedded", "messages": (Message(role="user", content="Write."),)}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"messages": ()}, r"messages is \[\], expected at least one turn of user or system"),
        ({"messages": (Message(role="assistant", content="Once"),)}, "messages is .*expected at least one turn of user or system"),
        ({"temperature": -0.1}, "temperature is -0.1, expected a number from 0 to 1"),
        ({"temperature": 1.5}, "temperature is 1.5, expected a number from 0 to 1"),
        ({"temperature": float("nan")}, "temperature is nan, expected a number from 0 to 1"),
        ({"max_tokens": 0}, "max_tokens is 0, expected a whole number from 1"),
        ({"timeout_s": 0}, "timeout_s is 0, expected a number of seconds above 0"),
        ({"model": " "}, "model is ' ', expected a model id"),
    ],
)
def test_a_request_that_no_model_may_see_cannot_be_made(fields: dict[str, Any], sentence: str) -> None:
    ModelRequest(**VALID)
    with pytest.raises(InvalidInput, match=sentence):
        ModelRequest(**VALID | fields)
