"""Tokens: what is kept of them, and how long they open something."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.domain.tokens import is_loopback
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.records.tokens import TOKENS, Tokens
from gather_pipeline_tests.samples import Dial


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path)) as store:
        yield store


@pytest.fixture
def tokens(store: SqliteStore) -> Tokens:
    return Tokens(store, "shared", Dial())


def test_a_secret_is_kept_nowhere(store: SqliteStore, tokens: Tokens, tmp_path: Path) -> None:
    secrets = {tokens.create(name, None) for name in ("a", "b")}
    assert len(secrets) == 2
    for secret in secrets:
        assert secret.startswith("gat_") and len(secret) > 40
        assert secret not in json.dumps(store.find("shared", TOKENS))
    assert {one.name for one in tokens.all()} == {"a", "b"}


def test_a_token_is_found_by_its_secret_until_it_is_revoked(tokens: Tokens) -> None:
    secret = tokens.create("editor", "salt")
    found = tokens.find(secret)
    assert found is not None and (found.name, found.project_id, tokens.is_valid(found.id)) == ("editor", "salt", True)
    assert tokens.find(f"{secret}x") is None
    assert tokens.revoke(found.id) == tokens.revoke("editor")
    assert (tokens.find(secret), tokens.is_valid(found.id), tokens.exist()) == (None, False, True)


def test_its_use_is_noted_once_an_hour(store: SqliteStore) -> None:
    clock = Dial()
    tokens = Tokens(store, "shared", clock)
    secret = tokens.create("editor", None)
    uses = []
    for clock.time in ("2026-01-01T08:05:00+00:00", "2026-01-01T08:50:00+00:00", "2026-01-01T09:10:00+00:00"):
        tokens.find(secret)
        uses.append(tokens.all()[0].last_used_at)
    assert uses == ["2026-01-01T08:05:00+00:00", "2026-01-01T08:05:00+00:00", "2026-01-01T09:10:00+00:00"]


def test_two_tokens_that_open_something_have_two_names(tokens: Tokens) -> None:
    first = tokens.create("editor", None)
    with pytest.raises(InvalidInput, match="token name is 'editor', expected one that no other token has"):
        tokens.create(" editor", None)
    tokens.revoke("editor")
    second = tokens.create("editor", None)
    tokens.revoke("editor")
    assert tokens.find(first) is tokens.find(second) is None
    for wrong in ("", "two\nlines", "x" * 201):
        with pytest.raises(InvalidInput):
            tokens.create(wrong, None)
    with pytest.raises(UnknownEntity, match="one of editor, editor"):
        tokens.revoke("writer")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_this_machine_has_these_names(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "localhost.example.com", "127.0.0.1.nip.io", "192.168.1.2"])
def test_no_other_name_is_this_machine(host: str) -> None:
    assert not is_loopback(host)
