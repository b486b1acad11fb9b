from __future__ import annotations

from gather_pipeline.context.selection import Candidate, select
from gather_pipeline.domain.ledger import Ledger


def account(budget: int) -> Ledger:
    sizes = {"a": 4, "b": 3, "c": 2, "d": 1}
    return select([Candidate(id=id, text=id * size) for id, size in sizes.items()], budget, len).ledger


def test_a_stored_ledger_names_the_first_of_what_was_dropped_and_counts_the_others():
    ledger = account(0)
    short = ledger.listing(1)
    assert [entry.id for entry in short.entries] == ["a"] and short.unlisted == 3
    assert ledger.listing(4) == ledger and ledger.listing(0).unlisted == 4
    assert account(10).listing(0).entries == account(10).entries
