"""Whatever a server says instead of an answer, read into one `Refusal`.

Providers put their reason into an HTTP status, an error object of many shapes, a list of them, a JSON text within it, or a web page.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.domain.waits import parse_wait
from gather_pipeline.errors import GatherError, ModelRefused, ModelUnavailable, RateLimited

Kind = Literal["parameter", "key", "quota", "model", "content", "wait", "busy", "other"]

WORDS = frozenset("message msg detail details error errors raw title status_msg error_message error_msg error_description".split())
CODES = frozenset("code type status status_code error_code reason".split())
PLACES = frozenset("param parameter field loc".split())
WAITS = ("retry-after-ms", "retry-after", "retrydelay", "retry-after-seconds")
NO_ERROR = ("", "0", "200", "none", "null", "ok", "success")
NESTED, MOST, LONGEST = 12, 20, 2000  # levels, texts, and characters of one text in an error object that are read

KEY = re.compile(
    r"(?i)(?:invalid|incorrect|wrong|missing|expired|no)\W?.{0,20}(?:api.?key|credential|auth)|api.?key.{0,20}(?:invalid|not valid|expired)"
    r"|unauthori[sz]ed|unauthenticated|authentication|log.?in fail"
)
QUOTA = re.compile(
    r"(?i)insufficient.?(?:quota|balance|credit|fund)|credits?\b|billing|balance|recharge|arrear|payment required"
    r"|(?:key|monthly|spending) limit"
)
MODEL = re.compile(r"(?i)model.{0,60}(?:not.?found|not.?exist|unknown|not a valid)|(?:no|unknown|invalid).{0,12}model|not.?found")
CONTENT = re.compile(r"(?i)content.?(?:filter|policy|management)|responsible.?ai|moderation|safety")
WAIT = re.compile(r"(?i)rate.?limit|too many requests|throttl|resource.?exhausted|slow down")
TRANSIENT = (408, 409, 425)

PARAMETERS = {  # how each is named, with letters of either case and words apart or joined
    "response_format": r"response.?(?:format|schema)|json.?(?:schema|mode|object)|structured.?output|guided.?json|grammar"
    r"|requested parameters",
    "max_tokens": r"max\w*?.?tokens|(?:completion|output|new) tokens|in the completion\b",
    "temperature": r"temperature",
    "seed": r"\bseed\b",
    "usage": r"(?<=\.)usage\b|\Ausage\b",  # only as a place
    "system": r"messages\W+\d+\W+role|(?:system|developer)\W+(?:\w+\W+){0,3}(?:role|turn|message|prompt|instruction)|roles must alternate"
    r"|(?:roles?|turns?)\W+(?:\w+\W+){0,3}(?:system|developer)|user and assistant roles|\bsystem\b.{0,40}\buser\b|developer instruction",
}
NAMED = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PARAMETERS.items()}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why there is no answer.

    Attributes:
        kind: ``parameter`` where one of the request's is named, ``content`` where what is asked about is not taken, ``wait`` for a rate
            limit, ``busy`` for what may pass by itself.
        words: The provider's own, in one line; empty where it gives none.
        status: HTTP status, the one in the body where the answer came with 200.
        parameters: Those that are named, see `PARAMETERS`, the likeliest to blame first.
        retry_after_s: Seconds that the provider asks to wait, None where it does not say.
        location: Where it says that the request should go instead, empty where it does not say.
    """

    kind: Kind
    words: str
    status: int = 200
    parameters: tuple[str, ...] = ()
    retry_after_s: float | None = None
    location: str = ""

    def error(self, *, model: str, provider: str, address: str, secrets: Secrets) -> GatherError:
        """The error to raise for it, its words without the secrets and anything that looks like one; `address` is what was asked."""
        words = secrets.line(self.words) or "no reason given"
        place = f" at {secrets.line(address)}" if self.location or self.status in (404, 405) else ""
        status = f" (HTTP {self.status}{place})" if self.status != 200 else ""
        if self.kind == "wait":
            return RateLimited(f"{provider} asks to wait{status}: {words}", self.retry_after_s)
        if self.kind == "busy" or self.status >= 500:
            return ModelUnavailable(f"{provider} cannot answer now{status}: {words}")
        return ModelRefused(f"{provider} refused {model!r}{status}: {words}")


def read_refusal(status: int, body: object, *, now: datetime, headers: Mapping[str, str] | None = None) -> Refusal:
    """The refusal in the body of an answer: a JSON value, or a text or web page as it came.

    The names of `headers` are in lower case; waits that are told as a date count from `now`.
    """
    leaves = list(_leaves(body, "message" if isinstance(body, str) else ""))
    codes = [str(value) for key, value in leaves if key in CODES and str(value).lower() not in NO_ERROR]
    if status < 400:
        status = next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), status)
    words = _joined(str(value) for key, value in leaves if key in WORDS)
    words = words or _joined(f"{key}: {value}" for key, value in leaves if key not in PLACES and isinstance(value, str) and value.strip())
    places = [str(value) for key, value in leaves if key in PLACES and value]
    named = [name for place in places for name, pattern in NAMED.items() if pattern.search(place)]
    mentioned = [(found.start(), name) for name, pattern in NAMED.items() if (found := pattern.search(words))]
    parameters = tuple(dict.fromkeys([*named, *(name for _, name in sorted(mentioned))]))
    location = (headers or {}).get("location", "") if 300 <= status < 400 else ""
    if location:
        words = f"a redirect to {location.partition('?')[0]}, expected that address in its base URL"
    wait = _wait(leaves, headers or {}, words, now)
    kind = _kind(status, " ".join(codes), words, parameters, wait)
    return Refusal(kind=kind, words=words, status=status, parameters=parameters, retry_after_s=wait, location=location)


def _kind(status: int, codes: str, words: str, parameters: Collection[str], wait: float | None) -> Kind:
    everything = f"{codes} {words}"
    if 300 <= status < 400:
        return "other"
    if 400 <= status < 500 and CONTENT.search(codes):
        return "content"
    if status == 401 or KEY.search(codes):
        return "key"
    if status == 402 or QUOTA.search(codes):
        return "quota"
    if status == 429:
        return "quota" if wait is None and QUOTA.search(words) else "wait"
    if status < 500 and status not in TRANSIENT:
        if KEY.search(words):
            return "key"
        if QUOTA.search(words):
            return "quota"
    if parameters:
        return "parameter"
    if status == 413:  # some call a request that is larger than a minute's tokens a rate limit, and it never passes
        return "other"
    if WAIT.search(everything) or (wait is not None and status >= 500):
        return "wait"
    if status == 404 or (status < 500 and MODEL.search(everything)):
        return "model"
    return "other" if 400 <= status < 500 and status not in TRANSIENT else "busy"


def page_text(text: str) -> str:
    """The text, of a web page its title or else what can be read on it."""
    if not re.match(r"\s*<(?:!doctype|html|head|body|\?xml)", text, re.IGNORECASE):
        return text
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
    shown = title[1] if title else re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return html.unescape(shown).strip()


def _leaves(value: object, key: str, level: int = 0) -> Iterator[tuple[str, object]]:
    """Every value that is neither list nor mapping, with the name of its own field in small letters; JSON within a text is read too."""
    if level > NESTED:
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _leaves(part, str(name).lower(), level + 1)
    elif isinstance(value, list) and key == "loc":
        yield key, ".".join(str(part) for part in value)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, key, level + 1)
    elif value is not None and not isinstance(value, bool):
        yield key, page_text(value) if isinstance(value, str) else value


def _joined(texts: Iterator[str]) -> str:
    """The texts in one, none of which says again what stands in another."""
    kept: list[str] = []
    for text in (" ".join(text[:LONGEST].split()) for text in islice(texts, MOST)):
        if text.lower() not in NO_ERROR and not any(text in other for other in kept):
            kept.append(text)
    return ": ".join(kept)


def _wait(leaves: Collection[tuple[str, object]], headers: Mapping[str, str], words: str, now: datetime) -> float | None:
    """Seconds to wait: by a header made for it, the body, its words, or else the soonest moment at which a limit is lifted."""
    told = {key.replace("_", "-"): str(value) for key, value in leaves} | dict(headers)
    for name in WAITS:
        if (seconds := parse_wait(told.get(name), now, milliseconds=name.endswith("-ms"))) is not None:
            return seconds
    if found := re.search(r"(?i)\b(?:again|retry|wait)\b.{0,12}?\b(?:in|after|for)\s+((?:\d+(?:\.\d+)?\s*[a-z]+\s*)+)", words):
        return parse_wait(found[1], now)
    resets = [parse_wait(value, now) for name, value in told.items() if "ratelimit" in name and "reset" in name]
    return min((seconds for seconds in resets if seconds is not None), default=None)
