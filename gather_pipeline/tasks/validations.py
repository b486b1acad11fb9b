"""Rules that a definition names and JSON Schema cannot say (S004-DEF-07, S004-DEF-10).

A rule's name carries its parameters, as in the seed's own examples: `min_length_100`, `min_skills_count_3`, `no_duplicate_skills`.
A word in a name points to the schema's fields that have this word in theirs, so a rule that points to nothing is refused at load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import shorten
from gather_pipeline.tasks import schemas
from gather_pipeline.tasks.plugins import naming, plugin, plugin_names

UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
MIN_COUNT = re.compile(r"min_(?P<word>[a-z]+)_count_(?P<n>\d{1,6})")
PREAMBLE = re.compile(
    r"\W*(?:sure[,!.]|certainly[,!.]|absolutely[,!.]|of course[,!]|here(?:'s| is| are) (?:a|an|the|your|my)\b"
    r"|as an ai\b|i'm sorry|i am sorry|i cannot\b|i can't\b)",
    re.IGNORECASE,
)

Schema = Mapping[str, Any]
Validation = Callable[[Any], str | None]  # what is wrong with a value, in words for a model or a person; None where nothing is


def build(name: str, schema: Schema) -> Validation:
    """The rule of that name for values of a schema.

    Raises:
        ValueError: No rule has such a name, or the rule points to no field of the schema.
    """
    for form, make in RULES.items():
        found = re.fullmatch(form.replace("<n>", r"(?P<n>\d{1,6})").replace("<word>", "(?P<word>[a-z]+)"), name)
        if found:
            return make(schema, **found.groupdict())
    own: Validation | None = plugin("validations", name)
    if own is None:
        raise ValueError(f"validation {name!r} is not known, expected one of {', '.join([*RULES, *plugin_names('validations')])}")
    return naming("validations", name)(own)


def narrowed(schema: Schema, names: Iterable[str]) -> Schema:
    """The schema with what rules of these names demand of it, as far as a schema can say it: how many entries a list needs."""
    made = deepcopy(dict(schema))
    for found in filter(None, map(MIN_COUNT.fullmatch, names)):
        lists = _fields(schema, found["word"], "array")
        for properties in schemas.values(made, "properties"):
            for name, part in properties.items() if isinstance(properties, dict) else ():
                if name in lists and isinstance(part, dict) and part.get("type") == "array":
                    part["minItems"] = max(int(found["n"]), part.get("minItems", 0))
    return made


def word_count(text: str) -> int:
    """Words of a text; in scripts without spaces two characters count as one word."""
    unspaced = len(UNSPACED.findall(text))
    return len(re.findall(r"\w+(?:['’-]\w+)*", UNSPACED.sub(" ", text))) + (unspaced + 1) // 2


def _required_fields(schema: Schema) -> Validation:
    def rule(value: Any) -> str | None:
        for name in schema.get("required", ()):
            part = value.get(name) if isinstance(value, Mapping) else None
            if part is None or _is_blank(part):
                return f"{name} is missing or empty"
        return None

    return rule


def _no_duplicates(schema: Schema, word: str) -> Validation:
    def check(part: Any) -> str | None:
        seen: set[str] = set()
        for entry in part if isinstance(part, list) else ():
            key = " ".join(str(entry).split()).casefold()
            if key in seen:
                return f"holds {shorten(entry)} twice"
            seen.add(key)
        return None

    return _each(_fields(schema, word, "array"), check)


def _no_preamble(_: Schema) -> Validation:
    def check(part: Any) -> str | None:
        found = PREAMBLE.match(part) if isinstance(part, str) else None
        return f"begins with {found[0].strip()!r}, expected the text itself without words about it" if found else None

    return _each(None, check)


def _same_matches_probability(schema: Schema) -> Validation:
    if lacking := {"same", "probability"} - schema.get("properties", {}).keys():
        raise ValueError(f"no field of the schema has the name {' or '.join(sorted(lacking))}")

    def rule(value: Any) -> str | None:
        given = value if isinstance(value, Mapping) else {}
        same, probability = given.get("same"), given.get("probability")
        if isinstance(same, bool) and isinstance(probability, int | float) and same is not (probability >= 0.5):
            return f"same is {same} but probability is {probability}, expected same exactly where it is 0.5 or more"
        return None

    return rule


RULES: Mapping[str, Callable[..., Validation]] = {
    "non_empty_text": lambda schema: _each(_required(schema), lambda part: "is empty" if _is_blank(part) else None),
    "non_empty_<word>": lambda schema, word: _each(
        _fields(schema, word), lambda part: "is empty" if part in (None, [], {}) or _is_blank(part) else None
    ),
    "min_length_<n>": lambda schema, n: _each(_required(schema), _least(n, "characters", str, len)),
    "min_words_<n>": lambda schema, n: _each(None, _least(n, "words", str, word_count)),
    "<word>_min_words_<n>": lambda schema, word, n: _each(_fields(schema, word), _least(n, "words", str, word_count)),
    "has_required_fields": _required_fields,
    "no_empty_arrays": lambda schema: _each(None, lambda part: "is an empty list" if part == [] else None),
    "min_<word>_count_<n>": lambda schema, word, n: _each(_fields(schema, word, "array"), _least(n, "entries", list, len)),
    "no_duplicate_<word>": _no_duplicates,
    "no_preamble": _no_preamble,
    "same_matches_probability": _same_matches_probability,
}


def _is_blank(part: Any) -> bool:
    return isinstance(part, str) and not typed(part)


def _least(least: str, unit: str, kind: type, count: Callable[[Any], int]) -> Validation:
    """A check that a value of a kind has so many units or more."""

    def check(part: Any) -> str | None:
        if not isinstance(part, kind) or (found := count(part)) >= int(least):
            return None
        return f"has {found} {unit}, expected at least {int(least)}"

    return check


def _each(names: frozenset[str] | None, check: Validation) -> Validation:
    """A rule that holds for the fields named alone, or for the value and all that is in it."""

    def rule(value: Any) -> str | None:
        for path, name, part in _parts(value):
            if (names is None or name in names) and (wrong := check(part)):
                return f"{path or 'the text'} {wrong}"
        return None

    return rule


def _parts(value: Any, path: str = "", name: str | None = None) -> Iterator[tuple[str, str | None, Any]]:
    """The value and all that is in it, each with its place and the name of its own field, None in a list."""
    yield path, name, value
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from _parts(part, f"{path}.{key}" if path else str(key), key if isinstance(key, str) else None)


def _properties(schema: object) -> Iterator[tuple[str, Schema, bool]]:
    """Name, schema and being required of every property, at any depth."""
    if not isinstance(schema, Mapping):
        return
    for name, part in schema.get("properties", {}).items():
        yield name, part if isinstance(part, Mapping) else {}, name in schema.get("required", ())
        yield from _properties(part)
    yield from _properties(schema.get("items"))


def _required(schema: Schema) -> frozenset[str] | None:
    """Names of the required properties; None, which is all, where there are none."""
    return frozenset(name for name, _, required in _properties(schema) if required) or None


def _fields(schema: Schema, word: str, kind: str | None = None) -> frozenset[str]:
    """Names of the properties that have a word, in singular or plural."""

    def has_word(name: str) -> bool:
        return word.removesuffix("s") in (part.removesuffix("s") for part in name.lower().split("_"))

    found = frozenset(name for name, part, _ in _properties(schema) if has_word(name) and kind in (None, part.get("type")))
    if not found:
        raise ValueError(f"no {kind or 'field'} of the schema has {word!r} in its name")
    return found
