"""Hierarchical: a second model reviews the output, with confidence and suggestions, and may ask for a revision (S004-VER-02)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.errors import BudgetExhausted, GatherError, InvalidInput, Stopped
from gather_pipeline.tasks import templates
from gather_pipeline.tasks.definition import Fraction, Name, Part, Text, VerificationParameters
from gather_pipeline.tasks.prompting import as_text, check_prompt
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.parameters import read_parameters

METHOD = "hierarchical"
CONFIDENCE = 0.8  # C36
PROMPT = """A model was asked:
{{ asked | block('asked') }}

It answered:
{{ output | block('output') }}

Is that answer correct, complete and what was asked for?"""
FORM = """

Answer with one JSON object: "confidence" (0 to 1: how sure you are that it can be used as it is), "reasons" (what is good or wrong, one \
sentence each) and "suggestions" (what would make it better, one sentence each; an empty list where nothing would)."""
TEXTS = {"type": "array", "items": {"type": "string"}}
ANSWER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reasons": TEXTS, "suggestions": TEXTS, "confidence": {"type": "number", "minimum": 0, "maximum": 100}},
    "required": ["confidence"],
}


class Hierarchical(Part):
    """Who reviews, by which prompt.

    Attributes:
        verification_prompt: Template of what the reviewer is asked; a plain question about the output if left out.
        output_aliases: Names that stand for the output in it.
        min_confidence: The reviewer's confidence from which the output is accepted.
        reviewer: Model that reviews; the highest ranked one that is not the writer if left out.
        revisions: How often the writer may be asked for a better output, which is reviewed again.
    """

    verification_prompt: Text | None = None
    output_aliases: tuple[Name, ...] = ()
    min_confidence: Fraction = CONFIDENCE
    reviewer: Text | None = None
    revisions: Annotated[int, Field(ge=0, le=3)] = 0


def make(parameters: VerificationParameters, _: Tools) -> Verifier:
    """The check; raises `ValueError` where a parameter is wrong."""
    given = read_parameters(Hierarchical, parameters)

    async def verify(case: Case) -> Verdict:
        best = await _review(case, given, parameters)
        for revision in range(1, given.revisions + 1):
            if best.ruling != "reject":
                break
            told = "; ".join((*best.suggestions, *best.reasons))
            try:
                output = await case.models.revise(case.writer, case.output if best.replacement is None else best.replacement, told)
                revised = await _review(replace(case, output=output), given, parameters)
            except GatherError as error:
                if isinstance(error, Stopped) and not isinstance(error, BudgetExhausted):
                    raise
                return replace(best, reasons=(*best.reasons, f"there is no revision: {error}"))
            if (revised.confidence or 0) > (best.confidence or 0):
                reasons = (f"revision {revision} of {case.writer} is better", *revised.reasons)
                best = replace(revised, reasons=reasons, replacement=output, replaced_by=case.writer)
        return best

    return verify


async def _review(case: Case, given: Hierarchical, parameters: VerificationParameters) -> Verdict:
    """What the first reviewer that can be had says of the output."""
    others = [model for model in case.candidates if model != case.writer]
    reviewers = [given.reviewer] if given.reviewer else others or [case.writer]
    prompt = _prompt(case, parameters) + FORM
    lost: list[str] = []
    for reviewer in reviewers:
        try:
            answer = await case.models.review(reviewer, prompt, ANSWER)
        except BudgetExhausted as error:
            lost.append(str(error))
            break
        except Stopped:
            raise
        except GatherError as error:
            lost.append(f"{reviewer} gave no review: {error}")
            continue
        own = [f"{reviewer} reviewed its own output"] if reviewer == case.writer else []
        confidence = answer["confidence"] / 100 if answer["confidence"] > 1 else answer["confidence"]
        accepted = confidence >= given.min_confidence
        told = f"the confidence of {reviewer} is {confidence:.2f}, expected at least {given.min_confidence:g}"
        return Verdict(
            ruling="accept" if accepted else "reject",
            method=METHOD,
            confidence=confidence,
            reasons=(*own, *([] if accepted else [told]), *answer.get("reasons", ()), *lost),
            suggestions=tuple(answer.get("suggestions", ())),
            evidence={"reviewer": reviewer},
        )
    return Verdict(ruling="undecided", method=METHOD, reasons=tuple(lost))


def _prompt(case: Case, parameters: VerificationParameters) -> str:
    if parameters.verification_prompt is None:
        return templates.render(PROMPT, {"asked": case.prompt, "output": as_text(case.output)})
    try:
        return check_prompt(case.definition, parameters, case.input, case.output)
    except ValueError as error:  # of a check within an adaptive one, whose prompt is not checked at load
        raise InvalidInput(f"task {case.definition.id}: {error}") from None
