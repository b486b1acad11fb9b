"""A project's id becomes part of database and file names, and its brief part of every prompt: both are checked first."""

from __future__ import annotations

import pytest

from gather_pipeline.domain.projects import BRIEF_LIMIT_BYTES, check_brief, check_project_id, new_project_id, project_database
from gather_pipeline.errors import InvalidInput


@pytest.mark.parametrize("id", ["507f1f77bcf86cd799439011", "salt-ledger", "a", "9" * 48])
def test_ids_that_are_safe_everywhere_pass(id: str) -> None:
    assert check_project_id(id) == id
    assert project_database(id) == f"aladdin-gather-{id}"


@pytest.mark.parametrize("id", ["", "../etc", "A", "a b", "a.b", "-a", "a" * 49, "ü", "a\n", "a|b"])
def test_ids_that_could_leave_their_place_are_refused_by_value(id: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_project_id(id)
    assert repr(id)[:40] in str(refusal.value)


def test_a_new_id_has_the_form_of_an_object_id_and_passes() -> None:
    ids = {new_project_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(check_project_id(id)) == 24 for id in ids)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"x" * (BRIEF_LIMIT_BYTES + 1), str(BRIEF_LIMIT_BYTES)),
        (b"x" * 5_000_000, "5000000 bytes"),
        (b"good \xff bad", "0xff at 5"),
        (b"a\x00b", "NUL"),
    ],
)
def test_a_brief_that_no_prompt_could_hold_is_refused_with_its_reason(data: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        check_brief(data, "brief.md")


def test_a_brief_in_another_script_and_with_a_byte_order_mark_is_taken_as_it_is() -> None:
    assert check_brief("\ufeff 東京の小さな店。\n".encode(), "brief.md") == "東京の小さな店。"
