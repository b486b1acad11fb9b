"""How many tokens a prompt's context has, and each layer of it (S003-TOK-02 to 08, C53)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from gather_pipeline.domain.layers import Layer
from gather_pipeline.errors import InvalidInput

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """A budget spread over layers; what a layer does not need is for the others."""

    tokens: int
    shares: Mapping[Layer, int]


def allocate(tokens: int, layers: Mapping[Layer, int]) -> Allocation:
    """Spreads a budget over layers in the proportion of the tokens that each has where there is room for all."""
    wanted = sum(layers.values())
    part = min(1.0, tokens / wanted) if wanted else 1.0
    return Allocation(tokens=tokens, shares={layer: int(size * part) for layer, size in layers.items()})


def budget_of(max_tokens: int, buffer: int, layers: Mapping[Layer, int], *, window: int | None = None, answer: int = 0) -> Allocation:
    """What a prompt's context may take, with a warning where the layers are scaled down to it.

    Args:
        max_tokens: `CONTEXT_MAX_TOKENS`.
        buffer: `CONTEXT_BUFFER_TOKENS`, kept free of it.
        layers: Tokens of each layer.
        window: Tokens that the model reads and writes at once, None where it is not known.
        answer: Tokens of the longest answer, which share the window.

    Raises:
        InvalidInput: Nothing is left; names what to change.
    """
    tokens = max_tokens - buffer
    if window is not None:
        tokens = min(tokens, window - answer)
    if tokens < 1:
        raise InvalidInput(
            f"no token is left for the context: CONTEXT_MAX_TOKENS {max_tokens} less CONTEXT_BUFFER_TOKENS {buffer}"
            + (f", within a window of {window} less {answer} for the answer" if window is not None else "")
            + "; raise the first, or lower the answer's tokens"
        )
    if tokens < sum(layers.values()):
        told = "[AutoGather] The context's layers ask for %d tokens and %d are there, so each gets less in proportion"
        logger.warning(told, sum(layers.values()), tokens)
    return allocate(tokens, layers)
