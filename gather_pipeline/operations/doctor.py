"""Whether everything that is set works: every check at once, each with the same time limit, and what to do about what it finds.

A check is a function in `checks.CHECKS`; one that raises is a fault with the error's sentence.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from gather_pipeline.domain.providers import Providers
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import GatherError
from gather_pipeline.ports import AskHttp, DepartmentSource, MaintainedStore, StoreState
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings

LIMIT_S = 9.0  # for all checks together, so that a command ends within about ten seconds
STORE_S = 4.0  # how long a store that does not answer is waited for

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a check saw.

    Attributes:
        text: In a clause.
        remedy: What to do about it, in a sentence; the check's own where left out.
        latency_s: Of one small question to a service, None where none was asked.
        embedded: Whether it is a part of this program, and no service that a setting names.
    """

    text: str
    verdict: Verdict = "ok"
    remedy: str = ""
    latency_s: float | None = None
    embedded: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A check's result.

    Attributes:
        check: Its name.
        setting: Variables that decide what it looks at.
        remedy: What to do, empty where all is well.
    """

    check: str
    setting: str
    verdict: Verdict
    seen: str
    latency_ms: float | None
    embedded: bool
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Probes:
    """The ways to the engines; each raises a `GatherError` where it cannot be gone.

    Attributes:
        secrets: What no finding may show.
        services: Makes the services.
        store: Opens the store that the settings choose.
        providers: The providers of models that they choose.
        departments: Where departments come from, without a list kept of it.
        ask: Sends a request to a web server.
        weights: Whether the embedded model's weights are there and whole, and where.
        embedder: Where the installed embedding model lies, None where it needs no file.
        redis: What Redis says of itself, None where it is not set.
        proxies: Names of the environment's variables that lead requests elsewhere; raises where one is wrong.
        dagster: What Dagster's instance says of itself, None where it is not made yet.
    """

    secrets: Secrets
    services: Callable[[], Services]
    store: Callable[[], MaintainedStore]
    providers: Callable[[], Providers]
    departments: Callable[[], DepartmentSource]
    ask: AskHttp
    weights: Callable[[], tuple[bool, Path]]
    embedder: Callable[[], Path | None]
    redis: Callable[[], StoreState | None]
    proxies: Callable[[], list[str]]
    dagster: Callable[[], str | None]


class Site:
    """What checks look at.

    Args:
        settings: The settings.
        probes: The ways to the engines.
    """

    def __init__(self, settings: Settings, probes: Probes) -> None:
        self.settings, self.probes = settings, probes
        self._services: Services | GatherError
        try:
            self._services = probes.services()
        except GatherError as error:
            self._services = error

    @property
    def services(self) -> Services:
        """The services; raises what kept them from being made."""
        if isinstance(self._services, GatherError):
            raise self._services
        return self._services

    def close(self) -> None:
        """Lets go of the services."""
        if isinstance(self._services, Services):
            self._services.close()


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at.

    Attributes:
        look: Looks at it.
        remedy: What to do about a fault, in a sentence.
        after: Name of the check without which there is nothing to look at.
    """

    name: str
    setting: str
    look: Callable[[Site], Seen]
    remedy: str
    after: str | None = None


def examine(site: Site, checks: Sequence[Check], *, limit_s: float = LIMIT_S) -> list[Finding]:
    """Makes all checks at once.

    Args:
        site: What to look at.
        checks: The checks; one that stands `after` another comes behind it.
        limit_s: Seconds until a check that has not ended counts as a fault.
    """
    began, secrets = time.monotonic(), site.probes.secrets
    answers: dict[str, Future[Seen]] = {check.name: Future() for check in checks}
    for check in checks:
        # Daemons, for a check that hangs must not keep the process from ending.
        threading.Thread(target=partial(_look, check, site, answers), name=f"check-{check.name}", daemon=True).start()
    findings = []
    for check in checks:
        try:
            seen = answers[check.name].result(max(0.0, began + limit_s - time.monotonic()))
        except TimeoutError:
            remedy = f"Look again, for the machine may be busy; where it stays so: {check.remedy}"
            seen = Seen(text=f"no answer within {limit_s:g} s", verdict="fault", remedy=remedy)
        remedy = "" if seen.verdict == "ok" else seen.remedy or check.remedy
        findings.append(
            Finding(
                check=check.name,
                setting=check.setting,
                verdict=seen.verdict,
                seen=secrets.line(seen.text),
                latency_ms=None if seen.latency_s is None else round(seen.latency_s * 1000, 1),
                embedded=seen.embedded,
                remedy=secrets.line(remedy),
            )
        )
    if all(answer.done() for answer in answers.values()):
        site.close()
    return findings


def _look(check: Check, site: Site, answers: dict[str, Future[Seen]]) -> None:
    answer = answers[check.name]
    try:
        if check.after is not None and answers[check.after].result().verdict == "fault":
            answer.set_result(
                Seen(text=f"not looked at, for the {check.after} has a fault", verdict="warning", remedy=f"Mend the {check.after} first.")
            )
            return
        answer.set_result(check.look(site))
    except GatherError as error:
        answer.set_result(Seen(text=str(error), verdict="fault"))
    except Exception as error:  # whatever it is: the other findings are to be told
        answer.set_result(Seen(text=f"the check itself failed: {type(error).__name__}: {error}", verdict="fault"))
