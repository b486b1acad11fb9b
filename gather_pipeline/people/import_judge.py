"""Decides which lines of an import repeat what a project has, and stores the others.

Only what is active is judged, and what a person wrote in an export never. Lines of an export were decided among themselves when they were
made, so each is held against the project alone; lines that a person made by hand are held against everything and each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gather_pipeline.domain.decisions import Decision
from gather_pipeline.domain.items import Item
from gather_pipeline.people.import_lines import Candidate
from gather_pipeline.ports import Document, Embedder, Vectors
from gather_pipeline.records.duplicates import threshold_of
from gather_pipeline.records.project import GatherRepository
from gather_pipeline.records.rows import decision_row
from gather_pipeline.similarity.detector import DuplicateDetector, batch_id
from gather_pipeline.similarity.known import KnownItems

CHUNK = 1000  # texts embedded at once


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be done with a window of lines.

    Attributes:
        kept: Lines to store.
        dropped: How many are not, those of an earlier attempt included.
        rows: Decisions to record.
        vectors: Embeddings of kept items that have one, by id.
    """

    kept: list[Candidate]
    dropped: int
    rows: list[Document]
    vectors: dict[str, Vectors]


class Judge:
    """The decisions of one import.

    Args:
        repository: The project.
        everything: Its items before the import.
        candidates: Every line that can be an item.
        embedder: Opens the embedder.
        keep: Whether anything is to be stored.
        wrong_drop_cost: As `duplicates.threshold_of` takes it.
    """

    def __init__(
        self,
        repository: GatherRepository,
        everything: Sequence[Item],
        candidates: Sequence[Candidate],
        embedder: Callable[[], Embedder],
        *,
        keep: bool,
        wrong_drop_cost: float,
    ) -> None:
        self._repository, self._open, self._keep = repository, embedder, keep
        self._engine: Embedder | None = None
        self._before = [item for item in everything if item.is_active]
        self._lines = {one.item.id for one in candidates}
        drops = repository.dropped()
        self._dropped = {row["item_id"]: row["content"] for row in drops}
        self._everything, self._drops, self._wrong_drop_cost = everything, drops, wrong_drop_cost
        self._detector: DuplicateDetector | None = None
        self._distinct = repository.distinct_pairs([*everything, *(one.item for one in candidates)])
        self._known: dict[bool, KnownItems] = {}
        self._by_hand = any(one.by_hand for one in candidates)
        self._taken: list[Item] = []

    def decide(self, fresh: Sequence[Candidate], *, by_hand: bool) -> Verdict:
        """Decides about lines whose items are not there yet.

        Args:
            fresh: In the order of the file.
            by_hand: Whether a person made them; all of them or none.
        """
        gone = {one.item.id for one in fresh if self._dropped.get(one.item.id) == one.item.content and (by_hand or not one.item.is_persons)}
        left = [one for one in fresh if one.item.id not in gone]
        asked = [one for one in left if one.item.is_active and (by_hand or not one.item.is_persons)]
        others = len(asked) > 1 if by_hand else False
        decisions: dict[str, Decision] = {}
        vectors: dict[str, Vectors] = {}
        version = ""
        if asked and (others or self._has_known(by_hand)):
            known = self._known_items(by_hand)
            detector = self._usual_detector()
            version = detector.version
            contents = [one.item.content for one in asked]
            rows = self._embedder.embed(contents)
            found = detector.screen_by_rules(contents, rows, known) if by_hand else detector.against(contents, rows, known)
            ids = {batch_id(place): one.item.id for place, one in enumerate(asked)}
            for one, row, decision in zip(asked, rows, found, strict=True):
                match = decision.match_id
                decisions[one.item.id] = replace(decision, match_id=ids.get(match, match) if match else None)
                vectors[one.item.id] = row
        repeated = [one for one in asked if one.item.id in decisions and decisions[one.item.id].duplicate]
        drops = {one.item.id for one in repeated}
        kept = [one for one in left if one.item.id not in drops]
        self._learn(kept, vectors, by_hand)
        return Verdict(
            kept=kept,
            dropped=len(gone) + len(repeated),
            rows=[self._row(one, version, decisions[one.item.id]) for one in repeated],
            # A person's text gets its embedding when its neighbours are judged: see `embed.embedded`.
            vectors={one.item.id: vectors[one.item.id] for one in kept if one.item.id in vectors and not one.item.is_persons},
        )

    def store(self, verdict: Verdict) -> None:
        """Stores a window; the insert of the items comes last, and at once."""
        self._repository.record_drops(verdict.rows)
        self._save([one.item for one in verdict.kept if one.item.id in verdict.vectors], verdict.vectors)
        if verdict.kept:
            self._repository.add_items([one.item for one in verdict.kept], [one.place for one in verdict.kept])

    def _save(self, items: Sequence[Item], vectors: Mapping[str, Vectors]) -> None:
        if items and self._keep:
            self._repository.save_embeddings(items, np.stack([vectors[item.id] for item in items]), self._embedder.name)

    @property
    def _embedder(self) -> Embedder:
        if self._engine is None:
            self._engine = self._open()
        return self._engine

    def _usual_detector(self) -> DuplicateDetector:
        if self._detector is None:
            threshold = threshold_of(self._everything, self._drops, self._open, self._wrong_drop_cost)
            self._detector = DuplicateDetector(self._embedder, threshold=threshold.value, distinct=self._distinct)
        return self._detector

    def _has_known(self, by_hand: bool) -> bool:
        return bool(self._taken or self._before) if by_hand else any(item.id not in self._lines for item in self._before)

    def _known_items(self, by_hand: bool) -> KnownItems:
        """What lines are compared with: the project as it was, and for those made by hand also what was imported before them."""
        if by_hand not in self._known:
            # An earlier attempt at this import is no more the project than this one.
            items = [*self._before, *self._taken] if by_hand else [item for item in self._before if item.id not in self._lines]
            self._known[by_hand] = KnownItems.empty()
            stored = self._repository.vectors(items, self._embedder.name)
            for start in range(0, len(items), CHUNK):
                chunk = items[start : start + CHUNK]
                missing = [item for item in chunk if item.id not in stored]
                made = dict(zip((item.id for item in missing), self._embedder.embed([item.content for item in missing]), strict=True))
                self._save([item for item in missing if not item.is_persons], made)
                rows = np.stack([made[item.id] if item.id in made else stored[item.id] for item in chunk])
                self._known[by_hand].append([item.id for item in chunk], [item.content for item in chunk], rows)
        return self._known[by_hand]

    def _learn(self, kept: Sequence[Candidate], vectors: dict[str, Vectors], by_hand: bool) -> None:
        """Takes up what is kept, for the lines that come after it."""
        active = [one.item for one in kept if one.item.is_active]
        if by_hand in self._known and by_hand:
            new = [item for item in active if item.id in vectors]
            if new:
                rows = np.stack([vectors[item.id] for item in new])
                self._known[True].append([item.id for item in new], [item.content for item in new], rows)
        elif self._by_hand:
            self._taken += active

    def _row(self, one: Candidate, version: str, decision: Decision) -> Document:
        row = decision_row(one.item.id, one.item, one.item.department, one.item.iteration, one.place, version, decision)
        return {**row, "_id": f"{one.item.department}|{one.item.id}|import"}
