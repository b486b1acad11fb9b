"""What every body of the port `Cache` promises."""

from __future__ import annotations

import os
import time

import pytest

from gather_pipeline_tests.adapters.cache.cache_bodies import Open
from gather_pipeline_tests.adapters.cache.cache_bodies import open_cache as open_cache


def test_a_value_is_found_by_layer_and_key_by_whoever_shares_the_cache(open_cache: Open) -> None:
    open_cache().put("result", "a", b"\x00\xffone")
    open_cache().put("prompt", "a", b"two")
    assert (open_cache().get("result", "a"), open_cache().get("prompt", "a")) == (b"\x00\xffone", b"two")
    assert open_cache().get("context", "a") is None and open_cache().get("result", "b") is None


def test_the_last_value_stands(open_cache: Open) -> None:
    cache = open_cache()
    for value in (b"one", b"", b"x" * 100_000):
        cache.put("result", "a", value)
        assert cache.get("result", "a") == value


def test_a_value_expires(open_cache: Open) -> None:
    cache = open_cache()
    cache.put("result", "short", b"x", ttl_s=0.01)
    cache.put("result", "long", b"x", ttl_s=1000)
    time.sleep(0.05)
    assert cache.get("result", "short") is None and cache.get("result", "long") == b"x"


def test_values_are_forgotten_by_layer_key_and_entity(open_cache: Open) -> None:
    cache = open_cache()

    def fill() -> None:
        cache.put("result", "a", b"1", entities=["project:salt", "item:1"])
        cache.put("result", "b", b"2", entities=["project:salt2"])
        cache.put("context", "a", b"3", entities=["project:salt"])

    def left() -> list[str]:
        return [f"{layer} {key}" for layer in ("result", "context") for key in "ab" if cache.get(layer, key) is not None]

    for wanted, count, kept in (
        ({"entity": "project:salt"}, 2, ["result b"]),
        ({"entity": "project:salt", "layer": "context"}, 1, ["result a", "result b"]),
        ({"layer": "result", "key": "a"}, 1, ["result b", "context a"]),
        ({"entity": "item:2"}, 0, ["result a", "result b", "context a"]),
        ({}, 3, []),
    ):
        fill()
        assert cache.invalidate(**wanted) == count
        assert left() == kept


def test_it_counts_what_it_holds(open_cache: Open) -> None:
    cache = open_cache()
    cache.put("result", "a", b"x" * 1000)
    cache.put("result", "b", b"x" * 1000)
    cache.put("embedding", "a", b"x")
    stats = cache.stats()
    assert stats.entries == {"result": 2, "embedding": 1} and stats.size >= 2000


def test_a_key_is_held_by_one_at_a_time(open_cache: Open) -> None:
    first, second = open_cache(), open_cache()
    claim = first.claim("a")
    assert claim is not None
    assert second.claim("a") is None and first.claim("a") is None
    with claim, second.claim("b") or pytest.fail("another key is held"):
        assert second.claim("a") is None
    with second.claim("a") or pytest.fail("a key that was let go is held"):
        pass


def test_a_key_whose_holder_died_is_free(open_cache: Open) -> None:
    child = os.fork()
    if child == 0:
        claim = open_cache().claim("a")
        os._exit(0 if claim is not None else 1)
    assert os.waitpid(child, 0)[1] == 0
    with open_cache().claim("a") or pytest.fail("a dead process holds the key"):
        pass
