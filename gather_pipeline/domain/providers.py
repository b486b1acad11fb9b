"""Providers of models by name, as files describe them: addresses, keys by the variables that hold them, limits, prices, fallbacks (D6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeFloat, ValidationError, model_validator

from gather_pipeline.domain.routing import LOCAL, Provider, api_root, is_local, is_web_address, resolve_model
from gather_pipeline.errors import InvalidInput, shorten

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Count = Annotated[int, Field(ge=1)]
Chain = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)
]
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
SECRET_HEADER = re.compile(r"(?i)auth|key|token|secret|cookie")


class Part(BaseModel):
    """A part of the file: frozen, and with no key that is not known; a key without a value counts as left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, part: object) -> object:
        if not isinstance(part, Mapping):
            return part
        return {name: value for name, value in part.items() if value is not None or name not in cls.model_fields}


class ModelFacts(Part):
    """What is known of one model of a provider; what is left out is unknown.

    Attributes:
        price: US dollars per million tokens of prompt and of answer.
        context_tokens: Most tokens of prompt and answer together.
    """

    price: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    context_tokens: Count | None = None


class Health(Part):
    """When a model is left out for a while.

    Attributes:
        failures: Failed calls in a row from which it is.
        pause_s: For how many seconds, at first; twice as long after each further failure.
    """

    failures: Count = 3
    pause_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0


class ProviderEntry(Part):
    """One provider.

    Attributes:
        base_url: Address of its chat completions.
        base_url_variable: Environment variable that gives the address, or another one.
        api_key_variable: Environment variable that holds the key; None where no key is wanted.
        headers: Sent with every request.
        requests_per_minute: Most requests that are begun in any 60 seconds, by one process.
        tokens_per_minute: Most tokens of prompts and answers in any 60 seconds, likewise.
        concurrency: Most requests at once; `GATHER_CONCURRENCY` where None.
        models: Facts by the provider's own model id.
    """

    base_url: str | None = None
    base_url_variable: Variable | None = None
    api_key_variable: Variable | None = None
    headers: dict[str, str] = {}
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    concurrency: Annotated[int, Field(ge=1, le=64)] | None = None
    models: dict[str, ModelFacts] = {}
    health: Health = Health()


class Fallbacks(Part):
    """Models to ask where the first one cannot be had, in order."""

    tasks: dict[str, Chain] = {}
    departments: dict[str, Chain] = {}


class ProviderFile(Part):
    """The whole file."""

    providers: dict[str, ProviderEntry] = {}
    fallbacks: Fallbacks = Fallbacks()


@dataclass(frozen=True, kw_only=True)
class Providers:
    """The providers that can be asked, and what is known of their models.

    Attributes:
        default: Who answers for a model id without a provider's name; None without one.
        named: Those that are configured, by name.
        missing: What to set, by the name of one that is not.
        entries: What the files say, by name.
        plugins: Gives the names of providers that other packages bring.
    """

    default: Provider | None = None
    named: Mapping[str, Provider] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, ProviderEntry] = field(default_factory=dict)
    fallbacks: Fallbacks = Fallbacks()
    plugins: Callable[[], Collection[str]] = tuple

    def resolve(self, wanted: str | None) -> str:
        """Model id that answers for the one wanted, see `resolve_model`; ``provider:model`` stays as it is.

        Raises:
            InvalidInput: It names a provider that is not configured, or OpenAI is asked for another vendor's model.
        """
        name, colon, own = (wanted or "").partition(":")
        if colon and name in self.missing:
            raise InvalidInput.field("model", wanted, f"one of a configured provider: for {name} set {self.missing[name]}")
        if own and name not in LOCAL and (name in self.named or name in self.plugins()):
            return str(wanted)
        return resolve_model(wanted, provider=self.default.name if self.default else None)

    def of(self, model: str) -> Provider | None:
        """Who answers for a model id that `resolve` gave; None for this machine and for plugins."""
        name, _, own = model.partition(":")
        if own and name in self.named:
            return self.named[name]
        return None if is_local(model) or (own and name in self.plugins()) else self.default

    def entry(self, model: str) -> ProviderEntry:
        """What the files say of the provider of a model."""
        provider = self.of(model)
        return self.entries.get(provider.name, ProviderEntry()) if provider else ProviderEntry()

    def facts(self, model: str) -> ModelFacts:
        """What is known of a model."""
        name, _, own = model.partition(":")
        return self.entry(model).models.get(own if own and name in self.named else model, ModelFacts())

    @property
    def secrets(self) -> Iterator[str]:
        """Keys, and headers that look like one."""
        for provider in (*self.named.values(), *([self.default] if self.default else [])):
            yield provider.api_key
        for entry in self.entries.values():
            yield from (value for name, value in entry.headers.items() if SECRET_HEADER.search(name))


def read_provider_files(*files: tuple[object, str]) -> ProviderFile:
    """The files' contents, each with its name for messages, laid over each other: of a provider, each key of a later one wins.

    Raises:
        InvalidInput: Names the file, the key and what was expected.
    """
    merged: dict[str, Any] = {"providers": {}, "fallbacks": {"tasks": {}, "departments": {}}}
    for given, source in files:
        try:
            file = ProviderFile.model_validate(given or {})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            told = "is not known" if first["type"] == "extra_forbidden" else f"is {shorten(first['input'])}: {first['msg']}"
            raise InvalidInput(f"{source}: key {place} {told}" if place else f"{source}: {first['msg']}") from None
        for name, entry in file.providers.items():
            if not NAME.fullmatch(name) or name in LOCAL:
                raise InvalidInput(f"{source}: key providers.{name} is no name, expected lower-case letters, digits, '-' and '_'")
            if entry.base_url is not None and not is_web_address(entry.base_url):
                raise InvalidInput(
                    f"{source}: key providers.{name}.base_url is not a web address, expected one like http://localhost:8000/v1"
                )
            for header, value in entry.headers.items():
                if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", header, re.ASCII) or not (value.isascii() and value.isprintable()):
                    raise InvalidInput(f"{source}: key providers.{name}.headers.{header} holds a line break or a letter that no header has")
            earlier = merged["providers"].get(name, {})
            said = entry.model_dump(exclude_unset=True)
            merged["providers"][name] = {**earlier, **said, "models": {**earlier.get("models", {}), **said.get("models", {})}}
            if "base_url" in said:  # an own file's address is meant, whatever variable would have given another one
                merged["providers"][name] |= {"base_url_variable": said.get("base_url_variable")}
        for kind, chains in file.fallbacks.model_dump().items():
            merged["fallbacks"][kind] |= chains
    return ProviderFile.model_validate(merged)


def configure(
    file: ProviderFile, variable: Callable[[str], str | None], default: Provider | None, plugins: Callable[[], Collection[str]] = tuple
) -> Providers:
    """The providers of a file as far as they are configured: by the variable of the key, else by that of the address, else as they stand.

    `variable` gives the value of an environment variable, `plugins` the names of providers that other packages bring, and `default` is who
    answers for model ids without a provider's name.

    Raises:
        InvalidInput: A variable holds no web address.
    """
    named, missing = {}, {}
    for name, entry in file.providers.items():
        address = (variable(entry.base_url_variable) if entry.base_url_variable else None) or entry.base_url
        key = variable(entry.api_key_variable) if entry.api_key_variable else None
        needed = entry.api_key_variable or entry.base_url_variable
        if address is None or (needed is not None and not variable(needed)):
            missing[name] = needed or "its base_url in the file of GATHER_PROVIDERS"
        elif not is_web_address(address):
            raise InvalidInput(f"{entry.base_url_variable} is not a web address, expected one like http://localhost:8000/v1")
        else:
            named[name] = Provider(name=name, base_url=api_root(address), api_key=key or "")
    return Providers(default=default, named=named, missing=missing, entries=file.providers, fallbacks=file.fallbacks, plugins=plugins)
