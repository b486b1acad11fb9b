"""No test leaves this machine."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable

import pytest

from gather_pipeline_tests.fault_server import FaultServer


def send_datagram(host: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sending:
        sending.sendto(b"", (host, 53))


@pytest.mark.parametrize(
    ("leave", "named"),
    [
        (lambda: socket.create_connection(("192.0.2.1", 80), timeout=1), "192.0.2.1"),
        (lambda: socket.create_connection(("2001:db8::1", 80), timeout=1), "2001:db8::1"),
        (lambda: urllib.request.urlopen("http://example.org/", timeout=1), "example.org"),
        (lambda: send_datagram("192.0.2.1"), "192.0.2.1"),
    ],
)
def test_a_connection_to_elsewhere_fails_the_test_by_its_address(leave: Callable[[], object], named: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"opens a connection to '{named}', expected only the loopback"):
        leave()


def test_the_loopback_is_open_by_number_and_by_name() -> None:
    with FaultServer() as server:
        port = int(server.base_url.rpartition(":")[2].partition("/")[0])
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, port), timeout=5).close()
