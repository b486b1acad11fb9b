"""A Brain service over HTTP: the four calls of S001-BRAIN as docs/brain-openapi.yaml has them.

What is sent keeps to that contract. What comes back is read generously, for services call the same things by other names; an answer in
which nothing of the kind is found counts as none.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from gather_pipeline.adapters.network import Address, checked_key, exchange, retried
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.json_texts import each_text, load_json
from gather_pipeline.domain.nodes import Coverage, Node
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import BrainRefused, BrainUnavailable, ServiceUnavailable
from gather_pipeline.ports import BrainState, HttpAnswer, Remembered

if TYPE_CHECKING:
    import httpx2

API = "/api/v1"
NEVER_S = 86_400.0  # for which a service that refuses the key is left alone
BATCH = 100  # nodes of a request
MOST = 200  # items asked for at once
ATTEMPTS = 3  # of a request (C25)
TIMEOUT_S, DEADLINE_S = 5.0, 12.0  # for one silence of the server; after the second, nothing more is begun
AWAY = (401, 403, 404, 405, 408, 425, 429)  # says nothing against what was sent: the service, its address or the key is not ready
LISTS = ("duplicates", "context", "items", "results", "result", "matches", "nodes", "documents", "objects", "data")
Result = TypeVar("Result")


class HttpBrain:
    """The body of `BrainService`; for any number of threads.

    Args:
        base_url: The service's address, without ``/api/v1``.
        api_key: Sent as a bearer token; empty for none.
        secrets: What no error and no answer may show.
        sleep: Waits between two attempts.

    Raises:
        InvalidInput: The address or the key cannot be one.
    """

    def __init__(self, base_url: str, api_key: str, secrets: Secrets, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._address, self._key = Address.read(base_url), checked_key(api_key, "BRAIN_SERVICE_API_KEY")
        self._secrets, self._sleep = secrets, sleep
        self.host = urlsplit(self._address.url).netloc
        self.key = hashlib.sha256(self._address.url.encode()).hexdigest()[:24]

    def __repr__(self) -> str:
        return f"HttpBrain({self.host})"

    def index(self, project_id: str, nodes: Sequence[Node]) -> None:
        """Sends nodes in batches, each of one department (S001-BRAIN-02, 05)."""
        by_department = sorted(nodes, key=lambda node: node.department)
        for department, own in groupby(by_department, key=lambda node: node.department):
            found = [_item(node) for node in own]
            for start in range(0, len(found), BATCH):
                batch = {"project_id": project_id, "department": {"slug": department}, "items": found[start : start + BATCH]}
                self._ask("POST", "/nodes/batch", body=batch, read=_taken)

    def duplicates(self, project_id: str, content: str, *, threshold: float = 0.90) -> list[Remembered]:
        """Asks for items that say the same (S001-BRAIN-03, 06)."""
        body = {"project_id": project_id, "content": content, "threshold": threshold}
        found = self._ask("POST", "/search/duplicates", body=body, read=_remembered)
        return sorted((one for one in found if one.similarity >= threshold), key=lambda one: -one.similarity)

    def context(
        self, project_id: str, query: str, *, department: str = "", previous: Sequence[str] = (), limit: int = 10
    ) -> list[Remembered]:
        """Asks for items near a question (S001-BRAIN-01, 04, 07)."""
        names = {"project_id": project_id, "department": department, "query": query, "limit": str(min(limit, MOST))}
        return self._ask(
            "GET", "/context/department", query=[*names.items(), *(("previous_depts", slug) for slug in previous)], read=_remembered
        )

    def coverage(self, project_id: str, department: Department, nodes: Sequence[Node]) -> Coverage:
        """Asks how far a department is covered (S001-BRAIN-08, S001-QUAL-10)."""
        about = {
            "slug": department.slug,
            "name": department.name,
            "description": department.description,
            "aspects": list(department.aspects),
        }
        body = {"project_id": project_id, "department": about, "items": [_item(node) for node in nodes]}
        return self._ask("POST", "/analyze/coverage", body=body, read=_coverage)

    def check(self) -> BrainState:
        """Asks for the context of a project that is none, and for the version where the service tells it."""
        began = time.monotonic()
        self.context("0" * 24, "doctor", department="doctor", limit=1)
        latency_s = time.monotonic() - began
        try:
            said = load_json(self._send("GET", "/health").body.decode("utf-8", "replace"))
        except (ServiceUnavailable, ValueError):
            said = None
        version = said.get("version") if isinstance(said, Mapping) else None
        return BrainState(version=self._secrets.line(version) if isinstance(version, str) else "", latency_s=latency_s)

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> httpx2.Client:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        return self._address.client(TIMEOUT_S, headers)

    def _ask(
        self, method: str, path: str, *, read: Callable[[Any], Result], body: object = None, query: Sequence[tuple[str, str]] = ()
    ) -> Result:
        def call() -> Result:
            try:
                return self._read(self._send(method, f"{API}{path}", body, query), path, read)
            except ServiceUnavailable as error:
                raise BrainUnavailable(f"the Brain at {self.host} does not answer: {error}") from None

        return retried(call, attempts=ATTEMPTS, until=time.monotonic() + DEADLINE_S, sleep=self._sleep)

    def _send(self, method: str, path: str, body: object = None, query: Sequence[tuple[str, str]] = ()) -> HttpAnswer:
        request = self._client.build_request(method, f"{self._address.url}{path}", params=list(query), json=body)
        return exchange(self._client, request, self._secrets, within_s=DEADLINE_S)

    def _read(self, answer: HttpAnswer, path: str, read: Callable[[Any], Result]) -> Result:
        status = answer.status
        try:
            text = answer.body.decode("utf-8", "replace").strip() or ("[]" if status == 204 else "{}")
            value = each_text(load_json(text), self._secrets.mask)
        except ValueError:
            value = None
        said = value.get("detail") or value.get("message") or value.get("error") if isinstance(value, Mapping) else None
        told = f"HTTP {status}" + (f": {self._secrets.line(said)}" if isinstance(said, str) else "")
        if status in (401, 403):
            raise BrainUnavailable(f"the Brain at {self.host} refuses BRAIN_SERVICE_API_KEY ({told})", NEVER_S)
        if status >= 500 or status in AWAY or 300 <= status < 400:
            raise BrainUnavailable(f"the Brain at {self.host} answers {path} with {told}", answer.wait_s)
        if status >= 400:
            raise BrainRefused(f"the Brain at {self.host} refuses {path} ({told})")
        try:
            return read(value)
        except (ValueError, TypeError) as error:
            raise BrainUnavailable(f"the Brain at {self.host} answers {path} with something else: {error}") from None


def _item(node: Node) -> dict[str, Any]:
    if not node.is_active:
        return {"id": node.id, "version": node.version, "deleted": True}
    return {"id": node.id, "version": node.version, "content": node.content, "summary": node.summary, "context": node.context}


def _folded(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Values by their names in small letters alone: ``node_id``, ``nodeId`` and ``NodeID`` are one."""
    return {re.sub(r"[\W_]", "", str(name)).lower(): value for name, value in given.items()}


def _taken(value: Any) -> None:
    if not isinstance(value, Mapping | list) or (isinstance(value, Mapping) and (value.get("errors") or value.get("error"))):
        raise ValueError("expected a JSON object without errors")


def _remembered(value: Any) -> list[Remembered]:
    """Items in an answer: a list, or an object that holds one or a list a department."""
    return [_one(_folded(row), department) for row, department in _rows(value)]


def _rows(value: Any, department: str = "", *, inside: bool = False) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Items with the department that their list stands under; `inside` what has one of the names of `LISTS`."""
    given = _folded(value) if isinstance(value, Mapping) else {}
    named = [given[name] for name in LISTS if name in given]
    if isinstance(value, list) and all(isinstance(row, Mapping) for row in value):
        yield from ((row, department) for row in value)
    elif named:
        yield from _rows([] if named[0] is None else named[0], department, inside=True)
    elif isinstance(value, Mapping) and inside:
        for slug, rows in value.items():
            yield from _rows(rows, str(slug), inside=True)
    else:
        raise ValueError("expected a list of items" if inside else f"expected a list under {LISTS[0]} or {LISTS[1]}")


def _one(row: Mapping[str, Any], department: str) -> Remembered:
    inner = [row[name] for name in ("node", "item", "payload", "properties", "metadata") if isinstance(row.get(name), Mapping)]
    given = {**(_folded(inner[0]) if inner else {}), **{name: value for name, value in row.items() if value is not None}}

    def first(*names: str) -> Any:
        return next((given[name] for name in names if given.get(name) is not None), None)

    id, content, slug = first("id", "nodeid", "itemid"), first("content", "text", "pagecontent"), first("department", "departmentslug")
    slug = slug.get("slug") if isinstance(slug, Mapping) else slug
    if not isinstance(content, str) or id is None:
        raise ValueError("an item without id or content")
    similarity = first("similarity", "score", "similarityscore")
    number = float(similarity) if similarity is not None and not isinstance(similarity, bool) else 0.0
    if not -1.0 <= number <= 1.0001:
        raise ValueError(f"a similarity of {number:g}, expected 0 to 1")
    summary = first("summary")
    summary = summary if isinstance(summary, str) else ""
    return Remembered(id=str(id), department=str(slug or department), content=content, summary=summary, similarity=min(number, 1.0))


def _coverage(value: Any) -> Coverage:
    """A score from 0 to 100 under the contract's name; one under another name that is no more than 1 is a share."""
    if not isinstance(value, Mapping):
        raise ValueError("expected an object with coverage_score")
    given = _folded(value)
    if around := next((given[name] for name in ("data", "result") if isinstance(given.get(name), Mapping)), None):
        return _coverage(around)
    found = next((name for name in ("coveragescore", "coverage", "score") if name in given), "")
    try:
        score = float(str(given.get(found)).removesuffix("%"))
    except ValueError:
        score = math.nan
    if not 0 <= score <= 100:
        raise ValueError("expected coverage_score from 0 to 100")
    least: list[Any] = next((given[name] for name in ("leastcovered", "missing", "gaps") if isinstance(given.get(name), list)), [])
    share = found != "coveragescore" and score <= 1
    return Coverage(score=score * 100 if share else score, least_covered=tuple(one for one in least if isinstance(one, str)))
