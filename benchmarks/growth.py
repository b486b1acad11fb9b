"""What a project costs that has grown: everything that people do, at 2,000 and at 20,000 items of one project.

    python benchmarks/growth.py [--sizes 2000 20000] [--rounds 3] [--embedder hashing] [--keep FOLDER] [--only NAME ...] [--import 20 60]

The project is the packaged sample with notes that are put together from the clauses of `material`, stored through the repositories as
runs would have left them: ten notes an iteration, every department finished, scored and drafted. Every measurement is a process of its
own in a copy of that state; a scripted model answers. Told are seconds of the processor (user and system, of all threads), for the machine
may have other work, the most memory, how much more the large project costs than the small one, and how that compares with the least that
could be done: reading all notes, or importing what a run needs, in a bare Python of the same round. `--keep` keeps the projects for the
next call. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from gather_pipeline.bootstrap import build_services
from gather_pipeline.domain.departments import Department, to_automate
from gather_pipeline.domain.item_lines import to_fields
from gather_pipeline.domain.items import Item, content_hash, item_id, version_of
from gather_pipeline.domain.iterations import Iteration, asked_of
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import Part, Quality
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import Vectors
from gather_pipeline.quality.scorer import measure
from gather_pipeline.records.departments import store_departments
from gather_pipeline.records.lease import Lease, Owner, holding
from gather_pipeline.services import Services
from gather_pipeline.settings import PACKAGED_SAMPLE, load_settings
from gather_pipeline.text.sentences import sentences
from gather_pipeline.upkeep.analyses import Analyses
from gather_pipeline.upkeep.draft import propose_draft
from gather_pipeline.upkeep.evaluate import evaluate
from gather_pipeline.upkeep.inputs import inputs_of

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = Path(__file__).parent / "material"
PROJECT, RUN, AN_ITERATION, USED = "grown", "grown-by-hand", 10, 30
OWN = ("GATHER_", "OPEN", "MONGODB_", "MODEL_PATH", "PYTHON")
# What a process of Linux inherits as its peak is its parent's, so it tells its own at its end.
PEAK = """import atexit, os
def note():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    open(os.environ["PEAK"], "w").write(line.split()[1])
atexit.register(note)
"""
COMMAND = "from gather_pipeline.cli import main; main()"
REFRESH = f"""
import sys
from gather_pipeline.bootstrap import build_services
from gather_pipeline.settings import load_settings
from gather_pipeline.upkeep.refresh import Upkeep
services = build_services(load_settings())
(done,) = Upkeep(services, "{PROJECT}").refresh([sys.argv[1]])
assert done.embedded == 1 and done.score.changed
services.close()
"""
BY_HAND = """
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT doc FROM gather").fetchall()
print(len([json.loads(doc) for (doc,) in rows]))
"""
IMPORTS = "import dagster, gather_pipeline.defs.launch, gather_pipeline.defs.running"
GROWTH_AIMS = {"run, nothing changed": 1.5, "run, 4 iterations": 2.0, "refresh after an edit": 1.5, "status": 1.5, "item show": 1.5}
QUALITY = Quality(parts={"depth": Part(value=50.0, reasons=("As it was.",))}, scorer="text-statistics", version="0")


class Notes:
    """Notes of three sentences, put together from the clauses of the material: no two alike, many about one matter."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        texts = [
            row["content"] if isinstance(row, dict) else row
            for path in sorted(MATERIAL.glob("*/notes.json"))
            for kinds in json.loads(path.read_text(encoding="utf-8")).values()
            for kind in ("careful", "contradicting", "nonsense")
            for row in kinds[kind]
        ]
        clauses = [part.strip(" ,;:.") for text in texts for one in sentences(text) for part in re.split(r"[,;:]| and | but ", one)]
        self._clauses = sorted({clause for clause in clauses if 2 < len(clause.split()) < 16})

    def __iter__(self) -> Iterator[str]:
        while True:
            yield " ".join(self._sentence() for _ in range(3))

    def _sentence(self) -> str:
        first, second = self._random.sample(self._clauses, 2)
        joined = f"{first}{self._random.choice((', ', ', and ', '; '))}{second}"
        return re.sub(r"\d+", lambda found: str(int(found[0]) + self._random.randrange(9)), f"{joined[0].upper()}{joined[1:]}.")


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds of the processor, seconds on the wall, most memory in MB."""

    processor: float
    wall: float
    memory: float


@dataclass(frozen=True)
class Bench:
    """Folders of state, and processes that use them."""

    folder: Path
    embedder: str

    def run(self, code: str, *args: str, home: Path, departments: Path | None = None) -> Cost:
        """What a Python costs that is given the code; raises where it fails."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        environment |= {"PYTHONPATH": str(ROOT), "GATHER_MODEL": "scripted", "GATHER_EMBEDDER": self.embedder, "GATHER_HOME": str(home)}
        environment |= {"GATHER_DEPARTMENTS": str(departments)} if departments else {}
        began = os.times().elapsed
        environment["PEAK"] = str(self.folder / "peak")
        with (self.folder / "output").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", PEAK + code, *args], cwd=self.folder, env=environment, stdout=output, stderr=output
            )
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(args) or code} ended with {process.returncode}: {(self.folder / 'output').read_text()[-2000:]}")
        return Cost(used.ru_utime + used.ru_stime, os.times().elapsed - began, int((self.folder / "peak").read_text()) / 1024)

    @contextmanager
    def copy(self, home: Path) -> Iterator[Path]:
        """A copy of a state that nothing has used yet."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            yield shutil.copytree(home, Path(place) / "home")

    @contextmanager
    def services(self, home: Path) -> Iterator[Services]:
        """The engines on a state, in this process."""
        with closing(build_services(load_settings(home=home, embedder=self.embedder, model="scripted"))) as services:
            yield services

    def grown(self, size: int) -> Path:
        """The state with a project of so many items, made where it is not kept from an earlier call."""
        home = self.folder / f"{size}-{self.embedder}"
        if not home.exists():
            making = home.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            with self.services(making) as services:
                _grow(services, size)
            self.run(COMMAND, "run", "--project", PROJECT, home=making)  # so that Dagster's databases are there and know the partitions
            making.rename(home)
        return home


def _grow(services: Services, size: int) -> None:
    project = services.projects.create("The Last Light", (PACKAGED_SAMPLE / "brief.md").read_text(encoding="utf-8"), PROJECT)
    records, departments = services.project(PROJECT), to_automate(services.departments.departments())
    store_departments(records.view(), departments)
    lease = services.leases.lease(PROJECT, Owner.this_process(RUN), 600)
    shares = [range(size)[place :: len(departments)] for place in range(len(departments))]
    with holding(lease):
        for place, (department, share) in enumerate(zip(departments, shares, strict=True)):
            items = [_item(department, number, text) for number, text in zip(range(len(share)), Notes(place), strict=False)]
            vectors = services.embedder.embed([item.content for item in items])
            _store(services, project, department, items, vectors, lease)
            done = records.view()
            last = done.last(department.slug)
            evaluate(
                services,
                project,
                department,
                items=items,
                vectors=vectors,
                last=last,
                stored=None,
                read_at=services.clock.now(),
                auto_triggered=True,
            )
            propose_draft(services, PROJECT, department, items=items, last=last, stored=None)


def _item(department: Department, number: int, content: str) -> Item:
    aspect, iteration = department.aspects[number % len(department.aspects)], number // AN_ITERATION + 1
    made = {"task": "gather_item", "task_version": "1.0.0", "model": "scripted", "generated_by": "scripted", "attempts": 1}
    return Item(
        id=item_id(PROJECT, department.slug, iteration, number % AN_ITERATION),
        department=department.slug,
        project_id=PROJECT,
        iteration=iteration,
        task_id=RUN,
        created_at="2026-01-01T00:00:00.000000+00:00",
        content=content,
        summary=sentences(content)[0],
        context=f"Belongs to {aspect}.",
        aspect=aspect,
        provenance=made,
    )


def _store(services: Services, project: Project, department: Department, items: Sequence[Item], vectors: Vectors, lease: Lease) -> None:
    """Stores a department as its runs would have left it: finished by its last iteration, whose quality is the real one."""
    records, inputs = services.project(PROJECT), inputs_of(services, project, department)
    analyses = Analyses(records, project.brief).of(department.slug, items)
    rows = [range(len(items))[at : at + AN_ITERATION] for at in range(0, len(items), AN_ITERATION)]
    for number, places in enumerate(rows, start=1):
        made, is_last = [items[place] for place in places], number == len(rows)
        before = items[max(0, places[0] - USED) : places[0]]
        used = {item.id: content_hash(item.content) for item in before}
        quality = QUALITY
        if is_last:
            quality = measure(department, items, services.embedder, vectors=vectors, analyses=analyses, brief=project.brief)
        iteration = Iteration(
            project_id=PROJECT,
            department=department.slug,
            number=number,
            task_id=RUN,
            inputs=replace(inputs, context=used),
            generated=len(made),
            item_ids=tuple(item.id for item in made),
            duplicates=0,
            filtered=0,
            quality=quality,
            data_version=version_of(items) if is_last else str(number),
            asked=asked_of(department, project.brief),
            model="scripted",
            ended_by="maxIterations" if is_last else None,
        )
        records.open_iteration(department.slug, number, lease)
        records.save_iteration_rows(made, vectors[list(places)], services.embedder.name, [])
        records.commit(iteration, lease)


def edited(bench: Bench, home: Path) -> str:
    """Changes one item as a person does; its department."""
    with bench.services(home) as services:
        item = services.project(PROJECT).view().items[7]
        text = f"At dusk {item.content[0].lower()}{item.content[1:]} The keeper counts 14 rungs."
        People(services).edit(item.id, Texts(content=text), "ana")
    return item.department


def operations(bench: Bench, size: int) -> dict[str, Callable[[], Cost]]:
    """What is measured of a project, by name; each call is one measurement."""
    home, hungry = bench.grown(size), bench.folder / "hungry.yaml"
    rows = yaml.safe_load((PACKAGED_SAMPLE / "departments.yaml").read_text(encoding="utf-8"))
    for row in rows:
        row["coordinationSettings"] |= {"minQualityThreshold": 100, "maxIterations": 1000}
    hungry.write_text(yaml.safe_dump(rows), encoding="utf-8")
    with bench.services(home) as services:
        id = services.project(PROJECT).view().items[size // 2].id

    def copied(*args: str, departments: Path | None = None) -> Callable[[], Cost]:
        def work() -> Cost:
            with bench.copy(home) as own:
                return bench.run(COMMAND, *args, home=own, departments=departments)

        return work

    def refreshed() -> Cost:
        with bench.copy(home) as own:
            return bench.run(REFRESH, edited(bench, own), home=own)

    def looked(*args: str) -> Callable[[], Cost]:
        return lambda: bench.run(COMMAND, *args, home=home)

    of_project = ("--project", PROJECT)
    return {
        "reading by hand": lambda: bench.run(BY_HAND, str(home / "store" / f"aladdin-gather-{PROJECT}.sqlite3"), home=home),
        "importing": lambda: bench.run(IMPORTS, home=home),
        "run, nothing changed": copied("run", *of_project),
        "run, 4 iterations": copied("run", *of_project, "--max-iterations", "4", departments=hungry),
        "refresh after an edit": refreshed,
        "items": looked("items", *of_project),
        "items, first page": looked("items", *of_project, "--limit", "50"),
        "status": looked("status", *of_project),
        "item show": looked("item", "show", id),
    }


def print_growth(bench: Bench, sizes: Sequence[int], rounds: int, only: Sequence[str]) -> None:
    """Every operation at every size, in turn, `rounds` times; then the table."""
    work = {size: operations(bench, size) for size in sizes}
    names = [name for name in work[sizes[0]] if not only or name in only or name in ("reading by hand", "importing")]
    costs: dict[tuple[str, int], list[Cost]] = {}
    for _ in range(rounds):
        for name in names:
            for size in sizes:
                costs.setdefault((name, size), []).append(work[size][name]())

    def median(name: str, size: int, what: str) -> float:
        return float(statistics.median(getattr(cost, what) for cost in costs[name, size]))

    small, large = sizes[0], sizes[-1]
    print(f"One project, embedder {bench.embedder}, medians of {rounds}: seconds of the processor (on the wall)")
    print(f"{'':24}" + "".join(f"{f'{size:,} items':>18}" for size in sizes) + f"{'grows':>8}{'aim':>6}{'memory':>9}  against")
    for name in names:
        told = "".join(f"{median(name, size, 'processor'):10.2f} ({median(name, size, 'wall'):.2f})" for size in sizes)
        grows, bare = (
            median(name, large, "processor") / median(name, small, "processor"),
            "importing" if "run" in name else "reading by hand",
        )
        against = f"{median(name, large, 'processor') / median(bare, large, 'processor'):.1f} x {bare}"
        aim = f"{GROWTH_AIMS[name]:g}" if name in GROWTH_AIMS else ""
        print(f"{name:24}{told:>36}{grows:7.1f}x{aim:>6}{median(name, large, 'memory'):6.0f} MB  {against}")


def print_imports(bench: Bench, sizes: Sequence[int]) -> None:
    """What it costs to import files of so many MB into a project without items, beside parsing their lines and no more."""
    print(f"\n{'import':24}{'seconds a MB':>14}{'memory':>10}  parsing the lines alone")
    for size in sizes:
        file = bench.folder / f"{size}.jsonl"
        if not file.exists():
            _write_export(file, size)
        with tempfile.TemporaryDirectory(dir=bench.folder) as place:
            home = Path(place)
            with bench.services(home) as services:
                services.projects.create("The Last Light", "A film about a light.", PROJECT)
            cost = bench.run(COMMAND, "import", "--project", PROJECT, str(file), home=home)
            bare = bench.run("import json, sys\nfor line in open(sys.argv[1]): json.loads(line)", str(file), home=home)
        print(f"{f'{size} MB':24}{cost.processor / size:14.2f}{cost.memory:7.0f} MB  {bare.processor / size:.3f} s a MB")


def _write_export(file: Path, megabytes: int) -> None:
    departments = to_automate(build_services(load_settings(home=file.parent)).departments.departments())
    with file.open("w", encoding="utf-8") as lines:
        for number, text in enumerate(Notes(megabytes)):
            department = departments[number % len(departments)]
            fields = to_fields(_item(department, number // len(departments), text), number % AN_ITERATION)
            lines.write(json.dumps(fields, ensure_ascii=False) + "\n")
            if lines.tell() >= megabytes * 1_000_000:
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", type=int, default=[2000, 20000], help="items (default 2000 and 20000)")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--embedder", choices=("hashing", "minilm"), default="hashing", help="minilm takes an hour to make 20,000 items")
    parser.add_argument("--keep", type=Path, help="folder in which the projects are kept")
    parser.add_argument("--only", nargs="*", default=[], help="names of the rows that are wanted")
    parser.add_argument("--import", nargs="*", dest="imports", type=int, default=[], help="MB of files to import, e.g. 20 60")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gather-growth-") as folder:
        bench = Bench((asked.keep or Path(folder)).absolute(), asked.embedder)
        bench.folder.mkdir(parents=True, exist_ok=True)
        if asked.sizes:
            print_growth(bench, asked.sizes, asked.rounds, asked.only)
        if asked.imports:
            print_imports(bench, asked.imports)


if __name__ == "__main__":
    main()
