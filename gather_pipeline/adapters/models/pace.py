"""A provider's limits for each minute, kept by the client itself, so that it need not be refused to learn of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gather_pipeline.domain.executions import ModelRequest
from gather_pipeline.ports import Clock

WINDOW_S = 60.0
CHARS_PER_TOKEN = 3.5  # rather too few than too many; what the answer says replaces it


@dataclass
class Begun:
    """A request that counts: when it was begun, and its tokens, estimated until its answer tells."""

    at: float
    tokens: float


class Pace:
    """Lets requests begin while those of the last 60 seconds leave room, in order; None sets no limit."""

    def __init__(self, clock: Clock, requests: int | None, tokens: int | None) -> None:
        self._clock, self._requests, self._tokens = clock, requests, tokens
        self._begun: deque[Begun] = deque()

    async def begin(self, request: ModelRequest) -> Begun:
        """Waits for room and takes it. A request larger than the limit waits until nothing else counts."""
        tokens = sum(len(message.content) for message in request.messages) / CHARS_PER_TOKEN + request.max_tokens
        while (wait := self._wait_s(tokens)) > 0:
            await self._clock.sleep(wait)
        begun = Begun(self._clock.monotonic(), tokens)
        if self._requests is not None or self._tokens is not None:
            self._begun.append(begun)
        return begun

    def _wait_s(self, tokens: float) -> float:
        now = self._clock.monotonic()
        while self._begun and self._begun[0].at + WINDOW_S <= now:
            self._begun.popleft()
        requests, total, wait = len(self._begun), sum(one.tokens for one in self._begun), 0.0
        for one in self._begun:
            if (self._requests is None or requests < self._requests) and (self._tokens is None or total + tokens <= self._tokens):
                return wait
            requests, total, wait = requests - 1, total - one.tokens, one.at + WINDOW_S - now
        return wait
