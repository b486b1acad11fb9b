from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time

import pytest

from gather_pipeline.adapters import minilm, warming_model
from gather_pipeline.adapters.minilm import MiniLM
from gather_pipeline.adapters.scripted_model import ScriptedModel
from gather_pipeline.adapters.warming_model import WarmingModel
from gather_pipeline.domain.executions import Message, ModelRequest
from gather_pipeline.errors import ModelUnavailable, SetupMissing

REQUEST = ModelRequest(model="scripted", messages=(Message(role="user", content="A lighthouse."),))
SLOW_S = 0.3
IN_A_PROCESS = f"""
import asyncio, sys, time
from gather_pipeline.adapters.scripted_model import ScriptedModel
from gather_pipeline.adapters.warming_model import WarmingModel
from gather_pipeline.domain.executions import Message, ModelRequest
request = {REQUEST!r}
"""


def loading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "embedder-warm-up"]


def ended(limit_s: float = 20) -> None:
    for thread in loading():
        thread.join(limit_s)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming_model, "HEAD_START_S", 0.01)


def test_it_loads_once_while_the_first_answers_are_on_their_way() -> None:
    began, seen = threading.Event(), []
    done = threading.Event()

    def load() -> None:
        seen.append(threading.current_thread())
        began.set()
        assert done.wait(20)

    model = WarmingModel(ScriptedModel(latency_s=SLOW_S), load)

    async def calls() -> None:
        await asyncio.gather(*(model.complete(REQUEST) for _ in range(3)))
        await model.complete(REQUEST)

    asyncio.run(calls())
    assert began.is_set() and len(seen) == 1 and seen[0] is not threading.main_thread()
    assert seen[0].is_alive(), "four calls were answered without waiting for it"
    done.set()
    ended()


def test_answers_that_come_at_once_start_no_thread() -> None:
    model = WarmingModel(ScriptedModel(), lambda: pytest.fail("loaded"))
    asyncio.run(model.complete(REQUEST))
    assert loading() == []


def test_the_errors_of_the_model_stay_its_own() -> None:
    model = WarmingModel(ScriptedModel(faults={1: ModelUnavailable("away")}), lambda: None)
    with pytest.raises(ModelUnavailable, match="away"):
        asyncio.run(model.complete(REQUEST))
    asyncio.run(model.aclose())


def test_a_failure_is_told_by_whoever_needs_the_embedder(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def missing() -> None:
        raise SetupMissing(minilm.NOT_INSTALLED)

    monkeypatch.setattr(minilm, "_load", missing)
    embedder = MiniLM()
    model = WarmingModel(ScriptedModel(latency_s=SLOW_S), embedder.warm_up)
    asyncio.run(model.complete(REQUEST))
    ended()
    assert capfd.readouterr() == ("", "")
    with pytest.raises(SetupMissing, match="not installed"):
        embedder.embed(["a text"])


def test_whoever_needs_the_embedder_waits_for_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []

    def slow() -> object:
        loads.append(threading.current_thread().name)
        time.sleep(SLOW_S)
        raise SetupMissing("slow and missing")

    monkeypatch.setattr(minilm, "_load", slow)
    embedder = MiniLM()
    thread = threading.Thread(target=lambda: pytest.raises(SetupMissing, embedder.warm_up), name="first")
    thread.start()
    while not loads:
        time.sleep(0.005)
    with pytest.raises(SetupMissing):
        embedder.embed(["a text"])
    thread.join()
    assert loads == ["first", "MainThread"]


@pytest.mark.parametrize("latency_s", [0.3, 1.0, 2.5])
def test_a_process_may_end_while_the_real_model_loads(latency_s: float) -> None:
    """Python ends a process by abort where a library in C++ is still loading in a thread."""
    code = f"{IN_A_PROCESS}from gather_pipeline.adapters.minilm import MiniLM\n"
    code += f"asyncio.run(WarmingModel(ScriptedModel(latency_s={latency_s}), MiniLM().warm_up).complete(request))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_loading_that_never_ends_keeps_neither_a_process_nor_ctrl_c_waiting() -> None:
    code = f"""{IN_A_PROCESS}
def forever():
    print("loading", flush=True)
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            pass

asyncio.run(WarmingModel(ScriptedModel(latency_s=60), forever).complete(request))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT
        assert process.stderr.read().endswith("KeyboardInterrupt\n")
