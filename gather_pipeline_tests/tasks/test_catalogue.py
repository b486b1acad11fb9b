from __future__ import annotations

import json
from pathlib import Path

import pytest

from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.tasks.catalogue import LIMIT, Catalogue, load_definition, names_of
from gather_pipeline_tests.tasks.builders import define, document


def write(folder: Path, name: str, **changes: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(document(**changes)), encoding="utf-8")
    return path


def test_the_newest_version_is_found_unless_one_is_named(tmp_path: Path):
    for version in ("1.2.0", "1.10.0", "1.10.1-rc.1"):
        write(tmp_path, f"{version}.json", version=version)
    catalogue = Catalogue.from_folder(tmp_path)
    assert catalogue.get("greeting").version == "1.10.1-rc.1"
    assert catalogue.get("greeting", "1.2.0").version == "1.2.0"
    assert [definition.version for definition in catalogue] == ["1.2.0", "1.10.0", "1.10.1-rc.1"]


def test_an_unknown_task_names_those_there_are():
    catalogue = Catalogue([define(), define(id="parting")])
    with pytest.raises(UnknownEntity, match="task is 'gathr', expected one of greeting, parting"):
        catalogue.get("gathr")
    with pytest.raises(UnknownEntity, match="version of task parting is '9.0.0', expected one of 1.0.0"):
        catalogue.get("parting", "9.0.0")
    with pytest.raises(UnknownEntity, match="none: there are none"):
        Catalogue([]).get("greeting")


def test_one_version_of_a_task_stands_in_one_file(tmp_path: Path):
    write(tmp_path, "a.json")
    write(tmp_path, "b.json")
    with pytest.raises(InvalidInput, match=r"^b\.json: key version is '1\.0\.0', expected one of its own, for a\.json has it too"):
        Catalogue.from_folder(tmp_path).get("greeting")
    with pytest.raises(InvalidInput, match=r"task greeting has version 1\.0\.0 twice"):
        Catalogue([define(), define()])


def test_a_bad_file_stops_its_own_task_alone(tmp_path: Path):
    write(tmp_path, "good.json")
    write(tmp_path, "zbad.json", id="other", nmae="x")
    write(tmp_path, "gather_item-9.0.0.json", id="gather_item", version="nine")
    (tmp_path / "broken.json").write_text("{")
    known = Catalogue.load([tmp_path])
    assert known.get("greeting").id == "greeting" and {path.name for path in known.faults} == {
        "zbad.json",
        "gather_item-9.0.0.json",
        "broken.json",
    }
    for name, told in (("other", r"^zbad\.json: key nmae is not known"), ("broken", r"^broken\.json: is not JSON"), ("zbad", "key nmae")):
        with pytest.raises(InvalidInput, match=told):
            known.get(name)
    with pytest.raises(InvalidInput, match=r"^gather_item-9\.0\.0\.json: key version is 'nine'"):
        known.get("gather_item")
    assert known.get("gather_item", "1.0.0").version == "1.0.0"  # what is named and right is not in doubt
    assert not {"other", "gather_item"} & {one.id for one in known} and "greeting" in {one.id for one in known}
    assert Catalogue([define(id="more")], under=known).faults == known.faults


def test_a_hidden_file_beside_a_definition_is_not_looked_at(tmp_path: Path):
    write(tmp_path, "greeting.json")
    (tmp_path / "._greeting.json").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    assert [definition.id for definition in Catalogue.from_folder(tmp_path)] == ["greeting"]


def test_a_files_name_may_end_in_capitals(tmp_path: Path):
    write(tmp_path, "GREETING.JSON")
    assert [definition.id for definition in Catalogue.from_folder(tmp_path)] == ["greeting"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InvalidInput, match="folder of task definitions is '.*, expected a folder"):
        Catalogue.from_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"x\.json: is not JSON: Expecting value"),
        (b'{"id": "a", "id": "b"}', r"x\.json: is not JSON: key id stands twice in one object"),
        (b'{"id": "\xff"}', r"x\.json has byte 0xff at 8, expected UTF-8 text"),
        (b"[" * 100_000, r"x\.json: is not JSON"),
        (b'{"id": "\\ud800"}', r"x\.json: is not JSON: unexpected end of hex escape"),
        (b'"text"', r"x\.json: the definition is 'text'"),
    ],
    ids=["empty", "double key", "latin-1", "deep", "half a character", "string"],
)
def test_a_file_that_is_no_definition_is_told_in_one_sentence(tmp_path: Path, content: bytes, told: str):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=told):
        load_definition(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_definition_is_read_as_any_editor_saves_it(tmp_path: Path, encoding: str):
    packaged = next(iter(Catalogue.packaged()))
    path = tmp_path / "x.json"
    path.write_text(json.dumps(packaged.to_document(), indent=1).replace("\n", "\r\n"), encoding=encoding, newline="")
    assert load_definition(path) == packaged


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"gone\.json: cannot be read: No such file"):
        load_definition(tmp_path / "gone.json")
    with pytest.raises(InvalidInput, match=r"is no file"):
        load_definition(tmp_path)


def test_a_folder_of_ones_own_stands_over_what_is_packaged_and_the_later_over_the_earlier(tmp_path: Path):
    for name, description in (("one", "First."), ("two", "Second.")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, "greeting.json", description=description)
    write(tmp_path / "one", "next.json", version="1.1.0")
    known = Catalogue.load([tmp_path / "one", tmp_path / "two"])
    assert (known.get("greeting", "1.0.0").description, known.get("greeting").version) == ("Second.", "1.1.0")
    assert known.paths["greeting", "1.0.0"] == tmp_path / "two" / "greeting.json"
    assert known.get("gather_item") == Catalogue.packaged().get("gather_item")


def test_a_dependency_that_is_not_there_is_told_with_the_file(tmp_path: Path):
    write(tmp_path, "greeting.json", dependencies=[{"task": "names", "outputs": {"who": "output.name"}}])
    with pytest.raises(InvalidInput, match=r"^greeting\.json: key dependencies\.0: task is 'names', expected one of greeting"):
        Catalogue.from_folder(tmp_path).get("greeting")


def test_a_bad_file_that_another_task_needs_stops_no_third_one(tmp_path: Path):
    write(tmp_path, "names.json", id="names", nmae="x")
    write(tmp_path, "needy.json", id="needy", dependencies=[{"task": "names", "outputs": {"who": "output"}}])
    write(tmp_path, "greeting.json")
    known = Catalogue.from_folder(tmp_path)
    assert known.get("greeting").id == "greeting"
    with pytest.raises(InvalidInput, match=r"^needy\.json: key dependencies\.0: names\.json: key nmae is not known"):
        known.get("needy")


def test_a_file_that_is_too_large_is_not_read_for_its_name_either(tmp_path: Path):
    (tmp_path / "big.json").write_text('{"id": "greeting"' + " " * LIMIT + "}")
    assert names_of(tmp_path / "big.json") == {"big"}
