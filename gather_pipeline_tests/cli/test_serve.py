"""`gather token` and `gather serve` on the command line."""

from __future__ import annotations

import json
import logging
import signal
import socket
import urllib.request
from contextlib import closing

import pytest

from gather_pipeline.cli.commands import brain
from gather_pipeline_tests.cli.commands import LIMIT_S, Shell

Capture = pytest.CaptureFixture[str]


def test_a_token_is_printed_alone_and_once(shell: Shell, capsys: Capture) -> None:
    shell.create()
    made = shell.here(capsys, "token", "create", "--project", "salt", "--name", "editor")
    assert (made.code, made.out.count("\n"), made.out[:4], made.err) == (0, 1, "gat_", "")
    listed = shell.here(capsys, "token", "list", "--json")
    assert made.out.strip() not in listed.out
    assert [(one["name"], one["project_id"], one["revoked_at"]) for one in listed.document] == [("editor", "salt", None)]
    assert shell.here(capsys, "token", "revoke", "editor").out.startswith("Token editor (")
    assert shell.here(capsys, "token", "list", "--json").document[0]["revoked_at"]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 2, "neither --project nor --all-projects is given"),
        (("--project", "salt", "--all-projects"), 2, "--project and --all-projects are both given"),
        (("--project", "pepper"), 3, "project id is 'pepper', expected one of salt"),
    ],
)
def test_a_token_is_for_one_project_or_for_all(shell: Shell, capsys: Capture, options: tuple[str, ...], code: int, told: str) -> None:
    shell.create()
    done = shell.here(capsys, "token", "create", "--name", "editor", *options)
    assert (done.code, done.out) == (code, "") and told in done.err


def test_without_a_token_no_other_machine_is_served(shell: Shell, capsys: Capture) -> None:
    done = shell.here(capsys, "serve", "--host", "0.0.0.0")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--host is '0.0.0.0' and there is no token, expected 127.0.0.1" in done.err


def test_a_name_that_no_machine_can_have_is_told_in_a_sentence(shell: Shell, capsys: Capture) -> None:
    shell.extra["BRAIN_SERVICE_API_KEY"] = "key"
    done = shell.here(capsys, "brain", "serve", "--host", "ü" * 80, "--port", "0")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert f"cannot listen on {'ü' * 80} port 0: " in done.err


def test_what_goes_wrong_in_a_brain_service_is_in_the_log_file(shell: Shell, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.create()
    monkeypatch.setattr(brain, "listen", lambda *told: logging.getLogger("gather_pipeline.api").error("a request failed", exc_info=True))
    assert shell.here(capsys, "brain", "serve").code == 0
    assert "a request failed" in (shell.folder / "home" / "logs" / "gather.log").read_text()


def test_a_port_in_use_is_told_in_a_sentence(shell: Shell, capsys: Capture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = shell.here(capsys, "serve", "--port", port)
    assert (done.code, done.out) == (2, "")
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use, expected another" in done.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_ends_it(shell: Shell, number: signal.Signals) -> None:
    shell.create()
    with shell.started("serve", "--port", "0") as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{address}/health", timeout=LIMIT_S) as answer:
            assert json.load(answer)["status"] == "ok"
        process.send_signal(number)
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out, err) == (0, "", "Stopped.\n")
