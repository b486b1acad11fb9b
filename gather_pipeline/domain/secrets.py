"""What must not be shown or kept, and its masking: the one list is made from the settings, and everything from outside passes it.

A server may repeat a request's headers in its error, and a model a key in its note; in Base64, in JSON or in an address as well.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "***"
LINE = 300  # characters of a line
KEYS = re.compile(
    r"(?i)\b(?:(?:sk|pk|or|key|xai|nvapi|csk)-|(?:gsk|hf|gat)_|AIza)[\w*.-]{6,}|\bbearer\s+\S+|(?<=://)[^/@\s]+(?=@)"
    r"|\bbasic\s+(?=[\w+/-]*(?:[\d=]|(?-i:[a-z][A-Z])))[\w+/-]{6,}=*"
)


class Secrets:
    """Values that must not be seen (keys, passwords and the like), with every form in which they travel; empty ones are none."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        everything = {form for value in values if value for form in _forms(value)}
        self._everything = sorted(everything, key=len, reverse=True)
        self._telling = [form for form in self._everything if _is_telling(form)]

    def __repr__(self) -> str:
        """Says how many there are."""
        return f"Secrets({len(self._everything)} forms)"

    def mask(self, text: str) -> str:
        """A text of any length without them, but for short ones that may be words of a language (a key ``none``, a user ``ada``)."""
        for form in self._telling:
            text = text.replace(form, MASK)
        return text

    def line(self, text: str) -> str:
        """A server's words as one line of at most 300 characters, without what cannot be seen, them, and whatever looks like a key."""
        for form in self._everything:
            text = text.replace(form, MASK)
        line = KEYS.sub(MASK, " ".join("".join(letter if letter.isprintable() else " " for letter in text).split()))
        return line if len(line) <= LINE else f"{line[: LINE - 1]}…"


def parts_of_address(url: str, *, path: bool = False) -> Iterator[str]:
    """What is secret in an address: its login, long values of its query, and with `path` parts of its path that may be a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    login = parts.netloc.rpartition("@")[0]
    if login:
        user, _, password = login.partition(":")
        yield from (unquote(user), unquote(password))
        yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode().rstrip("=")
    yield from (value for _, value in parse_qsl(parts.query) if len(value) > 15)
    if path:
        yield from (value for _, value in parse_qsl(parts.query))
        yield from (unquote(part) for part in parts.path.split("/") if len(part) > 5 and re.search(r"\d", part))


def _forms(value: str) -> Iterator[str]:
    """The value as it is, in an address, in Base64, and as JSON escapes it."""
    raw = value.encode(errors="surrogatepass")  # a variable of the environment may hold any bytes
    packed = base64.b64encode(raw).decode()
    for form in (value, quote(raw, safe=""), quote_plus(raw), quote(raw)):
        yield from (form, form.replace("/", "\\/"))
    if len(value) > 5:  # of less, Base64 is a few letters that any text may have
        yield from (packed.rstrip("="), packed.rstrip("=").replace("/", "\\/"), packed.translate(str.maketrans("+/", "-_")).rstrip("="))


def _is_telling(form: str) -> bool:
    return len(form) > 11 or (len(form) > 5 and not form.isalpha())
