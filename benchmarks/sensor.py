"""A tick of each sensor over 100,000 partitions against one over 1,000, with no change and with ten.

    python benchmarks/sensor.py [--projects 14300] [--rounds 7]

A partition is one of 7 departments of a project. Projects, marks of earlier edits, Dagster's dynamic partitions and an event for each
partition are there at both sizes; ten of the projects have been run and are the ones that change. A tick is the sensor's whole function,
with opening the store as the daemon's process does it; the daemon's own part, the same at both sizes, is left out. The changes of a round
are made before its clock starts. What compares everything, every ten minutes, is shown without an aim.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sqlite3
import statistics
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import dagster as dg
from timing import Row, paired, print_rows, ratio

from gather_pipeline.bootstrap import build_services
from gather_pipeline.defs.partitions import departments, projects
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.changes import item_changes, stale_departments, stale_projects
from gather_pipeline.defs.sensors.following import source_of
from gather_pipeline.defs.sensors.partitions import changed_projects, partitions
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.records.marks import TOUCHED, Touched
from gather_pipeline.records.project import GatherRepository
from gather_pipeline.records.registry import PROJECTS, Projects
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings, load_settings

AIM = 1.5
SLUGS = ("story", "character", "visual", "production", "sound", "music", "logistics")  # the bundled departments
SMALL, CHANGES = 143, 10  # projects: 1,001 partitions
BRIEF = "Ada keeps the clocks of Graz, and one winter an hour goes missing from the tower. " * 12
SENSORS = {sensor.name: sensor for sensor in (partitions, item_changes, stale_departments)}


@dataclass
class World:
    """One size of the same studio.

    Attributes:
        cursors: Where the next tick of each sensor begins.
        changes: How many changes were made, so that each is another one.
    """

    settings: Settings
    instance: dg.DagsterInstance
    cursors: dict[str, str] = field(default_factory=dict)
    changes: int = 0

    def tick(self, name: str) -> dg.SensorResult:
        """One tick, from where the last one ended."""
        gather = Gather(build=lambda: build_services(self.settings))
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursors.get(name), resources={"gather": gather})
        result = SENSORS[name](context)
        if not isinstance(result, dg.SensorResult):
            raise SystemExit(f"{name}: {result}")
        self.cursors[name] = str(result.cursor)
        return result

    def change(self, name: str) -> None:
        """Ten changes, each in another project: of the brief for the one sensor, of an item for the others."""
        self.changes += 1
        with closing(build_services(self.settings)) as services:
            for number in range(CHANGES):
                if name == "stale_departments":
                    brief = f"{BRIEF} In the year {self.changes}."
                    Projects(services.store, services.main_database, services.clock).update(live(number), brief=brief)
                    continue
                item = GatherRepository(services.store, live(number)).items("story")[0]
                texts = Texts(content=f"{item.content} In the year {self.changes}.")
                People(services.store, services.main_database, services.clock).edit(item.id, texts, "ana", project_id=live(number))


def live(number: int) -> str:
    """Id of a project that has been run."""
    return f"live-{number}"


def settings_of(home: Path) -> Settings:
    """Settings that read no environment."""
    return load_settings(_env_file=None, home=home, model="scripted", embedder="hashing", judge_model="none")


def run_some(settings: Settings) -> None:
    """Makes and runs the projects that change later."""
    with closing(build_services(settings)) as services:
        for number in range(CHANGES):
            Projects(services.store, services.main_database, services.clock).create("Live", BRIEF, live(number))
            request = AutomationRequest(project_id=live(number), max_iterations=len(SLUGS))
            run_automation(services, request, task_id=f"task-{number}")


def fill(services: Services, instance: dg.DagsterInstance, count: int) -> None:
    """Adds projects up to that many, with the marks, partitions and events that they would have after a year."""
    names = [f"p{number:06d}" for number in range(count - CHANGES)]
    created = "2031-01-01T00:00:00.000000+00:00"
    for start in range(0, len(names), 1000):
        some = names[start : start + 1000]
        rows = [{"_id": name, "name": name, "brief": BRIEF, "created_at": created} for name in some]
        services.store.insert_many(services.main_database, PROJECTS, rows)
        marks = [
            {"_id": f"{name}|{slug}", "project_id": name, "department": slug, "open": False, "at": created}
            for name in some
            for slug in SLUGS
        ]
        services.store.insert_many(services.main_database, TOUCHED, marks)
    everything = [live(number) for number in range(CHANGES)] + names
    instance.add_dynamic_partitions(str(projects.name), everything)
    instance.add_dynamic_partitions(str(departments.name), list(SLUGS))
    instance.report_runless_asset_event(
        dg.AssetMaterialization("gather_items", partition=dg.MultiPartitionKey({"project": "x", "department": "x"}))
    )
    # One event is copied by hand: a hundred thousand would take Dagster a quarter of an hour.
    (index,) = Path(instance.root_directory).rglob("index.db")
    with closing(sqlite3.connect(index)) as events, events:
        keys = [(f"{slug}|{name}",) for name in names for slug in SLUGS]
        events.executemany(
            "INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition) "
            "SELECT run_id, event, dagster_event_type, timestamp, step_key, asset_key, ? "
            "FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' ORDER BY id LIMIT 1",
            keys,
        )


@contextmanager
def world(home: Path, count: int) -> Iterator[World]:
    """A studio of that many projects, with each sensor's first ticks behind it."""
    settings = settings_of(home)
    (home / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(home / "instance")) as instance:
        with closing(build_services(settings)) as services:
            fill(services, instance, count)
            cursors = first_cursors(services)
        yield World(settings=settings, instance=instance, cursors=cursors)


def first_cursors(services: Services) -> dict[str, str]:
    """Behind everything that there is: what the first ticks of a sensor take up in many steps is no part of a later one."""
    source = source_of(services)
    _, marks = Touched(services.store, services.main_database, services.clock).since("")
    _, position = changed_projects(services, "")
    found = stale_projects(services, dg.DagsterInstance.ephemeral(), {"projects": position})
    return {
        "partitions": json.dumps({"source": source, "settled": {"marks": marks}}),
        "item_changes": json.dumps({"source": source, "marks": marks, "waiting": {}}),
        "stale_departments": json.dumps({"source": source, **found.seen}),
    }


def change(worlds: dict[str, World], name: str, size: str) -> None:
    """Makes ten changes in one of the worlds."""
    worlds[size].change(name)


def measure(small: World, large: World, rounds: int) -> list[Row]:
    """Ticks of both sizes, in turn."""
    rows = []
    worlds = {"small": small, "large": large}
    for name, changes in product(SENSORS, (0, CHANGES)):
        ticks = {size: partial(one.tick, name) for size, one in worlds.items()}
        seconds = paired(ticks, rounds, before=partial(change, worlds, name) if changes else None)
        note = f"{statistics.median(seconds['large']) * 1000:.0f} ms"
        what, times = f"{name}, {changes} changes", ratio(seconds["large"], seconds["small"])
        rows.append(Row(what=what, baseline=f"{SMALL * len(SLUGS):,} partitions", ratio=times, aim=AIM, note=note))

    def compare_all(one: World) -> None:
        one.cursors["partitions"] = json.dumps(json.loads(one.cursors["partitions"]) | {"compared_at": 0})
        one.tick("partitions")

    seconds = paired({"small": lambda: compare_all(small), "large": lambda: compare_all(large)}, 3)
    note = f"{statistics.median(seconds['large']) * 1000:.0f} ms, every ten minutes"
    rows.append(
        Row(
            what="partitions, all compared",
            baseline=f"{SMALL * len(SLUGS):,} partitions",
            ratio=ratio(seconds["large"], seconds["small"]),
            note=note,
        )
    )
    return rows


def main() -> None:
    """Builds both sizes, then measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=14_300, help="projects of the larger size, 7 partitions each")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "small"), Path(folder, "large")
        run_some(settings_of(first))
        shutil.copytree(first, second)
        with world(first, SMALL) as small, world(second, given.projects) as large:
            rows = measure(small, large, given.rounds)
    print_rows(f"a tick over {given.projects * len(SLUGS):,} partitions", rows)


if __name__ == "__main__":
    main()
