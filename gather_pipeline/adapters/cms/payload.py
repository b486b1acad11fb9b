"""Departments from Payload CMS over its REST API (S001-PAY-03, S001-PAY-04); what it answers stands in docs/decisions/0018-cms.md."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gather_pipeline.adapters.network import Address, checked_key, exchange, retried
from gather_pipeline.domain.departments import Department, parse_departments
from gather_pipeline.domain.json_texts import each_text, load_json
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import CmsUnavailable, InvalidInput, ServiceUnavailable
from gather_pipeline.ports import HttpAnswer

if TYPE_CHECKING:
    import httpx2

PATH = "/api/departments"
# Every language, so that a text which lacks in the CMS's default one is found; what a relationship points to, one level deep.
QUERY = {"where[gatherCheck][equals]": "true", "where[isActive][equals]": "true", "sort": "codeDepNumber", "depth": "1", "locale": "all"}
PAGE = 1000  # rows asked for at once, so that a list is one request; Payload gives 10 where it is not told
ROWS = 10_000
LIMIT = 5_000_000  # bytes of all pages
ATTEMPTS = 3  # of a request (C25)
TIMEOUT_S, DEADLINE_S = 10.0, 20.0  # for one silence of the server; after the second, nothing more is begun
READINGS = 2  # of the whole list, where it changes between two pages
REDIRECTS = 2
AWAY = (408, 425, 429)


class PayloadClient:
    """The body of `DepartmentSource` over Payload 3. It keeps nothing between two calls.

    Args:
        base_url: The application's address, without ``/api``.
        api_key: Of a user of the collection `users`; empty where everybody may read.
        secrets: What no error and no department may show.
        sleep: Waits between two attempts.

    Raises:
        InvalidInput: The address or the key cannot be one.
    """

    def __init__(self, base_url: str, api_key: str, secrets: Secrets, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._address, self._key = Address.read(base_url), checked_key(api_key, "PAYLOAD_API_KEY")
        self._secrets, self._sleep = secrets, sleep
        self.place = self._address.url
        self._name = f"the CMS at {urlsplit(self.place).netloc}"

    def __repr__(self) -> str:
        return f"PayloadClient({self.place})"

    def departments(self) -> list[Department]:
        """Every department that is to be automated, in the CMS's order; one request, unless there are more than a thousand.

        Raises:
            CmsUnavailable: No usable answer, three times or for 20 s.
            InvalidInput: The address is no Payload's, the key may not read departments, or one of them is wrong.
        """
        headers = {"Accept": "application/json"} | ({"Authorization": f"users API-Key {self._key}"} if self._key else {})
        with self._address.client(TIMEOUT_S, headers) as client:
            return parse_departments(self._rows(client, time.monotonic() + DEADLINE_S), self._name)

    def _rows(self, client: httpx2.Client, deadline: float) -> list[object]:
        """All rows. Rows of one `codeDepNumber` may change places between two pages, so they are told apart by id and counted."""
        for _ in range(READINGS):
            rows: dict[str, object] = {}
            totals: set[object] = set()
            left = LIMIT
            for number in count(1):
                before = len(rows)
                ask = partial(self._ask, client, {**QUERY, "limit": str(PAGE), "page": str(number)}, left, deadline)
                page, size = retried(ask, attempts=ATTEMPTS, until=deadline, sleep=self._sleep)
                left -= size
                total = page.get("totalDocs")
                totals.add(total if isinstance(total, int) else None)
                for place, row in enumerate(page["docs"]):
                    id = row.get("id", row.get("_id")) if isinstance(row, Mapping) else None
                    rows[json.dumps(id) if id is not None else f"{number}.{place}"] = row
                if len(rows) > ROWS:
                    raise InvalidInput(f"{self._name} has more than {ROWS} departments, expected at most {ROWS}")
                if not page.get("hasNextPage") or len(rows) == before:
                    break
            if totals <= {None, len(rows)}:
                return list(rows.values())
        told = " or ".join(str(total) for total in totals if total is not None)
        raise CmsUnavailable(f"{self._name} gave {len(rows)} of {told} departments: its list changed as it was read")

    def _ask(self, client: httpx2.Client, query: Mapping[str, str], left: int, deadline: float) -> tuple[Mapping[str, Any], int]:
        """One page and its size."""
        request = client.build_request("GET", f"{self.place}{PATH}", params=query)
        try:
            within_s = max(0.0, deadline - time.monotonic())
            answer = exchange(client, request, self._secrets, within_s=within_s, limit=left, redirects=REDIRECTS)
        except ServiceUnavailable as error:
            raise CmsUnavailable(f"{self._name} does not answer: {error}") from None
        if len(answer.body) > left:
            raise InvalidInput(f"{self._name} sends more than {LIMIT} bytes of departments, expected at most {LIMIT}")
        return self._read(answer), len(answer.body)

    def _read(self, answer: HttpAnswer) -> Mapping[str, Any]:
        """The page that an answer holds."""
        status, location = answer.status, answer.headers.get("location")
        try:
            value = each_text(load_json(answer.body.decode("utf-8", "replace")), self._secrets.mask)
            fault = "something else"
        except json.JSONDecodeError as error:
            value, fault = None, f"no JSON ({error.msg} at character {error.pos})"
        except ValueError as error:
            raise InvalidInput(f"{self._name} sends a list that cannot be read: {error}") from None
        told = f"HTTP {status}{self._said(value)}"
        if status >= 500 or status in AWAY:
            raise CmsUnavailable(f"{self._name} does not answer: {told}", answer.wait_s)
        if status in (401, 403):
            want = "the API key of a user who may read departments" if self._key else "an API key, for the CMS does not let everybody read"
            raise InvalidInput(f"{self._name} refuses PAYLOAD_API_KEY ({told}), expected {want}")
        if status == 200 and isinstance(value, Mapping) and isinstance(value.get("docs"), list) and not value.get("errors"):
            return value
        if status == 200 and value is None and "html" not in answer.headers.get("content-type", ""):
            raise CmsUnavailable(f"{self._name} does not answer: its list is {fault}")
        told += f", a redirect to {self._secrets.line(location.partition('?')[0])}" if location else ""
        got = told if status != 200 or self._said(value) else fault
        raise InvalidInput(f"{self._name} answers {PATH} with {got}, expected the list of a Payload CMS's collection departments")

    def _said(self, value: object) -> str:
        """What a refusal says, after a colon."""
        if not isinstance(value, Mapping):
            return ""
        errors = value.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else value
        message = first.get("message") if isinstance(first, Mapping) else first
        return f": {self._secrets.line(message)}" if isinstance(message, str) and message else ""
