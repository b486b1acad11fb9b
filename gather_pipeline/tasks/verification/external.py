"""External: a service checks the output, such as a fact checker, and answers with one JSON object (S004-VER-03).

It is sent ``{"task", "version", "input", "output"}`` and answers ``{"passed": true, "confidence": 0.9, "reasons": ["..."], "suggestions":
["..."]}``, of which only `passed` is needed. The usual other words for these are read too, and `passed: null` says that it cannot tell.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from gather_pipeline.domain.verdicts import Ruling, Verdict
from gather_pipeline.errors import InvalidInput, ServiceUnavailable, shorten
from gather_pipeline.tasks.definition import Fraction, Part, VerificationParameters
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.parameters import read_parameters

METHOD = "external"
WORDS: Mapping[Ruling, frozenset[str]] = {
    "accept": frozenset("true yes y ok pass passed valid accept accepted verified 1".split()),
    "reject": frozenset("false no n fail failed invalid reject rejected 0".split()),
    "undecided": frozenset("unknown undecided none null".split()),
}
PASSED = ("passed", "pass", "valid", "is_valid", "ok", "accepted", "verified", "result", "verdict", "status")
CONFIDENCE = ("confidence", "score", "probability")
REASONS = ("reasons", "reason", "errors", "error", "messages", "message", "details", "explanation")
SENTENCES, SENTENCE = 20, 500  # most that are kept of a service's words, and most characters of one
SUGGESTIONS = ("suggestions", "suggestion", "corrections")


class External(Part):
    """Which service.

    Attributes:
        url: http or https address that takes a POST.
        timeout_s: Seconds for one try.
        retries: Further tries after a failure that may pass.
        min_confidence: What the service accepts with less confidence than this is escalated; no matter if left out.
    """

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    retries: Annotated[int, Field(ge=0, le=5)] = 2
    min_confidence: Fraction | None = None


def make(parameters: VerificationParameters, tools: Tools) -> Verifier:
    """The check; raises `ValueError` where a parameter is wrong or there is nothing to reach a service with."""
    given = read_parameters(External, parameters)
    service = tools.web
    if service is None:
        raise ValueError("expected a way to services among the tools that checks are built with")

    async def verify(case: Case) -> Verdict:
        definition = case.definition
        asked = {"task": definition.id, "version": definition.version, "input": dict(case.input), "output": case.output}
        try:
            answer = await service.post(given.url, asked, timeout_s=given.timeout_s, retries=given.retries)
        except (ServiceUnavailable, InvalidInput) as error:
            return Verdict(ruling="undecided", method=METHOD, reasons=(str(error),))
        return read_answer(answer, given.min_confidence)

    return verify


def read_answer(answer: Any, min_confidence: float | None) -> Verdict:
    """The verdict in a service's answer; undecided where there is none in it."""
    given = {"passed": answer} if isinstance(answer, bool) else answer if isinstance(answer, Mapping) else {}
    said = str(next((given[name] for name in PASSED if name in given), "")).strip().lower()
    ruling = next((ruling for ruling, words in WORDS.items() if said in words), None)
    if ruling is None:
        reason = f'the service answers {shorten(answer)}, expected an object with "passed": true or false'
        return Verdict(ruling="undecided", method=METHOD, reasons=(reason,))
    confidence = _fraction(_first(given, CONFIDENCE))
    reasons = _sentences(_first(given, REASONS))
    if ruling == "accept" and min_confidence is not None and (confidence is None or confidence < min_confidence):
        ruling = "escalate"
        told = "without a confidence" if confidence is None else f"with a confidence of {confidence:.2f}"
        reasons = (f"the service accepts it {told}, expected at least {min_confidence:g}", *reasons)
    suggestions = _sentences(_first(given, SUGGESTIONS))
    return Verdict(ruling=ruling, method=METHOD, confidence=confidence, reasons=reasons, suggestions=suggestions)


def _first(answer: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((answer[name] for name in names if answer.get(name) is not None), None)


def _fraction(said: Any) -> float | None:
    """A confidence from 0 to 1, read also from per cent; None where there is none."""
    try:
        number = float(str(said).strip().removesuffix("%"))
    except ValueError:
        return None
    number = number / 100 if number > 1 or str(said).strip().endswith("%") else number
    return number if 0 <= number <= 1 else None


def _sentences(said: Any) -> tuple[str, ...]:
    """Sentences for a person: of a text one, of a list of texts or objects one each."""
    entries = said if isinstance(said, list) else [] if said is None or said == "" else [said]
    told = [_first(entry, ("message", "reason", "detail", "text")) or entry if isinstance(entry, Mapping) else entry for entry in entries]
    return tuple(textwrap.shorten(str(text), SENTENCE, placeholder="...") for text in told[:SENTENCES])
