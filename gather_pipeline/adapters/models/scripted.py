"""A language model without a model: writes production notes from word lists.

For tests and demonstrations. It is a function of the request alone (its turns, seed and schema), so that the same request gets the same
answer in any order, in any process and on any store. Its notes name people and the aspect of the prompt and differ from one another in
subject; a share of them repeats an earlier note nearly word for word, so that the duplicate rules have work.

Models with a name play others: ``scripted:b`` says what ``scripted`` says, one whose name begins with ``dissent`` says something else,
and ``scripted:down`` cannot be reached.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from gather_pipeline.adapters.models.schema_example import MISSING, Schema, example_value
from gather_pipeline.domain.executions import Completion, ModelRequest, Usage
from gather_pipeline.domain.routing import SCRIPTED
from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import ModelTimeout, ModelUnreachable

NOTE_KEYS = ("content", "summary", "context")
NOTES_WITHOUT_A_COUNT = 6
DISSENT, DOWN = "dissent", "down"  # names that a model may have after ``scripted:``
ENTRIES = 3  # of a list of which the schema does not say how many
EDITION = 0  # another one writes other notes
ORDINALS = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "eleventh", "twelfth", "twentieth", "penultimate", "last")
ARTICLES = re.compile(r"(?i)^(the|a|an|his|her|its|their|our|my|your|how|what|who|why|where|when)\b")
NAME = re.compile(r"(?:(?P<before>\b[a-z]+)[,;]? )?(?P<name>\b[A-Z][a-zà-ÿ]{2,}(?: [A-Z][a-zà-ÿ]{2,})?)")
PLACE_WORDS = ("at", "on", "in")
CALENDAR = frozenset(
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August September October "
    "November December".split()
)


class ScriptedModel:
    """Answers by the content of the request.

    Args:
        latency_s: Seconds that every answer takes.
        duplicate_rate: Share of notes, 0 to 1, that repeat an earlier one nearly word for word.
    """

    def __init__(self, *, latency_s: float = 0.0, duplicate_rate: float = 0.1) -> None:
        self._latency_s = latency_s
        self._duplicate_rate = duplicate_rate

    async def complete(self, request: ModelRequest) -> Completion:
        """The answer that belongs to the request; costs nothing, counts words as tokens.

        Raises:
            ModelTimeout: The answer takes longer than the request allows.
            ModelUnreachable: The model is ``scripted:down``.
        """
        if request.model == f"{SCRIPTED}:{DOWN}":
            raise ModelUnreachable(f"the model {request.model} plays one that cannot be reached")
        if self._latency_s:
            await asyncio.sleep(min(self._latency_s, request.timeout_s))
        if self._latency_s > request.timeout_s:
            raise ModelTimeout(f"the scripted model takes {self._latency_s} s, the request allows {request.timeout_s} s")
        prompt = sum(len(message.content.split()) for message in request.messages)
        text = self.answer(request)
        words = text.split()
        cut = len(words) > request.max_tokens
        return Completion(
            text=clean(" ".join(words[: request.max_tokens]) if cut else text),
            finish_reason="length" if cut else "stop",
            model=request.model,
            usage=Usage(prompt_tokens=prompt, completion_tokens=min(len(words), request.max_tokens), cost=0.0),
            latency_s=self._latency_s,
        )

    def answer(self, request: ModelRequest) -> str:
        """Text of the answer, however long it is."""
        return _Writer(request, self._duplicate_rate).answer()

    async def aclose(self) -> None:
        """Holds nothing open."""


class _Writer:
    """Writes what one request asks for."""

    def __init__(self, request: ModelRequest, duplicate_rate: float) -> None:
        turns = [message for message in request.messages if message.role != "assistant"]
        self._request = request
        self._prompt = turns[-1].content
        self._all = "\n\n".join(message.content for message in turns)  # a second try asks in a turn of its own
        self._duplicate_rate = duplicate_rate
        told = [(message.role, message.content) for message in request.messages]
        dissenter = request.model if request.model.startswith(f"{SCRIPTED}:{DISSENT}") else EDITION
        self._random = Random(_number(json.dumps([dissenter, request.seed, told, request.response_schema], default=str)))
        self._pool = f"{EDITION}|{self._block('project')}|{self._block('department')}"
        self._aspects = self._list("aspects") or [self._block("aspect") or self._last_line()]
        self._people, self._places = _names(self._block("brief") or self._prompt, self._block("project"))

    def answer(self) -> str:
        schema = self._request.response_schema
        if schema is None or schema.get("type") == "string":
            note = self._note(self._aspects[0])["content"]
            opening = self._request.messages[-1].role == "assistant"
            return f" stops at {self._random.choice(_words()['places'])}. {note}" if opening else note
        lines = iter(self._random.sample(_words()["lines"], len(_words()["lines"])) * 50)
        value = example_value(schema, fraction=self._fraction(), text=lambda: next(lines), special=self._special, entries=ENTRIES)
        return json.dumps(value, ensure_ascii=False)

    def _special(self, schema: Schema) -> object:
        """Notes where the schema asks for notes: one, or a list of them; of a judge a row an aspect, and no contradiction."""
        row = schema.get("items")
        if schema.get("type") == "array" and isinstance(row, Mapping):
            names = set(row.get("properties", {}))
            if {"first", "second"} <= names:
                return []
            if {"aspect", "score"} <= names:
                made: Any = example_value(row, fraction=self._fraction(), text=lambda: _words()["lines"][0])
                return [{**made, "aspect": aspect} for aspect in self._aspects]
        if set(NOTE_KEYS) <= set(schema.get("properties", {})):
            return self._item(schema, self._aspects[0])
        if schema.get("type") != "array" or not isinstance(row, Mapping) or not set(NOTE_KEYS) <= set(row.get("properties", {})):
            return MISSING
        asked = re.search(r"(?i)\b(?:write|list of) (\d+)\b", self._prompt)
        count = max(int(asked[1]) if asked else NOTES_WITHOUT_A_COUNT, len(self._list("aspects")), schema.get("minItems", 1))
        count = min(count, schema.get("maxItems", 20))
        return [self._item(row, self._aspects[index % len(self._aspects)]) for index in range(count)]

    def _item(self, schema: Schema, aspect: str) -> dict[str, Any]:
        note: dict[str, Any] = {**self._note(aspect), "aspect": aspect}
        others = {name: part for name, part in schema["properties"].items() if name not in note}
        rest = example_value({"type": "object", "properties": others}, fraction=0.5, text=lambda: _words()["lines"][0])
        return {name: note.get(name, rest.get(name)) for name in schema["properties"]}

    def _note(self, aspect: str) -> dict[str, str]:
        if self._random.random() >= self._duplicate_rate:
            return _compose(self._random, aspect, self._people, self._places)
        earlier = self._list("notes") + self._list("said")
        if earlier:
            content = _nearly(self._random, self._random.choice(earlier))
            words = content.split()
            return {"content": content, "summary": " ".join(words[:12]), "context": f"Belongs to {aspect} and returns to an earlier note."}
        # Nothing was written yet: two calls that draw from the same few notes come out alike.
        same = Random(_number(f"{self._pool}|{self._random.randrange(2)}"))
        shared = _compose(same, self._block("department") or aspect, self._people, self._places)
        return shared | {"content": _nearly(self._random, shared["content"])}

    def _fraction(self) -> float:
        """Where numbers of a verdict lie: as alike as the two texts to compare are, else about the middle."""
        first, second = (Counter(re.findall(r"\w+", self._block(tag).lower())) for tag in ("first", "second"))
        if first and second:
            return round(2 * (first & second).total() / (first.total() + second.total()), 3)
        return round(0.4 + 0.3 * self._random.random(), 3)

    def _block(self, tag: str) -> str:
        found = re.findall(rf"<{tag}>\n(.*?)\n</{tag}>", self._all, flags=re.DOTALL)
        return found[-1].strip() if found else ""

    def _list(self, tag: str) -> list[str]:
        return [line[2:].strip() for line in self._block(tag).splitlines() if line.startswith("- ") and len(line) > 3]

    def _last_line(self) -> str:
        last = next((line for line in reversed(self._prompt.splitlines()) if line.strip()), "the scene")
        about = re.search(r"(?i)\babout (?:the )?(.+)$", last)
        return (about[1] if about else last).strip(" .:\"'")


def _compose(random: Random, aspect: str, people: Sequence[str], places: Sequence[str]) -> dict[str, str]:
    """A note of 40 to 60 words about the aspect."""
    words = _words()
    phrase = " ".join(aspect.split()[:8]).rstrip(" ,;:.")
    phrase = phrase if ARTICLES.match(phrase) or phrase[:1].isupper() else f"the {phrase}"
    person, other = random.sample(list(people), 2)
    thing, place = random.choice(words["things"]), random.choice(words["places"])

    def fill(template: str) -> str:
        look = random.choice(words["looks"])
        someone, *helpers = random.sample([other, *random.sample(words["roles"], 2)], 3)
        values = {"a": phrase, "q": person, "r": someone, "t": thing}
        values |= {"o": f"{'an' if look[0] in 'aeiou' else 'a'} {look} {thing}", "p": place, "n": str(random.randint(3, 61))}
        values |= {"k": random.choice(ORDINALS), "w": random.choice([*random.sample(words["times"], 3), *places[:1]])}
        values |= {"c": random.choice(words["causes"]), "z": random.choice(words["results"])}
        values["d"] = random.choice(words["deeds"]).format(**values | {"r": helpers[0]})
        values |= {name.upper(): value[:1].upper() + value[1:] for name, value in values.items()}
        text = template.format(**values)
        return text[:1].upper() + text[1:]

    best: list[str] = []
    for _ in range(12):
        parts = [fill(random.choice(words[kind])) for kind in ("starts", "details", "crafts")]
        if not best or abs(_count(parts) - 50) < abs(_count(best) - 50):
            best = parts
        if 40 <= _count(best) <= 60:
            break
    summary = f"{person} and the {thing}, for {phrase}."
    return {"content": " ".join(best), "summary": summary, "context": f"Belongs to {phrase} and answers to {person}'s part in the brief."}


def _nearly(random: Random, text: str) -> str:
    """The text with up to three expressions exchanged, none of which is a name, a number or a negation."""
    swaps = [(old, new) for old, new in _words()["swaps"] if re.search(rf"\b{old}\b", text)]
    for old, new in random.sample(swaps, min(3, len(swaps))):
        text = re.sub(rf"\b{old}\b", new, text, count=1)
    return text


def _names(text: str, title: str) -> tuple[list[str], list[str]]:
    """People that a text names most often, and places with their preposition; people of our own where it names fewer than two.

    A name stands within a sentence, or has two words. It is a place where it mostly follows "at", "on" or "in".
    """
    common = set(re.findall(r"\b[a-z]+\b", text))
    before: dict[str, Counter[str]] = {}
    for match in NAME.finditer(re.sub(r"(?m)^#.*$", "", text)):
        first, _, second = match["name"].partition(" ")
        if second and first.lower() in common:  # "Only Ines"
            first, second = second, ""
        name = f"{first} {second}".strip()
        if (match["before"] or " " in match["name"]) and first.lower() not in common and first not in CALENDAR and name not in title:
            before.setdefault(name, Counter())[match["before"] or ""] += 1
    whole = {name: counts for name, counts in before.items() if not any(name != other and name in other.split() for other in before)}
    ranked = sorted(whole, key=lambda name: (-whole[name].total(), name))[:12]
    places = {name: [word for word, _ in whole[name].most_common() if word in PLACE_WORDS] for name in ranked}
    is_place = {name: 2 * sum(whole[name][word] for word in PLACE_WORDS) >= whole[name].total() for name in ranked}
    people = [name for name in ranked if not is_place[name]][:8]
    return people if len(people) > 1 else _words()["names"], [f"{places[name][0]} {name}" for name in ranked if is_place[name]]


def _count(parts: Sequence[str]) -> int:
    return sum(len(part.split()) for part in parts)


def _number(key: str) -> int:
    return int.from_bytes(sha256(key.encode("utf-8", "replace")).digest()[:8], "big")


@cache
def _words() -> dict[str, Any]:
    words: dict[str, Any] = json.loads(Path(__file__).with_name("scripted_words.json").read_text(encoding="utf-8"))
    return words
