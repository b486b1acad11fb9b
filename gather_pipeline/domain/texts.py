"""What text may hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gather_pipeline.errors import InvalidInput

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")  # of a byte that is no UTF-8, or of JSON that was cut


def check_texts(texts: Sequence[str]) -> None:
    """Raises `InvalidInput` unless these are several texts: a list of strings, not one string."""
    if isinstance(texts, str):
        raise InvalidInput.field("texts", texts, "a list of strings, not one string")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInput.field(f"texts[{position}]", text, "a string")


def clean(text: str) -> str:
    """The text as every store and engine can keep it: U+FFFD for a lone surrogate, no NUL characters."""
    return LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text).replace("\x00", "")
