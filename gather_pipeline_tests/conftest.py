"""Fixtures that tests of every room may use, and what no test may do: leave this machine."""

from __future__ import annotations

import ipaddress
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from pymongo.uri_parser import parse_uri

pytest_plugins = [
    "gather_pipeline_tests.browser",
    "gather_pipeline_tests.finished",
    "gather_pipeline_tests.mongo_server",
    "gather_pipeline_tests.redis_server",
    "gather_pipeline_tests.adapters.documents.store_bodies",
]

ROOT = str(Path(__file__).parents[1])
NAMED = "MONGODB_URI"  # a MongoDB server for the suite, which may stand elsewhere
CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")  # with the socket and its address
LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname")  # with a name


def pytest_configure() -> None:
    """Closes the network, takes deadlines from property tests, and lets processes that tests start import this checkout."""
    named = {host for host, _ in parse_uri(os.environ[NAMED])["nodelist"]} if os.environ.get(NAMED) else set()
    allowed = {"", "localhost", *named}

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        address = args[0] if event in LOOKUPS else args[1] if event in CONNECTIONS else None
        host = address[0] if isinstance(address, tuple) else address if event in LOOKUPS else None  # a path names a unix socket
        name = host.decode() if isinstance(host, bytes) else host
        if not isinstance(name, str) or name in allowed:
            return
        with suppress(ValueError):
            if ipaddress.ip_address(name).is_loopback:
                return
        pytest.fail(f"the test opens a connection to {name!r}, expected only the loopback, unix sockets and the server in {NAMED}")

    sys.addaudithook(refuse)
    hypothesis.settings.register_profile("suite", deadline=None)  # a busy machine is no counterexample
    hypothesis.settings.load_profile("suite")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest tests, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in ("test_readme.py", "test_dev.py"))
