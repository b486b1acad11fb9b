"""What a task is, seen from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.bootstrap import build_services
from gather_pipeline.domain.reviews import Choice
from gather_pipeline.review.decide import decide
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.upkeep.tasks import TaskStatus, task_status
from gather_pipeline_tests.harness import make_settings
from gather_pipeline_tests.tasks.builders import document


@pytest.mark.parametrize(
    ("choice", "changed", "reason"),
    [("accept", None, None), ("edit", {"greeting": "Ho."}, None), ("reject", None, "it was rejected by a person: review ")],
)
def test_an_output_that_waited_is_the_result_once_a_person_accepts_it(
    tmp_path: Path, choice: Choice, changed: Any, reason: str | None
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "greeting.json").write_text(json.dumps(document() | {"verification": {"method": "human"}}))
    services = build_services(make_settings(tmp_path / "home", task_folders=(tmp_path / "tasks",)))

    def status(id: str) -> TaskStatus:
        return task_status(services, id, lambda _: ("running", None))

    with TaskExecutor("greeting", services=services) as executor:
        made = executor.run({"who": "Mara"}).execution
    waits = status(made.id)
    assert (waits.result, waits.reason) == (None, f"the output waits for a person: review {made.waiting}")
    assert made.waiting is not None
    decide(services.reviews, made.waiting, choice, by="Mara", changed=changed, feedback=services.executions.feedback)
    ended = status(made.id)
    assert ended.result == {"accept": made.output, "edit": changed, "reject": None}[choice]
    assert ended.reason is None if reason is None else str(ended.reason).startswith(reason)
    services.close()
