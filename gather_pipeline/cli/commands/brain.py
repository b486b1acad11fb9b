"""`gather brain`: the local index as a service."""

from __future__ import annotations

import click

from gather_pipeline.cli.commands.serve import listen
from gather_pipeline.cli.lazy import NamingGroup
from gather_pipeline.cli.options import Whole, example
from gather_pipeline.cli.services import command_settings
from gather_pipeline.domain.tokens import is_loopback
from gather_pipeline.errors import InvalidInput


@click.group(cls=NamingGroup, epilog=example("gather brain serve"))
def brain() -> None:
    """Offer the local index to other machines as a Brain service."""


@brain.command(epilog=example("gather brain serve", "BRAIN_SERVICE_API_KEY=... gather brain serve --host 0.0.0.0"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; one of another machine's needs a key.")
@click.option("--port", type=Whole(0, 65_535), default=8100, show_default=True, help="0 for any that is free.")
def serve(host: str, port: int) -> None:
    """Serve the local index as a Brain service, until a signal ends it.

    Machines whose BRAIN_SERVICE_BASE_URL is its address, and whose BRAIN_SERVICE_API_KEY is the same as here, share what they know. What it
    is told lies in the store here.
    """
    settings = command_settings()
    if not is_loopback(host) and settings.brain_api_key is None:
        raise InvalidInput(f"--host is {host!r} and BRAIN_SERVICE_API_KEY is not set, expected 127.0.0.1 or a key")
    listen("gather_pipeline.api.brain:from_environment", host, port)
