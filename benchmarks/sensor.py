"""A tick of each sensor over 100,000 partitions against one over 1,000, with no change and with ten.

    python benchmarks/sensor.py [--projects 14300] [--rounds 7]

A partition is one of the bundled departments of a project. At both sizes every project has a mark of an earlier edit and every partition a
key and an event in Dagster; ten projects have been run, and these change. A tick is the sensor's whole function, with opening the store
as the daemon's process does it; what the daemon does with the result is left out. Changes are made before the clock starts, for the
sensors that start runs together with the tick of `changes` that logs them.
"""

from __future__ import annotations

import argparse
import logging
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
from gather_pipeline.defs.partitions import departments, partition_key, projects
from gather_pipeline.defs.reporting import BRIEFS, DEPARTMENTS, ITEMS, report_sources
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.changes import Seen, changes
from gather_pipeline.defs.sensors.following import store_of
from gather_pipeline.defs.sensors.requests import SeenItems, SeenSources, item_changes, stale_departments
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.departments import in_order
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.services import Services
from gather_pipeline.settings import load_settings

AIM = 1.5
SMALL, CHANGED = 143, 10  # projects
BRIEF = "Ada keeps the clocks of Graz, and one winter an hour goes missing from the tower. " * 12
LIVE = [f"live-{number}" for number in range(CHANGED)]
SENSORS = (changes, item_changes, stale_departments)


@dataclass
class World:
    """A studio of one size.

    Attributes:
        gather: The way to its services.
        cursors: Where the next tick of each sensor begins.
        edits: How often its live projects were changed, so that each change is another one.
    """

    gather: Gather
    instance: dg.DagsterInstance
    cursors: dict[str, str] = field(default_factory=dict)
    edits: int = 0

    def tick(self, sensor: dg.SensorDefinition) -> str:
        """One tick, from where the last one ended; what it did, in words."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursors[sensor.name], resources={"gather": self.gather})
        result = sensor(context)
        if isinstance(result, dg.SensorResult):
            self.cursors[sensor.name] = str(result.cursor)
            return str(getattr(result.skip_reason, "skip_message", f"{len(result.run_requests or ())} runs"))
        assert isinstance(result, dg.SkipReason)
        return str(result.skip_message)

    def change(self, sensor: dg.SensorDefinition) -> None:
        """A change in each of the live projects: of the brief for `stale_departments`, of an item for the others."""
        self.edits += 1
        with self.gather.services() as services:
            for id in LIVE:
                if sensor is stale_departments:
                    services.projects.update(id, brief=f"{BRIEF} In the year {self.edits}.")
                else:
                    item = services.project(id).view().items_of("story")[0]
                    People(services).edit(item.id, Texts(content=f"Clock {self.edits} strikes."), "ana", project_id=id)
        if sensor is not changes:
            self.tick(changes)


@contextmanager
def world(home: Path, count: int) -> Iterator[World]:
    """A studio of that many projects, with each sensor's first ticks behind it."""
    home.mkdir()
    settings = load_settings(_env_file=None, home=home, model="scripted", embedder="hashing", judge_model="none")
    with dg.DagsterInstance.local_temp(str(home)) as instance, closing(build_services(settings)) as services:
        found = World(gather=Gather(build=lambda: build_services(settings)), instance=instance)
        fill(services, instance, [f"p{number:06d}" for number in range(count - CHANGED)])
        found.cursors = present(services, instance)
        yield found


def fill(services: Services, instance: dg.DagsterInstance, others: list[str]) -> None:
    """Makes and runs the live projects, and adds others with the marks, keys and events that they would have after a year."""
    for id in [*LIVE, *others]:
        services.projects.create("Clocks", BRIEF, id)
        services.marks.set(id, "story")
    for id in LIVE:
        run_automation(services, AutomationRequest(project_id=id, max_iterations=7), task_id=f"task-{id}")
    rows = in_order(services.departments.departments())
    instance.add_dynamic_partitions(str(projects.name), [*LIVE, *others])
    instance.add_dynamic_partitions(str(departments.name), [one.slug for one in rows])
    report_sources(instance, services, [services.projects.get(id) for id in LIVE], rows)
    instance.report_runless_asset_event(dg.AssetMaterialization(ITEMS, partition=partition_key(LIVE[0], "story")))
    # That event is copied by hand: a hundred thousand would take Dagster a quarter of an hour.
    one_event = newest(instance, ITEMS)
    (index,) = Path(instance.root_directory).rglob("index.db")
    with closing(sqlite3.connect(index)) as events, events:
        events.executemany(
            "INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition) "
            "SELECT run_id, event, dagster_event_type, timestamp, step_key, asset_key, ? FROM event_logs WHERE id = ?",
            [(partition_key(id, one.slug), one_event) for id in others for one in rows],
        )


def newest(instance: dg.DagsterInstance, asset: str) -> int:
    """Storage id of an asset's newest event."""
    found = [fetch(dg.AssetKey(asset), limit=1).records for fetch in (instance.fetch_materializations, instance.fetch_observations)]
    return max(record.storage_id for records in found for record in records)


def present(services: Services, instance: dg.DagsterInstance) -> dict[str, str]:
    """Cursors behind all that there is: what the first ticks take up in many steps is no part of a later one."""
    seen = Seen(store=store_of(services), projects=services.projects.changed_since("")[1], marks=services.marks.since("")[1])
    sources = SeenSources(briefs=newest(instance, BRIEFS), departments=newest(instance, DEPARTMENTS))
    cursors = (seen, SeenItems(items=newest(instance, ITEMS)), sources)
    return {sensor.name: cursor.model_dump_json() for sensor, cursor in zip(SENSORS, cursors, strict=True)}


def measure(small: World, large: World, rounds: int) -> list[Row]:
    """Ticks of both sizes, in turn."""
    rows, worlds = [], {"small": small, "large": large}
    said: dict[str, str] = {}

    def tick(size: str, sensor: dg.SensorDefinition) -> None:
        said[size] = worlds[size].tick(sensor)

    for changed, sensor in product((0, CHANGED), SENSORS):
        before = (lambda size, sensor=sensor: worlds[size].change(sensor)) if changed else None
        seconds = paired({size: partial(tick, size, sensor) for size in worlds}, rounds, before=before)
        if said["small"] != said["large"]:
            raise SystemExit(f"{sensor.name}: small said {said['small']!r}, large said {said['large']!r}, expected the same")
        note = f"{statistics.median(seconds['large']) * 1000:.0f} ms: {said['large']}"
        times = ratio(seconds["large"], seconds["small"])
        rows.append(Row(what=f"{sensor.name}, {changed} changes", baseline=f"{SMALL} projects", ratio=times, aim=AIM, note=note))
    return rows


def main() -> None:
    """Builds both sizes, then measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=14_300, help="projects of the larger size")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with (
        tempfile.TemporaryDirectory() as folder,
        world(Path(folder, "small"), SMALL) as small,
        world(Path(folder, "large"), given.projects) as large,
    ):
        rows = measure(small, large, given.rounds)
    print_rows(f"a tick over {given.projects} projects", rows)


if __name__ == "__main__":
    main()
