"""One run a project: leases between real processes on a real store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.errors import ProjectBusy
from gather_pipeline.records.lease import Holder, Lease, Leases, Owner, holding

HOLDER = """
import sys, time
from pathlib import Path
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.records.lease import Lease, Owner, holding
with holding(Lease(SqliteStore(Path(sys.argv[1])), "main", "p", Owner.this_process("other"), 30.0)):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path)
    yield store
    store.close()


def lease(store: SqliteStore, task_id: str = "mine", seconds: float = 30.0, **changes: object) -> Lease:
    return Lease(store, "main", "p", replace(Owner.this_process(task_id), **changes), seconds)  # type: ignore[arg-type]


def held(store: SqliteStore) -> Holder | None:
    return Leases(store, "main").holder("p")


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_free_project_is_taken_and_given_back(store: SqliteStore) -> None:
    with holding(lease(store)) as dead:
        assert dead is None
        assert held(store) is not None
    assert held(store) is None


def test_a_second_run_is_told_who_holds_the_project(store: SqliteStore, other_process: subprocess.Popen[str]) -> None:
    with pytest.raises(ProjectBusy, match=rf"run other.*process {other_process.pid}.*gather cancel other"):
        lease(store).take()


def test_a_killed_owner_on_this_machine_is_known_at_once(store: SqliteStore, other_process: subprocess.Popen[str]) -> None:
    os.kill(other_process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    other_process.wait()
    assert lease(store).take() == "other"
    assert time.monotonic() < deadline


def test_a_stopped_owner_on_this_machine_keeps_its_lease_until_it_runs_out(
    store: SqliteStore, other_process: subprocess.Popen[str]
) -> None:
    os.kill(other_process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, other_process.pid, os.WSTOPPED)
    with pytest.raises(ProjectBusy, match=r"which is stopped and loses it in \d+ s unless kill -CONT wakes it"):
        lease(store).take()
    store.update("main", "leases", "p", {"expires": time.time() - 1})
    assert lease(store).take() == "other"


def test_an_owner_on_this_machine_that_is_only_late_keeps_its_lease(store: SqliteStore, other_process: subprocess.Popen[str]) -> None:
    """A lid was closed, or the machine is busy: it wakes by itself, and nothing of its work is to be thrown away."""
    store.update("main", "leases", "p", {"expires": time.time() - 1})
    with pytest.raises(ProjectBusy):
        lease(store).take()


def test_a_process_id_used_again_by_another_process_does_not_keep_a_lease(store: SqliteStore) -> None:
    lease(store, "old", started=1.0).take()
    assert lease(store).take() == "old"


def test_an_owner_elsewhere_keeps_its_lease_until_it_runs_out(store: SqliteStore) -> None:
    lease(store, "far", host="elsewhere", pid=1, seconds=30.0).take()
    with pytest.raises(ProjectBusy, match="on elsewhere"):
        lease(store).take()
    holder = held(store)
    assert holder is not None
    assert not holder.is_dead
    assert replace(holder, expires=time.time() - 1).is_dead


def test_the_heartbeat_moves_the_end_of_the_lease(store: SqliteStore) -> None:
    with holding(lease(store, seconds=0.9)):
        first = held(store)
        time.sleep(0.8)
        second = held(store)
    assert first is not None
    assert second is not None
    assert second.expires > first.expires


def test_an_error_of_any_kind_is_told_and_the_heartbeat_goes_on_until_the_lease_is_lost_which_is_told_too(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mine = lease(store, seconds=0.3)
    renew, faults = mine.renew, iter((ValueError("no such thing"), RuntimeError()))

    def faulty() -> None:
        if error := next(faults, None):
            raise error
        renew()

    monkeypatch.setattr(mine, "renew", faulty)
    with holding(mine):
        store.update("main", "leases", "p", {"task_id": "thief"})
        assert mine.lost.wait(5)
    assert "no such thing" in caplog.text
    assert "tried again: RuntimeError" in caplog.text
    assert "Run mine lost its lease of project p: run thief holds it now" in caplog.text


def test_an_owner_whose_lease_was_taken_over_notices_and_does_not_give_it_back(store: SqliteStore) -> None:
    mine = lease(store)
    mine.take()
    store.update("main", "leases", "p", {"task_id": "thief"})
    mine.renew()
    assert mine.lost.is_set()
    mine.release()
    assert held(store) is not None


def test_two_projects_do_not_wait_for_each_other(store: SqliteStore) -> None:
    lease(store).take()
    assert Lease(store, "main", "q", Owner.this_process("other"), 30.0).take() is None


def test_whoever_wakes_after_the_lease_ran_out_hears_of_the_successor_before_writing(store: SqliteStore) -> None:
    asleep = lease(store, seconds=0.05, host="a-laptop")
    asleep.take()
    assert not asleep.is_lost()
    time.sleep(0.1)
    assert lease(store, "successor").take() == "mine"
    assert asleep.is_lost()


def test_whoever_wakes_first_keeps_the_project(store: SqliteStore) -> None:
    asleep = lease(store, seconds=0.05, host="a-laptop")
    asleep.take()
    time.sleep(0.1)
    assert not asleep.is_lost()
    asleep.seconds = 30.0
    asleep.renew()
    with pytest.raises(ProjectBusy):
        lease(store, "successor").take()
