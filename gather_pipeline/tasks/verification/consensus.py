"""Consensus: other models get the same prompt, and the output that most of them agree with is returned (S004-VER-01).

Outputs agree where they are as alike as the threshold. An output has consensus where more than half of the models that answered agree with
it, its writer included. Models are asked until nothing that is still to come could change that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from gather_pipeline.domain.verdicts import Ruling, Verdict
from gather_pipeline.errors import BudgetExhausted, GatherError, InvalidInput, Stopped
from gather_pipeline.tasks.definition import Fraction, Name, Part, TaskDefinition, VerificationParameters
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.parameters import read_parameters
from gather_pipeline.tasks.verification.similarity import Similarity, similarity

METHOD = "consensus"
AGREEMENT = 0.75  # C36
Count = Annotated[int, Field(ge=2, le=20)]


class Consensus(Part):
    """How many models, and how alike.

    Attributes:
        similarity_threshold: Likeness from which two outputs agree.
        min_models: Fewest models whose outputs are compared, the writer included; also called `consensus_count` (C37).
        max_models: Most models that are asked, the writer included; one more than
            `min_models` if left out.
        similarity: Name of the function that says how alike two outputs are.
        fields: Properties of the output that it compares, such as a judge's verdict without its words; all of them if left out.
    """

    similarity_threshold: Fraction = AGREEMENT
    min_models: Count = 2
    consensus_count: Count | None = None
    max_models: Count | None = None
    similarity: Name | None = None
    fields: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.consensus_count is not None and "min_models" in self.model_fields_set and self.consensus_count != self.min_models:
            raise ValueError(f"min_models is {self.min_models} and consensus_count {self.consensus_count}, expected one of them")
        if self.max_models is not None and self.max_models < self.least:
            raise ValueError(f"max_models is {self.max_models}, expected at least the {self.least} of min_models")
        return self

    @property
    def least(self) -> int:
        """Fewest models."""
        return self.consensus_count or self.min_models

    @property
    def most(self) -> int:
        """Most models."""
        return self.max_models or self.least + 1


@dataclass(kw_only=True)
class Poll:
    """What was heard so far.

    Attributes:
        outputs: By model, in the order in which models are ranked.
        lost: Why a model gave no output, by model.
        alike: Likeness of two models' outputs.
    """

    threshold: float
    outputs: dict[str, Any]
    lost: dict[str, str] = field(default_factory=dict)
    alike: dict[frozenset[str], float] = field(default_factory=dict)

    def likeness(self, one: str, other: str) -> float:
        """How alike two outputs are."""
        return 1.0 if one == other else self.alike[frozenset((one, other))]

    def agreeing(self, model: str) -> frozenset[str]:
        """Models whose outputs agree with a model's, itself among them."""
        return frozenset(other for other in self.outputs if self.likeness(model, other) >= self.threshold)

    def agreement(self, model: str) -> float:
        """Mean likeness of all other outputs to a model's; 1 where there is no other."""
        others = [self.likeness(model, other) for other in self.outputs if other != model]
        return sum(others) / len(others) if others else 1.0

    def best(self) -> str:
        """The model whose output most agree with, then the most alike to all; the highest ranked of equals."""
        return max(self.outputs, key=lambda model: (len(self.agreeing(model)), round(self.agreement(model), 9)))

    def is_settled(self, still: int) -> bool:
        """Whether no answer of `still` more models could bring or break a majority."""
        largest, all_of_them = len(self.agreeing(self.best())), len(self.outputs) + still
        return 2 * largest > all_of_them or 2 * (largest + still) <= all_of_them

    async def hear(self, model: str, output: Any, alike: Similarity) -> None:
        """Takes one more output in."""
        for other, known in self.outputs.items():
            self.alike[frozenset((model, other))] = await asyncio.to_thread(alike, known, output)
        self.outputs[model] = output

    def verdict(self, ruling: Ruling, *reasons: str, by: str | None = None) -> Verdict:
        """A verdict, with who was asked, how alike their outputs are, every output that differs from the best, and the one taken, `by`."""
        best, place = self.best(), list(self.outputs).index
        return Verdict(
            ruling=ruling,
            method=METHOD,
            confidence=None if ruling == "undecided" else self.agreement(best),
            reasons=(*reasons, *(f"{model} gave no output: {why}" for model, why in self.lost.items())),
            evidence={
                "models": list(self.outputs),
                "lost": dict(self.lost),
                "best": best,
                "threshold": self.threshold,
                "likeness": {" | ".join(sorted(pair, key=place)): round(value, 4) for pair, value in self.alike.items()},
                "others": {model: output for model, output in self.outputs.items() if output != self.outputs[best]},
            },
            replacement=None if by is None else self.outputs[by],
            replaced_by=by,
        )


def make(parameters: VerificationParameters, tools: Tools) -> Verifier:
    """The check; raises `ValueError` where a parameter is wrong."""
    given = read_parameters(Consensus, parameters)
    similarity(given.similarity, {}, tools.embedder)  # is known

    async def verify(case: Case) -> Verdict:
        alike = _alike(given, case.definition, tools)
        others = [model for model in case.candidates if model != case.writer]
        poll = Poll(threshold=given.similarity_threshold, outputs={case.writer: case.output})
        if len(others) + 1 < given.least:
            return poll.verdict("undecided", f"{len(others) + 1} of {given.least} models are there to be asked")
        spent: str | None = None
        while others and len(poll.outputs) < given.most and spent is None:
            still = min(len(others), given.most - len(poll.outputs))
            if len(poll.outputs) >= given.least and poll.is_settled(still):
                break
            now = max(1, given.least - len(poll.outputs))
            asked, others = others[:now], others[now:]
            spent = await _ask(case, asked, poll, alike)
        if spent is not None:
            heard = f"{len(poll.outputs)} of {given.least} to {given.most} models"
            return poll.verdict("undecided", f"the budget was spent after {heard}: {spent}")
        if len(poll.outputs) < given.least:
            return poll.verdict("undecided", f"{len(poll.outputs)} of {given.least} models could be had")
        return _ruled(poll, case.writer)

    return verify


def _alike(given: Consensus, definition: TaskDefinition, tools: Tools) -> Similarity:
    schema = definition.output.json_schema
    whole, fields = similarity(given.similarity, schema, tools.embedder), given.fields
    if fields is None:
        return whole
    properties = schema.get("properties", {})
    if unknown := [name for name in fields if not isinstance(properties, Mapping) or name not in properties]:
        told = f"consensus compares the fields {', '.join(unknown)}, expected properties of output.schema"
        raise InvalidInput(f"task {definition.id}: {told}")

    def compared(output: Any) -> Any:
        return {name: output.get(name) for name in fields} if isinstance(output, Mapping) else output

    return lambda first, second: whole(compared(first), compared(second))


async def _ask(case: Case, models: Sequence[str], poll: Poll, alike: Similarity) -> str | None:
    """Asks models at once and takes their outputs in; why the budget is spent, None where it is not."""
    spent = None
    answers = await asyncio.gather(*(case.models.ask(model) for model in models), return_exceptions=True)
    for model, answer in zip(models, answers, strict=True):
        match answer:
            case BudgetExhausted():
                spent = str(answer)
            case GatherError() if not isinstance(answer, Stopped):
                poll.lost[model] = str(answer)
            case BaseException():
                raise answer
            case _:
                await poll.hear(model, answer, alike)
    return spent


def _ruled(poll: Poll, writer: str) -> Verdict:
    best, heard = poll.best(), len(poll.outputs)
    agreeing = poll.agreeing(best)
    if 2 * len(agreeing) > heard:
        reasons = [f"{len(agreeing)} of {heard} models agree: {', '.join(model for model in poll.outputs if model in agreeing)}"]
        reasons += [f"{model} differs, likeness {poll.likeness(best, model):.2f}" for model in poll.outputs if model not in agreeing]
        if best == writer:
            return poll.verdict("accept", *reasons)
        return poll.verdict("accept", *reasons, f"the output of {best} is taken for that of {writer}", by=best)
    told = f"the most alike are {max(poll.alike.values()):.2f}, the threshold is {poll.threshold:g}"
    rivals = [model for model in poll.outputs if model not in agreeing and len(poll.agreeing(model)) == len(agreeing)]
    if rivals:
        return poll.verdict("escalate", f"a tie: {', '.join([best, *rivals])} each have {len(agreeing)} of {heard} models; {told}")
    return poll.verdict("reject", f"{len(agreeing)} of {heard} models agree, expected more than half; {told}")
