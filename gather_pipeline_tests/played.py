"""A scripted model that is told what to answer, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.executions import Completion, ModelRequest


class PlayedModel(ScriptedModel):
    """Plays answers in order, or where there are none writes its own; raises the error that stands for a call, the first being 1."""

    def __init__(self, answers: Sequence[str] = (), *, faults: Mapping[int, Exception] | None = None) -> None:
        super().__init__()
        self.calls, self.answers, self.faults = 0, iter(answers) if answers else None, faults or {}

    async def complete(self, request: ModelRequest) -> Completion:
        self.calls += 1
        if self.calls in self.faults:
            raise self.faults[self.calls]
        return await super().complete(request)

    def answer(self, request: ModelRequest) -> str:
        return next(self.answers) if self.answers else super().answer(request)
