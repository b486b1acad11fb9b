"""The checks of a definition in order, until one of them ends it (S004-VER-05, verification chain)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pkgutil import resolve_name
from typing import Any

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.definition import Link, Verification, VerificationParameters
from gather_pipeline.tasks.plugins import naming, plugin, plugin_names
from gather_pipeline.tasks.verification import Case, Factory, Tools, Verifier

ROOM = "gather_pipeline.tasks.verification"
METHODS: Mapping[str, str] = {  # method: module and name of its `Factory`, imported when a task asks for it
    name: f"{ROOM}.{name}:make" for name in ("consensus", "hierarchical", "external", "syntax", "human", "adaptive", "quality")
}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a chain came to.

    Attributes:
        accepted: Whether a check accepted the output; the end of a chain is a refusal.
        output: The output, or what a check put in its place.
        verdicts: What the checks said, in order.
    """

    accepted: bool
    output: Any
    verdicts: tuple[Verdict, ...]

    @property
    def waiting(self) -> str | None:
        """Id of the review that the output waits for, the last one named; None where it waits for none."""
        return next((verdict.waiting for verdict in reversed(self.verdicts) if verdict.waiting), None)


def verifiers(verification: Verification, tools: Tools) -> list[Verifier]:
    """The checks of a chain, made before anything is asked; raises `InvalidInput` as `verifier` does."""
    return [verifier(link, tools) for link in verification.links]


async def check(case: Case, links: Sequence[Link], checks: Sequence[Verifier]) -> Checked:
    """Has an output checked; raises `GatherError` where a check lets the execution end."""
    verdicts: list[Verdict] = []
    for link, verify in zip(links, checks, strict=True):
        verdict = await verify(replace(case, earlier=(*case.earlier, *verdicts)))
        verdicts.append(verdict)
        if verdict.replacement is not None:
            case = replace(case, output=verdict.replacement)
        if {"accept": link.on_accept, "reject": link.on_reject}.get(verdict.ruling) == "end":
            return Checked(accepted=verdict.ruling == "accept", output=case.output, verdicts=tuple(verdicts))
    return Checked(accepted=False, output=case.output, verdicts=tuple(verdicts))


def verifier(link: Link, tools: Tools) -> Verifier:
    """The check that a link names; raises `InvalidInput` where there is none of its method, or its parameters are not the method's."""
    factory: Factory | None = resolve_name(METHODS[link.method]) if link.method in METHODS else _brought(link.method)
    if factory is None:
        known = ", ".join([*METHODS, *plugin_names("verifiers")])
        raise InvalidInput.field("verification method", link.method, f"one of {known}")
    try:
        return factory(link.parameters, tools)
    except ValueError as error:
        raise InvalidInput(f"verification {link.method}: {error}") from None


def _brought(method: str) -> Factory | None:
    """What another package brings, so that its own errors name it."""
    factory: Factory | None = plugin("verifiers", method)
    if factory is None:
        return None

    def make(parameters: VerificationParameters, tools: Tools) -> Verifier:
        with naming("verifiers", method):
            verify = factory(parameters, tools)

        async def named(case: Case) -> Verdict:
            with naming("verifiers", method):
                verdict = await verify(case)
            if not isinstance(verdict, Verdict):
                raise InvalidInput.field(f"verdict of plugin {method} (verifiers)", verdict, "a Verdict")
            return verdict

        return named

    return make
