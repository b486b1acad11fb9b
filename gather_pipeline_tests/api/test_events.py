"""Live events: in order, without a gap and each once, whoever comes back; nobody slows another; an end is told."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gather_pipeline.api import live
from gather_pipeline.api.routes import events
from gather_pipeline.errors import StoreUnavailable
from gather_pipeline_tests.api.conftest import client_of
from gather_pipeline_tests.api.served import Served, happen, numbers, stored, wait_for
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.redis_server import RedisProcess


@pytest.fixture
def served(studio: Studio) -> Iterator[Served]:
    with Served(studio) as served:
        yield served


def test_a_websocket_gets_what_is_stored_and_then_what_happens(served: Served, studio: Studio) -> None:
    before = stored(studio)
    with served.socket() as client:
        assert [json.loads(client.recv()) for _ in before] == before
        happen(studio, 3)
        assert [json.loads(client.recv()) for _ in range(3)] == stored(studio)[-3:]


@pytest.mark.parametrize("kept", [1, 3, 1024])
def test_who_comes_back_gets_what_he_missed_in_order_and_once(
    served: Served, studio: Studio, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEPT", kept)
    monkeypatch.setattr(live, "PAGE", 2)
    last = studio.records.last_sequence()
    with served.socket(f"?after={last}") as other, served.stream(f"?after={last}") as lines:
        for _ in range(2):
            with served.socket(f"?after={last}") as client:
                happen(studio, 5)
                assert [json.loads(client.recv())["sequence"] for _ in range(2)] == [last + 1, last + 2]
            last += 2
        newest = studio.records.last_sequence()
        with served.socket(f"?after={last}") as client:
            assert [json.loads(client.recv())["sequence"] for _ in range(newest - last)] == [*range(last + 1, newest + 1)]
        with served.stream(f"?after={newest}", **{"Last-Event-ID": str(last)}) as again:
            assert numbers(again, newest - last) == [*range(last + 1, newest + 1)]
        assert numbers(lines, 10) == [json.loads(other.recv())["sequence"] for _ in range(10)] == [*range(newest - 9, newest + 1)]


def test_a_number_beyond_the_last_event_counts_as_the_last(served: Served, studio: Studio) -> None:
    last = studio.records.last_sequence()
    with served.socket(f"?after={last + 100}") as client:
        wait_for(lambda: served.live.clients["websocket"])
        happen(studio, 1)
        assert json.loads(client.recv())["sequence"] == last + 1


def test_where_nothing_happens_a_stream_says_so_now_and_then(served: Served, monkeypatch: pytest.MonkeyPatch, studio: Studio) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.01)
    with served.stream(f"?after={studio.records.last_sequence()}") as lines:
        assert [next(lines) for _ in range(5)] == ["retry: 1000", "", ": nothing new", "", ": nothing new"]


@pytest.mark.parametrize("way", ["websocket", "sse"])
def test_a_client_that_does_not_read_is_let_go_with_a_reason_and_nobody_waits_for_it(
    served: Served, studio: Studio, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(events, "STALL_S", 0.2)
    last = studio.records.last_sequence()
    path = f"/ws/projects/{PROJECT}" if way == "websocket" else f"/api/projects/{PROJECT}/events"
    host, port = served.address.split(":")
    with socket.socket() as slow, served.socket(f"?after={last}") as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, int(port)))
        asked = [f"GET {path}?after={last} HTTP/1.1", f"Host: {served.address}"]
        if way == "websocket":
            asked += ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {'A' * 22}==", "Sec-WebSocket-Version: 13"]
        slow.sendall("\r\n".join([*asked, "", ""]).encode())
        for _ in range(5):
            happen(studio, 10, note="x" * 10_000)
            assert len([quick.recv() for _ in range(10)]) == 10
        wait_for(lambda: served.live.clients[way] == (way == "websocket"))
        taken = bytearray()
        slow.settimeout(10)
        while live.TOO_SLOW.encode() not in taken:
            assert (part := slow.recv(1 << 20))
            taken += part
    assert (b"event: dropped" in taken[-400:]) == (way == "sse")
    assert (events.TRY_AGAIN_LATER.to_bytes(2, "big") + live.TOO_SLOW.encode() in taken) == (way == "websocket")


def test_the_end_of_the_server_is_told_at_once(served: Served) -> None:
    with served.socket() as client, served.stream() as lines:
        wait_for(lambda: served.live.clients.total() == 2)
        served.end_streams()
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                client.recv(timeout=20)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1001, events.STOPS)
        assert list(lines)[-2:] == [f": {events.STOPS}", ""]


def test_a_token_that_is_revoked_ends_what_it_opened(served: Served, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (live, events):
        monkeypatch.setattr(module, "HEARTBEAT_S", 0.01)
    with served.socket() as local:  # as long as there is no token
        secret = studio.services.tokens.create("studio", PROJECT)
        with pytest.raises(ConnectionClosed, match="4401"):
            while True:
                local.recv(timeout=20)
    with pytest.raises(InvalidStatus, match="401"):
        served.socket()
    with (
        served.socket(additional_headers={"Authorization": f"Bearer {secret}"}) as client,
        served.stream(Cookie=f"gather_token={secret}") as lines,
    ):
        assert client.recv(timeout=20) and next(lines)
        studio.services.tokens.revoke("studio")
        with pytest.raises(ConnectionClosed, match="4401"):
            while True:
                client.recv(timeout=20)
        assert list(lines)[-2:] == [f": {events.REVOKED}", ""]


def test_a_store_that_does_not_answer_ends_no_stream(served: Served, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> bool:
        raise StoreUnavailable("MongoDB at store.example:27017 does not answer")

    for module in (live, events):
        monkeypatch.setattr(module, "HEARTBEAT_S", 0.01)
    with served.stream() as lines:
        next(lines)
        monkeypatch.setattr(studio.services.tokens, "exist", away)
        assert [line for line in islice(lines, 40) if line.startswith(":")][-1] == ": nothing new"


def test_a_project_that_is_not_there_and_a_number_that_is_none_are_refused_before_anything_is_opened(api_client: TestClient) -> None:
    for path, status, said in (
        ("/ws/projects/nobody", 404, "project id is 'nobody'"),
        (f"/ws/projects/{PROJECT}?after=-1", 422, "query.after is '-1'"),
        (f"/ws/projects/{PROJECT}?after=soon", 422, "query.after is 'soon'"),
    ):
        with pytest.raises(WebSocketDisconnect) as caught, api_client.websocket_connect(f"ws://127.0.0.1:8000{path}"):
            pass
        assert caught.value.status_code == status and said in caught.value.json()["detail"]  # type: ignore[attr-defined]
    assert api_client.get("/api/projects/nobody/events").status_code == 404
    answer = api_client.get(f"/api/projects/{PROJECT}/events", headers={"Last-Event-ID": "x"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "header.last-event-id")


def test_another_projects_token_opens_no_stream(studio: Studio) -> None:
    secret = studio.services.tokens.create("other", "another")
    client = client_of(studio, headers={"Authorization": f"Bearer {secret}"})
    assert client.get(f"/api/projects/{PROJECT}/events").status_code == 403
    with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect(f"ws://127.0.0.1:8000/ws/projects/{PROJECT}"):
        pass
    assert caught.value.status_code == 403  # type: ignore[attr-defined]


def test_with_redis_events_come_at_once_and_without_it_from_the_store(
    tmp_path: Path, redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "HEARING_POLL_S", 60.0)
    monkeypatch.setattr(live, "AWAY_S", 0.05)
    studio = Studio.open(tmp_path, redis_url=redis_process.url)
    channels = studio.services.channels
    assert channels is not None
    sent = 0

    def next_event(client: object) -> int:
        nonlocal sent
        sent += 1
        happen(studio, 1)
        bus = channels.bus()
        bus.publish(studio.records.events(sent - 1)[0])
        bus.close()
        return int(json.loads(client.recv(timeout=20))["sequence"])  # type: ignore[attr-defined]

    with Served(studio) as served, ExitStack() as opened:
        client = opened.enter_context(served.socket())
        wait_for(lambda: served.live._hears)
        assert [next_event(client) for _ in range(3)] == [1, 2, 3]
        redis_process.kill()
        wait_for(lambda: not served.live._hears)
        assert [next_event(client) for _ in range(2)] == [4, 5]
        redis_process.start_again()
        wait_for(lambda: served.live._hears)
        assert [next_event(client) for _ in range(2)] == [6, 7]
    lines = [record.getMessage() for record in caplog.records if record.name == live.__name__]
    assert len(lines) == 1 and "live events come from the store alone until it does" in lines[0]
    studio.close()
