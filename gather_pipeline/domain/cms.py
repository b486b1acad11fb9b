"""Values as a CMS keeps them: in several languages, as rich text, as rows of a repeated field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gather_pipeline.domain.texts import typed

LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,4})?")
NODES = 20_000  # of a rich text; by aliases a small file may hold any number
LINKS = ("link", "autolink")  # the only nodes with others in them that begin no line
ROW_FIELDS = ("id", "_id", "blockType", "blockName", "createdAt", "updatedAt")  # of the CMS's own in rows and related documents
NAMES = ("modelId", "model", "slug", "name", "title")  # of a related document, the first that it has


def in_one_language(value: Any) -> Any:
    """Of a localized value, a mapping by language, the English one where there is any, else the first; another value as it is."""
    if not isinstance(value, Mapping) or not value or not all(LANGUAGE.fullmatch(str(name)) for name in value):
        return value
    return next((one for one in (value.get("en"), *value.values()) if one is not None and one != ""), None)


def plain_text(value: Any) -> Any:
    """Text of a rich text (Lexical or Slate), each block of it on a line of its own; another value as it is."""
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, Mapping) and part.keys() & {"root", "children"} for part in parts):
        return value
    pieces: list[str] = []
    waiting: list[Any] = parts[::-1]
    for _ in range(NODES):
        if not waiting:
            return typed(re.sub(r"\s*\n\s*", "\n", "".join(pieces)))
        node = waiting.pop()
        if isinstance(node, Mapping):
            text, inner = node.get("text"), node.get("root", node.get("children"))
            pieces.append(text if isinstance(text, str) else "" if node.get("type") in LINKS else "\n")
            waiting += inner[::-1] if isinstance(inner, list) else [inner]
    return value


def name_of_related(value: Any) -> Any:
    """The name of the document that a relationship shows, also one to several collections; another value as it is."""
    if isinstance(value, Mapping) and "relationTo" in value:
        value = value.get("value")
    if isinstance(value, Mapping):
        return next((name for field in NAMES if (name := in_one_language(value.get(field)))), value)
    return value


def listed_texts(value: Any) -> Any:
    """Texts of a repeated field: texts, rows of one text each, or parts of one text; another value as it is."""
    value = plain_text(value)
    if isinstance(value, str):
        value = re.split(r"[\n;]" if re.search(r"[\n;]", value) else ",", value)
    return [text for row in value if (text := _text(row)) not in (None, "")] if isinstance(value, list | tuple) else value


def _text(row: Any) -> Any:
    """The one text of a row; a row with several, or with none, as it is."""
    row = in_one_language(row)
    if isinstance(row, Mapping):
        values = [in_one_language(value) for name, value in row.items() if name not in ROW_FIELDS]
        texts = [value for value in values if isinstance(value, str)]
        row = texts[0] if len(texts) == 1 else row
    return typed(row) if isinstance(row, str) else row
