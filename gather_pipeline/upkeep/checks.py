"""What must hold of stored state, as rules over values (asset checks; S001-DUP, S001-QUAL, S001-MDB-06).

Each rule looks at what is stored, never at what the code that stored it believes. The asset checks and the automation
job both call these, so that a partition is judged alike whoever filled it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.domain.quality import WEIGHTS, is_judged, total

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
    """

    looked_at: int
    failures: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True where nothing breaks the rule."""
        return not self.failures


def same_text_key(text: str) -> str:
    """Two texts with one key say the same: they differ in case, spacing and punctuation marks alone."""
    return " ".join(_MARKS.sub(" ", text.casefold()).split())


def no_duplicate_stored(items: Sequence[Item], project: Iterable[Item]) -> Verdict:
    """No item of a department says the same as another item of its project, unless people want both, and no id is there twice.

    Nearness of meaning is the business of the duplicate decision, which keeps its reasons; this rule holds whatever that decided.

    Args:
        items: The department's items.
        project: Every item of the project, the department's included.
    """
    places: dict[str, list[Item]] = defaultdict(list)
    project = list(project)
    told_apart = {frozenset(one.hashes) for item in project for one in item.overruled}

    def are_wanted(one: Item, other: Item) -> bool:
        return (one.is_persons and other.is_persons) or frozenset({content_hash(one.content), content_hash(other.content)}) in told_apart

    for item in project:
        places[same_text_key(item.content)].append(item)
    twice = [id for id, count in Counter(item.id for item in items).items() if count > 1]
    failures = [f"item {id} is stored more than once" for id in twice]
    for item in items:
        others = [other for other in places[same_text_key(item.content)] if other.id != item.id and not are_wanted(item, other)]
        if others:
            failures.append(f"item {item.id} says the same as {others[0].id} of {others[0].department}: {item.content[:80]!r}")
    return Verdict(looked_at=len(items), failures=tuple(failures))


def score_in_range_and_parts_add_up(row: Mapping[str, Any] | None) -> Verdict:
    """A score is 0 to 100, has the four parts with their weights and reasons, and is what they come to (S001-QUAL-05 to 08).

    That is the weighted sum of the known parts less the deduction for contradictions. A score without a judge is remarked on.

    Args:
        row: A document of collection `quality_scores`; None where there is none, which breaks the rule.
    """
    if row is None:
        return Verdict(looked_at=0, failures=("there is no score",))
    parts: Mapping[str, Mapping[str, Any]] = row.get("parts", {})
    failures = [f"part {name} is missing" for name in WEIGHTS if name not in parts]
    failures += [f"part {name} is not one of {', '.join(WEIGHTS)}" for name in parts if name not in WEIGHTS]
    known: dict[str, Any] = {name: part.get("value") for name, part in parts.items() if part.get("value", 0) is not None}
    values = {"the score": row.get("value")} | {f"part {name}": value for name, value in known.items()}
    bad = [f"{name} is {value!r}, expected a number from 0 to 100" for name, value in values.items() if not _in_range(value)]
    failures += bad
    for name, part in parts.items():
        if name in WEIGHTS and part.get("weight") != WEIGHTS[name]:
            failures.append(f"part {name} has weight {part.get('weight')!r}, expected {WEIGHTS[name]}")
        if not any(str(reason).strip() for reason in part.get("reasons", ())):
            failures.append(f"part {name} gives no reason")
    if not bad and set(parts) == set(WEIGHTS):
        expected = total({name: float(value) for name, value in known.items()}, float(row.get("deduction", 0)))
        if abs(expected - float(row["value"])) > ROUNDING:
            failures.append(f"the parts add up to {expected}, but the score is {row['value']}")
    remarks = () if is_judged(row) else ("unjudged: by text statistics alone",)
    return Verdict(looked_at=1, failures=tuple(failures), remarks=remarks)


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


def embedding_count_equals_item_count(items: Sequence[Item], embeddings: Sequence[Mapping[str, Any]], model: str) -> Verdict:
    """Each item has exactly one embedding of the model, of its present text, and no embedding stands without an item.

    Args:
        items: The department's items.
        embeddings: Rows of collection `embeddings` of the department's committed iterations.
        model: Name of the embedder; rows of other models are not looked at.
    """
    rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in embeddings:
        if row["model"] == model:
            rows[row["item_id"]].append(row)
    failures = []
    for item in items:
        found = rows.pop(item.id, [])
        if len(found) != 1:
            failures.append(f"item {item.id} has {len(found)} embeddings of {model}, expected 1")
        elif found[0]["content_hash"] != content_hash(item.content):
            failures.append(f"item {item.id} has an embedding of another text")
    failures += [f"an embedding stands for item {id}, which is not there" for id in rows]
    return Verdict(looked_at=len(items), failures=tuple(failures))
