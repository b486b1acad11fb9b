"""A department under way: its inputs, its history, and the rules that end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import version_of
from gather_pipeline.domain.iterations import EndedBy, Fingerprint, Iteration, current, fell, is_finished, standing
from gather_pipeline.domain.quality import is_judged
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
        standing: Quality of the items as people have left them since the last iteration, None where they left them alone.
        aim: Aspects from least to best covered, of those items.
        restarting: People made the department worse, so that its iterations count anew.
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
    standing: float | None = None
    aim: Sequence[str] = ()
    restarting: bool = False
    iterations: int = 0
    items_created: int = 0

    @classmethod
    def read(cls, session: Session, department: Department, before: Sequence[Department], allowed: int) -> DepartmentState:
        """The department as the store has it."""
        settings, catalogue = session.services.settings, session.services.catalogue
        chain = chain_of(settings, session.services.resolve_model, department)
        inputs = inputs_of(settings, catalogue, session.project, department, chain)
        everything, hashes = session.repository.iterations(department.slug), session.hashes()
        last = everything[-1] if everything else None
        own = session.items.get(department.slug, [])
        now: float | None = None
        aim: Sequence[str] = ()
        if version_of(own) != (last.quality.get("data_version") if last else version_of([])):
            quality = measure(
                department,
                own,
                session.services.embedder,
                vectors=session.vectors_of(department.slug),
                brief=session.project.brief,
            )
            now, aim = standing(last, quality.value, quality.version) if last else quality.value, quality.least_covered
        worse = last is not None and now is not None and fell(last, now, department.threshold)
        usable = [one for one in current(everything, inputs, hashes) if not one.partial and one.generated]
        return cls(
            session=session,
            department=department,
            before=before,
            allowed=allowed,
            chain=chain,
            inputs=inputs,
            history=[] if worse else usable,
            last=last,
            finished=not worse and is_finished(everything, inputs, hashes),
            number=max([last.number if last else 0, session.highest.get(department.slug, 0)]),
            standing=None if last and last.inputs.differences(inputs, hashes) else now,
            aim=aim,
            restarting=worse,
        )

    @property
    def score(self) -> float | None:
        """Quality as it stands, None before the first."""
        if self.standing is not None:
            return self.standing
        return self.last.score if self.last else None

    @property
    def judged(self) -> bool:
        """Whether a judge had a part in `score`: a change by people is laid upon the last score, which may have had one."""
        return self.last is not None and is_judged(self.last.quality)

    @property
    def steps(self) -> tuple[ladder.Step, ...]:
        """The stagnation ladder for this department's models."""
        return ladder.steps(len(self.chain))

    @property
    def climbed(self) -> tuple[ladder.Step, ...]:
        """Steps of the ladder climbed so far."""
        return self.steps[: ladder.rung([iteration.score for iteration in self.history], self.steps)]

    def plan(self, number: int) -> ladder.Plan:
        """What the next iteration asks for."""
        least = self.aim or (self.history[-1].quality.get("least_covered", ()) if self.history else ())
        settings, catalogue = self.session.services.settings, self.session.services.catalogue
        usual = [catalogue.get(definition_for(settings, model)).generation.temperature for model in self.chain]
        return ladder.plan(self.department.aspects, least, number, self.climbed, usual)

    def ended(self) -> EndedBy | None:
        """The rule that ends the department as it stands, None where it may go on."""
        most = self.department.coordinationSettings.maxIterations
        reached = self.standing if self.standing is not None else self.history[-1].score if self.history else None
        if reached is not None and reached >= self.department.threshold:
            return "threshold"
        if most is not None and len(self.history) >= most:
            return "maxIterations"
        if self.climbed == self.steps:
            return "stagnation"
        return "share" if self.iterations >= self.allowed else None

    def took(self, iteration: Iteration, created: int) -> None:
        """Counts a committed iteration."""
        self.last, self.number = iteration, iteration.number
        self.standing, self.aim, self.restarting = None, (), False
        self.iterations += 1
        self.items_created += created
        if not iteration.partial:
            self.history.append(iteration)
