"""Every format of an item's file keeps every line exactly."""

from __future__ import annotations

import csv
import io
import os
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gather_pipeline.adapters.files.items import read_items, write_items
from gather_pipeline.domain.item_lines import FORMATS, Format, Line, from_fields, to_fields
from gather_pipeline.domain.texts import CONTROL, clean
from gather_pipeline.errors import InvalidInput, StoreError
from gather_pipeline_tests.domain.test_item_lines import edited, make_item

NASTY = (
    "# A heading\n## Another",
    "<!-- gather-item {} -->\n> quoted\n>\n-->",
    "a\r\nb\rc\n\n d ",
    'comma, semicolon; "quotes" and\ttab',
    "\u2028line\u2029 \x85 separators \x0b\x0c",
    "Маяк погас 灯台 الحارس 🜁",
    "=SUM(A1)",
    "'=SUM(A1)",
    "''- a dash",
    '"',
)


def round_trip(tmp_path: Path, format: Format, rows: list[dict[str, Any]]) -> list[Line]:
    path = tmp_path / f"items[1].{format}"
    write_items(rows, format, path, io.BytesIO(), "Salt\n# Ledger")
    return list(read_items(path, io.BytesIO(), format, "items"))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("content", NASTY)
def test_a_line_comes_back_as_it_was(content: str, format: Format, tmp_path: Path) -> None:
    rows = [to_fields(edited(content), 7), to_fields(make_item(content, user_id='"quoted"', state="dropped"), 0)]
    lines = round_trip(tmp_path, format, rows)
    assert sorted((dict(line.fields) for line in lines), key=lambda row: -row["place"]) == rows
    items = [from_fields(line.fields, "salt") for line in lines]
    assert (edited(content), 7) in items


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text().map(clean), min_size=1, max_size=4))
def test_any_clean_text_comes_back_as_it_was(format: Format, texts: list[str], tmp_path: Path) -> None:
    rows = [to_fields(make_item(text, context=text[::-1]), place) for place, text in enumerate(texts)]
    lines = round_trip(tmp_path, format, rows)
    assert sorted((dict(line.fields) for line in lines), key=lambda row: row["place"]) == rows


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_of_release_1_0_0_is_read(format: Format) -> None:
    """It could hold half a surrogate pair and NULs, tables in a column `exact` of their own."""
    path = Path(__file__).with_name("exports") / f"release-1.0.0.{format}"
    items = [from_fields(line.fields, "salt") for line in read_items(path, io.BytesIO(), format, path.name)]
    text = 'Two lines,\n"quoted"; half a pair \N{REPLACEMENT CHARACTER} and a NUL .'
    other = make_item("Маяк погас.", id="1123456789abcdef01234567", user_id='"ana"', state="dropped")
    assert sorted(items, key=lambda item: -item[1]) == [(edited(text), 7), (other, 0)]


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("jsonl", b'{"content": "a \\ud800 and \\u0000", "automation": {"a": ["\\ud800"]}}'),
        ("csv", b"department,content\nstory,a \xef\xbf\xbd and \0\n"),
    ],
)
def test_text_is_cleaned_where_it_comes_in(format: Format, data: bytes) -> None:
    (line,) = read_items(None, io.BytesIO(data), format, "-")
    assert line.fields["content"] == "a \N{REPLACEMENT CHARACTER} and "
    assert line.fields.get("automation", {"a": ["\N{REPLACEMENT CHARACTER}"]}) == {"a": ["\N{REPLACEMENT CHARACTER}"]}


@pytest.mark.parametrize("format", FORMATS)
def test_no_item_is_a_file_without_lines(format: Format, tmp_path: Path) -> None:
    if format == "md":
        with pytest.raises(InvalidInput, match="no note with its comment"):
            round_trip(tmp_path, format, [])
    else:
        assert round_trip(tmp_path, format, []) == []


def test_markdown_is_for_reading_and_puts_the_deleted_last(tmp_path: Path) -> None:
    rows = [
        to_fields(make_item("One.", aspect="the opening", state="deleted"), 0),
        to_fields(make_item("Two.", aspect="the tower"), 1),
        to_fields(make_item("Three.\n\nIn two parts.", department="sound", aspect=""), 0),
    ]
    path = tmp_path / "items.md"
    write_items(rows, "md", path, io.BytesIO(), "The Salt Ledger")
    shown = [line for line in path.read_text().splitlines() if line and not line.startswith("<!--")]
    assert shown == [
        "# The Salt Ledger",
        "## story",
        "### the tower",
        "> Two.",
        "## sound",
        "### further notes",
        "> Three.",
        ">",
        "> In two parts.",
        "## Deleted",
        "> One.",
    ]


def test_markdown_saved_with_other_line_ends_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "items.md"
    write_items([to_fields(make_item("One.\nTwo."), 0)], "md", path, io.BytesIO(), "Salt")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (line,) = read_items(path, io.BytesIO(), "md", "items")
    assert line.fields["content"] == "One.\nTwo."


def test_a_table_of_a_person_s_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    for text in (
        "department,content\nstory,A note.\n",
        "\ufeffcontent;department\r\nA note.;story\r\n",
        "department\tcontent\nstory\tA note.",
    ):
        path.write_bytes(text.encode())
        (line,) = read_items(path, io.BytesIO(), "csv", "own.csv")
        assert (line.number, line.fields) == (2, {"department": "story", "content": "A note."})


@pytest.mark.parametrize(
    "data",
    [
        b"department,content,aspect\r\nstory,A caf\xc3\xa9.\r\n",
        b"department,content,,\nstory,A caf\xc3\xa9.,,,,\n,,,\n\n",
        b"sep=;\r\nDepartment;CONTENT \r\nstory;A caf\xe9.\r\n",
        b"\n ,\nDepartment;Content\nstory;A caf\xe9.",
        b"department,content\rstory,A caf\xc3\xa9.\r",
        "department\tcontent\r\nstory\tA café.\r\n".encode("utf-16"),
        "\ufeff\ufeffdepartment|content\nstory|A café.\n".encode("utf-16-be"),
        b",department,content\n0,story,A caf\xc3\xa9.\n",
        b"x,x,department,content\n0,1,story,A caf\xc3\xa9.\n",
        b'department, "content"\n story, "A caf\xc3\xa9."\n',
        b"# by hand\ndepartment,content\nstory,A caf\xc3\xa9.\n",
    ],
    ids="missing-cells empty-cells sep= cp1252 old-Mac UTF-16 UTF-16BE an-index others-twice blanks a-comment".split(),
)
def test_a_table_is_read_as_spreadsheets_write_it(data: bytes) -> None:
    (line,) = read_items(None, io.BytesIO(data), "csv", "-")
    assert not line.fault
    assert (line.fields["department"], line.fields["content"]) == ("story", "A café.")


def test_a_quote_within_quotes_may_be_marked_by_a_backslash() -> None:
    marked = read_items(None, io.BytesIO(b'department,content\nstory,"She says \\"no\\", and \\n goes."\n'), "csv", "-")
    doubled = read_items(None, io.BytesIO(b'department,content\nstory,"It ends so: \\"\n'), "csv", "-")
    assert [line.fields["content"] for line in (*marked, *doubled)] == ['She says "no", and \\n goes.', "It ends so: \\"]


def test_a_text_cut_by_its_own_commas_is_refused() -> None:
    (line,) = read_items(None, io.BytesIO(b"department,content,,\nstory,The keeper, who sleeps,\n"), "csv", "-")
    assert line.fault == "cell 3 is ' who sleeps', expected none: the first line has 2 headings"


def test_a_table_of_another_code_page_is_not_guessed() -> None:
    (line,) = read_items(None, io.BytesIO("department,content\nstory,Смотритель".encode("cp1251")), "csv", "-")
    assert line.fault == "byte 0xd1 at 6 is not UTF-8 text"


def test_whole_numbers_of_a_spreadsheet_are_whole() -> None:
    (line,) = read_items(None, io.BytesIO(b'department,content,place,revision,iteration\nstory,A.,"1,0",2.00,"1,000"\n'), "csv", "-")
    assert [line.fields[name] for name in ("place", "revision", "iteration")] == [1, 2, "1,000"]


NOTE = '{"department": "story", "content": "One."}'


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (NOTE, 1),
        (f"\ufeff{NOTE}\n{NOTE}\n", 2),
        (f"[{NOTE}, {NOTE}]", 2),
        (f'{{"items": [{NOTE}],\n"total": 1}}', 1),
        (NOTE.replace(", ", ",\r\n  "), 1),
        (f'{{"data": {{"items": [{NOTE}], "total": 1}}, "success": true}}', 1),
        ('[{"Department": "story", "CONTENT ": "One."}]', 1),
        (f'{{"items": [{NOTE}], "errors": [], "tags": ["x"]}}', 1),
        (f"{NOTE},\n{NOTE},\n", 2),
        (f"\x1e{NOTE}\n\x1e{NOTE}\n", 2),
        (2 * NOTE.replace(", ", ",\n"), 2),
        (NOTE.replace("{", '{"iteration": {"$numberInt": "1"}, '), 1),
    ],
    ids="object lines list object-with-list several-lines objects-around headings lists commas separators objects mongodb".split(),
)
def test_notes_are_read_as_json_lines_and_as_one_document(text: str, count: int) -> None:
    lines = list(read_items(None, io.BytesIO(text.encode()), "jsonl", "-"))
    assert [line.fields["content"] for line in lines] == ["One."] * count


def test_lines_of_a_table_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text('department,content\nstory,"one\ntwo\nthree"\n\nstory,four\nstory\nstory,five\n')
    lines = list(read_items(path, io.BytesIO(), "csv", "own.csv"))
    assert [(line.number, line.fields.get("content")) for line in lines] == [(2, "one\ntwo\nthree"), (6, "four"), (7, ""), (8, "five")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('story,"one"two\n', "the line is no CSV (',' expected after '\"')"),
        ("story,one\rtwo\n", "the line has a carriage return within, expected one only in quotes"),
    ],
    ids=["quotes", "carriage return"],
)
def test_a_bad_line_of_a_table_is_named_and_the_others_are_read(text: str, fault: str) -> None:
    stream = io.BytesIO(f"department,content\nstory,first\n{text}story,last\n".encode())
    lines = list(read_items(None, stream, "csv", "-"))
    assert [(line.number, line.fields.get("content"), line.fault) for line in lines] == [
        (2, "first", ""),
        (3, None, fault),
        (4, "last", ""),
    ]


def test_a_quote_that_is_never_closed_takes_no_lines_into_a_note() -> None:
    stream = io.BytesIO(b'department,content\nstory,first\nstory,"second\nstory,third\nstory,fourth\n')
    first, bad = read_items(None, stream, "csv", "-")
    assert first.fields["content"] == "first"
    assert (bad.number, bad.fault) == (3, "the line opens a quote that is never closed, expected its end before the file's (line 5)")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"{", "the line is no JSON"),
        (b"[1]", "the line is list, expected a JSON object"),
        (b'{"a": "caf\xe9"}', "byte 0xe9 at 10 is not UTF-8 text"),
        (b'{"a": "\x00"}', "the line is no JSON"),
        (b"[" * 100_000, "the line is no JSON"),
    ],
    ids=["broken", "list", "Latin-1", "NUL", "deep"],
)
def test_a_bad_line_is_named_and_the_others_are_read(text: bytes, fault: str) -> None:
    stream = io.BytesIO(b'{"a": 1}\n\n' + text + b'\n{"a": 2}')
    first, bad, last = read_items(None, stream, "jsonl", "-")
    assert (first.number, bad.number, last.number) == (1, 3, 4)
    assert bad.fault.startswith(fault)
    assert (first.fields, last.fields, first.fault, last.fault) == ({"a": 1}, {"a": 2}, "", "")


@pytest.mark.parametrize("first", [b"oops", b'{"a": 1', b'{"a": "1', b'{"a":', b'{"a": "\xe9"', b"{}}", b"7"])
def test_a_bad_first_line_keeps_no_other_out(first: bytes) -> None:
    bad, *good = read_items(None, io.BytesIO(first + b'\n{"a": 1}\n{"a": 2}'), "jsonl", "-")
    assert (bad.number, bool(bad.fault)) == (1, True)
    assert [(line.number, line.fault, line.fields) for line in good] == [(2, "", {"a": 1}), (3, "", {"a": 2})]


@pytest.mark.parametrize("first", [b"", b"oops\n"])
def test_json_lines_are_never_in_memory_together(first: bytes, tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_bytes(first + b'{"content": "%s"}\n' % (b"x" * 1000) * 4000)
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_items(path, io.BytesIO(), "jsonl", "many"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 4000 + bool(first)
    assert most < 500_000


@pytest.mark.parametrize(
    ("format", "data", "told"),
    [
        ("csv", b"a,b\n1,2\n", "names of columns, department and content among them"),
        ("csv", b"", "names of columns, department and content among them"),
        ("csv", b"\x89PNG\r\n\x1a\n", "names of columns, department and content among them"),
        ("csv", b"\x81\n", "line 1: byte 0x81 at 0 is not UTF-8 text"),
        ("jsonl", b'[\n{"department": "story"},\n]', "other is no JSON: Expecting value at line 3, column 1"),
        (
            "jsonl",
            b'{\n"department": "story",\n}',
            "other is no JSON: Expecting property name enclosed in double quotes at line 3, column 1",
        ),
        ("csv", b"PAR1\x15\x04\r\x15", "names of columns, department and content among them"),
        ("csv", b"content,department,content\n", "column 'content' is there more than once"),
        ("md", b"# Shopping\n- milk\n", "no note with its comment"),
        ("parquet", b"PAR1 is all that it has", "is no Parquet file that can be read"),
        ("parquet", b"", "is no Parquet file that can be read"),
    ],
)
def test_a_file_of_another_program_is_refused(format: Format, data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match="other") as refused:
        list(read_items(path, io.BytesIO(), format, "other"))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_parquet_file_of_another_program_names_its_columns(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "a=b.parquet"
    duckdb.sql(f"COPY (SELECT 1 AS x, 'y' AS y) TO '{path}' (FORMAT parquet)")
    with pytest.raises(InvalidInput, match="has the columns x, y, expected department and content among them"):
        list(read_items(path, io.BytesIO(), "parquet", "other"))
    duckdb.sql(f"COPY (SELECT 'story' AS department, 'A note.' AS content, 2.0 AS iteration) TO '{path}' (FORMAT parquet)")
    (line,) = read_items(path, io.BytesIO(), "parquet", "own")
    assert line.fields == {"department": "story", "content": "A note.", "iteration": 2}


def test_a_parquet_file_may_hold_what_other_writers_put_there(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "own.parquet"
    columns = """'story'::BLOB AS "Department", 'A café.' AS content, NULL AS summary, 1.0::DECIMAL(4, 1) AS place,
        'NaN'::DOUBLE AS iteration,
        TIMESTAMPTZ '2026-11-26 01:00:00+00' AS created_at, {'model': 'm', 'at': DATE '2026-11-26'} AS automation,
        [{'revision': 1}] AS revisions, MAP {'a': 1} AS other, 7 AS __index_level_0__"""
    duckdb.sql(f"COPY (SELECT {columns}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    (line,) = read_items(path, io.BytesIO(), "parquet", "own")
    assert (line.fault, line.fields["department"], line.fields["content"]) == ("", "story", "A café.")
    assert [line.fields[name] for name in ("place", "iteration", "summary", "revisions")] == [1, None, "", [{"revision": 1}]]
    assert line.fields["automation"] == {"model": "m", "at": "2026-11-26"}
    assert line.fields["created_at"].startswith("2026-11-26 ")
    assert {name for name, value in line.fields.items() if value is None} == {"iteration", "other", "__index_level_0__"}


@pytest.mark.parametrize("format", FORMATS)
def test_a_failed_write_leaves_the_old_file(format: Format, tmp_path: Path) -> None:
    path = tmp_path / f"items.{format}"
    path.write_text("what was there")

    def rows() -> Any:
        yield to_fields(make_item(), 0)
        raise StoreError("the store went away")

    with pytest.raises(StoreError, match="went away"):
        write_items(rows(), format, path, io.BytesIO(), "Salt")
    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_goes_where_a_link_points_and_through_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real" / "items.jsonl")
    rows = [to_fields(make_item(), 0)]
    write_items(rows, "jsonl", tmp_path / "link.jsonl", io.BytesIO(), "Salt")
    written = (tmp_path / "real" / "items.jsonl").read_bytes()
    assert (tmp_path / "link.jsonl").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=write_items, args=(rows, "jsonl", tmp_path / "pipe", io.BytesIO(), "Salt"))
    writer.start()
    assert (tmp_path / "pipe").read_bytes() == written
    writer.join()


def test_a_file_that_is_written_anew_stays_as_private_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.touch()
    for mode in (0o600, 0o640):
        path.chmod(mode)
        write_items([to_fields(make_item(), 0)], "jsonl", path, io.BytesIO(), "Salt")
        assert path.stat().st_mode & 0o777 == mode and path.stat().st_size


@pytest.mark.parametrize("name", ["nowhere/items.jsonl", ".", "file/items.jsonl"])
def test_a_file_that_cannot_be_made_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidInput, match="--output is"):
        write_items([to_fields(make_item(), 0)], "jsonl", tmp_path / name, io.BytesIO(), "Salt")


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_a_file_that_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="FILE is"):
        list(read_items(tmp_path / name, io.BytesIO(), "jsonl", name))


@pytest.mark.parametrize("content", ["=1+1", "+1", "-1", "@now", "\t=1", "=HYPERLINK(1)"])
def test_a_table_holds_no_cell_that_a_spreadsheet_would_compute(content: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    write_items([to_fields(make_item(content, user_id=content), 0)], "csv", path, io.BytesIO(), "Salt")
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert cells.count(f"'{content}") == 4
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


@pytest.mark.parametrize("row", ["'x' AS content FROM range(20_000_000)", "repeat('x', 1_000_000) AS content FROM range(2_000)"])
def test_a_parquet_file_that_unpacks_to_gigabytes_is_refused(row: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.sql(f"SELECT 'story' AS department, {row}").write_parquet(str(path), compression="zstd")
    assert path.stat().st_size < 3_000_000
    with pytest.raises(InvalidInput, match="bomb unpacks to more than 512000000 bytes, expected its notes in several files"):
        list(read_items(path, io.BytesIO(), "parquet", "bomb"))


def test_markdown_holds_no_raw_control_or_bidi_character_and_loses_none(tmp_path: Path) -> None:
    text = "red \x1b[31m\x9b letters \u202etfel\u202c\x07"
    rows = [to_fields(make_item(text, summary=text, aspect=text), 0), to_fields(make_item("A plain note."), 1)]
    path = tmp_path / "items.md"
    write_items(rows, "md", path, io.BytesIO(), text)
    assert CONTROL.search(path.read_text(encoding="utf-8")) is None
    assert [dict(line.fields) for line in read_items(path, io.BytesIO(), "md", "items")] in (rows, rows[::-1])
