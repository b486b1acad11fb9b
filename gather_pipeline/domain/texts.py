"""What text may hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gather_pipeline.errors import InvalidInput

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")  # of a byte that is no UTF-8, or of JSON that was cut


def clean(text: str) -> str:
    """Text from outside as every engine can keep it: without NUL, and with U+FFFD for each lone surrogate."""
    return LONE_SURROGATE.sub("\ufffd", text.replace("\x00", ""))


def check_texts(texts: Sequence[str]) -> None:
    """Raises `InvalidInput` unless these are several texts: a list of strings, not one string."""
    if isinstance(texts, str):
        raise InvalidInput.field("texts", texts, "a list of strings, not one string")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInput.field(f"texts[{position}]", text, "a string")
