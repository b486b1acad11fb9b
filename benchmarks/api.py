"""What a call of the API costs against a bare starlette route that reads one row, and what 32 followers cost against one.

    python benchmarks/api.py [--calls 1000] [--clients 32] [--events 200]

Both servers are uvicorns in a process of their own, asked in turn over a kept connection, so that what else the machine does falls on
both alike. The bare route reads one row of SQLite by its key and answers it as JSON, without a gate, a limit or a check. A call of ours
goes through all of these, and its answer is checked against its model. The p99 of both is of the same calls; the aim is below 2.

Followers are WebSocket clients of one project in which events are stored one after the other: each gets every event, in order. What is told
is the server's processor time for all clients over its time for one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from timing import Row, print_rows
from websockets.sync.client import connect

from gather_pipeline.bootstrap import build_services
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult
from gather_pipeline.domain.events import Event
from gather_pipeline.services import Services
from gather_pipeline.settings import load_settings

AIM = 2.0
PROJECT, TASK = "salt", "0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55"
WARM = 100  # calls that are not counted


def services_of(home: Path) -> Services:
    return build_services(load_settings(_env_file=None, home=home, model="scripted", embedder="hashing", api_rate=10_000_000))


def fill(home: Path) -> str:
    """A project with a run that has ended, and a token; returns the token."""
    with closing(services_of(home)) as services:
        services.projects.create("Salt", "A town of salt.", PROJECT)
        services.runs.start(TASK, AutomationRequest(project_id=PROJECT), None)
        numbers: dict[str, Any] = {"iterations": 4, "departments_processed": 2, "items_created": 20, "processing_time_ms": 1000}
        result = AutomationResult(
            task_id=TASK, project_id=PROJECT, status="completed", summary=(), reason="ended by rule", tokens=1, cost=0.0, **numbers
        )
        services.runs.finish(result)
        return services.tokens.create("benchmark", PROJECT)


def bare(home: Path) -> Starlette:
    path = home / "bare.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE run (id TEXT PRIMARY KEY, doc TEXT NOT NULL)")
        connection.execute(
            "INSERT INTO run VALUES (?, ?)", [TASK, json.dumps({"task_id": TASK, "status": "completed", "items_created": 20})]
        )
        connection.commit()
    local = threading.local()

    def status(request: Request) -> JSONResponse:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(path)
        row = local.connection.execute("SELECT doc FROM run WHERE id = ?", [request.path_params["id"]]).fetchone()
        return JSONResponse(json.loads(row[0]))

    return Starlette(routes=[Route("/status/{id}", status)])


def ours(home: Path) -> Any:
    from gather_pipeline.api.app import create_app

    return create_app(services_of(home))


@contextmanager
def served(make: Callable[[Path], Any], home: Path) -> Iterator[tuple[int, psutil.Process]]:
    """A server in a process of its own: its port and its process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(make.__name__, home, there), daemon=True)
    process.start()
    port = here.recv()
    try:
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.join()


def _serve(name: str, home: Path, told: Connection) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config({"bare": bare, "ours": ours}[name](home), log_level="error", access_log=False)
    told.send(listener.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listener])


def asker(port: int, path: str, headers: dict[str, str]) -> Callable[[], float]:
    """Asks once over a kept connection; seconds until the answer is read."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask() -> float:
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        assert answer.status == 200, body
        return took

    return ask


def calls(home: Path, token: str, number: int) -> list[Row]:
    """Status calls with a token, in turn with the bare route's."""
    with served(bare, home) as (plain_port, plain), served(ours, home) as (port, process):
        ask_plain = asker(plain_port, f"/status/{TASK}", {})
        ask_ours = asker(port, f"/api/tasks/status/{TASK}", {"Authorization": f"Bearer {token}"})
        seconds: dict[str, list[float]] = {"bare": [], "ours": []}
        for place in range(number + WARM):
            if place == WARM:
                before = {"bare": sum(plain.cpu_times()[:2]), "ours": sum(process.cpu_times()[:2])}
            for name, ask in (("bare", ask_plain), ("ours", ask_ours)):
                took = ask()
                if place >= WARM:
                    seconds[name].append(took)
        spent = {"bare": sum(plain.cpu_times()[:2]) - before["bare"], "ours": sum(process.cpu_times()[:2]) - before["ours"]}
    p99 = {name: quantiles(found, n=100)[98] for name, found in seconds.items()}
    middle = {name: median(found) for name, found in seconds.items()}

    def told(values: dict[str, float]) -> str:
        return f"{values['ours'] * 1000:.2f} against {values['bare'] * 1000:.2f} ms"

    return [
        Row(what=f"status call, p99 of {number}", baseline="bare route, one row", ratio=p99["ours"] / p99["bare"], aim=AIM, note=told(p99)),
        Row(what="status call, median", baseline="bare route, one row", ratio=middle["ours"] / middle["bare"], note=told(middle)),
        Row(
            what="status call, server's processor time",
            baseline="bare route, one row",
            ratio=spent["ours"] / spent["bare"],
            note=told({name: value / number for name, value in spent.items()}),
        ),
    ]


def followers(home: Path, token: str, clients: int, events: int) -> list[Row]:
    """Processor time of the server while all clients follow, over that while one does."""
    spent, slowest = {}, {}
    with served(ours, home) as (port, process), closing(services_of(home)) as services:
        records = services.project(PROJECT)
        for number in (1, clients, 1, clients):  # the first of both warms up
            first = records.last_sequence()
            got: list[list[int]] = [[] for _ in range(number)]
            lags: list[float] = []
            ready = threading.Barrier(number + 1)
            stored: dict[int, float] = {}

            def follow(mine: list[int], after: int = first, lags: list[float] = lags, ready: Any = ready, stored: Any = stored) -> None:
                address = f"ws://127.0.0.1:{port}/ws/projects/{PROJECT}?after={after}"
                with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as following:
                    ready.wait()
                    while len(mine) < events:
                        mine.append(json.loads(following.recv())["sequence"])
                        lags.append(time.perf_counter() - stored[mine[-1]])

            threads = [threading.Thread(target=follow, args=[mine]) for mine in got]
            for thread in threads:
                thread.start()
            ready.wait()
            before = sum(process.cpu_times()[:2])
            for sequence in range(first + 1, first + events + 1):
                event = Event(type="deduplicating", fields={"department": "story"}, project_id=PROJECT, task_id=TASK, sequence=sequence)
                stored[sequence] = time.perf_counter()
                records.add_events([event])
                time.sleep(0.005)
            for thread in threads:
                thread.join()
            assert all(one == list(range(first + 1, first + events + 1)) for one in got), "an event is missing or out of order"
            spent[number] = sum(process.cpu_times()[:2]) - before
            slowest[number] = quantiles(lags, n=100)[98]
    note = f"{spent[clients]:.2f} against {spent[1]:.2f} s; p99 from stored to received {slowest[clients]:.2f} against {slowest[1]:.2f} s"
    what = f"{clients} WebSocket clients, {events} events each, processor time"
    return [Row(what=what, baseline="one client", ratio=spent[clients] / max(spent[1], 0.01), note=note)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--events", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        token = fill(home)
        rows: Sequence[Row] = [*calls(home, token, given.calls), *followers(home, token, given.clients, given.events)]
    print_rows(f"The API on {os.cpu_count()} cores", rows)


if __name__ == "__main__":
    main()
