"""Every language model behind one door: the model id of a request says which body answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.domain.routing import EMBEDDED, SCRIPTED, is_local, resolve_model
from gather_pipeline.ports import LanguageModel

logger = logging.getLogger(__name__)


class ModelRouter:
    """Sends ``embedded`` and ``scripted`` to their bodies, ``provider:model`` to the provider named, and every other id to the default one.

    Args:
        embedded: The small local model; answers for every remote id where no provider is configured.
        scripted: The model of tests and demonstrations.
        remote: The client of the configured provider, None without one.
        provider: Its name.
        named: Bodies of the providers that may be named, which take the model id behind the name.
        plugin: Makes the body of a provider that another package brings; None where none does.
    """

    def __init__(
        self,
        *,
        embedded: LanguageModel,
        scripted: LanguageModel,
        remote: LanguageModel | None = None,
        provider: str | None = None,
        named: Mapping[str, LanguageModel] | None = None,
        plugin: Callable[[str], LanguageModel | None] = lambda name: None,
    ) -> None:
        self._bodies = {EMBEDDED: embedded, SCRIPTED: scripted}
        self._remote = remote
        self._named = dict(named or {})
        self._plugin = plugin
        self._provider = provider
        self._told: set[str] = set()

    async def complete(self, request: ModelRequest) -> Completion:
        """The answer of the body that the request's model id names.

        Raises:
            InvalidInput: The configured provider does not serve that vendor.
            GatherError: Whatever the body raises.
        """
        name, _, own = request.model.partition(":")
        if own and name not in self._named and not is_local(name) and (brought := self._plugin(name)) is not None:
            self._named[name] = brought
        if own and name in self._named:
            return await self._named[name].complete(replace(request, model=own))
        model = resolve_model(request.model, provider=self._provider)
        if model == EMBEDDED != request.model and request.model not in self._told:
            self._told.add(request.model)
            logger.warning("[AutoGather] No key and no base URL: a small local model answers for %s", request.model)
        body = self._bodies[model.partition(":")[0]] if is_local(model) else self._remote
        assert body is not None  # resolve_model names a remote id only where there is a provider
        return await body.complete(replace(request, model=model))

    async def aclose(self) -> None:
        """Closes every body, also where one of them fails to; raises the first failure afterwards."""
        bodies = [*self._bodies.values(), *self._named.values(), *([self._remote] if self._remote is not None else [])]
        results = await asyncio.gather(*(body.aclose() for body in bodies), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
