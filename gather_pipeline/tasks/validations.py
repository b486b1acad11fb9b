"""Rules that a definition names and JSON Schema cannot say (S004-DEF-07, S004-DEF-10).

A rule's name carries its parameters, as in the seed's own examples: `min_length_100`, `min_skills_count_3`, `no_duplicate_skills`.
A word in a name points to the schema's fields that have this word in theirs, so a rule that points to nothing is refused at load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from gather_pipeline.errors import shorten

UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
PREAMBLE = re.compile(
    r"\W*(?:sure[,!.]|certainly[,!.]|absolutely[,!.]|of course[,!]|here(?:'s| is| are) (?:a|an|the|your|my)\b"
    r"|as an ai\b|i'm sorry|i am sorry|i cannot\b|i can't\b)",
    re.IGNORECASE,
)


class Validation(Protocol):
    """One rule, ready to be asked."""

    def __call__(self, value: Any) -> str | None:
        """What is wrong with the value, in words for a model or a person; None where nothing is."""


Builder = Callable[[Mapping[str, Any], Mapping[str, str]], Validation]


def build(name: str, schema: Mapping[str, Any]) -> Validation:
    """The rule of that name for values of a schema.

    Raises:
        ValueError: No rule has such a name, or the rule points to no field of the schema.
    """
    for pattern, (_, builder) in RULES.items():
        found = re.fullmatch(pattern, name)
        if found:
            return builder(schema, found.groupdict())
    raise ValueError(f"validation {name!r} is not known, expected one of {', '.join(form for form, _ in RULES.values())}")


def word_count(text: str) -> int:
    """Words of a text; in scripts without spaces two characters count as one word."""
    unspaced = len(UNSPACED.findall(text))
    return len(re.findall(r"\w+(?:['’-]\w+)*", UNSPACED.sub(" ", text))) + (unspaced + 1) // 2


def _non_empty_text(schema: Mapping[str, Any], _: Mapping[str, str]) -> Validation:
    names = _required(schema)
    return _each(names if names else None, lambda text: None if not isinstance(text, str) or text.strip() else "is empty")


def _non_empty(schema: Mapping[str, Any], given: Mapping[str, str]) -> Validation:
    def check(part: Any) -> str | None:
        return "is empty" if part is None or part == [] or (isinstance(part, str) and not part.strip()) else None

    return _each(_fields(schema, given["word"]), check)


def _min_length(schema: Mapping[str, Any], given: Mapping[str, str]) -> Validation:
    least = int(given["n"])

    def check(text: Any) -> str | None:
        if isinstance(text, str) and len(text) < least:
            return f"has {len(text)} characters, expected at least {least}"
        return None

    return _each(_required(schema) or None, check)


def _min_words(schema: Mapping[str, Any], given: Mapping[str, str]) -> Validation:
    least = int(given["n"])

    def check(text: Any) -> str | None:
        if isinstance(text, str) and word_count(text) < least:
            return f"has {word_count(text)} words, expected at least {least}"
        return None

    return _each(_fields(schema, given["word"]) if given["word"] else None, check)


def _required_fields(schema: Mapping[str, Any], _: Mapping[str, str]) -> Validation:
    names = tuple(schema.get("required", ()))

    def check(value: Any) -> str | None:
        for name in names:
            part = value.get(name) if isinstance(value, Mapping) else None
            if part is None or (isinstance(part, str) and not part.strip()):
                return f"{name} is missing or empty"
        return None

    return check


def _no_empty_arrays(_: Mapping[str, Any], __: Mapping[str, str]) -> Validation:
    return _each(None, lambda part: "is an empty list" if part == [] else None)


def _min_count(schema: Mapping[str, Any], given: Mapping[str, str]) -> Validation:
    least = int(given["n"])

    def check(part: Any) -> str | None:
        if isinstance(part, list) and len(part) < least:
            return f"has {len(part)} entries, expected at least {least}"
        return None

    return _each(_fields(schema, given["word"], "array"), check)


def _no_duplicates(schema: Mapping[str, Any], given: Mapping[str, str]) -> Validation:
    def check(part: Any) -> str | None:
        seen: set[str] = set()
        for entry in part if isinstance(part, list) else ():
            key = " ".join(str(entry).split()).casefold()
            if key in seen:
                return f"holds {shorten(entry)} twice"
            seen.add(key)
        return None

    return _each(_fields(schema, given["word"], "array"), check)


def _no_preamble(_: Mapping[str, Any], __: Mapping[str, str]) -> Validation:
    def check(text: Any) -> str | None:
        found = PREAMBLE.match(text) if isinstance(text, str) else None
        return f"begins with {found[0].strip()!r}, expected the text itself without words about it" if found else None

    return _each(None, check)


def _same_matches_probability(schema: Mapping[str, Any], _: Mapping[str, str]) -> Validation:
    _fields(schema, "same")
    _fields(schema, "probability")

    def check(value: Any) -> str | None:
        if value["same"] is not (value["probability"] >= 0.5):
            return f"same is {value['same']} but probability is {value['probability']}, expected same exactly where it is 0.5 or more"
        return None

    return check


RULES: Mapping[str, tuple[str, Builder]] = {
    r"non_empty_text": ("non_empty_text", _non_empty_text),
    r"non_empty_(?P<word>[a-z]+)": ("non_empty_<word>", _non_empty),
    r"min_length_(?P<n>\d{1,6})": ("min_length_<n>", _min_length),
    r"(?:(?P<word>[a-z]+)_)?min_words_(?P<n>\d{1,5})": ("[<word>_]min_words_<n>", _min_words),
    r"has_required_fields": ("has_required_fields", _required_fields),
    r"no_empty_arrays": ("no_empty_arrays", _no_empty_arrays),
    r"min_(?P<word>[a-z]+)_count_(?P<n>\d{1,5})": ("min_<word>_count_<n>", _min_count),
    r"no_duplicate_(?P<word>[a-z]+)": ("no_duplicate_<word>", _no_duplicates),
    r"no_preamble": ("no_preamble", _no_preamble),
    r"same_matches_probability": ("same_matches_probability", _same_matches_probability),
}


def _each(names: frozenset[str] | None, check: Callable[[Any], str | None]) -> Validation:
    """A rule that holds for the value and all that is in it, or for the fields named alone."""

    def rule(value: Any) -> str | None:
        for place, (key, part) in enumerate(_parts(value)):
            if names is None or key in names:
                wrong = check(part)
                if wrong:
                    return f"{next(islice(_paths(value), place, None)) or 'the text'} {wrong}"
        return None

    return rule


def _parts(value: Any, key: str | None = None) -> Iterator[tuple[str | None, Any]]:
    """The value and all that is in it, each with the name of its own field, None in a list."""
    yield key, value
    if isinstance(value, dict | Mapping):
        for name, part in value.items():
            yield from _parts(part, name)
    elif isinstance(value, list):
        for part in value:
            if isinstance(part, str):
                yield None, part
            else:
                yield from _parts(part)


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Where each of `_parts` stands, in the same order; apart from it, because most values are right and need no place."""
    yield path
    if isinstance(value, dict | Mapping):
        for name, part in value.items():
            yield from _paths(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _paths(part, f"{path}.{index}" if path else str(index))


def _properties(schema: object) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Name, schema and being required of every property, at any depth."""
    if not isinstance(schema, Mapping):
        return
    for name, part in schema.get("properties", {}).items():
        yield name, part if isinstance(part, Mapping) else {}, name in schema.get("required", ())
        yield from _properties(part)
    yield from _properties(schema.get("items"))


def _required(schema: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, _, required in _properties(schema) if required)


def _fields(schema: Mapping[str, Any], word: str, kind: str | None = None) -> frozenset[str]:
    """Names of the properties that have a word, in singular or plural."""

    def has_word(name: str) -> bool:
        return word.removesuffix("s") in (part.removesuffix("s") for part in name.lower().split("_"))

    found = frozenset(name for name, part, _ in _properties(schema) if has_word(name) and kind in (None, part.get("type")))
    if not found:
        raise ValueError(f"no {kind or 'field'} of the schema has {word!r} in its name")
    return found
