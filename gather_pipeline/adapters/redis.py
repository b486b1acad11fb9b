"""How a Redis server is reached, whatever it is used for, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from gather_pipeline.domain.secrets import Secrets, parts_of_address
from gather_pipeline.errors import InvalidInput, StoreError, StoreUnavailable

if TYPE_CHECKING:
    import redis
    import redis.asyncio

CONNECT_S, ANSWER_S = 2.0, 2.0  # whoever asks can do without an answer, so nobody is kept waiting for it


class RedisServer:
    """One server, by its address; the address may hold a password, so only `place` is ever shown.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.

    Attributes:
        place: Host and port, or the socket's path.
    """

    def __init__(self, url: str) -> None:
        self._url, self._secrets = url, Secrets(parts_of_address(url))
        parts = urlsplit(url)
        self.place = unquote(parts.path) if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"

    def __repr__(self) -> str:
        return f"RedisServer({self.place})"

    def client(self) -> redis.Redis:
        """A client for any number of threads, which connects when it first asks."""
        import redis

        with self._read():
            return redis.Redis.from_url(self._url, **_options())

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """The same for one event loop, with further options of the client."""
        import redis.asyncio

        with self._read():
            return redis.asyncio.Redis.from_url(self._url, **_options(asynchronous=True), **options)

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Within the block errors of the client become ours.

        Raises:
            StoreUnavailable: The server does not answer, or is about to.
            StoreError: It refuses: the password, a permission, no memory left, only for reading.
        """
        import redis

        try:
            yield
        except redis.AuthenticationError as error:
            raise StoreError(f"Redis at {self.place} refuses the login: {self._shown(error)}") from None  # its error may hold the address
        except (redis.ConnectionError, redis.TimeoutError, redis.exceptions.MasterDownError, OSError) as error:
            raise StoreUnavailable(f"Redis at {self.place} does not answer: {self._shown(error)}") from None
        except redis.RedisError as error:
            raise StoreError(f"Redis at {self.place} refuses: {self._shown(error)}") from None

    @contextmanager
    def _read(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"REDIS_URL cannot be used, expected one like redis://127.0.0.1:6379/0: {self._shown(error)}") from None

    def _shown(self, error: Exception) -> str:
        return self._secrets.line(str(error)).rstrip(".") or type(error).__name__


def _options(*, asynchronous: bool = False) -> dict[str, Any]:
    """One more try, at once: a connection that was kept is found to be dead where the server was started anew."""
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    retry = (AsyncRetry if asynchronous else Retry)(NoBackoff(), 1)
    return {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S, "retry": retry, "client_name": "gather_pipeline"}
