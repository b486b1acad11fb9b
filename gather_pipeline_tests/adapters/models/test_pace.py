from __future__ import annotations

import asyncio

import pytest

from gather_pipeline.adapters.models.pace import Pace
from gather_pipeline.domain.executions import Message
from gather_pipeline_tests.adapters.models.openai_asking import NoWait, ask_all, make_request, serve  # noqa: F401
from gather_pipeline_tests.fault_server import answer

SMALL = make_request(messages=(Message(role="user", content="x" * 35),), max_tokens=90)  # counts as 100


def starts(pace: Pace, clock: NoWait, count: int, said: float | None = None) -> list[float]:
    """When each of so many requests may begin."""

    async def begin() -> list[float]:
        found = []
        for _ in range(count):
            begun = await pace.begin(SMALL)
            begun.tokens = begun.tokens if said is None else said
            found.append(clock.seconds)
        return found

    return asyncio.run(begin())


@pytest.mark.parametrize(
    ("requests", "tokens", "said", "expected"),
    [
        (None, None, None, [0, 0, 0, 0]),
        (2, None, None, [0, 0, 60, 60]),
        (None, 200, None, [0, 0, 60, 60]),
        (None, 200, 10, [0, 0, 0, 0]),
        (3, 150, None, [0, 60, 120, 180]),
        (None, 50, None, [0, 60, 120, 180]),
    ],
    ids=str,
)
def test_no_sixty_seconds_hold_more_than_the_limits(requests: int | None, tokens: int | None, said: float | None, expected: list[float]):
    clock = NoWait()
    assert starts(Pace(clock, requests, tokens), clock, 4, said) == expected


def test_those_who_wait_together_do_not_begin_together() -> None:
    clock = NoWait()
    pace = Pace(clock, 1, None)

    async def begin() -> list[float]:
        return sorted(begun.at for begun in await asyncio.gather(*(pace.begin(SMALL) for _ in range(3))))

    assert asyncio.run(begin()) == [0, 60, 120]


def test_a_client_keeps_its_providers_limits_and_sends_its_headers(serve, clock=NoWait()) -> None:  # noqa: F811, B008
    server = serve(then=answer("x"))
    ask_all(server, clock, [make_request()] * 3, requests_per_minute=2, headers={"X-Title": "gather"})
    assert sum(clock.waits) == pytest.approx(60, abs=1)
    assert [headers["x-title"] for headers in server.headers] == ["gather"] * 3
