"""Which provider is configured, and which model answers for the one that a department names (D6).

Two ids never leave this machine: ``embedded`` (the small local model) and ``scripted`` (tests and demonstrations). The latter may have a
name, such as ``scripted:b``, so that several models can be played. Any other id belongs to the remote provider; without one, the
embedded model answers in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from gather_pipeline.errors import InvalidInput

ProviderName = Literal["openrouter", "openai", "custom"]

EMBEDDED = "embedded"
SCRIPTED = "scripted"
LOCAL = (EMBEDDED, SCRIPTED)
OPENROUTER_URL = "https://openrouter.ai/api/v1"
OPENAI_URL = "https://api.openai.com/v1"
ENDPOINT = re.compile(r"(?:/(?:chat/completions|completions|responses|messages|models|embeddings))?/*\Z")


def is_local(model: str) -> bool:
    """Whether a model answers on this machine."""
    return model.partition(":")[0] in LOCAL


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A remote server of chat completions; its key and URL stay out of every repr."""

    name: str
    base_url: str = field(repr=False)
    api_key: str = field(repr=False)


def is_web_address(url: str) -> bool:
    """Whether a URL names a web server, by http or https."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        return False


def api_root(url: str) -> str:
    """The address under which an API has its endpoints, also where that of one of them is given, as it stands in examples of requests."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=ENDPOINT.sub("", parts.path)))


def choose_provider(*, base_url: str | None, openrouter_key: str | None, openai_key: str | None) -> Provider | None:
    """The provider that the settings name: a base URL wins, then OpenRouter, then OpenAI; None without any of them.

    OpenAI's key is also sent to the base URL; a server of one's own may need none.

    Raises:
        InvalidInput: The base URL is no web address; it is not shown, for it may carry a login.
    """
    if base_url:
        if not is_web_address(base_url):
            raise InvalidInput("OPENAI_BASE_URL is not a web address, expected one like https://openrouter.ai/api/v1")
        base_url = api_root(base_url)
        host = urlsplit(base_url).hostname or ""
        if host == "openrouter.ai" or host.endswith(".openrouter.ai"):
            return Provider(name="openrouter", base_url=base_url, api_key=openrouter_key or openai_key or "")
        name: ProviderName = "openai" if host == "api.openai.com" else "custom"
        return Provider(name=name, base_url=base_url, api_key=openai_key or "")
    if openrouter_key:
        return Provider(name="openrouter", base_url=OPENROUTER_URL, api_key=openrouter_key)
    if openai_key:
        return Provider(name="openai", base_url=OPENAI_URL, api_key=openai_key)
    return None


def resolve_model(wanted: str | None, *, provider: str | None) -> str:
    """Model id that answers for the one wanted, as the provider knows it (``openai/gpt-5`` is ``gpt-5`` at OpenAI itself).

    Args:
        wanted: What a department or a setting names; None where it names nothing: then nothing that costs money is asked.
        provider: Name of the configured provider, see `ProviderName`; None without one.

    Raises:
        InvalidInput: OpenAI is configured and another vendor's model is wanted.
    """
    if wanted and (wanted == SCRIPTED or wanted.startswith(f"{SCRIPTED}:")):
        return wanted
    if not wanted or wanted == EMBEDDED or provider is None:
        return EMBEDDED
    if provider == "openai" and "/" in wanted:
        vendor, _, own = wanted.partition("/")
        if vendor != "openai":
            raise InvalidInput(
                f"model is {wanted!r}, which OpenAI does not serve: set OPENROUTER_API_KEY, or GATHER_MODEL to an id like openai/gpt-5-mini"
            )
        return own
    return wanted
