from __future__ import annotations

import pytest

from gather_pipeline.domain.routing import OPENAI_URL, OPENROUTER_URL, choose_provider, resolve_model
from gather_pipeline.errors import InvalidInput

CLAUDE = "anthropic/claude-sonnet-4.5"


@pytest.mark.parametrize(
    ("base_url", "openrouter_key", "openai_key", "expected"),
    [
        (None, None, None, None),
        ("", "", "", None),
        (None, "or", None, ("openrouter", OPENROUTER_URL, "or")),
        (None, None, "oa", ("openai", OPENAI_URL, "oa")),
        (None, "or", "oa", ("openrouter", OPENROUTER_URL, "or")),
        ("http://gpu:8000/v1", "or", "oa", ("custom", "http://gpu:8000/v1", "oa")),
        ("http://gpu:8000/v1", None, None, ("custom", "http://gpu:8000/v1", "")),
        ("https://api.openai.com/v1", None, "oa", ("openai", "https://api.openai.com/v1", "oa")),
        ("https://openrouter.ai/api/v1", "or", "oa", ("openrouter", "https://openrouter.ai/api/v1", "or")),
        ("https://openrouter.ai/api/v1", None, "oa", ("openrouter", "https://openrouter.ai/api/v1", "oa")),
        ("https://openrouter.ai/api/v1/chat/completions/", None, "oa", ("openrouter", "https://openrouter.ai/api/v1", "oa")),
        ("http://gpu:8000/v1/models?a=b", None, None, ("custom", "http://gpu:8000/v1?a=b", "")),
        ("http://gpu:8000/v1/completions", None, None, ("custom", "http://gpu:8000/v1", "")),
        ("https://notopenrouter.ai/v1", None, "oa", ("custom", "https://notopenrouter.ai/v1", "oa")),
    ],
)
def test_a_base_url_wins_then_openrouter_then_openai(
    base_url: str | None, openrouter_key: str | None, openai_key: str | None, expected: tuple[str, str, str] | None
) -> None:
    provider = choose_provider(base_url=base_url, openrouter_key=openrouter_key, openai_key=openai_key)
    assert (provider and (provider.name, provider.base_url, provider.api_key)) == expected


def test_a_provider_shows_neither_its_key_nor_its_address() -> None:
    provider = choose_provider(base_url="http://hera:pa55word@gpu/v1", openrouter_key=None, openai_key="sk-secret")
    assert repr(provider) == "Provider(name='custom')"


@pytest.mark.parametrize(
    ("wanted", "provider", "expected"),
    [
        (None, None, "embedded"),
        (None, "openrouter", "embedded"),
        ("", "openrouter", "embedded"),
        (CLAUDE, None, "embedded"),
        (CLAUDE, "openrouter", CLAUDE),
        (CLAUDE, "custom", CLAUDE),
        ("embedded", "openrouter", "embedded"),
        ("scripted", "openrouter", "scripted"),
        ("scripted", None, "scripted"),
        ("openai/gpt-5", "openai", "gpt-5"),
        ("openai/gpt-5", "openrouter", "openai/gpt-5"),
        ("gpt-5", "openai", "gpt-5"),
    ],
)
def test_the_model_that_answers(wanted: str | None, provider: str | None, expected: str) -> None:
    assert resolve_model(wanted, provider=provider) == expected


def test_another_vendors_model_at_openai_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidInput, match=f"model is '{CLAUDE}', which OpenAI does not serve: set OPENROUTER_API_KEY"):
        resolve_model(CLAUDE, provider="openai")


@pytest.mark.parametrize("url", ["http://[", "http://", "ftp://host", "http://host:99999", "https://a b/v1"])
def test_a_base_url_that_is_none_is_refused_by_its_variable(url: str) -> None:
    with pytest.raises(InvalidInput, match="OPENAI_BASE_URL is not a web address"):
        choose_provider(base_url=url, openrouter_key=None, openai_key=None)
