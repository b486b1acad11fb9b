"""Departments from a file: YAML or JSON, and one sentence for a file that is neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gather_pipeline.adapters.files.departments import DepartmentFile
from gather_pipeline.errors import InvalidInput
from gather_pipeline.settings import PACKAGED_SAMPLE

ALIASES = b"a: &a [x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in b"abcdefgh")
ROW = {"slug": "story", "name": "Story Department"}


def test_the_bundled_sample_has_seven_departments_in_the_fields_of_the_cms() -> None:
    departments = DepartmentFile(PACKAGED_SAMPLE / "departments.yaml").departments()
    assert [one.codeDepNumber for one in departments] == [1, 2, 3, 4, 5, 6, 7]
    assert all(one.coordinationSettings.maxIterations == 2 and len(one.aspects) >= 5 and one.defaultModel for one in departments)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("departments.yaml", "- {slug: story, name: Story Department}"),
        ("departments.yml", "departments:\n- {slug: story, name: Story Department}"),
        ("departments.json", json.dumps([ROW])),
        ("cms.json", json.dumps({"docs": [ROW], "totalDocs": 1})),
        ("bom.json", "\ufeff" + json.dumps([ROW])),
        ("lines.jsonl", json.dumps(ROW) + "\n"),
        ("wide.json", json.dumps([ROW])),
    ],
)
def test_yaml_json_and_the_envelope_of_the_cms_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-16" if name == "wide.json" else "utf-8")
    assert [one.slug for one in DepartmentFile(tmp_path / name).departments()] == ["story"]


@pytest.mark.parametrize(
    ("value", "name"),
    [("no", "no"), ("On", "On"), ("2024-01-01", "2024-01-01"), ("12:30", "12:30"), ("0x1F", "31"), ("010", "10"), ("1e3", "1000.0")],
)
def test_plain_values_are_those_of_yaml_1_2(tmp_path: Path, value: str, name: str) -> None:
    (tmp_path / "a.yaml").write_text(f"- {{slug: no, name: {value}, gatherCheck: yes, isActive: off, codeDepNumber: 010}}\n")
    (one,) = DepartmentFile(tmp_path / "a.yaml").departments()
    assert (one.slug, one.name, one.gatherCheck, one.isActive, one.codeDepNumber) == ("no", name, True, False, 10)


@pytest.mark.parametrize("form", ["- {}\n---\n- {}\n", "---\n{}\n---\n{}\n...\n", "# first\n---\n- {}\n- {}\n"])
def test_several_documents_of_yaml_are_one_list(tmp_path: Path, form: str) -> None:
    (tmp_path / "a.yaml").write_text(form.format("{slug: story, name: Story}", "{slug: visual, name: Visual}"))
    assert [one.slug for one in DepartmentFile(tmp_path / "a.yaml").departments()] == ["story", "visual"]


@pytest.mark.parametrize("name", ["departments.json", "departments.jsonl"])
@pytest.mark.parametrize("between", ["\n", ",\n", "\n\n", " \x1e"])
def test_an_export_of_mongodb_is_read(tmp_path: Path, name: str, between: str) -> None:
    row = '{"_id": {"$oid": "66b1c2d3e4f5a6b7c8d9e0f1"}, "slug": "%s", "name": "N", "codeDepNumber": {"$numberInt": "%d"}, "updatedAt": '
    row += '{"$date": {"$numberLong": "1704067200000"}}, "coordinationSettings": {"minQualityThreshold": {"$numberDouble": "80.5"}}}'
    (tmp_path / name).write_text(between.join([row % ("story", 1), row % ("visual", 2)]))
    found = DepartmentFile(tmp_path / name).departments()
    assert [(one.slug, one.codeDepNumber, one.threshold) for one in found] == [("story", 1, 80.5), ("visual", 2, 80.5)]


def test_a_file_is_read_anew_at_each_call(tmp_path: Path) -> None:
    file = tmp_path / "departments.json"
    file.write_text(json.dumps([ROW]), encoding="utf-8")
    source = DepartmentFile(file)
    assert len(source.departments()) == 1
    file.write_text(json.dumps([ROW, ROW | {"slug": "visual"}]), encoding="utf-8")
    assert len(source.departments()) == 2


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.json", b'[{"slug": ', "not JSON"),
        ("a.yaml", b"- [slug: story", "not YAML.*line"),
        ("a.yaml", b"\xff\xfe\x00", "expected UTF-8 text"),
        ("a.yaml", b"- {slug: story, name: Story, codeDepNumber: 2024-13-45}", "codeDepNumber is '2024-13-45', expected a valid integer"),
        ("a.json", b"[" + b"9" * 5000 + b"]", "a number has 5000 digits, expected at most 300"),
        ("a.yaml", b"- {slug: story, codeDepNumber: " + b"9" * 5000 + b"}", "a number has 5000 digits, expected at most 300"),
        ("a.yaml", b"- {slug: story, name: Story, codeDepNumber: 1:30}", "field codeDepNumber is '1:30', expected a valid integer"),
        ("a.json", b"[" * 100_000, "nested more than 64 levels deep"),
        ("a.jsonl", b"[" * 100_000, "nested more than 64 levels deep"),
        ("a.yaml", b"[" * 65, "nested more than 64 levels deep"),
        ("a.yaml", b"[" * 20_000, "nest"),
        ("a.yaml", b"- " * 20_000, "nested more than 64 levels deep"),
        ("a.yaml", ALIASES + b"all: *i", "stands for more than 100000 values"),
        ("a.yaml", ALIASES.replace(b"[", b"{<<: [").replace(b"]", b"]}").replace(b"x,x", b"{k: x}"), "stands for more than 100000 values"),
        ("a.yaml", b"all: &a [*a]", "stands in what it stands for"),
        ("a.yaml", b"- {slug: story}\n" * 400_000, "more than 5000000 bytes"),
        ("a.yaml", b"", "holds none, expected a list of departments"),
        ("a.yaml", b"- slug: story\n  name: Story\n- slug: music\n  slug: sound", "'slug' stands twice in one mapping, at line 3"),
        ("a.yaml", b"- slug: story\n  name: Story\n  codeDepNumber: three", "row 1.*codeDepNumber.*'three'"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name_and_place(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidInput, match=told) as refusal:
        DepartmentFile(tmp_path / name).departments()
    assert str(tmp_path / name) in str(refusal.value)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="GATHER_DEPARTMENTS is"):
        DepartmentFile(tmp_path / name).departments()
