"""How a server is reached: the parts of its address, the proxy before it, and the certificates that it is checked by.

The environment's usual variables count (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` ...), as in other programs.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from gather_pipeline.domain.routing import is_web_address
from gather_pipeline.domain.secrets import Secrets, parts_of_address
from gather_pipeline.domain.tokens import is_loopback
from gather_pipeline.domain.waits import next_wait, parse_wait
from gather_pipeline.errors import InvalidInput, ServiceUnavailable, TransientError
from gather_pipeline.ports import HttpAnswer

if TYPE_CHECKING:
    import httpx2

Answer = TypeVar("Answer")

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
ANSWER_LIMIT = 4_000_000  # bytes; OpenRouter's list of models comes to 500 kB
PACKED = {"Accept-Encoding": "gzip"}  # the one packing that `unpacked` knows
SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, kw_only=True)
class Address:
    """A base URL in its parts; user, password and query stay out of every repr, for a query may hold a key.

    Attributes:
        url: Without login and query, which HTTP libraries write to their logs.
        login: User and password for basic authentication.
        query: Names and values that every request carries.
    """

    url: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, base_url: str) -> Address:
        """Takes a base URL apart.

        Raises:
            InvalidInput: It is no web address.
        """
        if not is_web_address(base_url):
            raise InvalidInput("the base URL is not a web address, expected one like https://openrouter.ai/api/v1")
        parts = urlsplit(base_url)
        path = parts.path.rstrip("/").removesuffix("/chat/completions")  # as it stands in a provider's example of a request
        return cls(
            url=urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", "")),
            login=(unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
        )

    def check(self) -> None:
        """Raises `InvalidInput` where a variable of the environment does not let the server be reached."""
        self.proxy()
        self.certificates()

    def options(self) -> dict[str, Any]:
        """Keyword arguments with which an HTTP client reaches the server; raises `InvalidInput` as `check`."""
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # below it, it logs whole addresses
        return {"proxy": self.proxy(), "verify": self.certificates(), "trust_env": False}

    def client(self, timeout_s: float, headers: Mapping[str, str] | None = None) -> httpx2.Client:
        """A client for the server, which follows no redirect: it would take a key or a POST's body elsewhere."""
        import httpx2

        headers = {"User-Agent": "gather_pipeline", **PACKED, **(headers or {})}
        return httpx2.Client(timeout=timeout_s, auth=self.login, headers=headers, follow_redirects=False, **self.options())

    def proxy(self) -> str | None:
        """The address of the proxy before the server, None for none.

        Raises:
            InvalidInput: A variable of the environment names none that can be used.
        """
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if is_loopback(host) or proxy_bypass(host) or _in_a_network(host):
            return None  # a proxy cannot reach this machine's own servers
        proxies = getproxies()
        name = next((name for name in (parts.scheme, "all") if proxies.get(name)), None)
        if name is None:
            return None
        proxy = proxies[name] if "://" in proxies[name] else f"http://{proxies[name]}"
        # GNOME writes socks:// and means version 5.
        proxy = proxy.replace("socks://", "socks5://", 1) if proxy.startswith("socks://") else proxy
        try:
            usable = urlsplit(proxy).scheme in SCHEMES and bool(urlsplit(proxy).hostname) and urlsplit(proxy).port != 0
        except ValueError:
            usable = False
        if not usable:
            raise InvalidInput(
                f"{name.upper()}_PROXY is no address of a proxy, expected one that begins with http://, https:// or socks5://"
            )
        return proxy

    def certificates(self) -> ssl.SSLContext | bool:
        """Certificates that a variable of the environment names; True for the system's own.

        Raises:
            InvalidInput: They cannot be read.
        """
        name = next((name for name in CERTIFICATES if os.environ.get(name)), None)
        if name is None or not self.url.startswith("https:"):
            return True
        path = os.environ[name]
        try:
            if Path(path).is_dir():
                return ssl.create_default_context(capath=path)
            return ssl.create_default_context(cafile=path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InvalidInput.field(name, path, f"a file or folder of certificates ({reason})") from None


def checked_key(key: str, name: str) -> str:
    """Returns an API key; raises `InvalidInput` where no HTTP header can carry it, which the HTTP library would say with the key."""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput(f"{name} holds a blank, a line break or a letter that no key has")
    return key


def chosen_ways() -> list[str]:
    """Names of the environment's variables that lead requests through a proxy or name certificates.

    Raises:
        InvalidInput: One of them cannot be used.
    """
    for scheme in ("http", "https"):
        Address(url=f"{scheme}://example.org").check()
    return sorted([*(f"{scheme.upper()}_PROXY" for scheme in getproxies()), *(name for name in CERTIFICATES if os.environ.get(name))])


def ask(method: str, address: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0) -> HttpAnswer:
    """Body of `ports.AskHttp`; no redirect is followed."""
    read = Address.read(address)
    with read.client(timeout_s) as client:
        request = client.build_request(method, read.url, params=read.query, headers=headers)
        try:
            return exchange(client, request, Secrets(parts_of_address(address, path=True)), within_s=timeout_s)
        except ServiceUnavailable as error:
            raise ServiceUnavailable(f"{urlsplit(read.url).netloc} does not answer: {error}") from None


def exchange(
    client: httpx2.Client, request: httpx2.Request, secrets: Secrets, *, within_s: float, limit: int = ANSWER_LIMIT, redirects: int = 0
) -> HttpAnswer:
    """Sends a request and reads the answer: what comes packed may unpack to gigabytes, and what trickles may do so for ever.

    Args:
        client: A client that the address made.
        request: One of its requests.
        secrets: What no error may show.
        within_s: Seconds for the whole answer.
        limit: Bytes of the body from which on it is left unread.
        redirects: How many are followed, to the same host alone; the client itself takes a key along to a safe place only.

    Raises:
        ServiceUnavailable: No answer; says why.
    """
    import httpx2

    began = time.monotonic()
    try:
        for _ in range(redirects + 1):
            body = bytearray()
            with closing(client.send(request, stream=True)) as response:
                for part in response.iter_raw():
                    body += part
                    if time.monotonic() - began > within_s:
                        raise httpx2.ReadTimeout("")
                    if len(body) > limit:
                        break
            if response.next_request is None or response.next_request.url.host != request.url.host:
                break
            request = response.next_request
        wait_s = parse_wait(response.headers.get("retry-after"), datetime.now(UTC))
        took_s = time.monotonic() - began
        said = unpacked(bytes(body), limit)
        return HttpAnswer(status=response.status_code, headers=response.headers, body=said, latency_s=took_s, wait_s=wait_s)
    except httpx2.TimeoutException:
        reason = f"no answer within {round(min(within_s, client.timeout.read or within_s), 2):g} s"
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        reason = f"no connection ({secrets.line(str(error)) or type(error).__name__})"
    raise ServiceUnavailable(reason)  # unchained: the client's error may hold address and key


def unpacked(body: bytes, limit: int) -> bytes:
    """A body without its packing, which shows in itself, whatever a header says; of more than `limit` bytes one byte more than these."""
    if body.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, limit + 1)
    return body


def retried(call: Callable[[], Answer], *, attempts: int, until: float, sleep: Callable[[float], None] = time.sleep) -> Answer:
    """What a call returns, which is made again after a `TransientError`; raises the last one.

    At most so many attempts in all, none of them begun after `until`, on the clock of `time.monotonic`.
    """
    failures = 0
    while True:
        try:
            return call()
        except TransientError as error:
            failures += 1
            wait_s = next_wait(failures, error.retry_after_s, attempts=attempts, longest_s=until - time.monotonic())
            if wait_s is None:
                raise
        sleep(wait_s)


def _in_a_network(host: str) -> bool:
    """Whether the host is an address in one of `NO_PROXY`'s networks, such as ``10.0.0.0/8``."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in getproxies().get("no", "").split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False
