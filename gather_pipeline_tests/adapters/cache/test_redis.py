"""What Redis as a cache does beyond the contract: it forgets under memory pressure, and its absence is a miss."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import redis
from redis.lock import Lock

from gather_pipeline.adapters import redis as redis_server
from gather_pipeline.adapters.cache import redis as module
from gather_pipeline.adapters.cache.redis import CLAIMS, RedisCache
from gather_pipeline.adapters.redis import RedisServer
from gather_pipeline.errors import StoreUnavailable
from gather_pipeline_tests.redis_server import RedisProcess, require_redis


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == redis_server.__name__ and record.levelno >= logging.WARNING]


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "noeviction"])
def test_memory_pressure_costs_values_and_nothing_else(tmp_path: Path, policy: str, caplog: pytest.LogCaptureFixture) -> None:
    require_redis()
    with RedisProcess(tmp_path, "--maxmemory", "6mb", "--maxmemory-policy", policy) as server:
        cache = RedisCache(RedisServer(server.url))
        for number in range(200):
            cache.put("result", str(number), os.urandom(50_000), ttl_s=1000 + number, entities=["project:salt"])
        left = [number for number in range(200) if cache.get("result", str(number)) is not None]
        assert 0 < len(left) < 200 and (199 in left) == (policy != "noeviction")
        cache.invalidate(entity="project:salt")
        assert cache.stats().size == 0, "no value stays that an update of its entity forgets"
        assert len(lines(caplog)) == (policy == "noeviction")
        cache.close()


def test_without_the_server_it_misses_and_says_so_once(
    redis_process: RedisProcess, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_S", 0.0)
    cache = RedisCache(RedisServer(redis_process.url))
    cache.put("result", "a", b"one")
    redis_process.kill()
    cache.put("result", "b", b"two")
    assert cache.get("result", "a") is None
    with cache.claim("a") or pytest.fail("nobody holds it"):
        pass
    with pytest.raises(StoreUnavailable, match="does not answer"):
        cache.invalidate()
    (line,) = lines(caplog)
    assert "Redis at 127.0.0.1" in line and "what the cache cannot give is made anew" in line
    redis_process.start_again()
    cache.put("result", "a", b"three")
    assert cache.get("result", "a") == b"three"


def test_a_server_that_hangs_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = RedisCache(RedisServer("redis://127.0.0.1:1"))
    assert cache.get("result", "a") is None
    monkeypatch.setattr(cache, "_client", None)  # would raise if it were asked
    assert cache.get("result", "a") is None and cache.claim("a") is not None


def test_a_claim_is_renewed_while_it_is_held_and_lapses_where_its_holder_stopped(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLAIM_S", 0.3)
    monkeypatch.setattr(module, "RENEW_S", 0.05)
    cache, other = RedisCache(RedisServer(redis_url)), RedisCache(RedisServer(redis_url))
    with cache.claim("renewed") or pytest.fail("held"):
        module.threading.Event().wait(0.6)
        assert other.claim("renewed") is None
    monkeypatch.setattr(module, "RENEW_S", 60.0)
    with cache.claim("stopped") or pytest.fail("held"):
        module.threading.Event().wait(0.4)
        with other.claim("stopped") or pytest.fail("a holder that stopped keeps it"):
            pass
    assert list(cache._client.scan_iter(f"{CLAIMS}*")) == []
    cache.close()
    other.close()


def test_a_claim_is_renewed_again_after_a_moment_without_the_server(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLAIM_S", 1.0)
    monkeypatch.setattr(module, "RENEW_S", 0.05)
    away, renew = iter([redis.TimeoutError("Timeout reading from socket")] * 2), Lock.reacquire

    def reacquire(lock: Lock) -> object:
        if error := next(away, None):
            raise error
        return renew(lock)

    monkeypatch.setattr(Lock, "reacquire", reacquire)
    cache, other = RedisCache(RedisServer(redis_url)), RedisCache(RedisServer(redis_url))
    with cache.claim("hiccup") or pytest.fail("held"):
        module.threading.Event().wait(1.3)
        assert other.claim("hiccup") is None
    cache.close()
    other.close()


def test_a_live_holder_is_not_taken_for_dead_where_the_clock_was_set_meanwhile() -> None:
    host, pid, began, mine = module._token().split("|")
    for skew, dead in ((0.5, False), (-0.5, False), (60.0, True)):
        assert module._is_dead("|".join([host, pid, str(float(began) + skew), mine])) is dead
    assert not module._is_dead(f"elsewhere|{pid}|1.0|{mine}")


def test_a_password_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    cache = RedisCache(RedisServer("redis://:pa55word-long@127.0.0.1:1/0"))
    assert cache.get("result", "a") is None
    assert "pa55word" not in caplog.text and "pa55word" not in repr(cache)
