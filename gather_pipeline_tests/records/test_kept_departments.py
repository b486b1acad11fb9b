"""The last good list of the CMS: used while it does not answer, and only then."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.adapters.cms import payload
from gather_pipeline.bootstrap import build_services, get_payload_client, query_departments_for_automation
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.errors import CmsUnavailable, InvalidInput
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.records import kept_departments
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings, load_settings
from gather_pipeline_tests.cms_server import KEY, CmsServer, department
from gather_pipeline_tests.server_process import free_port


@pytest.fixture
def cms(monkeypatch: pytest.MonkeyPatch) -> Iterator[CmsServer]:
    monkeypatch.setattr(payload, "ATTEMPTS", 1)
    with CmsServer(department("music", 2), department("story", 1)) as server:
        yield server


def settings_for(home: Path, url: str, key: str = KEY) -> Settings:
    return load_settings(_env_file=None, home=home, cms_url=url, payload_api_key=key)


def slugs(services: Services) -> list[str]:
    return [one.slug for one in services.departments.departments()]


def test_the_last_good_list_is_used_and_said_once_an_outage(cms: CmsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    services, others = build_services(settings_for(tmp_path, cms.url)), build_services(settings_for(tmp_path, cms.url))
    assert slugs(services) == ["story", "music"]
    cms.faults.append(500)
    assert slugs(services) == slugs(others) == ["story", "music"]
    assert len(cms.paths) == 2  # no second outage is waited for
    (line,) = [record.message for record in caplog.records if "last good list" in record.message]
    assert "HTTP 500: Something went wrong.; its last good list is used (2 departments, kept since 20" in line
    services.close()
    others.close()


def test_a_later_process_has_it_and_hears_of_the_cms_again_after_a_pause(
    cms: CmsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_departments, "PAUSE_S", -1.0)
    before = build_services(settings_for(tmp_path, cms.url))
    assert slugs(before) == ["story", "music"]
    before.close()
    services = build_services(settings_for(tmp_path, cms.url))
    cms.faults.append(500)
    assert slugs(services) == ["story", "music"]
    cms.rows.append(department("sound", 3, id=3))
    assert slugs(services) == ["story", "music", "sound"]
    services.close()


def test_an_unchanged_list_is_not_written_again(cms: CmsServer, tmp_path: Path) -> None:
    services = build_services(settings_for(tmp_path, cms.url))
    position = []
    for change in ({}, {"updatedAt": "2031-01-01"}, {"name": {"en": "Score"}}):
        cms.rows[0] |= change
        slugs(services)
        position.append(services.store.position(services.settings.mongodb_db))
    assert position[0] == position[1] != position[2]
    services.close()


def test_a_refusal_and_another_cms_are_not_answered_from_it(cms: CmsServer, tmp_path: Path) -> None:
    for url, key, error in [
        (cms.url, KEY, None),
        (cms.url, "wrong", InvalidInput),
        (f"http://127.0.0.1:{free_port()}", KEY, CmsUnavailable),
    ]:
        services = build_services(settings_for(tmp_path, url, key))
        if error is None:
            assert slugs(services)
        else:
            with pytest.raises(error):
                slugs(services)
        services.close()


def test_the_names_of_the_seed_give_the_departments_to_automate_in_order(cms: CmsServer, tmp_path: Path) -> None:
    cms.rows += [department("nowhere", None, id=3), department("draft", 1, id=4, _status="draft")]
    settings = settings_for(tmp_path, cms.url)
    rows = query_departments_for_automation("salt", settings)
    assert [row["slug"] for row in rows] == ["story", "music", "nowhere"]
    fields = {"id", "slug", "name", "description", "codeDepNumber", "gatherCheck", "isActive", "defaultModel", "coordinationSettings"}
    assert rows[0].keys() == fields
    assert [one.slug for one in get_payload_client(settings).departments()] == ["nowhere", "draft", "story", "music"]
    with pytest.raises(InvalidInput, match="project id"):
        query_departments_for_automation("../x", settings)
    with pytest.raises(InvalidInput, match="NEXT_PUBLIC_APP_URL is not set"):
        get_payload_client(load_settings(_env_file=None, home=tmp_path))


def test_a_file_wins_over_the_cms_and_the_sample_is_for_neither(cms: CmsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEXT_PUBLIC_APP_URL", f"{cms.url}/api/")
    (tmp_path / ".env").write_text(f"PAYLOAD_API_KEY={KEY}\n", encoding="utf-8")
    assert [row["slug"] for row in query_departments_for_automation("salt")] == ["story", "music"]
    (tmp_path / "own.yaml").write_text("- {slug: own, name: Own}", encoding="utf-8")
    monkeypatch.setenv("GATHER_DEPARTMENTS", "own.yaml")
    assert [row["slug"] for row in query_departments_for_automation("salt")] == ["own"]
    assert len(cms.paths) == 1


def test_a_run_goes_on_without_the_cms_and_retires_what_has_left_it(cms: CmsServer, tmp_path: Path) -> None:
    own = {"model": "scripted", "embedder": "hashing", "judge_model": "none"}
    settings = load_settings(_env_file=None, home=tmp_path, cms_url=cms.url, payload_api_key=KEY, **own)
    services = build_services(settings)
    project = services.projects.create("Salt", "A brief.", "salt").id
    run_automation(services, AutomationRequest(project_id=project), task_id="task-1")
    assert {item.department for item in services.view(project).items} == {"story", "music"}
    cms.rows[0]["isActive"] = False
    services.departments.departments()
    cms.faults.append(500)
    assert run_automation(services, AutomationRequest(project_id=project), task_id="task-2").status == "completed"
    assert {one.slug: one.retired for one in services.view(project).departments} == {"story": False, "music": True}
    services.close()
