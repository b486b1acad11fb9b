from __future__ import annotations

from pathlib import Path

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.errors import StoreError
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


class ReadOnly(SqliteStore):
    """A store on a disk that takes nothing."""

    def upsert(self, *args: object, **kwargs: object) -> None:
        raise StoreError("the store cannot be written: it or its folder is read-only")


def test_a_store_that_cannot_be_written_remembers_nothing_and_is_still_read(tmp_path: Path):
    store = ReadOnly(tmp_path / "store")
    assert DefinitionFiles(store, "shared").read([(Path("/t/greeting.json"), define())]) == {}
    store.close()
