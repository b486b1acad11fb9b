"""One iteration: assemble context, generate, drop duplicates, save, score, commit, announce.

Nothing of it is seen before the commit. `finish` may be called again after an interruption: it writes the same rows under the same ids.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gather_pipeline.domain.decisions import Decision
from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.items import Item, NewItem, item_id, version_of
from gather_pipeline.domain.iterations import Iteration, asked_of
from gather_pipeline.domain.quality import is_judged, told
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.errors import Stopped
from gather_pipeline.gather import ladder
from gather_pipeline.gather.department_state import DepartmentState
from gather_pipeline.gather.generate import Assignment, Harvest, generate_content_batch
from gather_pipeline.gather.judges import judge_model, pair_judge, quality_judge
from gather_pipeline.gather.metric_rows import iteration_row
from gather_pipeline.gather.prompt_context import PromptContext, assemble, assemble_small
from gather_pipeline.ports import Vectors
from gather_pipeline.quality.scorer import DepartmentScorer
from gather_pipeline.records.rows import decision_row
from gather_pipeline.similarity.detector import DuplicateDetector
from gather_pipeline.text import content_filter

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Attempt:
    """One iteration of a department from context to commit.

    Attributes:
        committed: True once its rows are seen.
    """

    state: DepartmentState
    harvest: Harvest = field(default_factory=Harvest)
    usage: Usage = field(default_factory=Usage)
    seconds: dict[str, float] = field(default_factory=dict)
    committed: bool = False

    def __post_init__(self) -> None:
        """Takes the next number and reads what the ladder says."""
        self.session, self.department = self.state.session, self.state.department
        self.number = self.state.number + 1
        self.started_at = self.session.services.clock.now()
        self.runner = self.session.runner(self._spend)
        self.climbed = self.state.climbed
        self.restarted = self.state.restarting
        self.context: PromptContext | None = None

    def _spend(self, usage: Usage) -> None:
        self.usage = self.usage + usage

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 4)

    def unanswered(self) -> bool:
        """True where every call failed without an answer: asking on would be pointless."""
        return bool(self.harvest.unavailable) and len(self.harvest.unavailable) == self.harvest.calls

    def generate(self) -> Stopped | None:
        """Assembles context and makes the calls; returns the reason to stop the run, if one came up."""
        state, services = self.state, self.session.services
        plan = state.plan(self.number)
        self.model = state.chain[plan.model]
        with self._phase("context"):
            if self.model == EMBEDDED:
                self.context = assemble_small(self.session, state.before)
            else:
                self.context = assemble(self.session, self.department, state.before, services.settings.context_tokens)
        work = Assignment(
            department=self.department,
            iteration=self.number,
            plan=plan,
            model=self.model,
            fallback_models=[model for model in state.chain if model not in (self.model, EMBEDDED)],
            context=self.context,
        )
        with self._phase("generate"):
            return self.session.wait(generate_content_batch(self.session, work, self.runner, self.harvest))

    def finish(self, *, partial: bool) -> None:
        """Drops duplicates, saves, scores and commits what was generated.

        Args:
            partial: The run is being stopped: the judge is not asked any more, and nothing is written where nothing came.
        """
        texts = self.harvest.in_order()
        if self.committed or self.context is None or (partial and not texts):
            return
        self.session.control.check_lease()
        services = self.session.services
        judge = None if partial else judge_model(services.settings.judge_model, self.model, services.resolve_model)
        with self._phase("deduplicate"):
            vectors = services.embedder.embed([text.content for text in texts])
            decisions, rules = self._screen(texts, vectors, judge)
        kept = [place for place, decision in enumerate(decisions) if not decision.duplicate]
        now = services.clock.now()
        items = [self._item(texts[place], place, now) for place in kept]
        with self._phase("save"):
            slug, number = self.department.slug, self.number
            rows = [decision_row(self._id(place), texts[place], slug, number, place, rules, row) for place, row in enumerate(decisions)]
            save, model = self.session.repository.save_iteration_rows, services.embedder.name
            self.session.scribe.start(lambda: save(slug, number, items, vectors[kept], model, rows))  # while the score is found
        with self._phase("score"):
            quality = self._score(items, vectors[kept], judge)
        with self._phase("save"):
            self.session.scribe.flush()
        self.session.control.check_lease()  # once it is lost the scribe writes nothing, and a commit without its rows would lie
        self._commit(self._record(items, decisions, quality, partial), items, vectors[kept])

    def _screen(self, texts: Sequence[NewItem], vectors: Vectors, judge: str | None) -> tuple[list[Decision], str]:
        session = self.session
        session.announcer.announce("deduplicating", department=self.department.slug, iteration=self.number)
        ask = pair_judge(session, self.runner, judge, self.department, self.number) if judge else None
        assert session.threshold is not None
        detector = DuplicateDetector(session.services.embedder, judge=ask, threshold=session.threshold.value, distinct=session.distinct)
        objections = {place: reason for place, text in enumerate(texts) if (reason := content_filter.objection(text.content))}
        fair = [place for place in range(len(texts)) if place not in objections]
        screened = session.wait(detector.screen([texts[place].content for place in fair], vectors[fair], session.known)) if fair else []
        decided = {place: self._named(decision, fair) for place, decision in zip(fair, screened, strict=True)}
        decided |= {
            place: Decision(duplicate=True, rule="content_filter", similarity=0.0, reason=reason) for place, reason in objections.items()
        }
        return [decided[place] for place in range(len(texts))], detector.version

    def _named(self, decision: Decision, fair: Sequence[int]) -> Decision:
        """The decision with the id that a match within the batch gets."""
        if decision.match_id is None or not decision.match_id.startswith("batch:"):
            return decision
        return replace(decision, match_id=self._id(fair[int(decision.match_id.removeprefix("batch:"))]))

    def _id(self, place: int) -> str:
        return item_id(self.session.project.id, self.department.slug, self.number, place)

    def _item(self, text: NewItem, place: int, now: str) -> Item:
        return Item(
            id=self._id(place),
            department=self.department.slug,
            iteration=self.number,
            task_id=self.session.task_id,
            project_id=self.session.project.id,
            user_id=self.session.request.user_id,
            created_at=now,
            content=text.content,
            summary=text.summary,
            context=text.context,
            aspect=text.aspect,
            provenance=text.provenance,
        )

    def _score(self, items: Sequence[Item], vectors: Vectors, judge: str | None) -> dict[str, Any]:
        session = self.session
        everything = [*session.items.get(self.department.slug, []), *items]
        before = session.vectors_of(self.department.slug)
        ask = quality_judge(session, self.runner, judge, self.number) if judge and everything else None
        scorer = DepartmentScorer(session.services.embedder, judge=ask)
        rows = np.concatenate([before, vectors]) if len(before) else vectors
        quality = session.wait(scorer.score(self.department, everything, vectors=rows, brief=session.project.brief))
        asked = asked_of(self.department, session.project.brief)
        return {**quality.to_document(), "data_version": version_of(everything), "asked": asked}

    def _record(self, items: Sequence[Item], decisions: Sequence[Decision], quality: dict[str, Any], partial: bool) -> Iteration:
        assert self.context is not None
        return Iteration(
            project_id=self.session.project.id,
            department=self.department.slug,
            number=self.number,
            task_id=self.session.task_id,
            inputs=replace(self.state.inputs, context=dict(self.context.used)),
            generated=len(decisions),
            item_ids=tuple(item.id for item in items),
            duplicates=sum(decision.duplicate and decision.rule != "content_filter" for decision in decisions),
            filtered=sum(decision.rule == "content_filter" for decision in decisions),
            quality=quality,
            model=self.model,
            rung=len(self.climbed),
            tokens=self.usage.tokens,
            cost=self.usage.cost,
            faults=(*self.context.faults, *self.harvest.faults),
            ledger=tuple(self.context.ledger),
            seconds=self.seconds,
            started_at=self.started_at,
            ended_at=self.session.services.clock.now(),
            partial=partial,
            restarted=self.restarted,
        )

    def _commit(self, iteration: Iteration, items: Sequence[Item], vectors: Vectors) -> None:
        session, state = self.session, self.state
        state.took(iteration, len(items))
        iteration = replace(iteration, ended_by=None if iteration.partial else state.ended())
        state.last = iteration
        session.repository.commit(iteration)
        self.committed = True
        session.total_iterations += 1
        session.items_created += len(items)
        session.add(self.department.slug, items, vectors)
        rows = [{"id": item.id, "content": item.content, "summary": item.summary} for item in items]
        session.services.brain.index(session.project.id, rows, self.department)
        session.metrics.append("iteration", iteration_row(iteration, self.department.threshold))
        self._announce(iteration, len(items))

    def _announce(self, iteration: Iteration, created: int) -> None:
        session, department = self.session, self.department
        session.announcer.announce(
            "iteration_complete",
            department=department.slug,
            department_name=department.name,
            iteration=self.number,
            total_iterations=session.total_iterations,
            quality_score=iteration.score,
            judged=is_judged(iteration.quality),
            items_created=created,
            threshold=department.threshold,
            duplicates_dropped=iteration.duplicates + iteration.filtered,
            tokens=iteration.tokens,
        )
        if len(self.state.climbed) > len(self.climbed):
            step, quality = self.state.climbed[-1], told(iteration.score, is_judged(iteration.quality))
            logger.warning(
                "[AutoGather] Quality stagnant at %g%% for %d iterations", iteration.score, ladder.PATIENCE, extra={TOLD_BY_EVENT: True}
            )
            session.announcer.announce(
                "stagnation_detected",
                department=department.slug,
                quality_score=iteration.score,
                judged=is_judged(iteration.quality),
                step=step,
                reason=f"quality {quality} did not rise for {ladder.PATIENCE} iterations, so the loop {ladder.SENTENCES[step]}",
            )
