"""`gather serve`: the API, its live events and its page, until a signal ends it."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress

import click

from gather_pipeline.cli import logs
from gather_pipeline.cli.options import Whole, example
from gather_pipeline.cli.output import print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.domain.tokens import is_loopback
from gather_pipeline.errors import InvalidInput

GRACE_S = 2  # for answers under way, streams of events among them, when a signal has come


@click.command(epilog=example("gather serve", "gather serve --host 0.0.0.0 --port 8080"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; one of another machine's needs a token.")
@click.option("--port", type=Whole(0, 65_535), default=8000, show_default=True, help="0 for any that is free.")
def serve(host: str, port: int) -> None:
    """Serve the API, its live events and a page for a browser.

    Ctrl-C or SIGTERM ends it. Runs that it started have processes of their own and go on; single tasks are cancelled.
    """
    with opened() as services:
        if not is_loopback(host) and not services.tokens.exist():
            raise InvalidInput(f"--host is {host!r} and there is no token, expected 127.0.0.1: or make one with gather token create")
    listen("gather_pipeline.api.app:from_environment", host, port)


def listen(application: str, host: str, port: int) -> None:
    """Serves an application, by the name of the function that makes it, until a signal comes; its address is printed once it listens."""
    import uvicorn

    logs.take_in("uvicorn")
    config = uvicorn.Config(
        application, factory=True, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_S
    )
    config.load()
    with _listening(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        print_text(f"http://{name}:{listener.getsockname()[1]}")
        for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn ends, and hands them on to these
            signal.signal(number, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    say("Stopped.")


def _listening(host: str, port: int) -> socket.socket:
    try:
        host.encode("idna")  # else a name that no machine can have is a fault of `create_server`'s
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (")[0]
        raise InvalidInput(f"cannot listen on {host} port {port}: {reason}, expected another --host or --port") from None
