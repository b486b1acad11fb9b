from __future__ import annotations

import pytest

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.errors import InvalidInput


@pytest.mark.parametrize("url", ["hooks.example/x", "http://[x", "http://host:no-port/x", "http://host/\udcff", "ftp://host/x", "http://"])
def test_a_webhook_that_no_event_could_reach_is_refused_before_the_run(url: str) -> None:
    with pytest.raises(InvalidInput, match="webhook_url begins with .*, expected an address like https://host/path"):
        AutomationRequest(project_id="salt", webhook_url=url)


def test_a_webhook_with_a_login_is_refused_without_it() -> None:
    with pytest.raises(InvalidInput, match="webhook_url for host carries a login") as refused:
        AutomationRequest(project_id="salt", webhook_url="https://dora:hushhush@host/x")
    assert "hushhush" not in str(refused.value)
