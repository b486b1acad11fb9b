"""What a command costs before it does its work, against starting Python and against importing what it needs.

    python benchmarks/start.py [--rounds 3] [--embedder]

Every measurement is a process of its own, from its start to its end. `gather run` ends with its first model call: the scripted
model's `complete` is replaced by one that ends the process. What a command needs to import is what it had imported by then, noted in a
first try and imported by name in a bare Python: all of it, with Python's garbage collector at work and without, or only `dagster` and this
package's modules, which leaves out the parts that Dagster loads when it opens its databases. No network, none of the caller's settings,
and for every run a folder of state that was copied before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from timing import Row, paired, print_rows, ratio

ROOT = Path(__file__).resolve().parents[1]
BRIEF = ROOT / "gather_pipeline" / "sample" / "brief.md"
NEW, BEGUN = "new-one", "begun-one"  # projects without and with items
AIM_S = 0.5
MODEL_CALLED = 42
NOTHING: Mapping[str, str] = MappingProxyType({})
MINILM = {"GATHER_EMBEDDER": "minilm"}
ENGINES = ("dagster", "torch", "sentence_transformers")
OWN = ("GATHER_", "OPEN", "MONGODB_", "MODEL_PATH", "PYTHON")

COMMAND = "from gather_pipeline.cli import main; main()"
NOTE = "import os, sys; note = lambda: open(os.environ['NOTED'], 'w').write('\\n'.join(sys.modules))\n"
NOTED_COMMAND = f"{NOTE}from gather_pipeline.cli.app import invoke; code = invoke(sys.argv[1:]); note(); sys.exit(code)"
FIRST_CALL = f"""{NOTE}
from gather_pipeline.adapters.models.scripted import ScriptedModel

async def complete(self, request):
    if 'NOTED' in os.environ:
        note()
    os._exit({MODEL_CALLED})

ScriptedModel.complete = complete
{COMMAND}
"""
# Some names stand for no module that can be found again, such as those of migration scripts.
FINDABLE = """
import importlib, sys
for name in open(sys.argv[1]).read().split():
    try:
        importlib.import_module(name)
    except Exception:
        continue
    print(name)
"""
IMPORT = "import importlib, sys; [importlib.import_module(name) for name in open(sys.argv[1]).read().split()]"
UNCOLLECTED = f"import gc; gc.disable(); {IMPORT}"


@dataclass
class Bench:
    """Folders of state, and processes that use them.

    Attributes:
        folder: Everything lies here.
    """

    folder: Path
    copies: int = field(default=0, init=False)

    def run(self, code: str, *args: str, home: Path | None = None, expected: int = 0, extra: Mapping[str, str] = NOTHING) -> str:
        """Standard output of a Python that was given the code; raises where it ends otherwise than expected."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        environment |= {"PYTHONPATH": str(ROOT), "GATHER_MODEL": "scripted", "GATHER_EMBEDDER": "hashing"}
        environment |= {"GATHER_HOME": str(home or self.folder / "nowhere")} | dict(extra)
        done = subprocess.run([sys.executable, "-c", code, *args], cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode != expected:
            raise SystemExit(f"{' '.join(args) or code} ended with {done.returncode}, expected {expected}: {done.stderr.strip()}")
        return done.stdout

    def prepare(self, home: Path, *, used: bool) -> Path:
        """A folder of state with both projects; where used, a run has opened Dagster's databases there and left items."""
        for project in (NEW, BEGUN) if used else (NEW,):
            self.run(COMMAND, "project", "create", "--name", project, "--brief", str(BRIEF), "--id", project, home=home)
        if used:
            self.run(COMMAND, "run", "--project", BEGUN, "--max-iterations", "1", home=home)
        return home

    def copy(self, home: Path) -> Path:
        """A copy that nothing has used yet."""
        self.copies += 1
        return shutil.copytree(home, self.folder / f"copy-{self.copies}")

    def first_call(self, home: Path, project: str, rounds: int, extra: Mapping[str, str] = NOTHING) -> Callable[[], object]:
        """A run up to its first model call, each time in a fresh copy that was made before."""
        copies: Iterator[Path] = iter([self.copy(home) for _ in range(rounds + 1)])
        return lambda: self.run(FIRST_CALL, "run", "--project", project, home=next(copies), expected=MODEL_CALLED, extra=extra)

    def noted(self, name: str, code: str, *args: str, home: Path, expected: int = 0, extra: Mapping[str, str] = NOTHING) -> list[str]:
        """Modules that a command has imported and that can be imported by name, in order."""
        file = self.folder / f"{name}.noted"
        self.run(code, *args, home=home, expected=expected, extra={**extra, "NOTED": str(file)})
        return self.run(FINDABLE, str(file)).split()

    def importing(self, name: str, modules: list[str], code: str = IMPORT) -> Callable[[], object]:
        """A bare Python that imports these."""
        file = self.folder / f"{name}.modules"
        file.write_text("\n".join(modules), encoding="utf-8")
        return lambda: self.run(code, str(file))


def loads_no_engine(command: str, modules: list[str]) -> None:
    """Ends the benchmark where a command has imported what it must not."""
    loaded = [engine for engine in ENGINES if engine in modules]
    if loaded:
        raise SystemExit(f"{command} has loaded {', '.join(loaded)}, expected none of {', '.join(ENGINES)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (default 3)")
    parser.add_argument("--embedder", action="store_true", help="also what loading MiniLM costs, which takes a minute a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gather-start-") as folder:
        measure(Bench(folder=Path(folder)), options.rounds, options.embedder)


def measure(bench: Bench, rounds: int, embedder: bool) -> None:
    """Prepares, measures and prints."""
    used, empty = bench.prepare(bench.folder / "used", used=True), bench.prepare(bench.folder / "empty", used=False)
    items = ["items", "--project", BEGUN]
    run = ["run", "--project", NEW]
    by_help = bench.noted("help", NOTED_COMMAND, "--help", home=used)
    by_items = bench.noted("items", NOTED_COMMAND, *items, home=used)
    loads_no_engine("gather --help", by_help)
    loads_no_engine("gather items", by_items)
    by_run = bench.noted("run", FIRST_CALL, *run, home=bench.copy(used), expected=MODEL_CALLED)
    own = [name for name in by_run if name.partition(".")[0] == "gather_pipeline"]

    contenders: dict[str, Callable[[], object]] = {
        "pass": lambda: bench.run("pass"),
        "help": lambda: bench.run(COMMAND, "--help", home=used),
        "items": lambda: bench.run(COMMAND, *items, home=used),
        "items' modules": bench.importing("items", by_items),
        "dagster": lambda: bench.run("import dagster"),
        "dagster and own": bench.importing("own", ["dagster", *own]),
        "run's modules": bench.importing("run", by_run),
        "run's modules, uncollected": bench.importing("run", by_run, UNCOLLECTED),
        "run": bench.first_call(used, NEW, rounds),
        "run, no databases": bench.first_call(empty, NEW, rounds),
        "run, MiniLM": bench.first_call(used, NEW, rounds, MINILM),
    }
    if embedder:
        begun = ["run", "--project", BEGUN]
        loaded = bench.noted("begun", FIRST_CALL, *begun, home=bench.copy(used), expected=MODEL_CALLED, extra=MINILM)
        contenders |= {
            "run, begun": bench.first_call(used, BEGUN, rounds, MINILM),
            "its modules": bench.importing("begun", loaded),
        }
    seconds = paired(contenders, rounds)

    def row(what: str, ours: str, baseline: str, theirs: str, aim: float | None = None, note: str = "") -> Row:
        took = f"{statistics.median(seconds[ours]):.2f} s against {statistics.median(seconds[theirs]):.2f} s"
        parts = (took, note)
        return Row(what=what, baseline=baseline, ratio=ratio(seconds[ours], seconds[theirs]), aim=aim, note=", ".join(filter(None, parts)))

    def within(ours: str) -> str:
        best = min(seconds[ours])
        verdict = "met" if statistics.median(seconds[ours]) <= AIM_S else "missed"
        return f"aim {AIM_S:g} s {verdict} (best {best:.2f} s), loads none of {', '.join(ENGINES)}"

    rows = [
        row("gather --help", "help", "python -c pass", "pass", note=within("help")),
        row("gather items", "items", "python -c pass", "pass", note=within("items")),
        row("gather items", "items", "importing what it needs", "items' modules"),
        row("gather run to its first model call", "run", "importing what it needs", "run's modules", 1.5),
        row("gather run to its first model call", "run", "the same with gc.disable()", "run's modules, uncollected", 1.5),
        row("gather run to its first model call", "run", "importing dagster and this package", "dagster and own", 1.5),
        row("gather run to its first model call", "run", "importing dagster", "dagster"),
        row("the same with MiniLM", "run, MiniLM", "importing what it needs", "run's modules", 1.5),
        row("the same, Dagster's databases made first", "run, no databases", "importing what it needs", "run's modules"),
    ]
    if embedder:
        rows += [
            row("a project with items, with MiniLM", "run, begun", "importing what it needs, torch too", "its modules", 1.5),
        ]
    print_rows(f"Start-up, medians of {rounds} rounds", rows)


if __name__ == "__main__":
    main()
