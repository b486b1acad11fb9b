"""How alike two outputs are, from 0 to 1, by functions with a name (S004-SIM).

Equal outputs are 1 by every function, and cost nothing. What differs in a fact, such as a number, a name or a negation, is not alike
however close its words are: `text`, `embedding` and the texts within `structured` give 0 then.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from rapidfuzz import fuzz

from gather_pipeline.errors import InvalidInput
from gather_pipeline.similarity.conflicts import Aligned, first_conflict
from gather_pipeline.similarity.reading import read
from gather_pipeline.tasks.plugins import naming, plugin, plugin_names
from gather_pipeline.tasks.schemas import Schema

if TYPE_CHECKING:
    from gather_pipeline.ports import Embedder

Similarity = Callable[[Any, Any], float]

LONG = 1_000  # characters
UNMATCHED = 0.5  # entries less alike than this are two entries
ENTRY = 100  # characters of JSON that take as long as all else of comparing an entry
COMPARED = 1e8  # product of the characters of two lists, about 1 s; entries of larger ones are compared place by place
ABSENT: tuple[Any, ...] = (None, "", [], {})


def similarity(name: str | None, schema: Schema, embedder: Embedder) -> Similarity:
    """The function of that name for outputs of a schema; by default `embedding` for texts and `structured` for all else.

    Raises:
        ValueError: No function has that name.
        InvalidInput: A plugin of that name cannot be loaded.
    """
    own: Mapping[str, Similarity] = {
        "difflib": partial(_of_texts, by_difflib),
        "cosine": partial(_of_texts, by_words),
        "text": partial(_of_texts, by_text),
        "structured": partial(by_fields, schema),
        "embedding": partial(_of_texts, partial(by_meaning, embedder)),
    }
    found = own.get(name or ("embedding" if schema.get("type") == "string" else "structured"))
    if found is None and (brought := plugin("similarities", str(name))) is not None:
        found = partial(_by_plugin, str(name), naming("similarities", str(name))(brought))
    if found is None:
        raise ValueError(f"similarity is {name!r}, expected one of {', '.join([*own, *plugin_names('similarities')])}")
    return lambda first, second: 1.0 if _json(first) == _json(second) else found(first, second)


def _by_plugin(name: str, alike: Similarity, first: Any, second: Any) -> float:
    if not isinstance(value := alike(first, second), int | float) or not 0 <= value <= 1:
        raise InvalidInput.field(f"likeness by plugin {name} (similarities)", value, "a number from 0 to 1")
    return value


def by_difflib(first: str, second: str) -> float:
    """Python's own ratio, of characters, and of words in long texts, where it takes time that grows with the square of their length."""
    if max(len(first), len(second)) > LONG:
        return SequenceMatcher(None, first.split(), second.split(), autojunk=False).ratio()
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def by_words(first: str, second: str) -> float:
    """Cosine of the counts of the words that tell something, in their dictionary forms."""
    left, right = (Counter(word.lemma for word in read(text).telling) for text in (first, second))
    length = math.sqrt(sum(n * n for n in left.values()) * sum(n * n for n in right.values()))
    return sum(left[lemma] * right[lemma] for lemma in left) / length if length else 0.0


def by_text(first: str, second: str) -> float:
    """The greater of the share of characters that stand in line and of `by_words`."""
    return 0.0 if _contradict(first, second) else max(fuzz.ratio(first, second) / 100, by_words(first, second))


def by_meaning(embedder: Embedder, first: str, second: str) -> float:
    """Cosine of the embeddings, none below 0."""
    if _contradict(first, second):
        return 0.0
    left, right = embedder.embed([first, second])
    return min(1.0, max(0.0, float(left @ right)))


def by_fields(schema: Schema | bool, first: Any, second: Any) -> float:
    """Mean of the likeness of the parts: properties by their name, entries of lists by the best match, whatever their order.

    A number between limits counts by the share of the range that lies between the two, one without by their ratio; what has a fixed set of
    values is equal or not. A property that neither has, or that is empty in both, is left out of account.
    """
    if _json(first) == _json(second):
        return 1.0
    schema = schema if isinstance(schema, Mapping) else {}
    match first, second:
        case bool(), _:
            return 0.0
        case str(), str():
            fixed = "enum" in schema or "format" in schema
            return float(_plain(first) == _plain(second)) if fixed else _of_texts(by_text, first, second)
        case int() | float(), int() | float() if not isinstance(second, bool):
            if first == second:  # such as 0 and 0.0
                return 1.0
            low, high = schema.get("minimum"), schema.get("maximum")
            span = high - low if low is not None and high is not None and high > low else max(abs(first), abs(second))
            return max(0.0, 1 - abs(first - second) / span)
        case Mapping(), Mapping():
            names = [name for name in {**first, **second} if not (first.get(name) in ABSENT and second.get(name) in ABSENT)]
            parts = schema.get("properties", {})
            return sum(by_fields(parts.get(name, {}), first.get(name), second.get(name)) for name in names) / len(names) if names else 1.0
        case list(), list():
            return _of_lists(partial(by_fields, schema.get("items", {})), first, second)
    return 0.0


def _of_lists(alike: Similarity, first: Sequence[Any], second: Sequence[Any]) -> float:
    """Twice the likeness of the entries that match, over the entries of both."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    keys = [[_json(entry) for entry in entries] for entries in (first, second)]
    same = Counter(keys[0]) & Counter(keys[1])
    rest = [_without(same, entries, own) for entries, own in zip((first, second), keys, strict=True)]
    if math.prod(sum(len(_json(entry)) + ENTRY for entry in entries) for entries in rest) > COMPARED:
        found = [alike(left, right) for left, right in zip(*rest, strict=False)]
    elif all(rest):
        table = np.array([alike(left, right) for left, right in product(*rest)]).reshape(len(rest[0]), len(rest[1]))
        found = table[linear_sum_assignment(table, maximize=True)].tolist()
    else:
        found = []
    return 2 * (same.total() + sum(one for one in found if one >= UNMATCHED)) / (len(first) + len(second))


def _without(same: Counter[str], entries: Sequence[Any], keys: Sequence[str]) -> list[Any]:
    """The entries but for those that the other list has word for word."""
    left, rest = Counter(same), []
    for entry, key in zip(entries, keys, strict=True):
        if left[key]:
            left[key] -= 1
        else:
            rest.append(entry)
    return rest


def _of_texts(alike: Callable[[str, str], float], first: Any, second: Any) -> float:
    """The likeness of two texts, or of other values as JSON, without regard to capitals and white space."""
    left, right = (_plain(one if isinstance(one, str) else _json(one)) for one in (first, second))
    if left.casefold() == right.casefold():
        return 1.0
    return alike(left, right) if left and right else 0.0


def _json(value: Any) -> str:
    """A value by which it is known: 1 is not true, and the order of keys does not matter."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _contradict(first: str, second: str) -> bool:
    left, right = read(first), read(second)
    return left.english and right.english and first_conflict(Aligned.of(left.words, right.words)) is not None
