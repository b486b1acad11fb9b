"""A MongoDB server as the document store uses it: connected on first use, waited for, and what its faults mean to a person.

Messages name the host and never repeat the URI, because a URI may carry a password, and a mistyped one may carry it anywhere.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from gather_pipeline.errors import DuplicateKey, GatherError, InvalidInput, StoreError, StoreFull, StoreUnavailable, shorten

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database
    from pymongo.errors import PyMongoError

logger = logging.getLogger(__name__)
T = TypeVar("T")

HOST = re.compile(r"mongodb(?:\+srv)?://(?:[^@/?#]*@)?((?:[\w.-]|%2F|\[[0-9a-fA-F:]+\])+(?::\d+)?(?:,[\w.-]+(?::\d+)?)*)(?:[/?][^@]*)?")
URI_FORM = "mongodb://[user:password@]host[:port]/[?options], with '%', '/', ':' and '@' in user and password written as %25, %2F, %3A, %40"
SOCKET_TIMEOUTS = 6  # times timeout_s: large batches and index builds take longer than finding a server does
CONNECT_S = 5.0
RETRY_S = 0.2
LOOK_S = 1.0  # how long one look for a server takes, so that whoever waits learns soon that nobody waits any more
HEARTBEAT_MS = 2000  # a server that stops in the middle of an answer is noticed by its missing heartbeat
GIVEN_UP_S = 2.0  # for so long nothing more is asked of a server that was waited for in vain; later it is looked for once
TAKEN = 11000
FULL = 14031  # OutOfDiskSpace
TOO_LARGE = frozenset({10334, 17419, 17420})
ACCESS = {11: "it does not know the user", 13: "the user may not do this", 18: "the user or the password is wrong"}


class MongoConnection:
    """One client, shared by the threads of a process."""

    def __init__(self, uri: str, timeout_s: float) -> None:
        self._uri = uri
        self._timeout_s = timeout_s
        self._left: Callable[[], float] | None = None
        self._is_away, self._given_up = False, -math.inf
        self._client: MongoClient[Any] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def host(self) -> str:
        """Hosts and ports of the URI; hidden where the URI is not of the form it should have."""
        found = HOST.fullmatch(self._uri)
        return found[1] if found else "(hidden)"

    def database(self, name: str) -> Database[dict[str, Any]]:
        """A database, whatever options the URI has: values come as plain types, writes wait until a majority has them on disk, reads ask
        the primary.

        Raises:
            StoreError: The URI cannot be used, or the store is closed.
        """
        from bson.codec_options import CodecOptions
        from pymongo import ReadPreference, WriteConcern

        return self._opened().get_database(name, CodecOptions(), ReadPreference.PRIMARY, WriteConcern("majority", j=True))

    def _opened(self) -> MongoClient[Any]:
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError

        with self._lock:
            if self._closed:
                raise StoreError(f"the store at {self.host} is closed")
            if self._client is None:
                milliseconds = int(self._timeout_s * 1000)
                options: dict[str, Any] = {
                    "connect": False,  # at the first question, so that a client half made leaves nothing open
                    "appname": "gather_pipeline",
                    "serverSelectionTimeoutMS": min(milliseconds, int(LOOK_S * 1000)),
                    "heartbeatFrequencyMS": HEARTBEAT_MS,
                    "connectTimeoutMS": min(milliseconds, int(CONNECT_S * 1000)),
                    "socketTimeoutMS": milliseconds * SOCKET_TIMEOUTS,
                }
                try:
                    with warnings.catch_warnings(record=True) as doubts:  # they would quote the URI
                        warnings.simplefilter("always")
                        self._client = MongoClient(self._uri, **options)
                except (PyMongoError, ValueError, TypeError):
                    raise StoreError(f"the URI of the MongoDB server {self.host} cannot be used, expected {URI_FORM}") from None
                if doubts:
                    logger.warning("[AutoGather] MongoDB at %s: the URI has an option that is unknown or wrong, left out", self.host)
            return self._client

    def run(self, work: Callable[[], T], what: str, *, waits: bool = True) -> T:
        """Runs work on the server, again and again while it does not answer and time is left; the first failure of an outage is told.

        Args:
            work: Calls to pymongo; they may be repeated although the server did them.
            what: What is worked on, e.g. ``gather``, for messages.
            waits: Whether a server that does not answer is waited for.

        Raises:
            StoreUnavailable: The server does not answer.
            StoreError: It refuses.
        """
        from pymongo.errors import DocumentTooLarge, PyMongoError

        began = time.monotonic()
        if began - self._given_up < GIVEN_UP_S:
            raise StoreUnavailable(f"MongoDB at {self.host} does not answer")
        while True:
            try:
                done = work()
            except DocumentTooLarge as error:  # which is none of the others
                raise InvalidInput(f"{what} is larger than MongoDB takes (16 MB)") from error
            except PyMongoError as error:
                fault = self._fault(error, what)
                if not isinstance(fault, StoreUnavailable):
                    raise fault from (None if getattr(error, "code", None) in ACCESS else error)
                if not waits:
                    raise fault from error
                self._wait(began, fault, error)
            else:
                if self._is_away:
                    logger.info("[AutoGather] MongoDB at %s answers again", self.host)
                    self._is_away, self._given_up = False, -math.inf
                return done

    def _wait(self, began: float, fault: StoreUnavailable, error: Exception) -> None:
        """Lets a moment pass, or raises the fault where no time is left."""
        now = time.monotonic()
        left = began + self._timeout_s - now if self._left is None else self._left()
        if self._given_up > -math.inf:  # and nothing has been heard of it since
            left = 0.0
        with self._lock:
            is_first, self._is_away = not self._is_away, True
        if left <= 0:
            self._given_up = now
            raise StoreUnavailable(f"{fault} (waited {now - began:.1f} s for it)") from error
        if is_first:
            logger.warning("[AutoGather] %s, waiting for it for up to %.0f s", fault, left)
        time.sleep(min(left, RETRY_S))

    @contextmanager
    def waiting(self, left: Callable[[], float]) -> Iterator[None]:
        """Within the block the server is waited for as long as `left` gives seconds."""
        self._left = left
        try:
            yield
        finally:
            self._left = None

    def close(self) -> None:
        """Closes the client; later calls are refused."""
        with self._lock:
            self._closed = True
            if self._client is not None:
                self._client.close()
                self._client = None

    def _fault(self, error: PyMongoError, what: str) -> GatherError:
        from pymongo.errors import ConnectionFailure, ExecutionTimeout, InvalidOperation, WTimeoutError

        code = getattr(error, "code", None)
        details: dict[str, Any] = getattr(error, "details", None) or {}
        faults = [details, *details.get("writeErrors", [])]  # what the server said of a request, and of the writes in it
        if any(found.get("code") == TAKEN for found in faults):
            return DuplicateKey(f"{what} at {self.host} repeats the _id of another document")
        if isinstance(error, ConnectionFailure) and code not in ACCESS:
            return StoreUnavailable(f"MongoDB at {self.host} does not answer")
        if isinstance(error, (ExecutionTimeout, WTimeoutError)):
            return StoreUnavailable(f"MongoDB at {self.host} did not finish in time")
        if isinstance(error, InvalidOperation):
            return StoreError(f"the store at {self.host} is closed")
        if any(found.get("code") in TOO_LARGE for found in faults):
            return InvalidInput(f"{what} is larger than MongoDB takes (16 MB)")
        said = next((found["errmsg"] for found in faults if "errmsg" in found), str(error))
        reason = ACCESS.get(code or 0) or shorten(said, 200)
        kind = StoreFull if any(found.get("code") == FULL for found in faults) else StoreError
        return kind(f"MongoDB at {self.host} refuses: {reason}")
