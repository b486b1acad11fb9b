from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.context.selection import Candidate, select, shorten_to
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.layers import PRIORITIES, Kind, Priority
from gather_pipeline.errors import ContextError


def words(text: str) -> int:
    return len(text.split())


def make(id: str, text: str, priority: Priority = "medium", kind: Kind = "own") -> Candidate:
    return Candidate(id=id, kind=kind, text=text, priority=priority, hash=hashlib.sha256(text.encode()).hexdigest())


def outcomes(candidates: list[Candidate], budget: int) -> dict[str, tuple[str, int]]:
    return {entry.id: (entry.state, entry.tokens) for entry in select(candidates, budget, words).ledger.entries}


def test_all_goes_in_where_all_fits_in_the_order_given():
    candidates = [make("low", "a b", "low"), make("brief", "c d e", "high", "brief"), make("own", "f")]
    assembly = select(candidates, 6, words)
    assert [candidate.id for candidate in assembly.included] == ["low", "brief", "own"]
    assert [entry.tokens for entry in assembly.ledger.entries] == [2, 3, 1] and assembly.texts("brief") == ["c d e"]


def test_medium_goes_before_low_and_rank_before_size():
    candidates = [make("low", "a", "low"), make("first", "a b c"), make("second", "a b"), make("brief", "a b", "high")]
    assert outcomes(candidates, 6) == {
        "brief": ("included", 2),
        "first": ("included", 3),
        "second": ("dropped", 2),
        "low": ("included", 1),
    }


def test_a_dropped_candidate_says_what_it_needed_and_what_was_left():
    [entry] = select([make("a", "one two three")], 2, words).ledger.entries
    assert entry.reason == "medium: needs 3 tokens, 2 were left"


def test_a_long_high_candidate_is_shortened_at_a_sentence_and_the_ledger_says_so():
    assembly = select([make("brief", "One two. Three four. Five six.", "high")], 5, words)
    assert assembly.texts("own") == ["One two. Three four."]
    [entry] = assembly.ledger.entries
    assert (entry.state, entry.tokens, entry.full_tokens) == ("distilled", 4, 6)
    assert entry.reason == "high: shortened at a sentence from 6 to 4 tokens"


def test_the_hash_of_a_shortened_candidate_is_that_of_its_whole_source():
    text = "One two. Three four."
    assembly = select([make("brief", text, "high")], 2, words)
    assert assembly.included[0].hash == hashlib.sha256(text.encode()).hexdigest()
    assert assembly.ledger.entries[0].hash == assembly.included[0].hash


def test_the_long_one_of_two_highs_gives_way_and_not_the_short_one():
    candidates = [make("brief", "One two. " * 50, "high"), make("department", "Sound of the sea.", "high")]
    assert outcomes(candidates, 24) == {"brief": ("distilled", 20), "department": ("included", 4)}


def test_no_high_falls_below_its_first_sentence_for_the_sake_of_another():
    candidates = [make("one", "a " * 9 + "end.", "high"), make("many", "One two. " * 5, "high")]
    assert outcomes(candidates, 12) == {"one": ("included", 10), "many": ("distilled", 2)}


def test_what_a_shortened_high_leaves_goes_to_the_next_priority():
    candidates = [make("brief", "One two three four. Five six seven eight.", "high"), make("own", "a b")]
    assert outcomes(candidates, 6) == {"brief": ("distilled", 4), "own": ("included", 2)}


def test_highs_that_cannot_fit_even_shortened_are_refused_with_their_sizes():
    candidates = [make("brief", "One two three four. Five.", "high"), make("department", "Six seven.", "high")]
    with pytest.raises(ContextError) as caught:
        select(candidates, 5, words)
    assert str(caught.value) == (
        "context budget is 5 tokens, expected at least 6 for what must be included "
        "(shortest form and full size: brief 4 of 5, department 2 of 2): "
        "raise GATHER_CONTEXT_TOKENS or CONTEXT_MAX_TOKENS, or shorten these"
    )


def test_no_candidates_and_no_budget_make_an_empty_context():
    assert select([], 0, words).included == () and select([], 0, words).ledger.entries == ()


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("One two. Three four.", 3, "One two."),
        ("No stop at all", 2, None),
        ("# Title\nBody of it. More", 2, "# Title"),
        ("One two three.", 2, None),
        ("One.", 5, "One."),
        ("", 5, None),
    ],
)
def test_a_text_is_shortened_to_whole_sentences_or_lines(text: str, limit: int, expected: str | None):
    assert shorten_to(text, limit, words) == expected


def test_a_counter_that_rates_a_longer_text_lower_does_not_break_the_limit():
    def odd(text: str) -> int:
        return 100 - len(text) if len(text) > 20 else len(text)

    text = "One two. Three. Four five. Six seven eight. Nine."
    for limit in range(8, 100):
        short = shorten_to(text, limit, odd)
        assert short is not None and odd(short) <= limit


TEXTS = st.text(alphabet="ab .!\nд灯1", max_size=80)
CANDIDATES = st.lists(st.tuples(TEXTS, st.sampled_from(PRIORITIES)), max_size=8).map(
    lambda pairs: [make(str(index), text, priority) for index, (text, priority) in enumerate(pairs)]
)


@given(CANDIDATES, st.integers(0, 200))
def test_the_ledgers_sums_are_the_counters_and_within_the_budget(candidates: list[Candidate], budget: int):
    try:
        assembly = select(candidates, budget, estimate_tokens)
    except ContextError:
        highs = [candidate for candidate in candidates if candidate.priority == "high"]
        assert sum(estimate_tokens(candidate.text) for candidate in highs) > budget
        return
    ledger = assembly.ledger.entries
    taken = sum(entry.tokens for entry in ledger if entry.state != "dropped")
    assert taken == sum(estimate_tokens(candidate.text) for candidate in assembly.included) <= budget
    assert [entry.id for entry in ledger] == [candidate.id for candidate in candidates]
    shown = {candidate.id: candidate.text for candidate in assembly.included}
    for candidate, entry in zip(candidates, ledger, strict=True):
        assert entry.full_tokens == estimate_tokens(candidate.text)
        if entry.state == "included":
            assert shown[candidate.id] == candidate.text and entry.tokens == entry.full_tokens
        elif entry.state == "distilled":
            assert candidate.priority == "high" and candidate.text.startswith(shown[candidate.id]) and shown[candidate.id]
        else:
            assert candidate.priority != "high" and candidate.id not in shown
            # Whatever stayed out would not have fitted in place of what came after it.
            assert entry.tokens > budget - taken


@given(CANDIDATES, st.integers(0, 200))
def test_the_same_candidates_give_the_same_choice(candidates: list[Candidate], budget: int):
    try:
        first = select(candidates, budget)
    except ContextError as error:
        with pytest.raises(ContextError, match="context budget is"):
            select(candidates, budget)
        assert "context budget is" in str(error)
        return
    again = select(candidates, budget)
    assert (again.included, again.ledger) == (first.included, first.ledger)
