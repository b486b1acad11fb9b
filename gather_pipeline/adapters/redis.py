"""How a Redis server is reached, whatever it is used for, and its errors as ours."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from gather_pipeline.domain.secrets import Secrets, parts_of_address
from gather_pipeline.errors import GatherError, InvalidInput, StoreError, StoreUnavailable
from gather_pipeline.ports import StoreState

if TYPE_CHECKING:
    import redis
    import redis.asyncio

logger = logging.getLogger(__name__)

Client = TypeVar("Client", "redis.Redis", "redis.asyncio.Redis")
CONNECT_S, ANSWER_S = 2.0, 2.0  # whoever asks can do without an answer, so nobody is kept waiting for it


class RedisServer:
    """One server, by its address: ``redis://``, ``rediss://`` or ``unix://``. It may hold a password, so only `place` is ever shown.

    Attributes:
        place: Host and port, or the socket's path.
        is_away: Whether it did not answer when it was asked last, by anyone.

    Raises:
        InvalidInput: The address has an option that cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url, self._secrets, self._lock, self.is_away = url, Secrets(parts_of_address(url)), threading.Lock(), False
        parts = urlsplit(url)
        self.place = unquote(parts.path) if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
        self.client().close()

    def __repr__(self) -> str:
        return f"RedisServer({self.place})"

    def client(self) -> redis.Redis:
        """A client for any number of threads, which connects when it first asks."""
        import redis

        with self._read():
            return _checked(redis.Redis.from_url(self._url, **_options()))

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """The same for one event loop, with further options of the client."""
        import redis.asyncio

        with self._read():
            return _checked(redis.asyncio.Redis.from_url(self._url, **_options(asynchronous=True), **options))

    def check(self, channel: str, key: str) -> StoreState:
        """Asks the server, and proves that it takes a message on a channel and a value under a key; leaves nothing behind.

        Raises:
            StoreUnavailable: It does not answer.
            StoreError: It refuses.
        """
        with self.client() as client, self.faults():
            client.ping()  # connects
            began = time.monotonic()
            client.publish(channel, "{}")
            latency_s = time.monotonic() - began
            client.set(key, "", ex=1)
            client.delete(key)
            return StoreState(engine=f"Redis {_version(client)}".rstrip(), kind=self.place, latency_s=latency_s)

    def note(self, error: GatherError | None) -> None:
        """Says once that the server is of no use now, whatever it was asked for, and once that it is again (None)."""
        with self._lock:
            was_away, self.is_away = self.is_away, error is not None
        if error is not None and not was_away:
            told = "events are not published there until it does, and what the cache cannot give is made anew; the store has everything"
            logger.warning("[AutoGather] %s: %s", error, told)
        elif error is None and was_away:
            logger.info("[AutoGather] Redis at %s answers again", self.place)

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


def _version(client: redis.Redis) -> str:
    import redis

    try:
        return str(client.info("server")["redis_version"])
    except (redis.ResponseError, KeyError):
        return ""  # INFO is not for everyone


def _checked(client: Client) -> Client:
    """A client that gives bytes, whatever the address says; raises `TypeError` where no connection takes an option of the address."""
    pool: Any = client.connection_pool
    pool.connection_kwargs["decode_responses"] = False
    pool.connection_class(**pool.connection_kwargs)  # not connected yet
    return client


def _options(*, asynchronous: bool = False) -> dict[str, Any]:
    """One more try, at once: a connection that was kept is found to be dead where the server was started anew.

    Of the protocol the version that every server speaks, and nothing that a user who may only read, write and publish is refused.
    """
    from redis.asyncio.retry import Retry as AsyncRetry
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    retry = (AsyncRetry if asynchronous else Retry)(NoBackoff(), 1)
    return {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S, "retry": retry, "protocol": 2}
