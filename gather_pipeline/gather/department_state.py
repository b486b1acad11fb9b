"""A department under way: its inputs, its history, and the rules that end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.iterations import EndedBy, Fingerprint, Iteration, current, fingerprint, is_finished
from gather_pipeline.gather import ladder
from gather_pipeline.gather.generate import definition_for
from gather_pipeline.gather.session import Session
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import digest


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
        number: Its number, 0 for none.
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
    iterations: int = 0
    items_created: int = 0

    @classmethod
    def read(cls, session: Session, department: Department, before: Sequence[Department], allowed: int) -> DepartmentState:
        """The department as the store has it."""
        chain = session.chain(department)
        definition = session.services.catalogue.get(definition_for(session.services.settings, chain[0]))
        inputs = fingerprint(session.project.name, session.project.brief, department, chain[0], digest(definition.to_document()))
        everything, hashes = session.repository.iterations(department.slug), session.hashes()
        return cls(
            session=session,
            department=department,
            before=before,
            allowed=allowed,
            chain=chain,
            inputs=inputs,
            history=[one for one in current(everything, inputs, hashes) if not one.partial and one.generated],
            last=everything[-1] if everything else None,
            finished=is_finished(everything, inputs, hashes),
        )

    @property
    def number(self) -> int:
        """Number of the newest committed iteration."""
        return self.last.number if self.last else 0

    @property
    def steps(self) -> tuple[ladder.Step, ...]:
        """The stagnation ladder for this department's models."""
        return ladder.steps(len(self.chain))

    @property
    def climbed(self) -> tuple[ladder.Step, ...]:
        """Steps of the ladder climbed so far."""
        return self.steps[: ladder.rung([iteration.score for iteration in self.history], self.steps)]

    def plan(self, number: int, definition: TaskDefinition) -> ladder.Plan:
        """What the next iteration asks for."""
        least = self.history[-1].quality.get("least_covered", ()) if self.history else ()
        return ladder.plan(self.department.aspects, least, number, self.climbed, len(self.chain), definition.generation.temperature)

    def ended(self) -> EndedBy | None:
        """The rule that ends the department as it stands, None where it may go on."""
        most = self.department.coordinationSettings.maxIterations
        if self.history and self.history[-1].score >= self.department.threshold:
            return "threshold"
        if most is not None and len(self.history) >= most:
            return "maxIterations"
        if self.climbed == self.steps:
            return "stagnation"
        return "share" if self.iterations >= self.allowed else None

    def took(self, iteration: Iteration, created: int) -> None:
        """Counts a committed iteration."""
        self.last = iteration
        self.iterations += 1
        self.items_created += created
        if not iteration.partial:
            self.history.append(iteration)
