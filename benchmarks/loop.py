"""The loop's own cost: 7 departments, 50 iterations of the scripted model, against a bare asyncio loop that makes the same calls.

    python benchmarks/loop.py [--embedder hashing|minilm] [--rounds 3]

The calls of the loop are noted as it makes them, by iteration. The bare loop makes the same requests of the same model, 8 at once, one
iteration after the other, and does nothing with the answers. Ideal is what the model's latency alone would take. On a machine that others
use too, the seconds that pass say little, so the seconds of processor time are told beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import math
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from timing import Row, print_rows

from gather_pipeline import bootstrap
from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.ports import LanguageModel
from gather_pipeline.records.registry import Projects
from gather_pipeline.settings import PACKAGED_SAMPLE, load_settings

PROJECT, ITERATIONS, AT_ONCE, LATENCY_S = "loop", 50, 8, 0.2


@dataclass
class Noting:
    """A model that notes the requests of each iteration."""

    body: LanguageModel
    iterations: list[list[ModelRequest]] = field(default_factory=lambda: [[]])

    async def complete(self, request: ModelRequest) -> Completion:
        self.iterations[-1].append(request)
        return await self.body.complete(request)

    async def aclose(self) -> None:
        await self.body.aclose()


def departments(folder: Path) -> Path:
    """The sample's departments, none of which can reach its threshold or its own limit."""
    rows = yaml.safe_load((PACKAGED_SAMPLE / "departments.yaml").read_text(encoding="utf-8"))
    for row in rows["departments"] if isinstance(rows, dict) else rows:
        row["coordinationSettings"] |= {"minQualityThreshold": 100, "maxIterations": None}
    file = folder / "departments.yaml"
    file.write_text(yaml.safe_dump(rows), encoding="utf-8")
    return file


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds that passed, and seconds of processor time of all threads."""

    wall: float
    cpu: float

    @classmethod
    def since(cls, began: Spent) -> Spent:
        """What was spent since then."""
        now = cls.now()
        return cls(wall=now.wall - began.wall, cpu=now.cpu - began.cpu)

    @classmethod
    def now(cls) -> Spent:
        """The clocks as they stand."""
        return cls(wall=time.perf_counter(), cpu=time.process_time())


def run_loop(embedder: str, latency_s: float) -> tuple[Spent, list[list[ModelRequest]], dict[str, float]]:
    """What one whole run on an empty store takes, its requests by iteration, and its own seconds by phase."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = load_settings(
            _env_file=None,
            home=folder,
            departments=departments(folder),
            model="scripted",
            judge_model="none",
            embedder=embedder,
            concurrency=AT_ONCE,
            mongodb_uri=None,
        )
        services = bootstrap.build_services(settings)
        model = Noting(ScriptedModel(latency_s=latency_s))
        services = replace(services, model=model)
        services.embedder.embed(["Loads the embedding model, which a run of seconds should not be charged for."])
        brief = (PACKAGED_SAMPLE / "brief.md").read_text(encoding="utf-8")
        Projects(services.store, services.main_database, services.clock).create("Loop", brief, PROJECT)

        def progress(event: Any) -> None:
            if event["type"] == "iteration_complete":
                model.iterations.append([])

        request = AutomationRequest(project_id=PROJECT, max_iterations=ITERATIONS)
        gc.collect()
        began = Spent.now()
        run_automation(services, request, task_id="loop", progress=progress)
        took = Spent.since(began)
        phases: dict[str, float] = {}
        for row in services.store.find(f"aladdin-gather-{PROJECT}", "iterations"):
            for phase, seconds in row["seconds"].items():
                phases[phase] = phases.get(phase, 0.0) + seconds
        services.close()
    return took, [batch for batch in model.iterations if batch], phases


def run_bare(iterations: list[list[ModelRequest]], latency_s: float) -> Spent:
    """What the same calls alone take."""
    model = ScriptedModel(latency_s=latency_s)

    async def everything() -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(request: ModelRequest) -> None:
            async with gate:
                await model.complete(request)

        for batch in iterations:
            await asyncio.gather(*map(one, batch))

    began = Spent.now()
    asyncio.run(everything())
    return Spent.since(began)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", choices=("hashing", "minilm"), default="hashing", help="minilm is the default of a user")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    run_loop(options.embedder, 0.0)  # dictionaries and the like are loaded once a process
    rows, processor = [], []
    for latency_s in (0.0, LATENCY_S):
        measured = []
        for _ in range(options.rounds):
            ours, iterations, phases = run_loop(options.embedder, latency_s)
            measured.append((ours, run_bare(iterations, latency_s)))
        calls = sum(map(len, iterations))
        shape = f"{len(iterations)} iterations, {calls} calls"
        beyond = statistics.median(ours.wall - bare.wall for ours, bare in measured)
        cpu = statistics.median(ours.cpu - bare.cpu for ours, bare in measured)
        processor.append(f"{cpu:.2f} s at {latency_s * 1000:.0f} ms (the calls alone: {min(bare.cpu for _, bare in measured):.2f} s)")
        if latency_s:
            ideal = sum(math.ceil(len(batch) / AT_ONCE) for batch in iterations) * latency_s
            ratio = statistics.median(ours.wall / ideal for ours, _ in measured)
            rows.append(Row(what=f"run at {latency_s * 1000:.0f} ms, {shape}", baseline=f"ideal span {ideal:.1f} s", ratio=ratio, aim=1.10))
            bare = statistics.median(bare.wall / ideal for _, bare in measured)
            rows.append(Row(what="bare asyncio loop", baseline=f"ideal span {ideal:.1f} s", ratio=bare))
        else:
            note = "seconds, not a ratio"
            rows.append(Row(what=f"run at 0 ms, {shape}", baseline="bare loop: seconds beyond it", ratio=beyond, aim=1.0, note=note))
            spent = ", ".join(f"{phase} {seconds:.2f} s" for phase, seconds in sorted(phases.items(), key=lambda one: -one[1]))
    print_rows(f"The loop's own cost, SQLite, embedder {options.embedder}", rows)
    print(f"Processor time beyond the bare loop: {', '.join(processor)}")
    print(f"The loop's seconds by phase at 0 ms: {spent}")


if __name__ == "__main__":
    main()
