"""Notes by the embedded model, which continues an opening better than it follows an instruction (D6).

The task `gather_note` gives a text from a given opening; of a few candidates the best is kept; summary and context are made by code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from zlib import crc32

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import NewItem
from gather_pipeline.errors import OutputInvalid
from gather_pipeline.gather.prompt_context import Contexts, assemble_small
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.writers import Ask, Assignment, Slot, note, notes
from gather_pipeline.gather.writers.openings import opening
from gather_pipeline.ports import Distiller
from gather_pipeline.tasks.runner import TaskResult
from gather_pipeline.text.names import find_names
from gather_pipeline.text.sentences import summary_line


class SmallWriter:
    """The body of `Writer` for the embedded model."""

    def context(
        self, session: Session, department: Department, before: Sequence[Department], model: str, distiller: Distiller | None = None
    ) -> Contexts:
        """A few lines for a small window."""
        return assemble_small(session, department, before, session.services.counter_of(model))

    def slots(self, session: Session, work: Assignment) -> list[Slot]:
        """`GATHER_CANDIDATES` calls for each aspect."""
        return [self._slot(session, work, place, aspect) for place, aspect in enumerate(work.plan.aspects)]

    def _slot(self, session: Session, work: Assignment, place: int, aspect: str) -> Slot:
        # Every department begins elsewhere in the templates and names, so that their first notes do not all begin alike.
        turn = work.iteration * 3 + place + crc32(work.department.slug.encode())
        context = work.context.about((aspect,))
        inputs = {
            "project_name": session.project.name,
            "brief_digest": " ".join([context.brief, *context.predecessors]),
            "department_name": work.department.name,
            "aspect": aspect,
            "opening": opening(find_names(session.project.brief), aspect, turn),
        }
        candidates = range(session.services.settings.candidates)
        return Slot(
            place=place,
            aspects=(aspect,),
            asks=tuple(Ask(task="gather_note", inputs=inputs, seed=work.seed(place, candidate)) for candidate in candidates),
        )

    def aware(self, slot: Slot, unseen: Sequence[NewItem]) -> Slot:
        """The slot as it is: the window has no room, and the choice among candidates looks at what is kept."""
        return slot

    async def read(self, session: Session, work: Assignment, slot: Slot, results: Sequence[TaskResult]) -> list[NewItem]:
        """The best of the usable candidates; one is enough."""
        (aspect,) = slot.aspects
        usable = [result for result in results if notes.is_usable(result.output)]
        if not usable:
            raise OutputInvalid(
                f"none of {len(results)} candidates on the {aspect} was a whole sentence of at least {notes.MIN_WORDS} words"
            )
        texts = [notes.tidy(result.output) for result in usable]
        choice = session.embedding.submit(notes.best_of, texts, aspect, session.project.brief, work.kept, session.services.embedder)
        best = await asyncio.wrap_future(choice)
        row = {
            "content": texts[best],
            "summary": summary_line(texts[best]),
            "context": notes.context(texts[best], work.department, aspect, find_names(session.project.brief)),
        }
        return [note(row, aspect, work.context.about(slot.aspects), usable[best].execution)]
