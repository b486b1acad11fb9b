"""What a run does about each kind of fault of a model server: once, and from then on.

    python -m benchmarks.faults [--kind WORD] [--timeout 45]

A run of one department (five calls where all is well) over HTTP against a server on the loopback, whose second answer, or whose every
answer from the second on, is the fault. The table has how the run ended, its notes, the calls that were made, seconds, and its reason.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from itertools import repeat
from pathlib import Path
from typing import Any

from gather_pipeline_tests import fault_server as fault
from gather_pipeline_tests.fault_server import FaultServer, Reply
from gather_pipeline_tests.harness import Studio, department_row

ROWS = (department_row("story", 1, most=1, defaultModel="some/model"),)
NOTE = '{"content": "Ada keeps the key of the tower under its third step, and Jonas knows it too.", "summary": "Key", "context": "Story"}'


def choice(**fields: object) -> Reply:
    """A completion whose one choice differs."""
    return fault.answer(None, choices=[{"index": 0, "message": {"role": "assistant", "content": NOTE}, "finish_reason": "stop"} | fields])


def refused(message: str, **fields: Any) -> Reply:
    """Status 400 with a provider's reason."""
    return fault.status(400, message, type="invalid_request_error", **fields)


KINDS: dict[str, Reply] = {
    "an empty text": fault.nothing(),
    "no text (null)": fault.answer(None),
    "blanks": fault.answer("  \n "),
    "prose for JSON": fault.prose(),
    "JSON cut by its limit": fault.half_json(),
    "someone else's schema": fault.foreign_schema(),
    "JSON in a fence, with a greeting": fault.answer(f"Sure!\n```json\n{NOTE}\n```"),
    "a refusal in words": fault.answer("I'm sorry, but I can't help with that."),
    "a refusal in its own field": choice(message={"role": "assistant", "content": None, "refusal": "I can't help with that."}),
    "stopped by a content filter": choice(message={"role": "assistant", "content": ""}, finish_reason="content_filter"),
    "no choices": fault.answer(None, choices=[]),
    "choices: null": fault.answer(None, choices=None),
    "a choice without a message": fault.answer(None, choices=[{"index": 0, "finish_reason": "stop"}]),
    "no usage": fault.answer(NOTE, usage=None),
    "200 with an error inside": fault.body({"error": {"message": "upstream failed", "code": 502}}),
    "200 with {}": fault.body({}),
    "200 with a list": fault.body([]),
    "200 with half a completion": fault.malformed(),
    "200 with a web page": fault.page(200),
    "a body that breaks off": fault.truncated(),
    "a connection that breaks": fault.dropped(),
    "no answer": fault.hang(),
    "400 that names nothing": refused("Bad Request"),
    "400 that names response_format": refused("'response_format' is not supported", param="response_format"),
    "400 that names temperature": refused("'temperature' is not supported", param="temperature"),
    "400, too long a prompt": refused("maximum context length is 4096 tokens", code="context_length_exceeded"),
    "401": fault.status(401),
    "402": fault.status(402, "out of credits"),
    "403": fault.status(403),
    "404": fault.status(404, "no such model"),
    "429": fault.rate_limited(),
    "429 with Retry-After: 90": fault.rate_limited("90"),
    "429, quota used up": fault.status(429, "quota exceeded", code="insufficient_quota", type="insufficient_quota"),
    "500": fault.status(500),
    "502 with a web page": fault.page(),
}


def tried(reply: Reply, *, always: bool, timeout_s: float) -> str:
    """One run as a row's half."""
    healthy = fault.like_the_scripted_model()
    script = [healthy, *repeat(reply, 1000 if always else 1)]
    with tempfile.TemporaryDirectory() as folder, FaultServer(script, then=healthy) as server:
        studio = Studio.open(
            Path(folder), ROWS, model=None, openai_base_url=server.base_url, openai_api_key="none", timeout_s=timeout_s, concurrency=1
        )
        began = time.monotonic()
        result = studio.run()
        took = time.monotonic() - began
        studio.close()
        reason = "" if result.status == "completed" and not result.reason.startswith("stopped") else f" {result.reason}"
        return f"{result.status}, {result.items_created} notes, {len(server.requests)} calls, {took:.1f} s{reason}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default="", help="only kinds whose name has this word")
    parser.add_argument("--timeout", type=float, default=45.0, help="seconds that a run may take; a 429 is asked again after 30")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print("| fault | once | from the second call on |\n| --- | --- | --- |")
    for name, reply in KINDS.items():
        if given.kind in name:
            halves = [tried(reply, always=always, timeout_s=given.timeout) for always in (False, True)]
            print(f"| {name} | {' | '.join(half.replace('|', '/') for half in halves)} |", flush=True)


if __name__ == "__main__":
    main()
