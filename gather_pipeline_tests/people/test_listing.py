"""What a project has, a page at a time: every row once, and an end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.errors import UnknownEntity
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.listing import drops_page, items_page
from gather_pipeline_tests.harness import PROJECT, Studio


@pytest.fixture
def studio(written: Path, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(shutil.copytree(written, tmp_path / "home"))
    yield studio
    studio.close()


def test_a_text_that_was_dropped_twice_is_one_row_and_the_pages_come_to_an_end(studio: Studio) -> None:
    desk = People(studio.services)
    one, other, third = (desk.add(PROJECT, "story", Texts(content=f"The mayor owns key {n}."), "ana").id for n in (1, 2, 3))
    desk.mark_same(one, third, "ana")
    desk.restore(one, "ana")
    desk.mark_same(other, third, "ana")
    desk.mark_same(one, third, "ben")
    found, after = [], None
    while after is not None or not found:
        page = drops_page(studio.view, limit=1, after=after)
        found += [(drop.item_id, drop.reason) for drop in page.rows]
        after = page.last
        assert len(found) < 9
    assert sorted(found) == sorted([(one, f"ben says that it is the same as {third}"), (other, f"ana says that it is the same as {third}")])


def test_an_item_of_another_department_is_no_place_to_go_on_from(studio: Studio) -> None:
    story = studio.view.items_of("story")[0].id
    visual = People(studio.services).add(PROJECT, "visual", Texts(content="The mayor owns the key."), "ana").id
    assert items_page(studio.view, "story", after=story).rows
    with pytest.raises(UnknownEntity, match=f"after is '{visual}', expected the id of an item of department story"):
        items_page(studio.view, "story", after=visual)
