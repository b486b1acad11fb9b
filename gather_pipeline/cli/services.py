"""The engines and records that a command works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def opened() -> Iterator[Services]:
    """The services that the environment names, closed at the end."""
    services = build_services(command_settings())
    try:
        yield services
    finally:
        services.close()
