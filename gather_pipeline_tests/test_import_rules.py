"""Who may import whom, as DESIGN has it: a table of rooms, held against the imports of every module.

Ruff's TID251 bans the engines by name; it cannot tell one room of the package from another, so that part stands here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import gather_pipeline

ROOT = Path(gather_pipeline.__file__).parent
HTTP = ("fastapi", "starlette")
ENGINES = ("dagster", "pymongo", "bson", "duckdb", "sqlite3", "redis", "openai", "torch", "sentence_transformers", "xllamacpp", *HTTP)
ROOMS = (
    *("domain", "text", "ports", "similarity", "tasks", "context", "quality", "records", "review", "people", "upkeep", "gather", "report"),
    *("operations", "services", "adapters", "bootstrap", "defs", "definitions", "cli", "api"),
)
VALUES = ("domain", "text", "ports", "similarity")
CENTRE = (*VALUES, "tasks", "context", "quality", "records", "services")


def own(*rooms: str) -> tuple[str, ...]:
    return tuple(f"gather_pipeline.{room}" for room in rooms)


def all_but(*rooms: str) -> tuple[str, ...]:
    return own(*(room for room in ROOMS if room not in rooms))


FORBIDDEN: dict[str, tuple[str, ...]] = {
    "__init__": (*ENGINES, *own(*ROOMS)),
    "errors": (*ENGINES, *own(*ROOMS)),
    "processes": (*ENGINES, *own(*ROOMS)),
    "entry_points": (*ENGINES, *own(*ROOMS)),
    "settings": (*ENGINES, *own(*ROOMS)),
    "domain": (*ENGINES, *all_but("domain"), *own("settings")),
    "ports": (*ENGINES, *all_but("domain"), *own("settings")),
    "text": (*ENGINES, *all_but("domain", "text"), *own("settings")),
    "similarity": (*ENGINES, *all_but(*VALUES), *own("settings")),
    "context": (*ENGINES, *all_but(*VALUES, "context"), *own("settings")),
    "tasks": (*ENGINES, *all_but(*VALUES, "context", "tasks"), *own("settings")),
    "quality": (*ENGINES, *all_but(*VALUES, "context", "tasks", "quality"), *own("settings")),
    "records": (*ENGINES, *all_but(*VALUES, "context", "tasks", "records"), *own("settings")),
    "review": (*ENGINES, *all_but(*VALUES, "context", "tasks", "review"), *own("settings")),
    "services": (*ENGINES, *all_but("domain", "ports", "tasks", "records")),
    "people": (*ENGINES, *all_but(*CENTRE, "people")),
    "upkeep": (*ENGINES, *all_but(*CENTRE, "review", "upkeep")),
    "gather": (*ENGINES, *all_but(*CENTRE, "upkeep", "gather")),  # a department's end calls for its upkeep: docs/decisions/0001
    "report": (*ENGINES, *all_but(*CENTRE, "report")),
    "operations": (*ENGINES, *all_but(*CENTRE, "operations")),
    "adapters": ("dagster", *HTTP, *all_but("domain", "ports"), *own("settings")),
    "bootstrap": ("dagster", *HTTP, *own("defs", "definitions", "cli", "api")),
    "defs": (*(engine for engine in ENGINES if engine != "dagster"), *own("adapters", "definitions", "cli", "api")),
    "definitions": (*(engine for engine in ENGINES if engine != "dagster"), *own("adapters", "cli", "api")),
    "cli": (*ENGINES, *own("adapters", "defs", "definitions", "api")),
    "api": (*(engine for engine in ENGINES if engine not in HTTP), *own("adapters", "defs", "definitions", "cli")),
}
DOOR = own("defs.launch", "defs.starting", "defs.tasks")  # the one to Dagster (D4): runs in this process, runs elsewhere, and any task
SHARED = ("adapters.network", "adapters.redis")  # how a server is reached and understood, whatever is asked of it
# Which choose their engines by themselves: docs/decisions/0010.
SEEDS_DOORS = (Path("tasks/executor.py"), Path("tasks/llm.py"), Path("upkeep/brain.py"))
MODULES = [path.relative_to(ROOT) for path in sorted(ROOT.rglob("*.py"))]


def name_of(module: Path) -> str:
    return ".".join(("gather_pipeline", *module.with_suffix("").parts)).removesuffix(".__init__")


NAMES = {name_of(module) for module in MODULES}


def imports(source: str) -> Iterator[str]:
    """Full names of what a module imports, wherever in it; `from a import b` may name a module, so it gives a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needed(module: Path) -> set[str]:
    """Names of the modules, and the packages around them, that this one cannot be imported without."""
    own_name = name_of(module)
    statements: list[ast.stmt] = [*ast.parse((ROOT / module).read_text(encoding="utf-8")).body]
    found: set[str] = set()
    for node in statements:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Try):
            statements += node.body
    around = {".".join(name.split(".")[:length]) for name in found for length in range(1, name.count(".") + 2)}
    return {name for name in around & NAMES if not is_below(own_name, (name,))}


def is_below(name: str, roots: tuple[str, ...]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def is_allowed(name: str, module: Path) -> bool:
    """Through a door; or within one family of adapters, with what all families share."""
    if module.parts[0] == "adapters":
        return len(module.parts) > 2 and is_below(name, own(f"adapters.{module.parts[1]}", *SHARED))
    if module in SEEDS_DOORS:
        return is_below(name, own("bootstrap", "services"))
    return module.parts[0] in ("cli", "api") and is_below(name, DOOR)


def offences(module: Path, source: str) -> list[str]:
    room = module.parts[0].removesuffix(".py")
    return [name for name in imports(source) if is_below(name, FORBIDDEN[room]) and not is_allowed(name, module)]


def test_every_room_has_its_row() -> None:
    assert {module.parts[0].removesuffix(".py") for module in MODULES} <= set(FORBIDDEN)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_what_its_room_may(module: Path) -> None:
    assert offences(module, (ROOT / module).read_text(encoding="utf-8")) == []


def test_no_module_needs_one_that_needs_it() -> None:
    TopologicalSorter({name_of(module): needed(module) for module in MODULES}).prepare()


def test_the_rule_sees_imports_inside_functions_and_through_from() -> None:
    source = "def f():\n    from gather_pipeline import adapters\n    import duckdb.typing\n"
    assert offences(Path("gather/x.py"), source) == ["gather_pipeline.adapters", "duckdb.typing"]
    assert offences(Path("cli/run.py"), "from gather_pipeline.defs.launch import run_in_process") == []
    assert offences(Path("cli/run.py"), "from gather_pipeline.defs import jobs") == ["gather_pipeline.defs.jobs"]
    assert offences(Path("api/app.py"), "import fastapi\nimport redis\nfrom gather_pipeline import cli") == ["redis", "gather_pipeline.cli"]


def test_an_adapter_may_lean_on_its_family_alone() -> None:
    module = Path("adapters/documents/sqlite/store.py")
    assert offences(module, "from gather_pipeline.adapters.documents.rules import check_id") == []
    leaning = "from gather_pipeline.adapters.metrics.store import ingest"
    assert offences(module, leaning) == ["gather_pipeline.adapters.metrics.store.ingest"]
