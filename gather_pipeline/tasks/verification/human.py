"""Human: the output waits in the review queue (S004-VER-04).

Once a person has decided, the same output for the same input is ruled so, and one that the person changed is returned as changed.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import to_jsonable_python

from gather_pipeline.domain.reviews import TASK_OUTPUT, Proposal
from gather_pipeline.domain.verdicts import Verdict, model_behind
from gather_pipeline.tasks.definition import Part, TaskDefinition, Text, VerificationParameters
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.parameters import read_parameters

METHOD = "human"


class Human(Part):
    """Who is asked.

    Attributes:
        assignee: Person who is asked; anybody if left out.
        expires_hours: Hours after which the question lapses; never if left out.
    """

    assignee: Text | None = None
    expires_hours: Annotated[float, Field(gt=0, le=100_000)] | None = None


def make(parameters: VerificationParameters, tools: Tools) -> Verifier:
    """The check; raises `ValueError` where a parameter is wrong or no queue is there."""
    given = read_parameters(Human, parameters)
    queue = tools.reviews
    if queue is None:
        raise ValueError("expected a review queue among the tools that checks are built with")

    async def verify(case: Case) -> Verdict:
        expires_at = None
        if given.expires_hours is not None:
            moment = datetime.fromisoformat(tools.clock.now()) + timedelta(hours=given.expires_hours)
            expires_at = moment.isoformat(timespec="microseconds")
        shown = {"model": model_behind(case.earlier, case.writer), "prompt": case.prompt, "verdicts": to_jsonable_python(case.earlier)}
        asked = proposal(case.definition, case.execution_id, case.input, case.output, shown)
        review = queue.propose(replace(asked, assignee=given.assignee, expires_at=expires_at))
        if not review.is_decided:
            waits = f"it waits for {review.proposal.assignee or 'a person'}: tlm review show {review.id}"
            return Verdict(ruling="escalate", method=METHOD, reasons=(waits,), waiting=review.id, evidence={"review": review.id})
        return Verdict(
            ruling="reject" if review.status == "rejected" else "accept",
            method=METHOD,
            reasons=(review.told,),
            evidence={"review": review.id},
            replacement=review.changed,
        )

    return verify


def proposal(definition: TaskDefinition, execution: str, input: Mapping[str, Any], output: Any, shown: Mapping[str, Any]) -> Proposal:
    """The question whether an output is accepted that an execution gave; `shown` is what a person may want to see besides."""
    return Proposal(
        kind=TASK_OUTPUT,
        title=f"{definition.id}: {textwrap.shorten(json.dumps(input, ensure_ascii=False), 80, placeholder='...')}",
        content=output,
        subject={"task": definition.id, "version": definition.version, "input": dict(input)},
        schema=definition.output.json_schema,
        validations=definition.output.validations,
        shown=shown,
        source=execution,
    )
