"""What `gather doctor` says of a machine: each check with real services, the time limit, and what is never shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest
import redis
from pymongo import MongoClient

from gather_pipeline.bootstrap import probes
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import StoreError
from gather_pipeline.operations import checks
from gather_pipeline.operations.checks import CHECKS
from gather_pipeline.operations.doctor import Check, Finding, Seen, Site, examine
from gather_pipeline.records.lease import Owner
from gather_pipeline.settings import load_settings
from gather_pipeline_tests.harness import make_settings
from gather_pipeline_tests.operations.web import Web
from gather_pipeline_tests.redis_server import RedisProcess
from gather_pipeline_tests.server_process import free_port

MODELS = {"/v1/models": (200, {"data": [{"id": "llama3"}, {"id": "qwen"}]})}


def findings(home: Path, *names: str, **settings: object) -> dict[str, Finding]:
    """The named checks, or all, made at a folder with further settings."""
    chosen = load_settings(_env_file=None, home=home, **{"embedder": "hashing", "model": "scripted"} | settings)
    wanted = [check for check in CHECKS if not names or check.name in names]
    site = Site(chosen, probes(chosen, dagster=lambda: None))
    return {one.check: one for one in examine(site, wanted)}


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_a_fresh_machine_with_everything_embedded_has_no_fault_and_stays_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    found = findings(home)
    assert {name for name, one in found.items() if one.verdict == "fault"} == set()
    assert [*found] == [check.name for check in CHECKS]
    assert found["store"].embedded
    assert found["model"].embedded
    assert not home.exists()


def test_looking_at_a_store_with_a_project_changes_no_byte_of_it(tmp_path: Path) -> None:
    with_project(tmp_path)
    before = files(tmp_path / "store")
    found = findings(tmp_path, "store", "projects", "home")
    assert {one.verdict for one in found.values()} == {"ok"}
    assert found["projects"].seen == "1 found, each can be read"
    after = files(tmp_path / "store")
    assert {name: content for name, (_, content) in after.items() if not name.endswith("-shm")} == {
        name: content for name, (_, content) in before.items() if not name.endswith("-shm")
    }


def with_project(home: Path, **settings: object) -> None:
    services = probes(make_settings(home, **settings), dagster=lambda: None).services()
    services.projects.create("Salt Ledger", "A brief.", "salt")
    services.close()


def test_a_state_folder_that_is_a_file_is_a_fault_and_keeps_nothing_else_from_being_told(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("not a folder", encoding="utf-8")
    found = findings(file)
    assert found["home"].verdict == found["store"].verdict == "fault"
    assert found["leases"].seen == "not looked at, for the store has a fault"
    assert found["time zone"].verdict == "ok"


def test_a_damaged_store_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "gather_pipeline.sqlite3").write_bytes(b"no database at all" * 100)
    found = findings(tmp_path, "store")["store"]
    assert found.verdict == "fault"
    assert "is not a SQLite database" in found.seen


def test_mongodb_is_shown_with_version_and_latency_and_left_without_a_trace(tmp_path: Path, mongo_uri: str) -> None:
    database = f"test-{token_hex(6)}"
    found = findings(tmp_path, "store", "leases", "open runs", "delivery", mongodb_uri=mongo_uri, mongodb_db=database)
    assert {one.verdict for one in found.values()} == {"ok"}
    store = found["store"]
    assert store.seen.startswith("MongoDB ")
    assert "replica set" in store.seen
    assert store.latency_ms is not None
    assert not store.embedded
    with MongoClient[dict[str, object]](mongo_uri) as client:
        assert client[database].list_collection_names() == []


def test_redis_is_shown_with_version_and_latency_and_left_without_a_trace(tmp_path: Path, redis_process: RedisProcess) -> None:
    found = findings(tmp_path, "redis", redis_url=redis_process.url)["redis"]
    assert (found.verdict, found.embedded) == ("ok", False)
    assert re.fullmatch(r"Redis \d+\.\S+ at 127\.0\.0\.1:\d+, takes messages and values", found.seen) and found.latency_ms is not None
    with redis.Redis.from_url(redis_process.url) as client:
        assert client.keys() == []
    redis_process.kill()
    found = findings(tmp_path, "redis", redis_url=redis_process.url.replace("://", "://:s3cret-pa55@"))["redis"]
    assert found.verdict == "fault" and "does not answer" in found.seen and "s3cret" not in str(found)


def test_a_redis_user_without_rights_is_a_fault_that_names_them(tmp_path: Path, redis_process: RedisProcess) -> None:
    with redis.Redis.from_url(redis_process.url) as client:
        client.acl_setuser("mute", enabled=True, passwords=["+s3cret-pa55"], commands=["+@all", "-publish"], keys=["*"])
        client.acl_setuser(
            "small", enabled=True, passwords=["+s3cret-pa55"], commands=["+@all", "-info"], keys=["*"], channels=["automated-gather:*"]
        )
    for user, verdict, said in (("mute", "fault", "no permissions to run the 'publish' command"), ("small", "ok", "Redis at 127.0.0.1")):
        found = findings(tmp_path, "redis", redis_url=redis_process.url.replace("://", f"://{user}:s3cret-pa55@"))["redis"]
        assert found.verdict == verdict and said in found.seen and "s3cret" not in str(found)


def test_a_mongodb_that_is_away_is_one_fault_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"mongodb://dora:s3cret-pa55@127.0.0.1:{free_port()}/"
    monkeypatch.setattr(checks, "STORE_S", 0.3)
    found = findings(tmp_path, mongodb_uri=uri)
    assert [name for name, one in found.items() if one.verdict == "fault"] == ["store"]
    assert "does not answer" in found["store"].seen
    assert "MONGODB_URI" in found["store"].remedy
    assert found["leases"].verdict == found["projects"].verdict == "warning"
    assert "s3cret-pa55" not in str(found)


@pytest.mark.parametrize(
    ("key", "model", "verdict", "said"),
    [
        ("sk-right-key-123", "llama3", "ok", "custom at 127.0.0.1 takes the key, 2 models"),
        ("sk-right-key-123", "qwen:8b", "ok", "takes the key"),
        ("sk-right-key-123", "gone", "warning", "does not list GATHER_MODEL 'gone'"),
        ("sk-wrong-key-123", "llama3", "fault", "refuses the key (HTTP 401)"),
        (None, "llama3", "fault", "refuses requests without a key (HTTP 401)"),
    ],
)
def test_a_provider_is_asked_for_its_list_of_models_alone(tmp_path: Path, key: str | None, model: str, verdict: str, said: str) -> None:
    with Web(MODELS, key="sk-right-key-123") as web:
        found = findings(tmp_path, "model", openai_base_url=f"{web.url}/v1", openai_api_key=key, model=model)["model"]
        assert web.asked == ["GET /v1/models"]
    assert (found.verdict, said in found.seen) == (verdict, True), found.seen
    assert found.latency_ms is not None
    assert bool(found.remedy) == (verdict != "ok")
    assert "key-123" not in str(found)


def test_a_provider_that_is_away_is_a_fault_and_one_without_a_list_a_warning(tmp_path: Path) -> None:
    away = findings(tmp_path, "model", openai_base_url=f"http://ada:hunter2hunter@127.0.0.1:{free_port()}/v1")["model"]
    assert away.verdict == "fault"
    assert "does not answer" in away.seen
    assert "hunter2" not in str(away)
    with Web({}) as web:
        found = findings(tmp_path, "model", openai_base_url=web.url)["model"]
    assert (found.verdict, "no list of models (HTTP 404)" in found.seen) == ("warning", True)


def test_a_remote_model_without_a_provider_is_a_warning(tmp_path: Path) -> None:
    found = findings(tmp_path, "model", model="openai/gpt-5-mini")["model"]
    assert found.verdict == "warning"
    assert "OPENROUTER_API_KEY" in found.remedy


@pytest.mark.parametrize(("model", "verdict"), [("embedded", "fault"), ("scripted", "warning")])
def test_missing_weights_are_a_fault_where_the_embedded_model_answers(tmp_path: Path, model: str, verdict: str) -> None:
    found = findings(tmp_path, "weights", model=model, models_dir=tmp_path / "none")["weights"]
    assert (found.verdict, found.remedy) == (verdict, "Run gather setup.")


def test_a_webhook_is_met_without_an_event_and_its_token_is_not_shown(tmp_path: Path) -> None:
    with Web({"/hooks/t0ken1234567": (200, {})}) as web:
        found = findings(tmp_path, "webhook", webhook_url=f"{web.url}/hooks/t0ken1234567")["webhook"]
        assert web.asked == ["HEAD /hooks/t0ken1234567"]
    assert (found.verdict, found.seen) == ("ok", "127.0.0.1 answers (HTTP 200)")
    gone = findings(tmp_path, "webhook", webhook_url=f"http://127.0.0.1:{free_port()}/hooks/t0ken1234567")["webhook"]
    assert gone.verdict == "fault"
    assert "t0ken1234567" not in str(gone)


def test_a_lease_and_a_run_of_a_process_that_is_gone_are_told_with_what_to_do(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    owner = Owner(task_id="dead-run", host=os.uname().nodename, pid=process.pid, started=1.0)
    services = probes(make_settings(tmp_path), dagster=lambda: None).services()
    services.leases.lease("salt", owner, 60).take()
    services.open_runs.note("salt", owner, 60)
    services.close()
    found = findings(tmp_path, "store", "leases", "open runs")
    assert (found["leases"].verdict, found["open runs"].verdict) == ("warning", "warning")
    assert "salt" in found["leases"].seen
    assert found["open runs"].remedy == "Run gather status dead-run: it settles them all."


def test_a_folder_of_tasks_and_a_departments_file_that_are_wrong_are_named(tmp_path: Path) -> None:
    found = findings(tmp_path, "tasks", task_folders=(tmp_path / "none",))["tasks"]
    assert (found.verdict, "GATHER_TASKS" in found.seen) == ("fault", True)
    (tmp_path / "departments.yaml").write_text("- nothing", encoding="utf-8")
    settings = make_settings(tmp_path / "home")
    settings = settings.model_copy(update={"departments": tmp_path / "departments.yaml"})
    (one,) = examine(Site(settings, probes(settings, dagster=lambda: None)), [check for check in CHECKS if check.name == "departments"])
    assert one.verdict == "fault"


def test_a_proxy_that_is_no_address_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ada:hunter2hunter@:0")
    found = findings(tmp_path, "proxies")["proxies"]
    assert (found.verdict, "HTTPS_PROXY" in found.seen, "hunter2" in str(found)) == ("fault", True, False)


def test_what_dagster_says_of_itself_is_told_and_its_refusal_is_a_fault(tmp_path: Path) -> None:
    def refuse() -> str:
        raise StoreError("the Dagster instance has schema a, expected b")

    settings = make_settings(tmp_path)
    dagster = [check for check in CHECKS if check.name == "dagster"]
    (found,) = examine(Site(settings, probes(settings, dagster=refuse)), dagster)
    assert (found.verdict, found.seen) == ("fault", "the Dagster instance has schema a, expected b")
    assert "dagster instance migrate" in found.remedy


def test_a_check_that_hangs_or_breaks_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    never = threading.Event()

    def hang(site: Site) -> Seen:
        never.wait()
        return Seen(text="at last")

    def break_(site: Site) -> Seen:
        raise KeyError("the key is sk-planted-key-0001")

    settings = make_settings(tmp_path)
    odd = [
        Check(name="hangs", setting="", look=hang, remedy="Wait."),
        Check(name="waits", setting="", look=lambda site: Seen(text="fine"), remedy="Wait.", after="hangs"),
        Check(name="breaks", setting="", look=break_, remedy="Tell us."),
        Check(name="works", setting="", look=lambda site: Seen(text="fine"), remedy=""),
    ]
    found = examine(
        Site(settings, replace(probes(settings, dagster=lambda: None), secrets=Secrets(["sk-planted-key-0001"]))), odd, limit_s=1
    )
    never.set()
    assert [one.verdict for one in found] == ["fault", "fault", "fault", "ok"]
    assert (found[0].seen, found[0].remedy) == ("no answer within 1 s", "Look again, for the machine may be busy; where it stays so: Wait.")
    assert "KeyError" in found[2].seen
    assert "planted" not in str(found)
