"""Where sentences end, in one place: whoever cuts a text cuts it there."""

from __future__ import annotations

import re

# A stop with what closes a quotation, before white space or the end. Scripts without spaces have stops of their own.
END = re.compile(r"[.!?…؟।]+[\"'”’»)\]]*(?=\s|\Z)|[。！？]+[」』”’）]*")
LINE_END = re.compile(r"(?<=\S)[ \t]*(?=\n)")


def sentence_ends(text: str, *, lines: bool = False) -> list[int]:
    """Places after which a text may be cut so that whole sentences stay, in order.

    Args:
        text: Any text.
        lines: Whether the end of a line counts too, as in headings and lists.
    """
    ends = {found.end() for found in END.finditer(text)}
    if lines:
        ends.update(found.start() for found in LINE_END.finditer(text))
    return sorted(ends)
