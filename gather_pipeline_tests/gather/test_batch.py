"""The calls of one iteration: begun together, taken up as they are answered, and none waits for what this thread does."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.departments import Department
from gather_pipeline.errors import TaskCancelled
from gather_pipeline.gather.batch import Batch, collect
from gather_pipeline.gather.iteration import Attempt, writer_for
from gather_pipeline.gather.ladder import Plan
from gather_pipeline.gather.session import Session, open_session
from gather_pipeline.gather.state import DepartmentState
from gather_pipeline.gather.writers import Assignment
from gather_pipeline.ports import Vectors
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


class Opened:
    """A studio with the session of a run, and a switch that asks the run to end."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.studio = Studio.open(home, [department_row("story", 1, most=3)], **settings)
        self.cancelled = threading.Event()
        self._stack = ExitStack()
        services = self.studio.services
        lease = services.leases.lease(PROJECT, Owner.this_process("task-1"), 30)
        self._stack.enter_context(holding(lease))
        project = services.projects.get(PROJECT)
        self.session: Session = self._stack.enter_context(
            open_session(services, AutomationRequest(project_id=PROJECT), project, lease, None, self.cancelled.is_set)
        )
        self.session.load()

    def batch(self) -> Batch:
        session, department = self.session, Department.model_validate(department_row("story", 1))
        writer = writer_for("scripted")
        plan = Plan(aspects=department.aspects, temperature=0.7, model=0, longer=False)
        context = writer.context(session, department, [], "scripted")
        kept = session.vectors_of("story")
        work = Assignment(department=department, iteration=1, plan=plan, model="scripted", fallback_models=[], context=context, kept=kept)
        return Batch(session, writer, work, session.runner(lambda usage: None))

    def close(self) -> None:
        self._stack.close()
        self.studio.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(tmp_path)
    yield opened
    opened.close()


def test_notes_come_in_the_order_of_their_aspects_each_with_its_embedding(opened: Opened) -> None:
    batch = opened.batch()
    assert collect([batch]) is None
    aspects = [f"story {word}" for word in ("opening", "conflict", "tower", "hour", "snow")]
    assert [note.aspect for note in batch.notes] == aspects
    assert batch.vectors.shape == (5, 256)
    expected = opened.studio.services.embedder.embed([note.content for note in batch.notes])
    assert (batch.vectors == expected).all()


def test_a_cancel_keeps_what_was_answered_and_lets_go_of_the_rest(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    slow = threading.Event()
    body = opened.studio.model.body

    class Slow:
        """Answers all calls but the fourth."""

        calls = 0

        async def complete(self, request: Any) -> Any:
            self.calls += 1
            if self.calls == 4:
                opened.cancelled.set()
                try:
                    await asyncio.sleep(60)
                finally:
                    slow.set()
            return await body.complete(request)

        async def aclose(self) -> None:
            await body.aclose()

    opened.studio.model.body = Slow()
    batch = opened.batch()
    began = time.monotonic()
    assert isinstance(collect([batch]), TaskCancelled)
    assert 3 <= len(batch.notes) <= 4
    assert slow.wait(5)
    assert time.monotonic() - began < 30
    opened.close()


def test_calls_go_on_while_this_thread_is_at_work(tmp_path: Path) -> None:
    opened = Opened(tmp_path, script_latency_s=0.05)
    batch = opened.batch()
    batch.begin_all()
    while opened.studio.model.calls < 5:
        time.sleep(0.05)  # as judging and storing would
    assert batch.notes == []
    assert collect([batch]) is None
    assert len(batch.notes) == 5
    opened.close()


def test_the_next_iteration_is_asked_for_while_this_thread_is_at_work(tmp_path: Path) -> None:
    opened = Opened(tmp_path, script_latency_s=0.05)
    state = DepartmentState.read(opened.session, Department.model_validate(department_row("story", 1, most=3)), [], 3)
    attempts: list[Attempt] = []
    for number in (1, 2, 3):
        attempts.append(Attempt(state, number, attempts))
    attempts[0].batch.begin_all()
    until = time.monotonic() + 20
    while opened.studio.model.calls < 15 and time.monotonic() < until:
        time.sleep(0.05)  # as judging and storing would
    assert opened.studio.model.calls == 15
    opened.close()


def test_notes_that_wait_for_the_embedder_are_embedded_together(opened: Opened) -> None:
    body, free, asked = opened.studio.services.embedder, threading.Event(), list[list[str]]()

    class Loading:
        name = body.name

        def embed(self, texts: Sequence[str]) -> Vectors:
            asked.append(list(texts))
            free.wait(20)
            return body.embed(texts)

    opened.session.services = replace(opened.session.services, embedder=Loading())
    read = [opened.session.read_soon([f"The keeper lights lamp {number}."]) for number in range(6)]
    while not asked:
        time.sleep(0.01)
    free.set()
    assert all(one.result(20) is None for one in read)
    together = [texts for texts in asked if texts]
    assert sum(together, []) == [f"The keeper lights lamp {number}." for number in range(6)]
    assert len(together) <= 2


def test_an_iteration_under_way_holds_none_that_is_over(opened: Opened) -> None:
    state = DepartmentState.read(opened.session, Department.model_validate(department_row("story", 1, most=3)), [], 3)
    first = Attempt(state, 1)
    second = Attempt(state, 2, [first])
    assert first.generate([second]) is None
    assert second.generate([]) is None
    over = weakref.ref(first.batch)
    del first
    gc.collect()
    assert over() is None


def test_a_call_begun_ahead_knows_the_answers_of_its_place(opened: Opened) -> None:
    state = DepartmentState.read(opened.session, Department.model_validate(department_row("story", 1, most=3)), [], 3)
    attempts: list[Attempt] = []
    for number in (1, 2, 3):
        attempts.append(Attempt(state, number, attempts))
    for place, attempt in enumerate(attempts):
        assert attempt.generate(attempts[place + 1 :]) is None
        attempt.finish(partial=False)
    first, second, third = (attempt.batch.notes for attempt in attempts)
    asked = {request.seed: "".join(message.content for message in request.messages) for request in opened.studio.model.requests}
    for place in range(5):
        assert first[place].summary in asked[2000 + place * 10 + 1]
        assert all(note.summary in asked[3000 + place * 10 + 1] for note in (first[place], second[place]))
    assert len(third) == 5
    assert [one.number for one in opened.studio.view.iterations] == [1, 2, 3]


def test_how_quickly_answers_come_changes_nothing_that_is_written(tmp_path: Path) -> None:
    rows = [department_row("story", 1, most=4), department_row("visual", 2, most=3)]
    texts = []
    for latency_s in (0.0, 0.03):
        studio = Studio.open(tmp_path / str(latency_s), rows, script_latency_s=latency_s)
        assert studio.run().items_created > 20
        texts.append(studio.state())
        studio.close()
    assert texts[0] == texts[1]


def test_an_interrupt_while_a_coroutine_only_computes_is_heard(opened: Opened) -> None:
    async def compute() -> int:
        signal.raise_signal(signal.SIGINT)
        return sum(range(1000))

    async def later() -> str:
        return "a fresh loop"

    with pytest.raises(KeyboardInterrupt):
        opened.session.wait(compute())
    assert opened.session.wait(later()) == "a fresh loop"
