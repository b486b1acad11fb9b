"""A small verification method for tests: it rules as its parameters say."""

from __future__ import annotations

from typing import Any

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.tasks.definition import VerificationParameters
from gather_pipeline.tasks.verification import Case, Tools, Verifier

METHOD = {"told": f"{__name__}:make"}


def told(ruling: str, **link: Any) -> dict[str, Any]:
    """A link that rules so; `ask` and `review` name models that it asks first, `replacement` an output."""
    own = {name: link.pop(name) for name in ("ask", "review", "revise", "replacement", "waiting") if name in link}
    return {"method": "told", "parameters": {"ruling": ruling, **own}, **link}


def make(parameters: VerificationParameters, _: Tools) -> Verifier:
    given: dict[str, Any] = parameters.model_extra or {}
    if "ruling" not in given:
        raise ValueError("parameters lack ruling")

    async def verify(case: Case) -> Verdict:
        evidence: dict[str, Any] = {"output": case.output, "before": [verdict.ruling for verdict in case.earlier], "prompt": case.prompt}
        if "ask" in given:
            evidence["asked"] = await case.models.ask(given["ask"])
        if "revise" in given:
            evidence["revised"] = await case.models.revise(given["revise"], case.output, "too cold")
        if "review" in given:
            evidence["reviewed"] = await case.models.review(given["review"], "Is it good?", {"type": "object", "required": ["confidence"]})
        evidence["left"] = case.models.left.cost
        return Verdict(
            ruling=given["ruling"],
            method="told",
            reasons=(f"told to {given['ruling']}",),
            evidence=evidence,
            waiting=given.get("waiting"),
            replacement=given.get("replacement"),
        )

    return verify
