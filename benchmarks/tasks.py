"""What the task engine adds to a call of the bare openai client, one after the other and sixteen at once.

    python benchmarks/tasks.py [--calls N]

A server of 0 ms runs in a process of its own and answers the same each time. The client sends the same messages and schema as the runner
and reads the answer by `json.loads`. The runner checks the input, renders the prompt, checks the answer and makes its record; with
`kept` it also keeps the answer on disk before it reads it, and with `again` it finds every one of them there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
from timing import Row, print_rows

from gather_pipeline.adapters.cache.disk import DiskCache
from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.adapters.models.openai_client import OpenAiModel
from gather_pipeline.tasks import schemas
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.kept import KeptAnswers
from gather_pipeline.tasks.prompting import converse
from gather_pipeline.tasks.runner import Support, TaskRunner

AT_ONCE = 16
ROUNDS = 5
TASK = "judge_duplicate"
ANSWER = json.dumps({"reason": "The second adds that the mule leads.", "same": False, "probability": 0.25})
COMPLETION = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130},
}

Contender = Callable[[int], Awaitable[object]]  # one call, told apart by its number


def serve(port: Any) -> None:
    """Answers every request at once with the same completion, over connections that stay open."""
    body = json.dumps(COMPLETION).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.partition(b":")[2]))
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def seconds_of(call: Contender, calls: int, at_once: int, first: int) -> float:
    """Seconds of so many calls, so many of them at once."""
    numbers = iter(range(first, first + calls))

    async def work() -> None:
        for number in numbers:
            await call(number)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return time.perf_counter() - began


async def measure(base_url: str, folder: Path, calls: int) -> list[Row]:
    """The rows of the table."""
    catalogue = Catalogue.packaged()
    definition = catalogue.get(TASK)
    example: Any = definition.input.examples[0]
    messages: Any = [
        {"role": message.role, "content": message.content} for message in converse(definition, definition.prompts[0], example).messages
    ]
    schema: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schemas.portable(definition.output.json_schema)}}
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none")
    model = OpenAiModel(base_url=base_url, api_key="none", provider="custom", clock=SystemClock(), concurrency=AT_ONCE)
    cache = DiskCache(folder)

    async def bare(_: int) -> object:
        said = await client.chat.completions.create(model="m", messages=messages, max_tokens=200, temperature=0, response_format=schema)
        return json.loads(said.choices[0].message.content or "")

    plain = TaskRunner(model, catalogue, SystemClock(), lambda _: None)
    answers = KeptAnswers(cache)
    keeping = TaskRunner(model, catalogue, SystemClock(), answers.settle, Support(kept=answers))

    async def run(_: int) -> object:
        return await plain.run(TASK, example, model="m", temperature=0)

    async def kept(number: int) -> object:
        return await keeping.run(TASK, example, model="m", temperature=0, draw=number)

    async def again(number: int) -> object:
        result = await keeping.run(TASK, example, model="m", temperature=0, draw=number % calls)
        assert result.execution.cached
        return result

    rows = []
    for at_once in (1, AT_ONCE):
        contenders: dict[str, Contender] = {"bare": bare, "run": run, "kept": kept, "again": again}
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        await seconds_of(kept, calls, at_once, 0)
        for number in range(ROUNDS + 1):
            for name, call in contenders.items():
                first = calls * (number + 1) * at_once if name == "kept" else 0
                spent = await seconds_of(call, calls, at_once, first)
                if number:
                    taken[name].append(spent)
        cache.invalidate()
        base = statistics.median(taken["bare"]) / calls
        how = "one after the other" if at_once == 1 else f"{at_once} at once"
        for name, what, aim in (("run", "task runner", 1.3), ("kept", "task runner, answers kept", None), ("again", "kept answer", None)):
            mine = statistics.median(taken[name]) / calls
            ratio = statistics.median(ours / theirs for ours, theirs in zip(taken[name], taken["bare"], strict=True))
            note = f"{mine * 1000:.2f} ms against {base * 1000:.2f} ms"
            rows.append(Row(what=f"{what}, {how}", baseline="openai client, 0 ms server", ratio=ratio, aim=aim, note=note))
    await client.close()
    await model.aclose()
    cache.close()
    return rows


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=200, help="calls a round and contender")
    calls = parser.parse_args().calls
    port: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = asyncio.run(measure(f"http://127.0.0.1:{port.get()}/v1", Path(folder), calls))
    finally:
        server.kill()
    print_rows(f"Calls of task {TASK}, {calls} a round", rows)


if __name__ == "__main__":
    main()
