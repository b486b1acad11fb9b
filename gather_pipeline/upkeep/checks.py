"""What must hold of stored state, as rules over values (asset checks; S001-DUP, S001-QUAL, S001-MDB-06).

Each rule looks at what is stored, never at what the code that stored it believes. The asset checks and the automation
job both call these, so that a partition is judged alike whoever filled it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from gather_pipeline.domain.items import Item, distinct_pairs
from gather_pipeline.domain.quality import WEIGHTS, Score, told
from gather_pipeline.records.project import Embedding

ROUNDING = 0.05 + 1e-9  # a score is stored with one decimal
NEEDED_PROVENANCE = ("task", "model", "generated_by")

# Marks that change no meaning between two words; kept between two digits, where "1.5" is not "15". A hyphen always counts: "-5" is not "5".
_MARKS = re.compile(r"(?<!\d)[.,;:!?…\"'“”‘’()]|[.,;:!?…\"'“”‘’()](?!\d)")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Outcome of one rule.

    Attributes:
        looked_at: How many rows it was applied to.
        failures: One sentence for each row that breaks it, in order.
        remarks: What a reader of the rows should know, though it breaks nothing.
        facts: What was compared, by name.
    """

    looked_at: int
    failures: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True where nothing breaks the rule."""
        return not self.failures


@lru_cache(maxsize=65_536)  # each department of a project is held against all of it
def same_text_key(text: str) -> str:
    """Two texts with one key say the same: they differ in case, spacing and punctuation marks alone."""
    return " ".join(_MARKS.sub(" ", text.casefold()).split())


def no_duplicate_stored(items: Sequence[Item], project: Sequence[Item]) -> Verdict:
    """No item of a department says the same as another item of its project, unless people want both, and no id is there twice.

    Nearness of meaning is the business of the duplicate decision, which keeps its reasons; this rule holds whatever that decided.
    `project` are all items of the project, the department's included.
    """
    places: dict[str, list[Item]] = defaultdict(list)
    own = {same_text_key(item.content) for item in items}
    for item in project:
        if (key := same_text_key(item.content)) in own:
            places[key].append(item)
    twice = [id for id, count in Counter(item.id for item in items).items() if count > 1]
    failures = [f"item {id} is stored more than once" for id in twice]
    told_apart = distinct_pairs(project) if any(len(same) > 1 for same in places.values()) else frozenset()
    for item in items:
        others = [
            other
            for other in places[same_text_key(item.content)]
            if other.id != item.id and not (item.is_persons and other.is_persons) and frozenset({item.hash, other.hash}) not in told_apart
        ]
        if others:
            failures.append(f"item {item.id} says the same as {others[0].id} of {others[0].department}: {item.content[:80]!r}")
    return Verdict(looked_at=len(items), failures=tuple(failures))


def score_in_range_and_parts_add_up(score: Score | None) -> Verdict:
    """A score is 0 to 100, has the four parts with their reasons, and is what they come to (S001-QUAL-05 to 08).

    That is the weighted sum of the known parts less the deduction for contradictions. No score breaks the rule; one without a judge is
    remarked on.
    """
    if score is None:
        return Verdict(looked_at=0, failures=("there is no score",))
    parts = score.quality.parts
    failures = [f"part {name} is missing" for name in WEIGHTS if name not in parts]
    failures += [f"part {name} is not one of {', '.join(WEIGHTS)}" for name in parts if name not in WEIGHTS]
    values = {"the score": score.value} | {f"part {name}": part.value for name, part in parts.items() if part.value is not None}
    bad = [f"{name} is {value!r}, expected a number from 0 to 100" for name, value in values.items() if not _in_range(value)]
    failures += bad
    failures += [f"part {name} gives no reason" for name, part in parts.items() if not any(reason.strip() for reason in part.reasons)]
    if not bad and set(parts) == set(WEIGHTS) and abs(score.quality.value - score.value) > ROUNDING:
        failures.append(f"the parts add up to {score.quality.value}, but the score is {score.value}")
    remarks = () if score.quality.judged else ("unjudged: by text statistics alone",)
    return Verdict(looked_at=1, failures=tuple(failures), remarks=remarks)


def score_reaches_threshold(score: Score | None, threshold: float) -> Verdict:
    """A score is at least the department's present threshold; where it is not, the weakest part says what is lacking."""
    if score is None:
        return Verdict(looked_at=0, failures=("there is no score",))
    facts: dict[str, float | str] = {"score": score.value, "threshold": threshold}
    failures: tuple[str, ...] = ()
    if weakest := score.quality.weakest:
        part = score.quality.parts[weakest]
        facts |= {"weakest part": f"{weakest}, {part.value:g}", "what it lacks": " ".join(part.reasons)}
    if score.value < threshold:
        because = f"; weakest is {facts['weakest part']}: {facts['what it lacks']}" if weakest else ""
        failures = (f"the score {told(score.value, score.quality.judged)} is below the threshold {threshold:g}{because}",)
    return Verdict(looked_at=1, failures=failures, facts=facts)


def _in_range(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 100


def every_item_has_provenance(items: Sequence[Item]) -> Verdict:
    """Each item says which run and iteration made it, when, by what task and model, and by what kind of generator (S001-MDB-06).

    One that a person wrote says who did and when.
    """
    failures = []
    for item in items:
        if item.origin == "person":
            failures += [f"item {item.id} has no {name}" for name in ("written_by", "created_at") if not getattr(item, name)]
            continue
        needed = ("created_at",) if item.origin in ("restored", "imported") else ("task_id", "created_at")
        missing = [name for name in needed if not getattr(item, name)]
        missing += ["iteration"] if item.iteration < 1 and item.origin == "generated" else []
        wanted = NEEDED_PROVENANCE if item.origin == "generated" else ("generated_by",)
        missing += [f"automation.{name}" for name in wanted if not item.provenance.get(name)]
        if missing:
            failures.append(f"item {item.id} has no {', '.join(missing)}")
    return Verdict(looked_at=len(items), failures=tuple(failures))


def embedding_count_equals_item_count(items: Sequence[Item], embeddings: Sequence[Embedding], model: str) -> Verdict:
    """Each item has exactly one embedding of the model, of its present text, and no embedding of that model stands without an item."""
    found: dict[str, list[Embedding]] = defaultdict(list)
    for one in embeddings:
        if one.model == model:
            found[one.item_id].append(one)
    failures = []
    for item in items:
        own = found.pop(item.id, [])
        if len(own) != 1:
            failures.append(f"item {item.id} has {len(own)} embeddings of {model}, expected 1")
        elif own[0].content_hash != item.hash:
            failures.append(f"item {item.id} has an embedding of another text")
    failures += [f"an embedding stands for item {id}, which is not there" for id in found]
    return Verdict(looked_at=len(items), failures=tuple(failures))
