from __future__ import annotations

import os
from pathlib import Path

import diskcache
import pytest

from gather_pipeline.adapters.cache.disk import DiskCache
from gather_pipeline.errors import StoreUnavailable


def test_nothing_is_made_before_it_is_used(tmp_path: Path) -> None:
    DiskCache(tmp_path / "cache").close()
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    for act in (lambda cache: cache.get("result", "a"), lambda cache: cache.claim("a"), lambda cache: cache.stats()):
        with pytest.raises(StoreUnavailable, match="the cache in .* does not answer"):
            act(DiskCache(tmp_path / "cache"))


def test_what_somebody_else_has_pickled_there_is_not_unpickled(tmp_path: Path) -> None:
    with diskcache.Cache(str(tmp_path)) as strange:
        strange.set("result/a", {"a": 1})
    with pytest.raises(StoreUnavailable, match="pickled"):
        DiskCache(tmp_path).get("result", "a")


def test_a_claim_leaves_no_file_behind(tmp_path: Path) -> None:
    with DiskCache(tmp_path).claim("a") or pytest.fail("held"):
        assert len(list((tmp_path / "claims").iterdir())) == 1
    assert list((tmp_path / "claims").iterdir()) == []


def test_a_limit_of_size_makes_it_forget_what_was_stored_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", size_limit=400_000)
    for number in range(40):
        cache.put("result", str(number), os.urandom(50_000))
    assert cache.get("result", "0") is None and cache.get("result", "39") is not None
    assert cache.stats().size < 1_000_000
    cache.close()
