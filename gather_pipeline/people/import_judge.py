"""Decides which lines of an import repeat what a project has.

Lines of an export were decided among themselves when they were made, so each is held against the project alone; lines that a person made
by hand are held against everything and each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.items import Item
from gather_pipeline.people.import_lines import CheckedLines, ImportedLine
from gather_pipeline.ports import Vectors
from gather_pipeline.records.project import vectors_of
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.similarity.detector import DuplicateDetector, batch_id
from gather_pipeline.similarity.known import KnownItems
from gather_pipeline.similarity.project import detector_of


@dataclass(frozen=True, kw_only=True)
class ImportDecision:
    """Lines to store, those of them that have an embedding, and lines that repeat something, now or at an earlier attempt."""

    kept: list[ImportedLine]
    vectors: Mapping[str, Vectors]
    dropped: list[DecidedText]
    dropped_before: int


class ImportJudge:
    """The decisions of one import of `lines` into what `view` shows. What is compared is embedded when it is first needed."""

    def __init__(self, services: Services, view: ProjectView, lines: CheckedLines, *, dry_run: bool) -> None:
        self._services, self._view, self._lines, self._dry_run = services, view, lines, dry_run
        self._dropped_before = {(drop.item_id, drop.text.content) for drop in view.dropped}
        # An earlier attempt at this import is no more the project than this one.
        self._project = _ComparedItems([item for item in view.items if item.id not in lines.numbers])
        self._everything = _ComparedItems(view.items)
        self._vectors: dict[str, Vectors] = {}

    def decide(self, fresh: Sequence[ImportedLine], *, by_hand: bool) -> ImportDecision:
        """Decides about lines whose items are not there yet, all or none made by hand; those after them are held against what is kept."""
        before = {line.item.id for line in fresh if line.is_judged and (line.item.id, line.item.content) in self._dropped_before}
        judged = [line for line in fresh if line.is_judged and line.item.id not in before]
        dropped = self._repeated(judged, by_hand=by_hand)
        out = before | {one.item_id for one in dropped}
        kept = [line for line in fresh if line.item.id not in out]
        # A person's text gets its embedding when its neighbours are judged: see `upkeep.embed`.
        wanted = [line.item.id for line in kept if not line.item.is_persons]
        vectors = {id: self._vectors[id] for id in wanted if id in self._vectors}
        if self._lines.counts[True]:
            self._everything.items += [line.item for line in kept if line.item.is_active]
        else:
            self._vectors.clear()  # no line after these is held against them
        return ImportDecision(kept=kept, vectors=vectors, dropped=dropped, dropped_before=len(before))

    def _repeated(self, judged: Sequence[ImportedLine], *, by_hand: bool) -> list[DecidedText]:
        """Lines that repeat what they are compared with."""
        compared = self._everything if by_hand else self._project
        if not judged or not (compared.items or (by_hand and len(judged) > 1)):
            return []
        contents = [line.item.content for line in judged]
        known = self._known_of(compared)
        vectors = self._vectors_of([line.item for line in judged])
        decisions = self._detector.screen_by_rules(contents, vectors, known, within=by_hand)
        ids = {batch_id(place): line.item.id for place, line in enumerate(judged)}
        return [
            DecidedText(
                key=f"{line.item.department}|{line.item.id}|import",
                item_id=line.item.id,
                department=line.item.department,
                iteration=line.item.iteration,
                place=line.place,
                text=line.item,
                decision=replace(decision, match_id=ids.get(decision.match_id or "", decision.match_id)),
                rules_version=self._detector.version,
            )
            for line, decision in zip(judged, decisions, strict=True)
            if decision.duplicate
        ]

    def _known_of(self, compared: _ComparedItems) -> KnownItems:
        """What lines are compared with, embedded; embeddings of stored items are kept, but those of a person's text."""
        new = compared.items[len(compared.known) :]
        if not new:
            return compared.known
        model = self._services.embedder.name
        if missing := [item for item in new if item.id not in self._vectors]:
            self._vectors |= vectors_of(self._view.embeddings, missing, model)
        made = [item for item in missing if item.id not in self._vectors and not item.is_persons]
        vectors = self._vectors_of(new)
        if made and not self._dry_run:
            self._view.records.save_embeddings(made, self._vectors_of(made), model)
        compared.known.append([item.id for item in new], [item.content for item in new], vectors)
        return compared.known

    def _vectors_of(self, items: Sequence[Item]) -> Vectors:
        """Embeddings of some items, row by row; those that are missing are made."""
        missing = [item for item in items if item.id not in self._vectors]
        made = self._services.embedder.embed([item.content for item in missing])
        self._vectors.update(zip((item.id for item in missing), made, strict=True))
        return np.stack([self._vectors[item.id] for item in items])

    @cached_property
    def _detector(self) -> DuplicateDetector:
        items = {item.id: item for item in [*self._lines.overruling, *self._view.everything]}
        return detector_of(list(items.values()), self._view.dropped, self._services.embedder, self._services.settings.wrong_drop_cost)


class _ComparedItems:
    """Items that lines are compared with, and those of them that are embedded already: the first ones."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = list(items)
        self.known = KnownItems()
