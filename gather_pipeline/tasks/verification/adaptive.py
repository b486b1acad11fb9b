"""Adaptive: how much is checked follows from the task's risk, from the record of model and task, and from the budget left (N11).

Checks form a ladder, each stricter than the one before: a review by a second model, a consensus, a person. The risk names the rung to begin
on; on rung 0 schema and validations are enough. A model that has proven itself at the task begins one lower, one that is new to it or has
done badly one higher. A check that does not decide leads to the next rung, and so does one that the budget left does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_core import to_jsonable_python

from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.verdicts import Budget, TrackRecord, Verdict
from gather_pipeline.tasks.definition import Link, Part, VerificationParameters
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.prompting import as_text
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.chain import verifier
from gather_pipeline.tasks.verification.parameters import read_parameters

METHOD = "adaptive"
Risk = Literal["low", "medium", "high", "critical"]
RUNGS: dict[Risk, tuple[int, int, int]] = {
    "low": (0, 0, 1),
    "medium": (0, 1, 2),
    "high": (1, 2, 3),
    "critical": (3, 3, 3),
}  # least, first, most
FEWEST_RUNS = 5  # of a model at a task, below which its record says nothing
BAR = 0.9  # share of outputs accepted: a model whose 95% interval lies above it is proven, below it doubtful


class Adaptive(Part):
    """What is at stake, and what there is to check with.

    Attributes:
        risk: What a wrong output would do.
        checks: The ladder, the least strict first.
    """

    risk: Risk = "medium"
    checks: Annotated[tuple[Link, ...], Field(min_length=1)] = (Link(method="hierarchical"), Link(method="consensus"), Link(method="human"))


def make(parameters: VerificationParameters, tools: Tools) -> Verifier:
    """The check; raises `ValueError` where a parameter is wrong, also one of a check of the ladder."""
    given = read_parameters(Adaptive, parameters)
    least, first, most = (min(rung, len(given.checks)) for rung in RUNGS[given.risk])
    ladder = [verifier(link, tools) for link in given.checks[:most]]

    async def verify(case: Case) -> Verdict:
        step, record = weighed(case.record())
        rung = max(least, min(first + step, most))
        why = [f"the risk is {given.risk} and {case.writer} {record}: {_named(given, rung)}"]
        said: list[Verdict] = []
        replacement = replaced_by = None
        while 0 < rung <= most:
            link = given.checks[rung - 1]
            if not holds(case.models.left, link, case):
                why.append(f"the budget left does not hold {link.method}")
                if given.risk == "low":
                    rung = 0
                    break
            else:
                verdict = await ladder[rung - 1](replace(case, earlier=(*case.earlier, *said)))
                said.append(verdict)
                why += [f"{link.method}: {reason}" for reason in verdict.reasons or (verdict.ruling,)]
                if verdict.replacement is not None:
                    replacement, replaced_by = verdict.replacement, verdict.replaced_by or replaced_by
                    case = replace(case, output=replacement)
                if verdict.ruling in ("accept", "reject"):
                    break
            rung += 1
        evidence: dict[str, Any] = {"risk": given.risk, "checks": to_jsonable_python(said)}
        if not said:
            return Verdict(ruling="undecided" if rung else "accept", method=METHOD, reasons=tuple(why), evidence=evidence)
        last = replace(said[-1], replacement=replacement, replaced_by=replaced_by)
        return replace(last, method=METHOD, reasons=tuple(why), evidence=evidence)

    return verify


def track_record(executions: Iterable[Execution], model: str) -> TrackRecord:
    """How a model has done at the task whose executions these are, as people say, or else checks that decided something.

    An output that a check replaced by another one's is no success of its writer; one that nothing was checked of says nothing.
    """
    found = (one.passed if one.accepted is None or one.is_replaced else one.accepted for one in executions if one.model == model)
    judged = [good for good in found if good is not None]
    return TrackRecord(runs=len(judged), accepted=sum(judged))


def weighed(record: TrackRecord | None) -> tuple[int, str]:
    """How many rungs higher a record leads, and what it says in words."""
    if record is None or record.runs < FEWEST_RUNS:
        return 1, "is new to the task"
    from scipy.stats import binomtest

    interval = binomtest(record.accepted, record.runs).proportion_ci(method="wilson")
    told = f"{record.accepted} of {record.runs} accepted, 95% interval {interval.low:.2f} to {interval.high:.2f}"
    if interval.low >= BAR:
        return -1, f"has proven itself ({told})"
    return (1, f"is doubtful ({told})") if interval.high < BAR else (0, f"is neither proven nor doubtful ({told})")


def holds(left: Budget, link: Link, case: Case) -> bool:
    """Whether a budget holds the calls of a check, each estimated as the prompt, the output and as much again; an unknown price fits."""
    given = link.parameters
    calls = {"hierarchical": 1, "consensus": (given.consensus_count or given.min_models or 2) - 1}.get(link.method, 0)
    if not calls:
        return True
    tokens = estimate_tokens(case.prompt) + 2 * estimate_tokens(as_text(case.output))
    return (left.tokens is None or left.tokens >= calls * tokens) and left.cost != 0


def _named(given: Adaptive, rung: int) -> str:
    return f"it begins with {given.checks[rung - 1].method}" if rung else "schema and validations are enough"
