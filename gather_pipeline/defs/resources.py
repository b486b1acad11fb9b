"""What assets, checks, the sensor and the job need from outside: the services, and the caller that waits for a run of its own process.

Not a `ConfigurableResource`, for there is nothing to configure in the UI: `settings.py` alone reads the environment, when a run starts.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from gather_pipeline.domain.automation import AutomationResult
from gather_pipeline.domain.events import Progress
from gather_pipeline.errors import GatherError
from gather_pipeline.services import Services


@dataclass(kw_only=True)
class Caller:
    """Who started a run in this very process.

    Attributes:
        progress: Gets every event and state of the run.
        webhook_url: Kept here and out of the run's config, where it would be stored and shown.
        result: The run's output, once it has one.
        error: Why it has none.
    """

    progress: Progress | None = None
    webhook_url: str | None = None
    result: AutomationResult | None = None
    error: BaseException | None = None


@dataclass(frozen=True, kw_only=True)
class Gather:
    """The way to the services.

    Attributes:
        build: Makes the services of a run.
        caller: Who waits for the run, None where Dagster started it.
    """

    build: Callable[[], Services]
    caller: Caller | None = None

    @contextmanager
    def services(self) -> Iterator[Services]:
        """Services for as long as they are needed; a caller in this process keeps its own and hears of every error.

        Raises:
            dagster.Failure: Settings or the store refuse; the reason is one sentence.
        """
        services = None
        try:
            services = self.build()
            yield services
        except BaseException as error:
            if self.caller is not None:
                self.caller.error = error
            if isinstance(error, GatherError):
                # Trying again is up to a person, so no retry policy may.
                raise dg.Failure(description=str(error), metadata={"kind": type(error).__name__}, allow_retries=False) from error
            raise
        finally:
            if services is not None and self.caller is None:
                services.close()
