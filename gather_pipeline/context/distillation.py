"""Has long texts shortened by a model where what should go into a prompt does not fit (S003-DIST-01 to 05, C54).

The task and its temperature depend on the text's kind and stand in the task's definition. This module decides which texts are shortened and
to what length, and keeps the results, so that no text is paid for twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gather_pipeline.context.relevance import TokenCounter
from gather_pipeline.context.selection import Candidate
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.iterations import digest
from gather_pipeline.errors import StoreError, StoreUnavailable
from gather_pipeline.ports import Cache, Distiller

VERBOSE = 120  # tokens; below it a text has nothing to lose but what it says
LEAST_SHARE = 0.25  # of a text; below it a summary keeps too little to work from
LEAST_OF_TARGET = 0.25  # below it what a model gives back is a title or an excuse, and a text cut at a sentence says more

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Section:
    """A text that is to be shortened.

    Attributes:
        target: Tokens that it should take then.
    """

    candidate: Candidate
    target: int


def verbose_sections(candidates: Sequence[Candidate], budget: int, counter: TokenCounter = estimate_tokens) -> list[Section]:
    """What to shorten so that all fits, the longest first; nothing where all fits as it is, or where only short texts could be.

    Args:
        candidates: What should go in, of high or medium priority; low ones are left out rather than shortened.
        budget: Most tokens of all together.
        counter: Counts tokens.
    """
    sizes = {candidate.id: counter(candidate.text) for candidate in candidates if candidate.priority != "low"}
    over = sum(sizes.values()) - budget
    found = []
    for candidate in sorted((one for one in candidates if sizes.get(one.id, 0) >= VERBOSE), key=lambda one: -sizes[one.id]):
        if over <= 0:
            break
        target = max(sizes[candidate.id] - over, int(LEAST_SHARE * sizes[candidate.id]))
        over -= sizes[candidate.id] - target
        found.append(Section(candidate=candidate, target=target))
    return found


async def distil(
    candidates: Sequence[Candidate],
    budget: int,
    distiller: Distiller,
    counter: TokenCounter = estimate_tokens,
    *,
    cache: Cache | None = None,
) -> dict[str, str]:
    """Shorter forms by id, for `select`, of what has to be shortened so that all fits; all are asked for together.

    One that is far too short is no form of the text: it is left out and not kept, and a warning is logged.

    Args:
        candidates: As for `verbose_sections`.
        budget: Likewise.
        distiller: Shortens one text.
        counter: Counts tokens.
        cache: Where shortened texts are kept, by text, kind and target; forgotten with the entity that the candidate's id names. One that
            fails stops nothing: a warning is logged.

    Raises:
        GatherError: As the distiller: what has to be shortened and cannot be is the caller's to decide about.
    """

    async def shortened(section: Section) -> str | None:
        candidate = section.candidate
        key = digest(["distilled", distiller.name, candidate.kind, candidate.text, section.target])
        with _unless_away():
            if cache is not None and (kept := cache.get("context", key)) is not None:
                return kept.decode()
        text = await distiller.distil(candidate.text, candidate.kind, section.target)
        if (size := counter(text)) < LEAST_OF_TARGET * section.target:
            told = "[AutoGather] %s is not distilled: the summary has %d tokens, expected about %d"
            logger.warning(told, candidate.id, size, section.target)
            return None
        with _unless_away():
            if cache is not None:
                cache.put("context", key, text.encode(), entities=(candidate.id,))
        return text

    sections = verbose_sections(candidates, budget, counter)
    texts = await asyncio.gather(*(shortened(section) for section in sections))
    return {section.candidate.id: text for section, text in zip(sections, texts, strict=True) if text is not None}


@contextmanager
def _unless_away() -> Iterator[None]:
    try:
        yield
    except (StoreUnavailable, StoreError) as error:
        logger.warning("[AutoGather] Distilled texts are not kept: %s", error)
