from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gather_pipeline.adapters.cache.disk import DiskCache
from gather_pipeline.context.distillation import distil, verbose_sections
from gather_pipeline.context.selection import Candidate, select
from gather_pipeline.domain.layers import Kind, Priority
from gather_pipeline.errors import ContextError, ModelTimeout


def words(text: str) -> int:
    return len(text.split())


def long(id: str, size: int, priority: Priority = "medium", kind: Kind = "plot") -> Candidate:
    return Candidate(id=id, kind=kind, text=" ".join([id] * (size - 1) + ["end."]), priority=priority)


class Halving:
    """Shortens a text to its first words, as many as are asked for."""

    name = "halving"

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def distil(self, text: str, kind: str, tokens: int) -> str:
        self.asked.append((kind, tokens))
        return " ".join(text.split()[: tokens - 1] + ["short."])


def test_nothing_is_shortened_where_all_fits():
    assert verbose_sections([long("a", 200), long("b", 200)], 400, words) == []


def test_the_longest_is_shortened_by_what_is_too_much_and_no_further_than_a_quarter():
    sections = verbose_sections([long("a", 200), long("b", 400), long("c", 20)], 500, words)
    assert [(one.candidate.id, one.target) for one in sections] == [("b", 280)]
    sections = verbose_sections([long("a", 200), long("b", 400), long("c", 20)], 170, words)
    assert [(one.candidate.id, one.target) for one in sections] == [("b", 100), ("a", 50)]


def test_what_is_low_is_left_out_and_not_shortened():
    assert verbose_sections([long("a", 200, "low"), long("b", 300)], 300, words) == []


def test_a_high_that_does_not_fit_goes_in_distilled_and_the_ledger_says_so():
    candidates, halving = [long("a", 300, "high")], Halving()
    distilled = asyncio.run(distil(candidates, 150, halving, words))
    assembly = select(candidates, 150, words, distilled=distilled)
    [entry] = assembly.ledger.entries
    assert halving.asked == [("plot", 150)] and assembly.included[0].text == distilled["a"]
    assert (entry.state, entry.tokens, entry.full_tokens, entry.reason) == ("distilled", 150, 300, "high: distilled from 300 to 150 tokens")
    assert assembly.ledger.included_tokens == 150


def test_a_medium_goes_in_whole_where_it_fits_and_distilled_where_it_does_not():
    candidates = [long("a", 130), long("b", 130)]
    assembly = select(candidates, 200, words, distilled={"a": "short a", "b": "short b"})
    assert [(one.state, one.tokens) for one in assembly.ledger.entries] == [("included", 130), ("distilled", 2)]


def test_a_distilled_high_that_is_still_too_long_is_shortened_at_a_sentence():
    candidates = [Candidate(id="a", kind="brief", text="One two three. " * 20, priority="high")]
    assembly = select(candidates, 4, words, distilled={"a": "One two. Three four. Five."})
    [entry] = assembly.ledger.entries
    assert assembly.included[0].text == "One two. Three four." and entry.reason == "high: shortened at a sentence from 60 to 4 tokens"


def test_a_distilled_form_that_is_longer_than_the_text_is_not_used():
    assembly = select([long("a", 10), long("b", 10)], 15, words, distilled={"b": "longer " * 12})
    assert [one.state for one in assembly.ledger.entries] == ["included", "dropped"]


def test_what_does_not_even_fit_distilled_is_refused_with_all_sizes():
    with pytest.raises(ContextError) as caught:
        select([long("a", 50, "high"), long("b", 40, "high")], 10, words, distilled={"a": "one two three four five six seven"})
    assert caught.value.budget == 10 and caught.value.sizes == {"a": (7, 7), "b": (40, 40)} and caught.value.exit_code == 2


def test_a_text_is_paid_for_once_and_another_target_is_another_text(tmp_path: Path):
    candidates, halving, kept = [long("a", 300, "high")], Halving(), DiskCache(tmp_path)
    first = asyncio.run(distil(candidates, 150, halving, words, cache=kept))
    assert asyncio.run(distil(candidates, 150, halving, words, cache=kept)) == first and len(halving.asked) == 1
    asyncio.run(distil(candidates, 140, halving, words, cache=kept))
    assert len(halving.asked) == 2


def test_a_model_that_does_not_answer_is_the_callers_to_decide_about():
    class Away(Halving):
        async def distil(self, text: str, kind: str, tokens: int) -> str:
            raise ModelTimeout("no answer in 120 s")

    with pytest.raises(ModelTimeout):
        asyncio.run(distil([long("a", 300)], 100, Away(), words))


def test_a_summary_that_is_far_too_short_is_not_used_nor_kept(tmp_path: Path):
    class Curt(Halving):
        async def distil(self, text: str, kind: str, tokens: int) -> str:
            return " ".join(text.split()[: tokens // (5 if text.startswith("a") else 3)])

    candidates, kept, halving = [long("a", 200, "high"), long("b", 200, "high")], DiskCache(tmp_path), Halving()
    assert list(asyncio.run(distil(candidates, 200, Curt(), words, cache=kept))) == ["b"]
    assert list(asyncio.run(distil(candidates, 200, halving, words, cache=kept))) == ["a", "b"] and len(halving.asked) == 1


def test_a_cache_that_fails_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "cache").write_text("in the way")
    assert list(asyncio.run(distil([long("a", 300, "high")], 150, Halving(), words, cache=DiskCache(tmp_path / "cache")))) == ["a"]
    assert "Distilled texts are not kept: the cache in" in caplog.text
