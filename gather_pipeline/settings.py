"""The one reader of the environment.

Precedence: environment, then `.env` in the current folder, then the defaults here (S003-ENV-13). A wrong value is refused at
start with the variable's name; a secret shows as asterisks wherever settings are printed.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import tempfile
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit, urlunsplit
from zoneinfo import available_timezones

from dotenv import dotenv_values
from platformdirs import user_cache_path
from pydantic import (
    Field,
    NonNegativeFloat,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import from_json
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gather_pipeline.errors import InvalidInput, expected

PACKAGED_SAMPLE = Path(__file__).with_name("sample")
ENCODING = "utf-8-sig"  # of `.env`; editors of Windows put a mark before the first name
PRICES = 'JSON like {"vendor/model": [dollars per million tokens in, out]}, with numbers from 0 up'
SERVICE_KEYS = 'JSON like {"facts.example.org": "key"}'
WORDS = ("embedded", "scripted", "none", "minilm", "hashing")  # our own; providers' model ids may differ in the case of a letter
COPIED = re.compile(r"(?:/api/v1(?:/.*)?|/api(?:/departments)?|/admin(?:/.*)?)/*$")  # end of an address that was copied from a browser
EDGES = re.compile(r"\A[\s\ufeff\u200b\u2060]+|[\s\ufeff\u200b\u2060]+\Z")  # what nobody sees, and what comes along with a copied text
QUOTED = ('""', "''", "``", "“”", "””", "„“", "‘’")
SCHEME = re.compile(
    r"\A(?:\w+_KEY\s*=\s*)?(?:authorization:\s*)?(?:(?:bearer|users api-key)\s+)?", re.IGNORECASE
)  # of a copied line or header, before the key


def _models_dir() -> Path:
    """The user's cache folder for weights, or one in the temporary folder for a user without a home."""
    try:
        cache = user_cache_path()
    except RuntimeError:
        cache = Path(tempfile.gettempdir())
    return cache / "gather_pipeline" / "models"


def _parts(address: str, *schemes: str) -> SplitResult | None:
    """The parts of an address of one of these schemes; None where it is none, for Python's reasons quote what may be a password."""
    try:
        parts = urlsplit(address)
        place = parts.path if parts.scheme == "unix" else parts.hostname
        return parts if parts.scheme in schemes and place and parts.port != 0 and address.isprintable() else None
    except ValueError:
        return None


class Settings(BaseSettings):
    """Every setting, with its default; the README lists the variables."""

    # Not populate_by_name: it would read variables called like the fields as well, and HOME is always set.
    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding=ENCODING, env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    home: Path = Field(Path(".gather"), validation_alias="GATHER_HOME", validate_default=True)
    models_dir: Path = Field(default_factory=_models_dir, validation_alias="GATHER_MODELS_DIR")
    departments: Path = Field(PACKAGED_SAMPLE / "departments.yaml", validation_alias="GATHER_DEPARTMENTS")

    cms_url: str | None = Field(None, validation_alias="NEXT_PUBLIC_APP_URL")
    payload_api_key: SecretStr | None = Field(None, validation_alias="PAYLOAD_API_KEY")
    payload_webhook_secret: SecretStr | None = Field(None, validation_alias="PAYLOAD_WEBHOOK_SECRET")

    brain_url: str | None = Field(None, validation_alias="BRAIN_SERVICE_BASE_URL")
    brain_api_key: SecretStr | None = Field(None, validation_alias="BRAIN_SERVICE_API_KEY")

    task_folders: Annotated[tuple[Path, ...] | None, NoDecode] = Field(None, validation_alias="GATHER_TASKS")

    user: str | None = Field(None, validation_alias="GATHER_USER", min_length=1, max_length=200)

    mongodb_uri: SecretStr | None = Field(None, validation_alias="MONGODB_URI")
    mongodb_db: str = Field("gather_pipeline", validation_alias="MONGODB_DB", pattern=r"^[A-Za-z0-9_-]{1,63}$")

    redis_url: SecretStr | None = Field(None, validation_alias="REDIS_URL")

    model: str | None = Field(None, validation_alias="GATHER_MODEL", min_length=1)
    fallback_models: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="GATHER_FALLBACK_MODELS")
    judge_model: str | None = Field(None, validation_alias="GATHER_JUDGE_MODEL", min_length=1)
    embedder: Literal["minilm", "hashing"] = Field("minilm", validation_alias="GATHER_EMBEDDER")
    model_path: Path | None = Field(None, validation_alias="MODEL_PATH")
    candidates: int = Field(2, validation_alias="GATHER_CANDIDATES", ge=1, le=8)
    wrong_drop_cost: float = Field(2.0, validation_alias="GATHER_WRONG_DROP_COST", gt=0, le=100)
    items_per_call: int = Field(1, validation_alias="GATHER_ITEMS_PER_CALL", ge=1, le=10)
    prices: Annotated[Mapping[str, tuple[NonNegativeFloat, NonNegativeFloat]], NoDecode] = Field({}, validation_alias="GATHER_PRICES")
    providers: Path | None = Field(None, validation_alias="GATHER_PROVIDERS")
    script_latency_s: float = Field(0.0, validation_alias="GATHER_SCRIPT_LATENCY_S", ge=0, le=60)

    openrouter_api_key: SecretStr | None = Field(None, validation_alias="OPENROUTER_API_KEY")
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(None, validation_alias="OPENAI_BASE_URL", repr=False)  # which may carry a login

    service_keys: Annotated[Mapping[str, SecretStr], NoDecode] = Field({}, validation_alias="GATHER_SERVICE_KEYS")

    webhook_url: SecretStr | None = Field(None, validation_alias="GATHER_WEBHOOK_URL")
    webhook_secret: SecretStr | None = Field(None, validation_alias="GATHER_WEBHOOK_SECRET")
    freshness_hours: float | None = Field(None, validation_alias="GATHER_FRESHNESS_HOURS", ge=1, le=100_000)

    concurrency: int = Field(8, validation_alias="GATHER_CONCURRENCY", ge=1, le=64)
    timeout_s: float = Field(600.0, validation_alias="GATHER_TIMEOUT_S", gt=0, le=86_400)  # S001-TASK-04
    context_tokens: int = Field(6_000, validation_alias="GATHER_CONTEXT_TOKENS", ge=300, le=1_000_000)
    context_max_tokens: int = Field(32_000, validation_alias="CONTEXT_MAX_TOKENS", ge=300, le=10_000_000)
    context_buffer_tokens: int = Field(2_000, validation_alias="CONTEXT_BUFFER_TOKENS", ge=0, le=10_000_000)  # C53: 32,000 less the layers
    context_layer_a_tokens: int = Field(2_000, validation_alias="CONTEXT_LAYER_A_TOKENS", ge=0, le=10_000_000)
    context_layer_c_tokens: int = Field(13_000, validation_alias="CONTEXT_LAYER_C_TOKENS", ge=0, le=10_000_000)
    context_layer_d_tokens: int = Field(5_000, validation_alias="CONTEXT_LAYER_D_TOKENS", ge=0, le=10_000_000)
    context_layer_e_tokens: int = Field(10_000, validation_alias="CONTEXT_LAYER_E_TOKENS", ge=0, le=10_000_000)
    lease_s: float = Field(30.0, validation_alias="GATHER_LEASE_S", ge=1, le=3_600)
    api_rate: int = Field(6_000, validation_alias="GATHER_API_RATE", ge=1, le=10_000_000)
    api_body_bytes: int = Field(10_000_000, validation_alias="GATHER_API_BODY_BYTES", ge=1_000, le=1_000_000_000)
    api_origins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="GATHER_API_ORIGINS")
    timezone: str = Field("UTC", validation_alias="GATHER_TIMEZONE")

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, Any]) -> dict[str, Any]:
        """What is blank counts as not set."""
        bare = {name: _bare(value, name) if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in bare.items() if value != ""}

    @field_validator("fallback_models", "api_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """The parts of a list, also of one in JSON."""
        if not isinstance(value, str):
            return value
        return tuple(bare for part in re.split(r"[,;\n]", value.strip("[]")) if (bare := _bare(part)))

    @field_validator("model", "judge_model", "embedder", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) and value.lower() in WORDS else value

    @field_validator("task_folders", mode="before")
    @classmethod
    def _split_folders(cls, value: object) -> object:
        return tuple(part for part in value.split(os.pathsep) if part.strip()) if isinstance(value, str) else value

    @field_validator("task_folders")
    @classmethod
    def _absolute_folders(cls, value: tuple[Path, ...] | None) -> tuple[Path, ...] | None:
        return tuple(path for folder in value if (path := cls._absolute(folder))) if value is not None else None

    @field_validator("mongodb_uri")
    @classmethod
    def _has_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("an address that begins with mongodb:// or mongodb+srv://")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        parts = _parts(value.get_secret_value(), "redis", "rediss", "unix") if value is not None else None
        if value is not None and (parts is None or not re.fullmatch(r".+" if parts.scheme == "unix" else r"/?\d*/?", parts.path)):
            raise ValueError("an address like redis://127.0.0.1:6379/0, rediss://host or unix:///path, a password in it percent-encoded")
        return value

    @field_validator("openai_base_url")
    @classmethod
    def _is_base_url(cls, value: str | None) -> str | None:
        if value is not None and _parts(value, "http", "https") is None:
            raise ValueError("an address like http://localhost:8000/v1")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = _parts(value.get_secret_value(), "http", "https")
            if parts is None or parts.username is not None:
                raise ValueError("an address like https://host/path, without a login")
        return value

    @field_validator("payload_webhook_secret")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value) < 8:
            raise ValueError("at least 8 characters")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        """After `whsec_` Base64, as Standard Webhooks has it; any other text is a key as it is."""
        if value is not None and (text := value.get_secret_value()).startswith("whsec_"):
            try:
                key = b64decode(text.removeprefix("whsec_"), validate=True)
            except ValueError:
                key = b""
            if not key:
                raise ValueError("whsec_ and Base64 after it, or any other text")
        return value

    @field_validator("cms_url", "brain_url")
    @classmethod
    def _is_application(cls, value: str | None) -> str | None:
        """The application's address, without the end of what people copy it from."""
        if value is None:
            return None
        parts = _parts(value, "http", "https")
        path = COPIED.sub("", parts.path) if parts else ""
        if parts is None or parts.username is not None or ((parts.query or parts.fragment) and path == parts.path):
            raise ValueError("an address like https://app.example.com, without a login and a query")
        return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))

    @field_validator("api_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(origin.rstrip("/") for origin in value)
        if not all(re.fullmatch(r"https?://[^/\s*]+", origin) for origin in origins):
            raise ValueError("origins of pages like https://app.example.com, with commas between")
        return origins

    @field_validator("context_buffer_tokens")
    @classmethod
    def _leaves_room(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("context_max_tokens", value + 1)  # wrong itself where it is not there
        if value >= most:
            raise ValueError(f"fewer tokens than CONTEXT_MAX_TOKENS, which is {most}")
        return value

    @field_validator("prices", "service_keys", mode="wrap")
    @classmethod
    def _parse(cls, value: object, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        try:
            return check(from_json(value) if isinstance(value, str) else value)
        except (ValueError, TypeError):  # the second where it is no text
            raise ValueError(PRICES if info.field_name == "prices" else SERVICE_KEYS) from None

    @field_validator("service_keys")
    @classmethod
    def _are_keys(cls, value: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        if not all(re.fullmatch(r"[!-~]+", key.get_secret_value()) for key in value.values()):
            raise ValueError(f"{SERVICE_KEYS}, a key of ASCII without a blank")
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        """The name as the database of time zones has it; a colon before it is of the variable `TZ`."""
        known = {name.casefold(): name for name in available_timezones()}
        name = known.get(value.removeprefix(":").replace(" ", "_").casefold())
        if name is None:
            raise ValueError("a time zone's name like Europe/Berlin or UTC")
        return name

    @field_validator("home", "models_dir", "departments", "model_path", "providers")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        """The whole path; a variable in it is one that no shell has read, as in a file of Docker's or of systemd's."""
        try:
            return Path(os.path.expandvars(value)).expanduser().absolute() if value is not None else None
        except RuntimeError:
            raise ValueError("a path without ~, for the system names no home folder") from None
        except OSError as error:
            raise ValueError(f"an absolute path, for the current folder cannot be used ({error.strerror})") from None

    @property
    def reads_cms(self) -> bool:
        """Whether departments come from the CMS: it is set, and no file of departments is."""
        return self.cms_url is not None and "departments" not in self.model_fields_set

    @property
    def gather_context_tokens(self) -> int:
        """Tokens of a gather prompt's whole context: `GATHER_CONTEXT_TOKENS`, within what the CONTEXT_ settings leave."""
        return min(self.context_tokens, self.context_max_tokens - self.context_buffer_tokens)

    @property
    def context_layers(self) -> dict[Literal["A", "B", "C", "D", "E"], int]:
        """Tokens of each layer of a context; the user's requests have what the others leave (C53)."""
        a, c, d, e = self.context_layer_a_tokens, self.context_layer_c_tokens, self.context_layer_d_tokens, self.context_layer_e_tokens
        return {"A": a, "B": 0, "C": c, "D": d, "E": e}

    @property
    def dagster_home(self) -> Path:
        """Folder of the Dagster instance, the same for the command line, the UI and the daemon."""
        return self.home / "dagster"

    def variable(self, name: str) -> str | None:
        """The value of another variable, which a file of providers names; from the environment, then `.env`."""
        value = os.environ.get(name) or (dotenv_values(".env", encoding=_encoding()).get(name) if Path(".env").is_file() else None)
        return _bare(value or "", name) or None

    @property
    def tasks(self) -> tuple[Path, ...]:
        """Folders of a user's own task definitions: `GATHER_TASKS`, else `tasks` under `GATHER_HOME` where it is there."""
        own = self.home / "tasks"
        return self.task_folders if self.task_folders is not None else (own,) if own.is_dir() else ()

    @property
    def metrics_database(self) -> Path:
        """The metrics store.

        DuckDB takes `?` for the end of a file's name: where the state folder has one, the database lies in the user's folder for caches,
        for it can always be made anew.
        """
        named = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        folder = self.home if "?" not in str(self.home) else user_cache_path("gather_pipeline") / named
        return folder / "metrics" / "metrics.duckdb"


def load_settings(**overrides: object) -> Settings:
    """Reads and checks all settings; `overrides` by field name win over the environment, for tests and embedding programs.

    Raises:
        InvalidInput: A variable is wrong; names the variable, its value (never a secret's) and what was expected.
    """
    try:
        given: dict[str, Any] = {_variable(name): value for name, value in overrides.items()}
        return Settings(**({"_env_file_encoding": _encoding()} | given))
    except UnicodeDecodeError as error:
        raise InvalidInput(f".env has byte {error.object[error.start]:#04x} at {error.start}, expected UTF-8 text") from None
    except ValidationError as error:
        first = error.errors()[0]
        name, given = _variable(str(first["loc"][0])), first["input"]  # a default's place has the field's name
        is_secret = any(word in name for word in ("KEY", "SECRET", "URI", "URL"))
        value = "not shown" if is_secret else str(given) if isinstance(given, Path) else given
        raise InvalidInput.field(name, value, expected(first["msg"])) from None


def _encoding() -> str:
    """The encoding of `.env`, by the mark that PowerShell puts before UTF-16."""
    path = Path(".env")
    is_wide = path.is_file() and path.read_bytes().startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if is_wide else ENCODING


def _bare(value: str, name: str = "") -> str:
    """A value without what is no part of it.

    That is the line end of a file with a key, the quotes that `docker --env-file` leaves around it, and before a key the words that stand
    there in a header.
    """
    value = EDGES.sub("", value)
    value = EDGES.sub("", value[1:-1]) if len(value) > 1 and value[0] + value[-1] in QUOTED else value
    return SCHEME.sub("", value) if "KEY" in name else value


def _variable(name: str) -> str:
    """The variable of a field; names that are no field's, such as ``_env_file``, stay as they are."""
    field = Settings.model_fields.get(name)
    return str(field.validation_alias) if field is not None else name
