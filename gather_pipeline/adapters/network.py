"""How a server is reached: the parts of its address, the proxy before it, and the certificates that it is checked by.

The environment's usual variables count (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` ...), as in other programs.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from gather_pipeline.domain.routing import is_web_address
from gather_pipeline.domain.secrets import Secrets, parts_of_address
from gather_pipeline.errors import InvalidInput, ServiceUnavailable
from gather_pipeline.ports import HttpAnswer

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
ANSWER_LIMIT = 4_000_000  # bytes; OpenRouter's list of models comes to 500 kB
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
        return {"proxy": self.proxy(), "verify": self.certificates(), "trust_env": False}

    def proxy(self) -> str | None:
        """The address of the proxy before the server, None for none.

        Raises:
            InvalidInput: A variable of the environment names none that can be used.
        """
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if host in LOOPBACK or proxy_bypass(host) or _in_a_network(host):
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
    import httpx2

    logging.getLogger("httpx2").setLevel(logging.WARNING)  # below it, it logs whole addresses
    read = Address.read(address)
    began = time.monotonic()
    reason = "no answer in time"
    try:
        client = httpx2.Client(timeout=timeout_s, auth=read.login, params=read.query, **read.options())
        with client, client.stream(method, read.url, headers=headers) as response:
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if len(body) > ANSWER_LIMIT or time.monotonic() - began > timeout_s:
                    break
            return HttpAnswer(status=response.status_code, body=bytes(body), latency_s=time.monotonic() - began)
    except httpx2.TimeoutException:
        pass
    except (httpx2.HTTPError, OSError) as error:
        reason = Secrets(parts_of_address(address, path=True)).line(str(error)) or type(error).__name__
    raise ServiceUnavailable(f"{urlsplit(read.url).netloc} does not answer: {reason}")  # unchained: the client's error holds the address


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
