"""A store file that is deleted or replaced under a run: the run fails and says so, and what it had in memory can be imported."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gather_pipeline.domain.item_lines import Line
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import StoreGone
from gather_pipeline.people.import_lines import Order
from gather_pipeline.people.importing import Importer
from gather_pipeline_tests.harness import PROJECT, Studio


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)


@pytest.mark.parametrize("lose", [deleted, replaced])
def test_what_a_run_had_in_memory_is_kept_and_can_be_imported(lose: Callable[[Path], None], tmp_path: Path) -> None:
    studio = Studio.open(tmp_path)
    studio.run(departments=("story",))
    before = studio.state()
    file = tmp_path / "store" / f"{project_database(PROJECT)}.sqlite3"
    studio.model.at[studio.model.calls + 8] = lambda: lose(file)
    with pytest.raises(StoreGone, match=rf"was {lose.__name__} while it was in use.*\d+ items that the run had in memory") as caught:
        studio.run("task-2")
    run = studio.services.runs.get("task-2")
    assert (run.status, run.reason) == ("failed", str(caught.value))
    studio.close()
    found = re.search(r"gather import --project (\S+) (\S+)$", str(caught.value))
    assert found and found[1] == PROJECT
    lines = [json.loads(line) for line in Path(found[2]).read_text(encoding="utf-8").splitlines()]
    assert {line["department"] for line in lines} >= {"story", "visual"}
    again = Studio.open(tmp_path)
    read = [Line(number=number, fields=line) for number, line in enumerate(lines, 1)]
    report = Importer(again.services).take(Order(project_id=PROJECT, lines=read, file=found[2], by="ana"))
    assert (report.imported + report.already_there, report.refused) == (len(lines), [])
    assert before.items() <= again.state().items() == {line["id"]: line["content"] for line in lines}.items()
    again.close()
