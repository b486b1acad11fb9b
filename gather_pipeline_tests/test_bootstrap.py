"""The composition root: a state folder that is none is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gather_pipeline.bootstrap import build_services
from gather_pipeline.errors import StoreError
from gather_pipeline.settings import load_settings


def test_a_state_folder_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("not a folder", encoding="utf-8")
    with pytest.raises(StoreError, match=r"GATHER_HOME is '.*home', expected a folder"):
        build_services(load_settings(home=file))
