from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.files.yaml_texts import read_yaml
from gather_pipeline.bootstrap import PACKAGED_PROVIDERS, build_services
from gather_pipeline.domain.departments import parse_departments
from gather_pipeline.domain.providers import Providers, configure, read_provider_files
from gather_pipeline.domain.routing import Provider
from gather_pipeline.errors import InvalidInput
from gather_pipeline.settings import load_settings
from gather_pipeline.upkeep.inputs import chain_of
from gather_pipeline_tests.harness import department_row

PACKAGED = read_yaml(PACKAGED_PROVIDERS.read_text())


def providers(own: object = None, default: Provider | None = None, **variables: str) -> Providers:
    return configure(read_provider_files((PACKAGED, "packaged"), (own, "own.yaml")), variables.get, default)


def test_a_provider_can_be_asked_once_its_key_or_its_address_is_set() -> None:
    assert set(providers().named) == set()
    found = providers(ANTHROPIC_API_KEY="sk-a", OLLAMA_BASE_URL="http://gpu:11434/v1", OPENAI_BASE_URL="http://gpu/v1")
    assert {name: (one.base_url, one.api_key) for name, one in found.named.items()} == {
        "anthropic": ("https://api.anthropic.com/v1", "sk-a"),
        "ollama": ("http://gpu:11434/v1", ""),
    }
    assert providers({"providers": {"vllm": {"base_url": "http://gpu:1/v1"}}}).named["vllm"].base_url == "http://gpu:1/v1"


def test_openais_key_goes_where_its_base_url_says_and_nowhere_else() -> None:
    found = providers(OPENAI_API_KEY="sk-o", OPENAI_BASE_URL="http://gpu/v1").named["openai"]
    assert (found.base_url, found.api_key) == ("http://gpu/v1", "sk-o")


@pytest.mark.parametrize(
    ("wanted", "answers"),
    [
        ("ollama:qwen3:8b", "ollama:qwen3:8b"),
        ("qwen3:8b", "qwen3:8b"),
        ("openai/gpt-5:free", "openai/gpt-5:free"),
        ("scripted:b", "scripted:b"),
        ("ollama:", "ollama:"),
        (None, "embedded"),
    ],
)
def test_only_a_configured_providers_name_before_the_colon_counts(wanted: str | None, answers: str) -> None:
    default = Provider(name="custom", base_url="http://gpu/v1", api_key="")
    assert providers(default=default, OLLAMA_BASE_URL="http://gpu/v1").resolve(wanted) == answers


def test_a_provider_that_is_not_configured_is_refused_with_what_to_set() -> None:
    with pytest.raises(InvalidInput, match="model is 'anthropic:opus', expected .*: for anthropic set ANTHROPIC_API_KEY"):
        providers().resolve("anthropic:opus")


def test_an_own_file_is_laid_over_the_packaged_one_key_by_key() -> None:
    own = {
        "providers": {
            "openrouter": {"requests_per_minute": 20, "models": {"openai/gpt-5": {"price": [1, 10], "context_tokens": 400_000}}},
            "studio": {"base_url": "https://models.studio.example/v1", "api_key_variable": "STUDIO_KEY"},
        },
        "fallbacks": {"departments": {"story": ["studio:a"]}},
    }
    found = providers(own, OPENROUTER_API_KEY="or", STUDIO_KEY="st")
    assert found.entries["openrouter"].requests_per_minute == 20
    assert found.entries["openrouter"].headers == {"X-Title": "gather_pipeline"}
    assert found.facts("openrouter:openai/gpt-5").price == (1, 10) and found.facts("openrouter:other").price is None
    assert found.resolve("studio:a") == "studio:a" and found.fallbacks.departments == {"story": ("studio:a",)}
    default = Provider(name="openrouter", base_url="https://openrouter.ai/api/v1", api_key="or")
    assert providers(own, default).facts("openai/gpt-5").context_tokens == 400_000


def test_a_key_without_a_value_counts_as_left_out() -> None:
    own = {"providers": {"studio": {"base_url": "http://gpu/v1", "headers": None, "models": None, "health": None}}, "fallbacks": None}
    assert providers(own).named["studio"].base_url == "http://gpu/v1"


def test_yaml_may_say_a_text_as_a_number_and_a_list_of_one_as_a_text() -> None:
    studio = {"base_url": "http://gpu/v1", "headers": {"X-Version": 2}}
    found = providers({"providers": {"studio": studio}, "fallbacks": {"tasks": {"tagline": "studio:a"}}})
    assert (found.entries["studio"].headers, found.fallbacks.tasks) == ({"X-Version": "2"}, {"tagline": ("studio:a",)})


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"provders": {}}, "own.yaml: key provders is not known"),
        ({"provders": None}, "own.yaml: key provders is not known"),
        ({"providers": {"a": {"requests_per_minute": 0}}}, "own.yaml: key providers.a.requests_per_minute is 0: "),
        ({"providers": {"a": {"models": {"m": {"price": [-1, 2]}}}}}, "own.yaml: key providers.a.models.m.price.0 is -1"),
        ({"providers": {"A b": {}}}, "own.yaml: key providers.A b is no name"),
        ({"providers": {"embedded": {}}}, "own.yaml: key providers.embedded is no name"),
        ({"providers": {"a": {"base_url": "gpu"}}}, "own.yaml: key providers.a.base_url is not a web address"),
        ({"providers": {"a": {"headers": {"X-Title": "Küche"}}}}, "own.yaml: key providers.a.headers.X-Title holds a line break"),
        ({"providers": {"a": {"headers": {"X Title": "x"}}}}, "own.yaml: key providers.a.headers.X Title holds a line break"),
        ([1], "own.yaml: "),
    ],
)
def test_a_fault_in_a_file_is_told_with_file_and_key(own: Any, told: str) -> None:
    with pytest.raises(InvalidInput) as error:
        providers(own)
    assert str(error.value).startswith(told)


def test_keys_of_providers_are_secrets_wherever_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("providers:\n  studio: {base_url: 'http://h:pa55word9@gpu/v1', headers: {X-Api-Key: header-s3cret}}\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "anthropic-k3y-0123")
    services = build_services(load_settings(home=tmp_path / "home", providers=file))
    said = services.secrets.mask("anthropic-k3y-0123 header-s3cret pa55word9 gather_pipeline")
    assert said == "*** *** *** gather_pipeline"
    assert "k3y" not in repr(services.providers) and services.resolve_model("studio:a") == "studio:a"
    services.close()
    assert os.environ["ANTHROPIC_API_KEY"]


def test_a_departments_chain_of_the_file_comes_before_that_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("providers: {studio: {base_url: 'http://gpu/v1'}}\nfallbacks: {departments: {story: ['studio:a', scripted]}}\n")
    services = build_services(load_settings(home=tmp_path / "home", providers=file, model="scripted:b", fallback_models=("scripted",)))
    story, art = (parse_departments([department_row(slug, 1)], "test")[0] for slug in ("story", "art"))
    assert chain_of(services, story) == ("scripted:b", "studio:a", "scripted")
    assert chain_of(services, art) == ("scripted:b", "scripted")
    services.close()
