"""The engines and records that a command works with."""

from __future__ import annotations

from contextlib import closing

from gather_pipeline.bootstrap import build_services
from gather_pipeline.cli import logs
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings, load_settings


def command_settings() -> Settings:
    """The settings that the environment names; from here on log lines are kept under the state folder.

    Raises:
        InvalidInput: A variable is wrong.
    """
    settings = load_settings()
    logs.write(settings.home)
    return settings


def opened() -> closing[Services]:
    """The services that the environment names, closed at the end of a `with` block."""
    return closing(build_services(command_settings()))
