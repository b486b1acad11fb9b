"""One reader of the environment: wrong values are refused by variable, secrets stay hidden."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from gather_pipeline.errors import InvalidInput
from gather_pipeline.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_env_file_and_that_over_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().concurrency == 8
    (tmp_path / ".env").write_text("GATHER_CONCURRENCY=3\n", encoding="utf-8")
    assert load_settings().concurrency == 3
    monkeypatch.setenv("GATHER_CONCURRENCY", "5")
    assert load_settings().concurrency == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATHER_CONCURRENCY", "many"),
        ("GATHER_CONCURRENCY", "0"),
        ("GATHER_TIMEOUT_S", "-1"),
        ("GATHER_EMBEDDER", "word2vec"),
        ("GATHER_TIMEOUT_S", "nan"),
        ("GATHER_WRONG_DROP_COST", "inf"),
        ("GATHER_TIMEZONE", "Berlin"),
        ("GATHER_HOME", "~nobody-of-that-name/state"),
        ("PAYLOAD_WEBHOOK_SECRET", "short"),
        ("GATHER_PRICES", "cheap"),
        ("GATHER_SERVICE_KEYS", "\udce9"),
        ("GATHER_SERVICE_KEYS", "s3cret"),
        ("GATHER_SERVICE_KEYS", '{"facts.example.org": 7}'),
        ("GATHER_SERVICE_KEYS", '{"facts.example.org": "schlüssel"}'),
        ("GATHER_PRICES", '{"a/b": [NaN, 1]}'),
        ("GATHER_PRICES", '{"a/b": [1, Infinity]}'),
        ("GATHER_PRICES", '{"a/b": [-1, 1]}'),
        ("GATHER_PRICES", "[" * 100_000),
        ("MONGODB_DB", "a/b"),
        ("MONGODB_URI", "localhost"),
        ("GATHER_WEBHOOK_SECRET", "whsec_no Base64"),
        ("GATHER_WEBHOOK_SECRET", "whsec_"),
        ("GATHER_WEBHOOK_URL", "https://host:99999/x"),
        ("GATHER_WEBHOOK_URL", "https://host/\udcff"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://127.0.0.1:70000"),
        ("REDIS_URL", "redis://127.0.0.1:6379/cache"),
        ("GATHER_WEBHOOK_URL", "https://host:99999/hook"),
        ("NEXT_PUBLIC_APP_URL", "app.example.com"),
        ("NEXT_PUBLIC_APP_URL", "https://ana:secret@app.example.com"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://dora:hushhush#1@host"),
        ("GATHER_WEBHOOK_URL", "https://dora:hushhush/1@host"),
        ("NEXT_PUBLIC_APP_URL", "https://dora:hushhush\u2100@host"),
    ],
)
def test_the_refusal_of_an_address_repeats_no_part_of_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=f"{name} is 'not shown', expected an address like ") as refused:
        load_settings()
    assert "hushhush" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("PAYLOAD_WEBHOOK_SECRET", "short", "at least 8 characters"),
        ("MONGODB_DB", "a/b", "pattern '^[A-Za-z0-9_-]{1,63}$'"),
        ("GATHER_CONCURRENCY", "0", "greater than or equal to 1"),
    ],
)
def test_what_was_expected_is_said_as_the_end_of_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, wanted: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as refused:
        load_settings()
    assert str(refused.value).endswith(f", expected {wanted}")


def test_secrets_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-hushhush")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hushhush")
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:hushhush@host/")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://user:hushhush@host/v1")
    settings = load_settings()
    assert "hushhush" not in repr(settings) + str(settings)
    assert settings.mongodb_uri is not None
    assert settings.mongodb_uri.get_secret_value() == "mongodb://user:hushhush@host/"


def test_lists_prices_and_paths_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATHER_FALLBACK_MODELS", " a/b , c/d,")
    monkeypatch.setenv("GATHER_PRICES", '{"a/b": [1, 2.5]}')
    monkeypatch.setenv("GATHER_HOME", "state")
    settings = load_settings()
    assert settings.fallback_models == ("a/b", "c/d")
    assert settings.prices == {"a/b": (1, 2.5)}
    assert settings.home == tmp_path / "state"
    assert settings.dagster_home == tmp_path / "state" / "dagster"


@pytest.mark.parametrize(
    ("name", "value", "field", "meant"),
    [
        ("GATHER_FALLBACK_MODELS", '["a/b", "c/d"]', "fallback_models", ("a/b", "c/d")),
        ("GATHER_FALLBACK_MODELS", "a/b; 'c/d'\n", "fallback_models", ("a/b", "c/d")),
        ("GATHER_API_ORIGINS", '["https://a.example"]', "api_origins", ("https://a.example",)),
        ("GATHER_JUDGE_MODEL", "None", "judge_model", "none"),
        ("GATHER_MODEL", "Scripted", "model", "scripted"),
        ("GATHER_MODEL", "Vendor/Model", "model", "Vendor/Model"),
        ("GATHER_EMBEDDER", "MiniLM", "embedder", "minilm"),
        ("GATHER_TIMEZONE", ":europe/berlin", "timezone", "Europe/Berlin"),
        ("GATHER_TIMEZONE", "America/New York", "timezone", "America/New_York"),
        ("GATHER_USER", "“ana”\u200b", "user", "ana"),
        ("GATHER_HOME", "$STUDIO/${STUDIO}/state", "home", Path("/srv/srv/state")),
        (
            "NEXT_PUBLIC_APP_URL",
            "https://app.example.com/cms/admin/collections/departments?limit=10#x",
            "cms_url",
            "https://app.example.com/cms",
        ),
        ("NEXT_PUBLIC_APP_URL", "https://app.example.com/api/departments/", "cms_url", "https://app.example.com"),
        ("BRAIN_SERVICE_BASE_URL", "https://brain.example.com/api/v1/nodes/batch", "brain_url", "https://brain.example.com"),
        ("BRAIN_SERVICE_BASE_URL", "https://example.com/api/brain/", "brain_url", "https://example.com/api/brain"),
    ],
)
def test_what_is_plainly_meant_is_read(monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, meant: object) -> None:
    monkeypatch.setenv("STUDIO", "/srv")
    monkeypatch.setenv(name, value)
    assert getattr(load_settings(), field) == meant


@pytest.mark.parametrize("before", ["Bearer ", "bearer  ", "Authorization: Bearer ", "users API-Key ", "\ufeff", "\u200b", "STUDIO_KEY="])
def test_words_of_a_header_before_a_key_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    for name in ("PAYLOAD_API_KEY", "STUDIO_KEY"):
        monkeypatch.setenv(name, f"'{before}sk-copied'")
    settings = load_settings()
    assert settings.payload_api_key is not None
    assert (settings.payload_api_key.get_secret_value(), settings.variable("STUDIO_KEY")) == ("sk-copied", "sk-copied")


@pytest.mark.parametrize("blank", ["", " ", "\t\r\n"])
def test_a_blank_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    monkeypatch.setenv("MONGODB_URI", blank)
    monkeypatch.setenv("GATHER_CONCURRENCY", blank)
    settings = load_settings()
    assert (settings.mongodb_uri, settings.concurrency) == (None, 8)


def test_the_line_end_of_a_file_is_no_part_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-file\r\n")
    key = load_settings().openai_api_key
    assert key is not None
    assert key.get_secret_value() == "sk-of-a-file"


def test_a_user_without_a_home_has_a_place_for_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654)  # whom no system knows
    assert load_settings().models_dir == Path(tempfile.gettempdir()) / "gather_pipeline" / "models"


def test_a_current_folder_that_is_gone_is_told_with_the_setting_that_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(InvalidInput, match="GATHER_HOME is '.gather', expected an absolute path"):
        load_settings()
    monkeypatch.setenv("GATHER_HOME", str(tmp_path))
    assert load_settings().home == tmp_path


def test_an_env_file_that_is_no_text_is_refused_by_its_place(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"GATHER_CONCURRENCY=\xff3")
    with pytest.raises(InvalidInput, match=".env has byte 0xff at 19"):
        load_settings()


def test_folders_of_tasks_are_separated_as_in_path_and_those_under_home_are_found_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().tasks == ()
    (tmp_path / ".gather" / "tasks").mkdir(parents=True)
    assert load_settings().tasks == (tmp_path / ".gather" / "tasks",)
    monkeypatch.setenv("GATHER_TASKS", os.pathsep.join(["own", "/studio/tasks"]))
    assert load_settings().tasks == (tmp_path / "own", Path("/studio/tasks"))


def test_a_contexts_buffer_leaves_room_and_a_gather_prompt_stays_within_it() -> None:
    with pytest.raises(InvalidInput, match="CONTEXT_BUFFER_TOKENS is 5000, expected fewer tokens than CONTEXT_MAX_TOKENS, which is 4000"):
        load_settings(_env_file=None, context_max_tokens=4_000, context_buffer_tokens=5_000)
    assert load_settings(_env_file=None).gather_context_tokens == 6_000
    assert load_settings(_env_file=None, context_max_tokens=4_000, context_buffer_tokens=1_000).gather_context_tokens == 3_000


def test_an_env_file_may_have_the_mark_that_windows_puts_before_its_first_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATHER_CONCURRENCY=3\nSTUDIO_KEY=st\n", encoding="utf-8-sig")
    assert (load_settings().concurrency, load_settings().variable("STUDIO_KEY")) == (3, "st")
    (tmp_path / ".env").write_text("GATHER_CONCURRENCY=4\r\nSTUDIO_KEY=tu\r\n", encoding="utf-16")
    assert (load_settings().concurrency, load_settings().variable("STUDIO_KEY")) == (4, "tu")
    (tmp_path / ".env").write_text("STUDIO_KEY=st\n", encoding="utf-8-sig")
    assert load_settings().variable("STUDIO_KEY") == "st"


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_that_a_container_leaves_around_a_value_are_no_part_of_it(monkeypatch: pytest.MonkeyPatch, quote: str) -> None:
    for name, value in {"GATHER_CONCURRENCY": "3", "OPENAI_API_KEY": "sk-quoted", "STUDIO_KEY": "st"}.items():
        monkeypatch.setenv(name, f"{quote}{value}{quote}")
    settings = load_settings()
    assert settings.openai_api_key is not None
    assert (settings.concurrency, settings.openai_api_key.get_secret_value(), settings.variable("STUDIO_KEY")) == (3, "sk-quoted", "st")


@pytest.mark.parametrize("name", ["REDIS_URL", "GATHER_WEBHOOK_URL", "NEXT_PUBLIC_APP_URL", "BRAIN_SERVICE_BASE_URL", "OPENAI_BASE_URL"])
@pytest.mark.parametrize("rest", [":hush#hush@host/", ":hush/hush@host/", "us:hush\u2100hush@host/", "[hush"])
def test_no_part_of_a_password_is_shown_of_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str, rest: str) -> None:
    monkeypatch.setenv(name, f"{'redis' if name == 'REDIS_URL' else 'https'}://{rest}")
    with pytest.raises(InvalidInput, match=f"{name} is 'not shown', expected an address like ") as error:
        load_settings()
    assert "hush" not in str(error.value)


def test_an_origin_may_be_copied_with_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATHER_API_ORIGINS", "https://app.example.com/, http://localhost:3000")
    assert load_settings().api_origins == ("https://app.example.com", "http://localhost:3000")
