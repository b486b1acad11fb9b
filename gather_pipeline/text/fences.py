"""Data between tags that it cannot close, so that a model can tell it from what it is asked to do."""

from __future__ import annotations

import re


def fenced(text: str, tag: str) -> str:
    """The text between ``<tag>`` and ``</tag>``, each on a line of its own; what looks like one of them within it is broken."""
    inside = re.sub(rf"<\s*+(/?)\s*+{tag}\b[^>]*>?", rf"[\1{tag}]", text, flags=re.IGNORECASE)
    return f"<{tag}>\n{inside}\n</{tag}>"
