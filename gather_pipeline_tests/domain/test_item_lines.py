"""A line of a file holds everything that is kept of an item, and a wrong one is named by field and value."""

from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.domain.item_lines import COLUMNS, Line, from_fields, to_fields
from gather_pipeline.domain.items import Item, Overruled
from gather_pipeline.errors import InvalidInput


def make_item(content: str = "The tower is locked.", **fields: Any) -> Item:
    values: dict[str, Any] = {
        "id": "0123456789abcdef01234567",
        "project_id": "salt",
        "department": "story",
        "iteration": 3,
        "task_id": "t",
        "content": content,
        "summary": content,
        "context": "",
        "aspect": content,
        "created_at": "2026-01-01T00:00:00.000000+00:00",
        "provenance": {"generated_by": "scripted", "$ref": [1, 0.5, None, True, {"a": content}]},
    }
    return Item(**(values | fields))


def edited(content: str) -> Item:
    one = Overruled(hashes=("a", "b"), match_id=None, rule="exact", by=content, at="now")
    item = make_item(content, user_id="", overruled=(one,))
    return item.changed("edited", content.strip() or "ana", "2026-01-02", note=content, context=content, summary="x")


def test_a_line_is_an_item_and_its_place() -> None:
    assert from_fields(to_fields(edited("One."), 4), "salt") == (edited("One."), 4)
    assert from_fields(to_fields(make_item(), 0), "pepper") == (make_item(project_id="pepper"), 0)


def test_a_line_of_an_export_has_an_id_and_a_project() -> None:
    assert Line(number=1, fields=to_fields(make_item(), 0)).is_stored
    for fields in ({}, {"id": "x"}, {"project_id": "salt"}, {"id": "", "project_id": "salt"}):
        assert not Line(number=1, fields=fields).is_stored


def test_columns_are_those_of_an_item() -> None:
    assert set(COLUMNS) == set(make_item().to_document()) - {"_id"} | {"id", "place"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "7"}, "id is '7', expected 24 hexadecimal digits"),
        ({"iteration": "two"}, "iteration is 'two', expected a whole number from 0 to 999999"),
        ({"iteration": True}, "iteration is True, expected a whole number"),
        ({"content": " "}, "content is ' ', expected a text of at least a word"),
        ({"department": "Story Department"}, "department is 'Story Department', expected 1 to 63 of a-z"),
        ({"state": "gone"}, "state is 'gone', expected one of active, deleted, dropped"),
        ({"automation": "{"}, "automation is '{', expected a JSON object"),
        ({"automation": {"n": 2**70}}, "expected a whole number of 64 bits"),
        ({"automation": {"n": float("nan")}}, "expected a finite number"),
        ({"revision": 2}, "revision is 2, expected 1 where there are no revisions"),
        ({"revisions": [{"revision": 1}]}, "revisions[0].action is missing, expected a value"),
        ({"revisions": "[1]"}, "revisions is '[1]', expected a JSON list of versions"),
        ({"revisions": [7]}, "revisions[0] is 7, expected a dictionary or an instance of Revision"),
        (
            {"overruled": [{"hashes": [1], "match_id": None, "rule": "", "by": "", "at": ""}]},
            "overruled[0].hashes[0] is 1, expected a valid string",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_value(change: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        from_fields(to_fields(make_item(), 0) | change, "salt")
    assert told in str(refused.value)


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "content_hash"])
def test_a_missing_field_is_named(name: str) -> None:
    fields = to_fields(make_item(), 0)
    del fields[name]
    with pytest.raises(InvalidInput, match=f"^{name} is missing, expected "):
        from_fields(fields, "salt")


def test_a_history_that_does_not_end_with_the_present_text_is_refused() -> None:
    fields = to_fields(edited("One."), 0)
    with pytest.raises(InvalidInput, match="content is 'Two.', expected the text of the last of its revisions"):
        from_fields(fields | {"content": "Two."}, "salt")
    with pytest.raises(InvalidInput, match=r"revisions is \[1, 2\], expected the versions 1 to 3 in order"):
        from_fields(fields | {"revision": 3}, "salt")
