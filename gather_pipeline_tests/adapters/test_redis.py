"""How a Redis server is reached: errors become ours, and no password is shown."""

from __future__ import annotations

import pytest

from gather_pipeline.adapters.redis import RedisServer
from gather_pipeline.errors import InvalidInput, StoreError, StoreUnavailable
from gather_pipeline_tests.redis_server import RedisProcess
from gather_pipeline_tests.server_process import free_port


def test_a_server_that_does_not_answer_is_away_and_its_password_is_not_shown() -> None:
    server = RedisServer(f"redis://dora:s3cret-pa55@127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreUnavailable, match=r"Redis at 127\.0\.0\.1:\d+ does not answer") as caught, server.faults():
        server.client().ping()
    assert "s3cret" not in f"{caught.value} {server!r}"


def test_a_server_that_was_started_anew_is_no_outage(redis_process: RedisProcess) -> None:
    server = RedisServer(redis_process.url)
    with server.client() as client, server.faults():
        client.ping()
        redis_process.kill()
        with pytest.raises(StoreUnavailable), server.faults():
            client.ping()
        redis_process.start_again()
        assert client.ping()


def test_a_refusal_says_what_the_server_says(redis_url: str) -> None:
    server = RedisServer(redis_url.replace("://", "://dora:wrong-pa55@"))
    with pytest.raises(StoreError, match="refuses the login") as caught, server.faults():
        server.client().ping()
    assert "wrong-pa55" not in str(caught.value)
    server = RedisServer(redis_url)
    with server.client() as client, pytest.raises(StoreError, match="refuses: unknown command"), server.faults():
        client.execute_command("NO-SUCH")


@pytest.mark.parametrize("option", ["socket_timeout=soon", "family=4", "ssl_cert_reqs=none"])
def test_an_option_that_the_address_cannot_have_is_refused_at_once(option: str) -> None:
    with pytest.raises(InvalidInput, match="REDIS_URL cannot be used"):
        RedisServer(f"redis://127.0.0.1/0?{option}")


def test_a_user_who_may_only_read_write_and_publish_is_enough(redis_process: RedisProcess) -> None:
    with RedisServer(redis_process.url).client() as client:
        client.acl_setuser(
            "few", enabled=True, passwords=["+p@s:s/w#%"], keys=["*"], channels=["*"], categories=["+@read", "+@write", "+@pubsub"]
        )
    with RedisServer(redis_process.url.replace("://", "://few:p%40s%3As%2Fw%23%25@")).client() as client:
        assert client.set("key", "value") and client.publish("channel", "{}") == 0


def test_values_are_bytes_whatever_the_address_says(redis_url: str) -> None:
    with RedisServer(f"{redis_url}?decode_responses=true").client() as client:
        client.set("bytes", b"\xff")
        assert client.get("bytes") == b"\xff"
