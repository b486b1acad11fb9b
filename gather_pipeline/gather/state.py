"""A department under way: its inputs, its history, and the rules that end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import version_of
from gather_pipeline.domain.iterations import EndedBy, Fingerprint, Iteration, current, fell, is_finished, quality_after_edits
from gather_pipeline.gather import ladder
from gather_pipeline.gather.session import Session
from gather_pipeline.quality.scorer import measure
from gather_pipeline.upkeep.inputs import chain_of, definition_for, inputs_of


@dataclass(kw_only=True)
class DepartmentState:
    """One department of one run.

    Attributes:
        before: Departments that ran earlier, in order.
        allowed: Most iterations in this run: the fair share (C27).
        chain: Models, the usual one first.
        inputs: Fingerprint of the present inputs.
        history: Committed iterations whose inputs are unchanged, oldest first: what maxIterations and the ladder count. Partial ones
            are left out, and those of earlier runs that brought nothing usable.
        last: The newest committed iteration, whatever its inputs.
        number: The highest number that an iteration or an imported item has, 0 for none.
        edited_quality: Quality of the items as people have left them since the last iteration, None where they left them alone.
        aim: Aspects from least to best covered, of those items.
        restarting: People made the department worse, or no judge could be had, so that its iterations count anew.
        judge_failed: The judge was asked about the newest iteration, and gave no usable answer.
        iterations: Iterations of this run.
        items_created: Items of this run.
    """

    session: Session
    department: Department
    before: Sequence[Department]
    allowed: int
    chain: tuple[str, ...]
    inputs: Fingerprint
    history: list[Iteration]
    last: Iteration | None
    finished: bool
    number: int
    edited_quality: float | None = None
    aim: Sequence[str] = ()
    restarting: bool = False
    judge_failed: bool = False
    iterations: int = 0
    items_created: int = 0

    @classmethod
    def read(cls, session: Session, department: Department, before: Sequence[Department], allowed: int) -> DepartmentState:
        """The department as the session has it."""
        slug, services = department.slug, session.services
        inputs = inputs_of(services, session.project, department)
        everything, hashes = session.history.get(slug, []), session.hashes()
        last = everything[-1] if everything else None
        own = session.items.get(slug, [])
        now: float | None = None
        aim: Sequence[str] = ()
        if version_of(own) != (last.data_version if last else version_of([])):
            vectors, analyses = session.vectors_of(slug), session.analyses.of(slug, own)
            quality = measure(department, own, session.loaded_embedder(), vectors=vectors, analyses=analyses, brief=session.project.brief)
            now, aim = quality_after_edits(last, quality.value, quality.version) if last else quality.value, quality.least_covered
        worse = last is not None and now is not None and fell(last, now, department.threshold)
        anew = worse or (last is not None and last.ended_by == "failed")
        usable = [one for one in current(everything, inputs, hashes) if not one.partial and one.generated]
        return cls(
            session=session,
            department=department,
            before=before,
            allowed=allowed,
            chain=chain_of(services, department),
            inputs=inputs,
            history=[] if anew else usable,
            last=last,
            finished=not worse and is_finished(everything, inputs, hashes),
            number=max(last.number if last else 0, session.highest.get(slug, 0)),
            edited_quality=None if last and last.inputs.differences(inputs, hashes) else now,
            aim=aim,
            restarting=anew,
        )

    @property
    def score(self) -> float | None:
        """Quality as it stands, None before the first."""
        if self.edited_quality is not None:
            return self.edited_quality
        return self.last.score if self.last else None

    @property
    def judged(self) -> bool:
        """Whether a judge had a part in `score`: a change by people is laid upon the last score, which may have had one."""
        return self.last is not None and self.last.quality.judged

    @property
    def steps(self) -> tuple[ladder.Step, ...]:
        """The stagnation ladder for this department's models."""
        return ladder.steps(len(self.chain))

    @property
    def scores(self) -> list[float]:
        """Scores of the iterations that count, oldest first."""
        return [iteration.score for iteration in self.history]

    @property
    def climbed(self) -> tuple[ladder.Step, ...]:
        """Steps of the ladder climbed so far."""
        return self.steps[: ladder.rung(self.scores, self.steps)]

    def plan(self, number: int) -> ladder.Plan:
        """What the next iteration asks for."""
        least = self.aim or (self.history[-1].quality.least_covered if self.history else ())
        services = self.session.services
        usual = [services.catalogue.get(definition_for(services, model)).generation.temperature for model in self.chain]
        return ladder.plan(self.department.aspects, least, number, self.climbed, usual)

    def ended(self) -> EndedBy | None:
        """The rule that ends the department as it stands, None where it may go on."""
        most = self.department.coordinationSettings.maxIterations
        reached = self.edited_quality if self.edited_quality is not None else self.history[-1].score if self.history else None
        if reached is not None and reached >= self.department.threshold:
            return "threshold"
        if most is not None and len(self.history) >= most:
            return "maxIterations"
        if self.climbed == self.steps:  # by text statistics alone that tells nothing, where a judge was to say
            return "failed" if self.judge_failed and not any(one.quality.judged for one in self.history) else "stagnation"
        return "share" if self.iterations >= self.allowed else None

    def may_begin_ahead(self, ahead: int) -> bool:
        """Whether the calls of one more iteration may be begun while so many are under way."""
        most = self.department.coordinationSettings.maxIterations
        left = self.allowed - self.iterations
        left = left if most is None else min(left, most - len(self.history))
        if self.session.is_braked or self.edited_quality is not None or (self.last is not None and not self.history):
            return False  # what is begun is paid; and a changed department's next score cannot be foretold
        return ladder.may_begin_ahead(self.scores, self.department.threshold, self.steps, left, ahead)

    def took(self, iteration: Iteration, created: int) -> None:
        """Counts a committed iteration."""
        self.last, self.number = iteration, iteration.number
        self.edited_quality, self.aim, self.restarting = None, (), False
        self.iterations += 1
        self.items_created += created
        if not iteration.partial:
            self.history.append(iteration)
