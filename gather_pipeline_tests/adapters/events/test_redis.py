"""Events on Redis channels: every stored one in order, nobody waits for the server, and a run goes on without it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from gather_pipeline.adapters.events.redis import RedisChannels
from gather_pipeline.adapters.redis import RedisServer
from gather_pipeline.domain.events import Event
from gather_pipeline.errors import InvalidInput, StoreUnavailable
from gather_pipeline_tests.harness import PROJECT, Studio, department_row
from gather_pipeline_tests.redis_server import RedisProcess
from gather_pipeline_tests.server_process import free_port


class Subscriber:
    """Another program that listens to the channel of a project."""

    def __init__(self, url: str) -> None:
        self._channel = redis.Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
        self._channel.subscribe(f"automated-gather:{PROJECT}")
        self._channel.get_message(timeout=5)

    def heard(self, number: int) -> list[dict[str, Any]]:
        """So many messages."""
        found: list[dict[str, Any]] = []
        while len(found) < number and (message := self._channel.get_message(timeout=5)):
            found.append(json.loads(message["data"]))
        return found


def about_redis(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "Redis at" in record.getMessage()]


def event(sequence: int) -> Event:
    return Event(type="deduplicating", fields={"department": "story"}, project_id=PROJECT, task_id="t", sequence=sequence, at="now")


def test_a_run_publishes_each_of_its_stored_events_in_order_on_its_projects_channel(tmp_path: Path, redis_process: RedisProcess) -> None:
    studio = Studio.open(tmp_path, (department_row("story", 1, most=1),), redis_url=redis_process.url)
    subscriber = Subscriber(redis_process.url)
    studio.run()
    stored = [one.to_document() for one in studio.records.events()]
    assert subscriber.heard(len(stored)) == json.loads(json.dumps(stored)) and stored[-1]["type"] == "automation_complete"
    studio.close()


def test_a_run_without_its_redis_is_as_any_other_and_says_so_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = f"redis://dora:s3cret-pa55@127.0.0.1:{free_port()}/0"
    studio = Studio.open(tmp_path, (department_row("story", 1, most=1),), redis_url=url)
    assert studio.run().status == "completed"
    studio.close()
    (line,) = about_redis(caplog)
    assert "does not answer" in line and "events are not published there until it does" in line and "s3cret" not in caplog.text


def test_a_server_that_dies_and_comes_back_hears_of_what_happens_then(
    redis_process: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="gather_pipeline")
    channels = RedisChannels(RedisServer(redis_process.url))
    subscriber, bus = Subscriber(redis_process.url), channels.bus()
    bus.publish(event(1))
    assert [one["sequence"] for one in subscriber.heard(1)] == [1]
    redis_process.kill()
    for sequence in (2, 3):
        bus.publish(event(sequence))
    while bus._waiting.qsize() or not about_redis(caplog):
        time.sleep(0.01)
    redis_process.start_again()
    subscriber = Subscriber(redis_process.url)
    bus.publish(event(4))
    assert [one["sequence"] for one in subscriber.heard(1)] in ([3], [4])
    bus.close()
    assert [line.partition(" does ")[2][:10] or line[-13:] for line in about_redis(caplog)] == ["not answer", "answers again"]


def test_an_address_that_cannot_be_used_is_told_to_who_would_publish() -> None:
    with pytest.raises(InvalidInput, match="REDIS_URL cannot be used"):
        RedisChannels(RedisServer("redis://127.0.0.1/0?socket_timeout=soon")).bus()


def test_who_listens_is_told_of_the_beginning_of_projects_and_of_the_end(redis_process: RedisProcess) -> None:
    channels = RedisChannels(RedisServer(redis_process.url))

    async def listen() -> list[str]:
        heard: list[str] = []
        with pytest.raises(StoreUnavailable):
            async for project_id in channels.heard():
                heard.append(project_id)
                if not project_id:
                    bus = channels.bus()
                    bus.publish(event(1))
                    bus.close()
                else:
                    redis_process.kill()
        return heard

    assert asyncio.run(listen()) == ["", PROJECT]
