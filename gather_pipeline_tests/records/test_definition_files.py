from __future__ import annotations

from pathlib import Path

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.records.definition_files import FILES, DefinitionFiles
from gather_pipeline_tests.tasks.builders import define


def test_a_file_whose_version_goes_back_is_refused_and_an_older_one_beside_it_is_not(tmp_path: Path):
    store, file, other = SqliteStore(tmp_path / "store"), Path("/t/greeting.json"), Path("/t/old.json")
    files = DefinitionFiles(store, "shared")
    for version in ("1.0.0", "1.2.0-rc.1", "1.2.0", "1.2.0"):
        files.read([(file, define(version=version))])
    [(path, told)] = files.read([(file, define(version="1.1.0"))]).items()
    assert path == file and told.startswith("greeting.json: key version is '1.1.0', expected a version from 1.2.0 up")
    assert files.read([(file, define(version="1.2.0")), (other, define(version="1.0.0"))]) == {}
    assert sorted(row["version"] for row in store.find("shared", FILES)) == ["1.0.0", "1.2.0"]
    store.close()
