"""Items go out of a project and come back without a loss; what comes in is decided as always, and overwrites nothing."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.adapters.files.items import read_items, write_items
from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.decisions import DecidedText, Decision
from gather_pipeline.domain.item_lines import FORMATS, Format, Line, to_fields
from gather_pipeline.domain.items import NewItem, content_hash, distinct_pairs
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import InvalidInput, ProjectBusy, StoreError, UnknownEntity
from gather_pipeline.people import importing
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.import_lines import Order
from gather_pipeline.people.importing import Imported, Importer
from gather_pipeline.ports import Document, DocumentStore, Vectors
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.records.marks import MARKS, Mark
from gather_pipeline.records.project import EMBEDDINGS, ITEMS
from gather_pipeline.upkeep.checks import every_item_has_provenance, no_duplicate_stored
from gather_pipeline.upkeep.refresh import Upkeep
from gather_pipeline_tests.adapters.documents.store_bodies import Body
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

ROWS = tuple(department_row(slug, place, most=2) for place, slug in enumerate(("story", "visual", "music"), 1))
OTHER = "507f1f77bcf86cd799439022"


@dataclass
class Home:
    """Where a studio is opened: a folder, and perhaps a server."""

    folder: Path
    settings: dict[str, Any]

    def open(self, **settings: Any) -> Studio:
        return Studio.open(self.folder, ROWS, **(self.settings | settings))


@pytest.fixture
def home(body: Body, tmp_path: Path) -> Iterator[Home]:
    """On both bodies of the store."""
    database = body.new_database()
    yield Home(tmp_path / "home", {} if body.kind == "sqlite" else {"mongodb_uri": body.place, "mongodb_db": database})
    body.drop(database)
    body.drop(f"aladdin-gather-{PROJECT}")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """An empty project on SQLite."""
    studio = Studio.open(tmp_path, ROWS)
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Lines of a project whose items were generated, edited, deleted, restored, added, dropped and set aside."""
    studio = Studio.open(tmp_path_factory.mktemp("source"), ROWS, body=ScriptedModel(duplicate_rate=0.5))
    studio.run()
    live_in(studio)
    found = export(studio)
    studio.close()
    return found


def live_in(studio: Studio) -> None:
    """Does to a project what people do."""
    people = desk(studio)
    story, visual = studio.view.items_of("story"), studio.view.items_of("visual")
    people.edit(story[0].id, Texts(content="Ada burns the ledger.\n# not a heading\n> \N{SNOWMAN} -->"), "ana")
    people.edit(story[0].id, Texts(aspect="the ledger"), "ben")
    people.delete(story[1].id, "ana")
    people.delete(story[2].id, "ana")
    people.restore(story[2].id, "ben")
    for words in ("The mayor owns the only key.", "Nobody climbs the tower in winter."):
        people.add(PROJECT, "story", Texts(content=words, context="by hand"), "ana")
    people.edit(story[3].id, Texts(content=visual[0].content), "ana")
    Upkeep(studio.services, PROJECT).refresh(["story"])
    drop = next(drop for drop in studio.view.dropped if drop.decision.match_id and drop.item_id != visual[0].id)
    people.restore(drop.item_id, "ana")
    states = {item.state for item in studio.view.everything}
    assert states == {"active", "deleted", "dropped"}
    assert {item.origin for item in studio.view.everything} == {"generated", "person", "restored"}


def desk(studio: Studio) -> People:
    return People(studio.services)


def export(studio: Studio, project_id: str = PROJECT) -> list[dict[str, Any]]:
    return [to_fields(item, place) for item, place in studio.services.project(project_id).view().placed]


def generated(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The first active line that no person wrote, and of whose text no person said that its twin is no duplicate."""
    told_apart = {hash for line in lines for one in line["overruled"] for hash in one["hashes"]}
    return next(
        line for line in lines if line["state"] == "active" and not line["written_by"] and content_hash(line["content"]) not in told_apart
    )


def importer(studio: Studio, **bodies: Any) -> Importer:
    """An importer with other bodies in some places."""
    return Importer(replace(studio.services, **bodies))


def order(rows: Iterable[Mapping[str, Any] | str], **fields: Any) -> Order:
    """An order of these lines; a text stands for a line with that fault."""
    lines = [Line(number=n, fault=row) if isinstance(row, str) else Line(number=n, fields=row) for n, row in enumerate(rows, 1)]
    return Order(**({"project_id": PROJECT, "lines": lines, "file": "items.jsonl", "by": "ana"} | fields))


def take(studio: Studio, rows: Iterable[Mapping[str, Any] | str], **fields: Any) -> Imported:
    return importer(studio).take(order(rows, **fields))


def refused(report: Imported) -> dict[int, str]:
    return {one.line: one.reason for one in report.refused}


class NoEmbedder(HashingEmbedder):
    """The usual embedder, where there is nothing to embed."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        raise AssertionError(f"there is nothing to judge, but {texts}")


@pytest.mark.parametrize("format", FORMATS)
def test_a_round_trip_loses_nothing_and_the_next_run_overwrites_nothing(
    format: Format, home: Home, lines: list[dict[str, Any]], tmp_path: Path
) -> None:
    studio = home.open()
    path = tmp_path / f"items.{format}"
    write_items(lines, format, path, io.BytesIO(), "The Lost Hour")
    read = list(read_items(path, io.BytesIO(), format, path.name))
    report = importer(studio, embedder=NoEmbedder()).take(order([], lines=read))
    assert (report.imported, report.already_there, report.dropped, report.refused) == (len(lines), 0, 0, [])
    first, again = io.BytesIO(), io.BytesIO()
    write_items(lines, "jsonl", None, first, "")
    write_items(export(studio), "jsonl", None, again, "")
    assert again.getvalue() == first.getvalue()
    repeated = importer(studio, embedder=NoEmbedder()).take(order([], lines=read))
    assert (repeated.imported, repeated.already_there, repeated.dropped, repeated.refused) == (0, len(lines), 0, [])
    if format == "jsonl":
        _goes_on(studio, lines)
    studio.close()


def _goes_on(studio: Studio, lines: Sequence[Mapping[str, Any]]) -> None:
    """A run works on in the imported project: new ids, higher numbers, and what people wrote as it was."""
    highest = {slug: max(line["iteration"] for line in lines if line["department"] == slug) for slug in ("story", "visual", "music")}
    studio.run()
    now = {line["id"]: line for line in export(studio)}
    for line in lines:
        kept = now[line["id"]]
        if line["written_by"]:
            assert kept == line
        assert kept["content"] == line["content"]
    assert len(now) > len(lines)
    for iteration in studio.view.iterations:
        assert iteration.number > highest[iteration.department]
    everything = studio.view.items
    assert no_duplicate_stored(everything, everything).passed
    assert every_item_has_provenance(everything).passed


def test_items_come_back_in_their_order_and_new_ones_stand_after_them(studio: Studio, lines: list[dict[str, Any]]) -> None:
    take(studio, reversed(lines))
    assert export(studio) == lines
    added = desk(studio).add(PROJECT, "story", Texts(content="The newest."), "ana")
    assert studio.view.items_of("story")[-1] == added


def test_an_export_of_a_project_goes_into_itself_without_a_change(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, ROWS)
    studio.run()
    before = export(studio)
    report = take(studio, before)
    assert (report.already_there, report.imported) == (len(before), 0)
    assert export(studio) == before
    studio.close()


def test_lines_of_an_export_are_held_against_the_project_and_not_against_each_other(studio: Studio, lines: list[dict[str, Any]]) -> None:
    mine = generated(lines)
    desk(studio).add(PROJECT, "music", Texts(content=mine["content"]), "ana")
    report = take(studio, [*lines, {**mine, "id": "f" * 24}])
    twins = [line for line in lines if line["content"] == mine["content"] and not line["written_by"] and line["state"] == "active"]
    assert (report.dropped, report.imported) == (len(twins) + 1, len(lines) - len(twins))
    assert {drop.item_id for drop in studio.view.dropped} == {"f" * 24, *(line["id"] for line in twins)}
    restored = desk(studio).restore("f" * 24, "ben")
    assert restored.overruled[0].rule == "exact"
    assert restored.provenance == mine["automation"]
    again = take(studio, [*lines, {**mine, "id": "f" * 24}])
    assert (again.imported, again.dropped, again.already_there) == (0, len(twins), len(lines) - len(twins) + 1)


def test_what_a_person_wrote_in_an_export_is_never_dropped(studio: Studio, lines: list[dict[str, Any]]) -> None:
    persons = [line for line in lines if line["written_by"] and line["state"] == "active"]
    for line in persons:
        desk(studio).add(PROJECT, "music", Texts(content=line["content"]), "cy")
    report = importer(studio, embedder=NoEmbedder()).take(order(persons))
    assert (report.imported, report.dropped) == (len(persons), 0)


def test_handmade_lines_are_held_against_everything_and_each_other(studio: Studio, lines: list[dict[str, Any]]) -> None:
    kept = generated(lines)
    handmade = [
        {"department": "story", "content": "The bell has no clapper.", "summary": "", "id": None},
        {"department": "story", "content": " the bell has  no clapper. "},
        {"department": "visual", "content": kept["content"].upper()},
        {"department": "visual", "content": "Only lamps light the square.", "written_by": "Bo", "aspect": "visual snow"},
    ]
    report = take(studio, [*lines, *handmade])
    assert (report.imported, report.dropped, report.refused) == (len(lines) + 2, 2, [])
    bell, lamps = (item for item in studio.view.everything if item.origin == "imported")
    assert (bell.content, bell.summary, bell.written_by, bell.user_id) == (
        "the bell has  no clapper.",
        "the bell has  no clapper.",
        "ana",
        "ana",
    )
    assert (lamps.written_by, lamps.user_id, lamps.aspect, lamps.iteration) == ("Bo", "ana", "visual snow", 0)
    assert lamps.provenance == {"generated_by": "Bo", "file": "items.jsonl", "line": len(lines) + 4}
    assert lamps.history()[0].action == "imported"
    matches = {drop.text.content: drop.decision.match_id for drop in studio.view.dropped}
    assert matches == {"The bell has no clapper.": bell.id, kept["content"].upper(): kept["id"]}
    again = take(studio, handmade)
    assert (again.imported, again.already_there, again.dropped) == (0, 2, 2)
    desk(studio).edit(bell.id, Texts(content="The bell is gone."), "ana")
    assert take(studio, handmade).already_there == 2


def test_embeddings_are_kept_of_what_was_judged_but_not_of_a_person_s_text(studio: Studio, lines: list[dict[str, Any]]) -> None:
    generated = [line for line in lines if line["state"] == "active" and not line["written_by"]]
    take(studio, generated[:1])
    take(studio, [*generated, {"department": "story", "content": "Only lamps light the square."}])
    rows = studio.services.store.find(project_database(PROJECT), EMBEDDINGS)
    assert {row["item_id"] for row in rows} == {line["id"] for line in generated}


def test_an_import_marks_its_departments_before_its_first_write_and_at_its_end(
    studio: Studio, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "WINDOW", 3)
    marks, found = studio.services.marks, []
    with pytest.raises(StoreError, match="killed"):
        importer(studio, store=Dying(studio.services.store, 0, lambda: found.append(marks.since("")))).take(order(lines))
    departments = [Mark(project_id=PROJECT, department=slug) for slug in ("music", "story", "visual")]
    before, cursor = found[0]
    after, _ = marks.since(cursor)
    assert sorted(before) == sorted(after) == departments
    take(studio, lines)
    rows = studio.services.store.find(studio.services.settings.mongodb_db, MARKS)
    assert {row["_version"] for row in rows} == {4}


class Dying:
    """A store under a program that is killed at a write of items."""

    def __init__(self, store: DocumentStore, at: int, dying: Callable[[], None] = lambda: None) -> None:
        self._store, self._left, self._dying = store, at, dying

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def insert_many(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        if collection == ITEMS:
            self._left -= 1
            if self._left < 0:
                self._dying()
                raise StoreError("killed")
        self._store.insert_many(database, collection, documents)


@pytest.mark.parametrize("at", [0, 1, 4, 7])
def test_a_repeat_completes_an_import_that_was_killed(
    at: int, home: Home, lines: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "WINDOW", 4)
    monkeypatch.setattr(importing, "WINDOW_BY_HAND", 2)
    words = ("bell", "bell", "lamp", "road", "lamp", "snow")
    everything = [*lines, *({"department": "music", "content": f"Nobody has seen the {word} of Lindau."} for word in words)]
    whole = Studio.open(tmp_path / "whole", ROWS)
    expected = take(whole, everything)
    studio = home.open()
    with pytest.raises(StoreError, match="killed"):
        importer(studio, store=Dying(studio.services.store, at)).take(order(everything))
    report = take(studio, everything)
    assert (report.imported + report.already_there, report.dropped) == (expected.imported, expected.dropped)
    times = {"created_at": ""}
    assert [line | times for line in export(studio)] == [line | times for line in export(whole)]
    dropped = [{drop.item_id: drop.decision.match_id for drop in one.view.dropped} for one in (studio, whole)]
    assert dropped[0] == dropped[1]
    studio.close()
    whole.close()


def test_bad_lines_are_named_and_the_others_are_taken(studio: Studio, lines: list[dict[str, Any]]) -> None:
    bad = {**lines[3], "iteration": "two"}
    report = take(studio, [*lines[:3], bad, "the line is no JSON", *lines[4:], lines[0], {**lines[3], "department": "noise"}])
    assert refused(report) == {
        4: "iteration is 'two', expected a whole number from 0 to 999999",
        5: "the line is no JSON",
        len(lines) + 2: f"id is {lines[0]['id']!r}, expected an id of its own (line 1 has it already)",
        len(lines) + 3: "department is 'noise', expected one of music, story, visual",
    }
    assert report.imported == len(lines) - 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"department": "story"}, "content is missing, expected a text of at least a word"),
        ({"content": "Words."}, "department is missing, expected 1 to 63 of a-z"),
        ({"department": "story", "content": "x" * 20_001}, "content has 20001 characters, expected at most 20000"),
        ({"department": "story", "content": "\u200b\x00"}, "content is missing, expected a text of at least a word"),
        ({"department": "story", "content": 7}, "content is 7, expected a text of at least a word"),
        ({"department": "story", "content": "Words.", "id": "row 7"}, "id is 'row 7', expected 24 hexadecimal digits"),
    ],
)
def test_a_wrong_handmade_line_names_its_field(line: dict[str, Any], told: str, studio: Studio) -> None:
    report = take(studio, [{"department": "story", "content": "The bell has no clapper."}, line])
    assert told in refused(report)[2]
    assert report.imported == 1


def test_an_item_that_is_there_is_never_overwritten(studio: Studio, lines: list[dict[str, Any]]) -> None:
    take(studio, lines)
    one = next(line for line in lines if line["state"] == "active" and line["revision"] == 1)
    after = desk(studio).edit(one["id"], Texts(content="The bell has no clapper."), "ben")
    told = refused(take(studio, lines))[lines.index(one) + 1]
    assert told.startswith(f"item {one['id']} is there in revision 2 (edited by ben at {after.history()[-1].at}) with another content")
    assert told.endswith(f"to change it, type: gather item edit {one['id']}")
    assert desk(studio).find(one["id"]) == after


def test_a_line_of_an_earlier_version_is_passed_over_and_one_of_a_later_is_told(studio: Studio, lines: list[dict[str, Any]]) -> None:
    take(studio, lines)
    one = next(line for line in lines if line["state"] == "active")
    later = desk(studio).delete(one["id"], "ben")
    assert take(studio, lines).refused == []
    other = take_elsewhere(studio, lines)
    (told,) = refused(take(studio, [to_fields(later, 0) | {"project_id": OTHER}], project_id=OTHER)).values()
    assert f"item {one['id']} is there in revision {one['revision']}" in told
    assert f"the line has revision {one['revision'] + 1}, deleted" in told
    assert other.imported == len(lines)


def take_elsewhere(studio: Studio, lines: Sequence[Mapping[str, Any]]) -> Imported:
    studio.services.projects.create("Another", "A brief.", OTHER)
    return take(studio, lines, project_id=OTHER, adopt=True)


def test_a_wrong_project_s_file_is_refused_as_a_whole_unless_it_is_adopted(studio: Studio, lines: list[dict[str, Any]]) -> None:
    foreign = [line | {"project_id": OTHER} for line in lines]
    with pytest.raises(InvalidInput, match=f"items.jsonl is an export of project {OTHER}, expected one of project {PROJECT}; type --adopt"):
        take(studio, [*foreign, "a bad line"])
    assert studio.view.everything == []
    assert take(studio, foreign, adopt=True).imported == len(lines)
    assert export(studio) == lines


def test_a_stray_line_of_another_project_is_kept_out(studio: Studio, lines: list[dict[str, Any]]) -> None:
    report = take(studio, [lines[0], lines[1] | {"project_id": OTHER}])
    assert refused(report) == {2: f"project_id is {OTHER!r}, expected {PROJECT!r}; type --adopt to take its items into this one"}
    assert report.imported == 1


@pytest.mark.parametrize("rows", [["the line is no JSON"], [{"x": 1}, {"y": 2}], [{"department": "Story!", "content": ""}]])
def test_a_file_of_another_program_is_refused_as_a_whole(rows: list[Any], studio: Studio) -> None:
    with pytest.raises(InvalidInput, match=r"items.jsonl holds no line that could be an item \(line 1: "):
        take(studio, rows)
    assert studio.view.everything == []


def test_an_empty_file_brings_nothing(studio: Studio) -> None:
    assert take(studio, []) == Imported()


def test_an_unknown_project_is_named(studio: Studio) -> None:
    with pytest.raises(UnknownEntity, match="project id is 'pepper'"):
        take(studio, [], project_id="pepper")


def test_columns_that_no_item_has_are_named_once(studio: Studio) -> None:
    rows = [{"department": "story", "content": words, "colour": "red"} for words in ("The bell is gone.", "Only lamps light the square.")]
    assert take(studio, rows).ignored == ["colour"]


def test_a_trial_says_what_would_be_done_and_writes_nothing(studio: Studio, lines: list[dict[str, Any]]) -> None:
    rows = [*lines, {"department": "story", "content": "The bell."}, {"department": "story", "content": "The bell."}, "bad"]
    tried = take(studio, rows, dry_run=True)
    assert studio.view.everything == []
    assert studio.services.store.find(project_database(PROJECT), EMBEDDINGS) == []
    assert studio.services.store.find(studio.services.settings.mongodb_db, MARKS) == []
    assert take(studio, rows) == tried


def test_an_import_waits_for_nobody_and_a_run_is_told_of_it(studio: Studio, lines: list[dict[str, Any]]) -> None:
    leases = studio.services.leases
    with holding(leases.lease(PROJECT, Owner.this_process("task-1"), 30)), pytest.raises(ProjectBusy, match="run task-1 holds it"):
        take(studio, lines)
    assert studio.view.everything == []
    busy = pytest.raises(ProjectBusy, match="an import into it is under way")
    with holding(leases.lease(PROJECT, Owner.this_process("import-1"), 30)), busy:
        studio.run()


def test_what_a_killed_run_left_under_an_imported_id_is_no_hindrance(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    studio = Studio.open(tmp_path, ROWS)
    one = next(line for line in lines if line["iteration"])
    left = {"_id": one["id"], "department": one["department"], "iteration": one["iteration"], "content": "half"}
    studio.services.store.insert_many(project_database(PROJECT), ITEMS, [left])
    assert take(studio, lines).imported == len(lines)
    assert export(studio) == lines
    studio.close()


def test_of_many_lines_exactly_the_bad_ones_are_named(studio: Studio) -> None:
    rows: list[Mapping[str, Any] | str] = [stored(n) for n in range(10_000)]
    rows[17], rows[5_000] = "the line is no JSON", {**stored(5_000), "state": "gone"}
    rows[9_999] = {**stored(9_999), "department": "noise"}
    steps: list[tuple[int, int]] = []
    report = importer(studio, embedder=NoEmbedder()).take(order(rows), lambda done, total: steps.append((done, total)))
    assert sorted(refused(report)) == [18, 5_001, 10_000]
    assert report.imported == 9_997 == len(studio.view.everything)
    assert steps[-1] == (9_997, 9_997)


def stored(n: int) -> dict[str, Any]:
    """The line of a generated item."""
    return {
        "id": f"{n:024x}",
        "project_id": PROJECT,
        "department": "story",
        "iteration": 1 + n // 5,
        "place": n % 5,
        "aspect": "",
        "content": f"Note {n} of the tower.",
        "summary": "A note.",
        "context": "",
        "state": "active",
        "revision": 1,
        "written_by": None,
        "origin": "generated",
        "created_at": "2026-01-01T00:00:00+00:00",
        "user_id": None,
        "task_id": "task-0",
        "automation": {"generated_by": "scripted", "task": "gather_item", "model": "scripted"},
        "revisions": [],
        "overruled": [],
    }


def test_a_person_s_drop_by_the_content_filter_can_be_restored_and_run_after(tmp_path: Path) -> None:
    """Such a drop has no match, so it is no pair: it once stopped the next run."""
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    studio.run()
    item = studio.view.items_of("story")[0]
    drop = DecidedText(
        key="story|x",
        item_id="e" * 24,
        department="story",
        iteration=1,
        place=9,
        text=NewItem(content="Words.", summary="Words.", context=""),
        decision=Decision(duplicate=True, rule="content_filter", similarity=0.0),
        rules_version="",
    )
    studio.records.record_drops([drop])
    desk(studio).restore("e" * 24, "ana")
    assert distinct_pairs(studio.view.everything) == frozenset()
    studio.run("task-2")
    assert studio.view.items_of("story")[0] == item


def test_another_embedder_s_vectors_are_not_compared(studio: Studio, lines: list[dict[str, Any]]) -> None:
    class Renamed(HashingEmbedder):
        name = "another"  # type: ignore[assignment]

    take(studio, lines)
    rows = [{"department": "story", "content": "Only lamps light the square."}]
    assert importer(studio, embedder=Renamed()).take(order(rows)).imported == 1
    assert {row["model"] for row in studio.services.store.find(project_database(PROJECT), EMBEDDINGS)} == {"another"}
