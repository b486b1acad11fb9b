"""The API over a small real studio, asked from this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gather_pipeline.api.app import create_app
from gather_pipeline_tests.harness import Studio


def client_of(studio: Studio, host: str = "127.0.0.1", **kwargs: object) -> TestClient:
    """A client of the API over a studio, from another host if one is named."""
    return TestClient(create_app(studio.services), "http://127.0.0.1:8000", client=(host, 50_000), **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def studio(written: Path, tmp_path: Path) -> Iterator[Studio]:
    """A copy of it: real services, the scripted model."""
    studio = Studio.open(Path(shutil.copytree(written, tmp_path / "home")))
    yield studio
    studio.close()


@pytest.fixture
def api_client(studio: Studio) -> Iterator[TestClient]:
    """The API over `studio`, asked from this machine without a token."""
    with client_of(studio) as client:
        yield client
