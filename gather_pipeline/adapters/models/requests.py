"""What a request to a language model must hold before any body sees it.

Local servers accept an empty conversation, a negative temperature or no tokens at all without a word and answer something,
so the check is ours (C57).
"""

from __future__ import annotations

import math

from gather_pipeline.domain.executions import ModelRequest
from gather_pipeline.errors import InvalidInput

ROLES = ("system", "user", "assistant")


def check_request(request: ModelRequest) -> None:
    """Refuses a request that no body may see.

    Raises:
        InvalidInput: Names the field, its value and what was expected.
    """
    if not request.messages:
        raise InvalidInput.field("messages", list(request.messages), "at least one turn")
    for position, message in enumerate(request.messages):
        if message.role not in ROLES:
            raise InvalidInput.field(f"messages[{position}].role", message.role, f"one of {', '.join(ROLES)}")
        if not isinstance(message.content, str):
            raise InvalidInput.field(f"messages[{position}].content", message.content, "a string")
    if all(message.role == "assistant" for message in request.messages):
        roles = [message.role for message in request.messages]
        raise InvalidInput.field("messages", roles, "at least one turn of user or system")
    if not _is_number(request.temperature) or not 0 <= request.temperature <= 1:
        raise InvalidInput.field("temperature", request.temperature, "a number from 0 to 1")
    if isinstance(request.max_tokens, bool) or not isinstance(request.max_tokens, int) or request.max_tokens < 1:
        raise InvalidInput.field("max_tokens", request.max_tokens, "a whole number of at least 1")
    if not _is_number(request.timeout_s) or request.timeout_s <= 0:
        raise InvalidInput.field("timeout_s", request.timeout_s, "a number of seconds above 0")
    if not request.model:
        raise InvalidInput.field("model", request.model, "a model id, e.g. embedded or anthropic/claude-sonnet-4.5")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
