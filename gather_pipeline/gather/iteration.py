"""One iteration: assemble context, generate, drop duplicates, save, score, commit, announce.

Nothing of it is seen before the commit. `finish` may be called again after an interruption: it begins its rows anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np

from gather_pipeline.domain.decisions import DecidedText, Decision, decided_in
from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.items import Item, NewItem, item_id, version_of
from gather_pipeline.domain.iterations import Iteration, asked_of
from gather_pipeline.domain.quality import Quality, told
from gather_pipeline.domain.routing import EMBEDDED, is_local
from gather_pipeline.errors import Stopped
from gather_pipeline.gather import ladder
from gather_pipeline.gather.batch import Batch, collect
from gather_pipeline.gather.judges import judge_model, pair_judge, quality_judge
from gather_pipeline.gather.state import DepartmentState
from gather_pipeline.gather.writers import Assignment, Writer
from gather_pipeline.gather.writers.remote import RemoteWriter
from gather_pipeline.gather.writers.small import SmallWriter
from gather_pipeline.ports import Vectors
from gather_pipeline.quality.scorer import measure_with
from gather_pipeline.similarity.detector import DuplicateDetector
from gather_pipeline.tasks.distilling import TaskDistiller
from gather_pipeline.text import content_filter
from gather_pipeline.upkeep.events import of_iteration

logger = logging.getLogger(__name__)


def writer_for(model: str) -> Writer:
    """The writer for a model."""
    return SmallWriter() if model == EMBEDDED else RemoteWriter()


class Attempt:
    """One iteration of a department from context to commit.

    Args:
        state: The department.
        number: Number of the iteration.
        after: The iterations before it that are under way.

    Attributes:
        batch: Its calls.
        committed: True once its rows are seen.
    """

    def __init__(self, state: DepartmentState, number: int, after: Sequence[Attempt] = ()) -> None:
        self.state, self.number = state, number
        self.session, self.department = state.session, state.department
        self.climbed, self.restarted = state.climbed, state.restarting
        self.started_at = self.session.services.clock.now()
        self.seconds: dict[str, float] = {}
        self.usage = Usage()
        self.committed = False
        self.judge_faults: list[str] = []
        self.runner = self.session.runner(self._spend)
        plan = state.plan(number)
        self.model, *others = ladder.asked(state.chain, plan.model, self.session.services.health.left_out(afresh=False))
        writer = writer_for(self.model)
        if self.session.items:  # of which the nearest are looked for
            self.session.loaded_embedder()
        with self._phase("context"):
            self.context = writer.context(self.session, self.department, state.before, self.model, self._distiller(others))
        work = Assignment(
            department=self.department,
            iteration=number,
            plan=plan,
            model=self.model,
            fallback_models=others,
            context=self.context,
            kept=self.session.vectors_of(self.department.slug),
        )
        with self._phase("context"):
            self.batch: Batch = Batch(self.session, writer, work, self.runner, [attempt.batch for attempt in after])

    def _distiller(self, others: Sequence[str]) -> TaskDistiller | None:
        """Shortens a brief that does not fit by the iteration's own model; None for a local one, which cannot be trusted with that."""
        if is_local(self.model):
            return None
        session = self.session
        tags, draw = session.tags(self.department, self.number), f"{session.project.id}|distilled"  # paid once for all departments
        ask = partial(session.ask, self.runner)
        others = [model for model in others if not is_local(model)]
        return TaskDistiller(ask, session.services.catalogue, self.model, fallback_models=others, tags=tags, draw=draw)

    def _spend(self, usage: Usage) -> None:
        self.usage = self.usage + usage

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began, asked = time.perf_counter(), self.session.brain.seconds
        try:
            yield
        finally:
            for what, took in ((name, time.perf_counter() - began), ("brain", self.session.brain.seconds - asked)):
                self.seconds[what] = round(self.seconds.get(what, 0.0) + took, 4)

    def is_in_vain(self) -> bool:
        """True where no call brought a usable answer: asking on would be pointless."""
        return len(self.batch.faults) == self.batch.size

    def met_no_server(self) -> bool:
        """True where no call reached its model server."""
        return self.batch.unreached == self.batch.size

    def generate(self, ahead: Sequence[Attempt]) -> Stopped | None:
        """Awaits the calls, while those of the iterations begun ahead go on; returns the reason to stop the run, if one came up."""
        with self._phase("generate"):
            return collect([self.batch, *(attempt.batch for attempt in ahead)])

    def finish(self, *, partial: bool) -> None:
        """Drops duplicates, saves, scores and commits what was generated.

        Args:
            partial: The run is being stopped: the judge is not asked any more, and nothing is written where nothing came.

        Raises:
            Stopped: The run is to end while the judge was asked; call again with `partial`.
        """
        if self.committed or (partial and not self.batch.notes):
            return
        self.session.control.check_lease()
        services = self.session.services
        judge = None if partial else judge_model(services.settings.judge_model, self.model, services.resolve_model)
        self.session.announcer.announce("deduplicating", department=self.department.slug, iteration=self.number)
        items, rows, decided = self.accept(judge)
        decisions = [one.decision for one in decided]
        with self._phase("score"):
            quality, version = self._score(items, rows, judge)
        with self._phase("save"):
            if not self.session.records.open_iteration(self.department.slug, self.number, self.session.lease):
                self.committed = True
                return
            self.session.records.save_iteration_rows(items, rows, services.embedder.name, decided)
            self.session.records.save_ledgers(self.department.slug, self.number, self.session.task_id, self.context.ledgers)
            self.session.store_executions()
        self._commit(self._record(items, decisions, quality, version, partial), items, rows)

    def accept(self, judge: str | None = None) -> tuple[list[Item], Vectors, list[DecidedText]]:
        """Drops duplicates of what was generated; the rest is in the session's `unsaved` until it is committed.

        Returns:
            The items, their embeddings row by row, and one decision a text.
        """
        notes, now = self.batch.notes, self.session.services.clock.now()
        with self._phase("deduplicate"):
            vectors = self.batch.vectors
            decisions, rules = self._screen(notes, vectors, judge)
        kept = [place for place, decision in enumerate(decisions) if not decision.duplicate]
        items = [self._item(notes[place], place, now) for place in kept]
        self.session.unsaved[self.department.slug, self.number] = items
        return items, vectors[kept], [self._decided(notes[place], place, one, rules) for place, one in enumerate(decisions)]

    def _screen(self, notes: Sequence[NewItem], vectors: Vectors, judge: str | None) -> tuple[list[Decision], str]:
        session = self.session
        ask = pair_judge(session, self.runner, judge, self.department, self.number) if judge else None
        detector = DuplicateDetector(session.services.embedder, judge=ask, threshold=session.threshold.value, distinct=session.distinct)
        objections = {place: reason for place, note in enumerate(notes) if (reason := content_filter.objection(note.content))}
        fair = [place for place in range(len(notes)) if place not in objections]
        texts = [notes[place].content for place in fair]
        found = [session.as_here(ones) for ones in session.brain.duplicates(texts)]
        screened = session.wait(detector.screen(texts, vectors[fair], session.known, found)) if fair else []
        decided = {place: self._named(decision, fair) for place, decision in zip(fair, screened, strict=True)}
        decided |= {
            place: Decision(duplicate=True, rule="content_filter", similarity=0.0, reason=reason) for place, reason in objections.items()
        }
        return [decided[place] for place in range(len(notes))], detector.version

    def _named(self, decision: Decision, fair: Sequence[int]) -> Decision:
        """The decision with the id that a match within the batch gets."""
        if decision.match_id is None or not decision.match_id.startswith("batch:"):
            return decision
        return replace(decision, match_id=self._id(fair[int(decision.match_id.removeprefix("batch:"))]))

    def _id(self, place: int) -> str:
        return item_id(self.session.project.id, self.department.slug, self.number, place, self.session.task_id)

    def _decided(self, note: NewItem, place: int, decision: Decision, rules: str) -> DecidedText:
        return DecidedText(
            key=decided_in(self.number, place, self.department.slug, self.session.task_id),
            item_id=self._id(place),
            department=self.department.slug,
            iteration=self.number,
            task_id=self.session.task_id,
            place=place,
            text=note,
            decision=decision,
            rules_version=rules,
        )

    def _item(self, note: NewItem, place: int, now: str) -> Item:
        return Item(
            id=self._id(place),
            department=self.department.slug,
            iteration=self.number,
            task_id=self.session.task_id,
            project_id=self.session.project.id,
            user_id=self.session.request.user_id,
            created_at=now,
            content=note.content,
            summary=note.summary,
            context=note.context,
            aspect=note.aspect,
            provenance=note.provenance,
        )

    def _score(self, items: Sequence[Item], vectors: Vectors, judge: str | None) -> tuple[Quality, str]:
        """The department's quality with these items, and the version of what was scored."""
        session = self.session
        everything = [*session.items.get(self.department.slug, []), *items]
        before = session.vectors_of(self.department.slug)
        ask = quality_judge(session, self.runner, judge, self.number, self.judge_faults.append) if judge and everything else None
        rows = np.concatenate([before, vectors]) if len(before) and len(vectors) else before if len(before) else vectors
        embedder, brief = session.services.embedder, session.project.brief
        analyses = session.analyses.of(self.department.slug, everything)
        coverage = session.brain.coverage(self.department, everything)
        measuring = measure_with(
            ask, self.department, everything, embedder, brief=brief, vectors=rows, analyses=analyses, coverage=coverage
        )
        quality = session.wait(measuring)
        return quality, version_of(everything)

    def _record(self, items: Sequence[Item], decisions: Sequence[Decision], quality: Quality, version: str, partial: bool) -> Iteration:
        return Iteration(
            project_id=self.session.project.id,
            department=self.department.slug,
            number=self.number,
            task_id=self.session.task_id,
            inputs=replace(self.state.inputs, context={id: hash for id, hash in self.context.used.items() if self.session.is_ours(id)}),
            generated=len(decisions),
            item_ids=tuple(item.id for item in items),
            duplicates=sum(decision.duplicate and decision.rule != "content_filter" for decision in decisions),
            filtered=sum(decision.rule == "content_filter" for decision in decisions),
            quality=quality,
            data_version=version,
            asked=asked_of(self.department, self.session.project.brief),
            model=self.model,
            threshold=self.department.threshold,
            rung=len(self.climbed),
            tokens=self.usage.tokens,
            cost=self.usage.cost,
            faults=(*self.context.faults, *self.batch.faults, *self.judge_faults),
            seconds=self.seconds,
            started_at=self.started_at,
            ended_at=self.session.services.clock.now(),
            partial=partial,
            restarted=self.restarted,
        )

    def _commit(self, iteration: Iteration, items: Sequence[Item], vectors: Vectors) -> None:
        session, state = self.session, self.state
        state.judge_failed = bool(self.judge_faults)
        climbed, foreseen = len(state.climbed), replace(state, history=[*state.history])
        foreseen.took(iteration, len(items))
        iteration = replace(iteration, ended_by=None if iteration.partial else foreseen.ended())
        session.records.commit(iteration, session.lease)
        self.committed = True
        del session.unsaved[iteration.department, iteration.number]
        state.took(iteration, len(items))
        session.add(iteration, items, vectors)
        self._announce(iteration, state.climbed[climbed:])

    def _announce(self, iteration: Iteration, steps: Sequence[ladder.Step]) -> None:
        announcer, department, judged = self.session.announcer, self.department, iteration.quality.judged
        announcer.announce("iteration_complete", **of_iteration(iteration, department.name, self.session.total_iterations))
        for step in steps:
            logger.warning(
                "[AutoGather] Quality stagnant at %g%% for %d iterations", iteration.score, ladder.PATIENCE, extra={TOLD_BY_EVENT: True}
            )
            announcer.announce(
                "stagnation_detected",
                department=department.slug,
                quality_score=iteration.score,
                judged=judged,
                step=step,
                reason=f"quality {told(iteration.score, judged)} did not rise for {ladder.PATIENCE} iterations, so the loop "
                f"{ladder.SENTENCES[step]}",
            )
