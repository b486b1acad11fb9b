"""Who may ask the API: whoever has a token, which is shown once and kept nowhere, or this machine as long as there is none."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass

PREFIX = "gat_"  # by which a token is recognised, and masked, wherever it shows


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token as it is kept.

    Attributes:
        id: The beginning of its secret's SHA-256.
        name: What it is for, or whose it is; kept with what is changed by it.
        project_id: The only project that it opens; None for all.
        last_used_at: To the hour; None where it never was.
        revoked_at: Since when it opens nothing.
    """

    id: str
    name: str
    project_id: str | None
    made_at: str
    last_used_at: str | None = None
    revoked_at: str | None = None


def new_secret() -> str:
    """A secret of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """What is stored of a secret; of 256 random bits a plain SHA-256 tells nothing."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by an address or the name that no resolver may give another."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
