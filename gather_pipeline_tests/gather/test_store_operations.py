"""Loaded once: a run, a refresh and an edit ask the store as often as they must, and a run's reads do not grow with its iterations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.people.edit import People, Texts
from gather_pipeline.upkeep.refresh import Upkeep
from gather_pipeline_tests.counting import CountingStore
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


def counted(home: Path, **row: Any) -> tuple[Studio, CountingStore]:
    studio = Studio.open(home, [department_row(slug, place, **row) for place, slug in enumerate(("story", "visual", "music"), 1)])
    store = CountingStore(studio.services.store)
    return Studio(services=replace(studio.services, store=store), model=studio.model), store


@pytest.mark.parametrize("most", [2, 6])
def test_the_reads_of_a_run_do_not_grow_with_its_iterations(tmp_path: Path, most: int) -> None:
    studio, store = counted(tmp_path, most=most)
    result = studio.run()
    assert result.iterations == 3 * most
    seconds = result.processing_time_ms / 1000
    polls = 2 * (2 * seconds + 1)  # whether somebody wants the run to end, and what people have changed: each twice a second at most
    assert store.reads <= 30 + polls, store.calls
    studio.close()


def test_an_edit_costs_four_operations(tmp_path: Path) -> None:
    studio, store = counted(tmp_path, most=1)
    studio.run()
    item = studio.view.items_of("story")[0]
    store.calls.clear()
    People(studio.services).edit(item.id, Texts(content="Ada winds the clock eleven times."), "ana", project_id=PROJECT)
    assert store.total <= 4, store.calls
    studio.close()


def test_a_refresh_of_a_department_that_a_person_edited_costs_fourteen_operations(tmp_path: Path) -> None:
    studio, store = counted(tmp_path, most=1)
    studio.run()
    item = studio.view.items_of("story")[0]
    People(studio.services).edit(item.id, Texts(content="Ada winds the clock eleven times."), "ana", project_id=PROJECT)
    store.calls.clear()
    (done,) = Upkeep(studio.services, PROJECT).refresh(["story"])
    assert (done.score.changed, done.draft.changed) == (True, True)
    assert store.total <= 14, store.calls
    studio.close()
