"""What a project has, in pages: items in order, and what was dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice
from typing import Generic, TypeVar

from gather_pipeline.domain.decisions import set_aside_key
from gather_pipeline.domain.items import Item, State
from gather_pipeline.errors import UnknownEntity, listed
from gather_pipeline.people.history import Drop, drops_of
from gather_pipeline.records.view import ProjectView

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Row]):
    """Some rows of a list.

    Attributes:
        last: Id behind which the next page begins; None where there is no more.
    """

    rows: Sequence[Row]
    last: str | None


def items_page(
    view: ProjectView, department: str | None = None, state: State = "active", *, limit: int | None = None, after: str | None = None
) -> Page[Item]:
    """Items of a state, of one department or all, in order: at most `limit` of them, from behind the item whose id is `after`.

    Raises:
        UnknownEntity: There is no such department, or no item `after`.
    """
    _check_department(view, department)
    everything = _behind(_everything(view, department, after, in_parts=limit is not None), after, lambda item: item.id)
    return _page((item for item in everything if item.state == state), limit, lambda item: item.id)


def drops_page(view: ProjectView, department: str | None = None, *, limit: int | None = None, after: str | None = None) -> Page[Drop]:
    """What was dropped, with its match and rule, as `items_page` gives items; ids are those to restore by.

    A text that was dropped more than once is one row: the decision that holds, else the first.
    """
    _check_department(view, department)
    items = [item for item in view.everything if department in (None, item.department)]
    hold = {set_aside_key(item) for item in items if item.state == "dropped"}
    by_item: dict[str, Drop] = {}
    for drop in drops_of([one for one in view.dropped if department in (None, one.department)], items):
        if drop.item_id not in by_item or drop.id in hold:
            by_item[drop.item_id] = drop
    places = {stored.slug: stored.place for stored in view.departments}
    drops = sorted(by_item.values(), key=lambda drop: places.get(drop.department, len(places)))
    if after is not None and after not in by_item:
        raise UnknownEntity.field("after", after, "the id of a dropped text, as gather items --dropped prints it")
    return _page(_behind(drops, after, lambda drop: drop.item_id), limit, lambda drop: drop.item_id)


def _everything(view: ProjectView, department: str | None, after: str | None, *, in_parts: bool) -> Iterator[Item]:
    """Items in order, from the department of the item `after` on; in parts, a department is read when its turn comes."""
    first = None
    if after is not None:
        first = view.records.item(after)
        if first is None or department not in (None, first[0].department):
            where = "the project" if department is None else f"department {department}"
            raise UnknownEntity.field("after", after, f"the id of an item of {where}, as gather items prints it")
    slugs = [department] if department is not None else [stored.slug for stored in view.departments]
    if department is None and not in_parts:
        places = {slug: place for place, slug in enumerate(slugs)}
        yield from sorted(view.everything, key=lambda item: places.get(item.department, len(places)))
        return
    for slug in slugs if first is None else dropwhile(lambda slug: slug != first[0].department, slugs):
        yield from view.records.view(slug).everything
    if department is None:  # of departments that no run has found, which only a look at everything shows
        yield from (item for item in view.everything if item.department not in slugs)


def _behind(rows: Iterable[Row], after: str | None, id_of: Callable[[Row], str]) -> Iterator[Row]:
    """The rows behind the one with an id; all of them where none is given."""
    return iter(rows) if after is None else islice(dropwhile(lambda row: id_of(row) != after, rows), 1, None)


def _page(rows: Iterator[Row], limit: int | None, id_of: Callable[[Row], str]) -> Page[Row]:
    found = list(islice(rows, limit))
    more = bool(found) and next(rows, None) is not None
    return Page(rows=found, last=id_of(found[-1]) if more else None)


def _check_department(view: ProjectView, slug: str | None) -> None:
    known = [stored.slug for stored in view.departments]
    if slug is not None and slug not in known and not view.history(slug) and not view.records.view(slug).everything:
        raise UnknownEntity.field("department", slug, f"one of {listed(known)}" if known else "a department of a project that has run")
