"""What only the SQLite body has: files, their faults, and indexes."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import pytest

from gather_pipeline.adapters.documents.rules import INDEXED
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.errors import DuplicateKey, StaleCursor, StoreError, StoreGone, StoreUnavailable

NOBODY = 65534
OWN = ("documents/sqlite/store.py", "documents/sqlite/file.py", "contextlib.py")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store", timeout_s=0.3)
    yield opened
    opened.close()


def test_reading_makes_no_file(store: SqliteStore, tmp_path: Path) -> None:
    assert store.find("a", "items") == []
    assert store.changed_since("a", "items").documents == []
    assert store.delete("a", "items", {}) == 0
    assert store.position("a") == ""
    assert list(tmp_path.iterdir()) == []


def test_each_database_is_a_file_that_other_programs_can_read(store: SqliteStore, tmp_path: Path) -> None:
    store.insert_many("project-1", "items", [{"_id": "a", "text": "é", "n": 1}])
    store.insert_many("project-2", "items", [{"_id": "b"}])
    assert sorted(path.name for path in (tmp_path / "store").glob("*.sqlite3")) == ["project-1.sqlite3", "project-2.sqlite3"]
    with closing(sqlite3.connect(tmp_path / "store" / "project-1.sqlite3")) as connection:
        assert connection.execute("SELECT id, version, doc FROM items").fetchall() == [("a", 1, '{"text":"é","n":1}')]


@pytest.mark.parametrize("name", ["My%20Project", "a?b=c", "a#b", "ü b"])
def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    for _ in range(2):
        store = SqliteStore(tmp_path / name)
        store.upsert("a", "items", {"_id": "1"})
        store.close()
    assert [path.name for path in (tmp_path / name).iterdir()] == ["a.sqlite3"]
    with closing(SqliteStore(tmp_path / name)) as store:
        assert store.find("a", "items") == [{"_id": "1", "_version": 2}]


def test_commits_are_on_disk_before_they_return(store: SqliteStore) -> None:
    """synchronous = 2 is FULL: in WAL mode the log is flushed at each commit."""
    store.insert_many("a", "items", [{"_id": "1"}])
    connection = store._files["a"].connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_text_file_is_not_taken_for_a_store(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "store" / "a.sqlite3"
    path.parent.mkdir()
    path.write_text("These are my notes. " * 100)
    for call in (lambda: store.find("a", "items"), lambda: store.upsert("a", "items", {"_id": "1"})):
        with pytest.raises(StoreError, match=r"a\.sqlite3 is not a SQLite database, expected a file that this store made"):
            call()
    assert path.read_text() == "These are my notes. " * 100


def test_another_programs_database_is_left_alone(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "store" / "a.sqlite3"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE items (id, version, doc)")
        connection.commit()
    before = path.read_bytes()
    for call in (lambda: store.find("a", "items"), lambda: store.upsert("a", "items", {"_id": "1"})):
        with pytest.raises(StoreError, match=r"a\.sqlite3 is a SQLite database of another program"):
            call()
    assert path.read_bytes() == before


def test_a_file_of_another_release_is_refused(store: SqliteStore, tmp_path: Path) -> None:
    store.insert_many("a", "items", [{"_id": "1"}])
    store.close()
    with closing(sqlite3.connect(tmp_path / "store" / "a.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 99")
    later = SqliteStore(tmp_path / "store")
    with pytest.raises(StoreError, match=r"a\.sqlite3 has format 99, expected 1 to 4: another release"):
        later.find("a", "items")
    later.close()


OLD_SCHEMA = """
CREATE TABLE _meta (epoch TEXT NOT NULL, sequence INTEGER NOT NULL);
CREATE TABLE _deleted (collection TEXT, id TEXT, seq INTEGER NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID;
CREATE INDEX _deleted_seq ON _deleted (collection, seq);
INSERT INTO _meta (epoch, sequence) VALUES ('0123456789abcdef', 4);
CREATE TABLE "items" (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, version INTEGER NOT NULL, doc TEXT NOT NULL);
INSERT INTO "items" VALUES (3, '1', 2, '{"department":"story","vector":{"$bytes":"AP8="}}');
INSERT INTO _deleted VALUES ('items', '2', 4);
CREATE INDEX "items:find:department" ON "items" (ifnull(json_extract(doc, '$.department'), -9e999), id);
PRAGMA application_id = 1195463752;
PRAGMA user_version = 1;
"""
ERAS = "CREATE TABLE _eras (sequence INTEGER PRIMARY KEY, token TEXT NOT NULL); PRAGMA user_version = 2;"
COMMITS = """CREATE TABLE _commits (sequence INTEGER PRIMARY KEY, token TEXT NOT NULL);
INSERT INTO _commits VALUES (4, '89abcdef01234567');
DROP TABLE _meta; DROP TABLE _deleted; DROP INDEX "items:find:department"; PRAGMA user_version = 3;"""


@pytest.mark.parametrize("more", ["", ERAS, COMMITS], ids=["format 1", "format 2", "format 3"])
def test_a_file_of_an_earlier_format_is_read_as_it_is_and_renewed_with_a_write(store: SqliteStore, tmp_path: Path, more: str) -> None:
    path = tmp_path / "store" / "a.sqlite3"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_SCHEMA + more)
        connection.execute("PRAGMA journal_mode = WAL")
    before, document = path.read_bytes(), {"_id": "1", "department": "story", "vector": b"\x00\xff", "_version": 2}
    assert store.get("a", "items", "1") == document
    assert store.find("a", "items", {"department": "story"}) == [document]
    with pytest.raises(StaleCursor):
        store.changed_since("a", "items", "0123456789abcdef.3")
    store.close()
    assert path.read_bytes() == before
    later = SqliteStore(tmp_path / "store")
    page = later.changed_since("a", "items")
    assert page.documents == [document]
    later.insert_many("a", "items", [{"_id": "2", "vector": b"\xff"}])
    assert later.changed_since("a", "items", page.cursor).documents == [{"_id": "2", "vector": b"\xff", "_version": 1}]
    assert later.update("a", "items", "1", {"department": "music"}) == document | {"department": "music", "_version": 3}
    later.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name NOT GLOB 'sqlite*'")}
    assert names == {"_commits", "items", *(f"items:{name}" for name in INDEXED)}


def test_a_cursor_is_refused_after_a_copied_file_took_the_place_of_a_closed_one(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "store" / "a.sqlite3"
    store.insert_many("a", "items", [{"_id": "1"}])
    store.close()
    copy = path.read_bytes()
    for id in ("2", "3"):
        later = SqliteStore(tmp_path / "store")
        later.insert_many("a", "items", [{"_id": id}])
        cursor = later.changed_since("a", "items").cursor
        later.close()
        path.write_bytes(copy)
    later = SqliteStore(tmp_path / "store")
    later.insert_many("a", "items", [{"_id": "4"}, {"_id": "5"}])
    with pytest.raises(StaleCursor):
        later.changed_since("a", "items", cursor)
    later.close()


def test_a_damaged_file_is_named(store: SqliteStore, tmp_path: Path) -> None:
    store.insert_many("a", "items", [{"_id": f"{number:03}", "text": "x" * 1000} for number in range(200)])
    store.close()
    path = tmp_path / "store" / "a.sqlite3"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))
    later = SqliteStore(tmp_path / "store")
    with pytest.raises(StoreError, match=r"a\.sqlite3 is damaged"):
        later.find("a", "items")
    later.close()


@pytest.mark.parametrize("comes_back", [False, True], ids=["deleted", "replaced by a copy"])
def test_what_is_written_to_a_file_that_went_from_its_place_is_refused(store: SqliteStore, tmp_path: Path, comes_back: bool) -> None:
    store.insert_many("a", "items", [{"_id": "1"}])
    path = tmp_path / "store" / "a.sqlite3"
    copy = path.read_bytes()
    path.unlink()
    if comes_back:
        path.write_bytes(copy)
    done = "replaced" if comes_back else "deleted"
    with pytest.raises(StoreGone, match=f"a.sqlite3 was {done} while it was in use: nothing more is written"):
        store.insert_many("a", "items", [{"_id": "2"}])


def test_an_empty_file_is_a_new_store(store: SqliteStore, tmp_path: Path) -> None:
    """A process may be killed between making the file and filling it."""
    path = tmp_path / "store" / "a.sqlite3"
    path.parent.mkdir()
    path.touch()
    assert store.find("a", "items") == []
    store.insert_many("a", "items", [{"_id": "1"}])
    assert store.find("a", "items") == [{"_id": "1", "_version": 1}]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_text("")
    store = SqliteStore(path)
    with pytest.raises(StoreError, match=r"store.*cannot be opened: (File exists|Not a directory)"):
        store.upsert("a", "items", {"_id": "1"})
    store.close()


def test_a_file_that_is_a_folder_is_named(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "store" / "a.sqlite3").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"a\.sqlite3 cannot be opened"):
        store.upsert("a", "items", {"_id": "1"})


@contextmanager
def as_an_ordinary_user() -> Iterator[None]:
    """To root nothing is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder_can_be_read_and_is_named_to_who_writes() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = SqliteStore(folder)
        store.insert_many("a", "items", [{"_id": "1"}])
        store.close()
        folder.chmod(0o555)
        (folder / "a.sqlite3").chmod(0o444)
        store = SqliteStore(folder)
        with as_an_ordinary_user():
            assert store.find("a", "items") == [{"_id": "1", "_version": 1}]
            assert store.changed_since("a", "items", store.position("a")).documents == []
            with pytest.raises(StoreError, match=r"a\.sqlite3 cannot be .* read-only"):
                store.upsert("a", "items", {"_id": "2"})
            with pytest.raises(StoreError, match=r"b\.sqlite3 cannot be opened: .* read-only"):
                store.upsert("b", "items", {"_id": "2"})
            with pytest.raises(StoreError, match="cannot be opened: Permission denied"):
                SqliteStore(folder / "below").upsert("a", "items", {"_id": "2"})
        folder.chmod(0o777)
        (folder / "a.sqlite3").chmod(0o666)
        with as_an_ordinary_user():
            store.upsert("a", "items", {"_id": "2"})  # once it can be written
            assert len(store.find("a", "items")) == 2
        store.close()
        folder.chmod(0o755)


def test_what_lies_on_a_full_disk_can_be_read(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        store.insert_many("a", "items", [{"_id": "1"}])
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(SqliteStore(tmp_path)) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))  # no file grows, as on a full disk
        try:
            found = store.find("a", "items")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, most)
        assert [row["_id"] for row in found] == ["1"]
        store.upsert("a", "items", {"_id": "2"})


FULL_DISK = """
import resource, sys
from pathlib import Path
from gather_pipeline.adapters.documents.rules import INDEXED
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.errors import StoreError

store = SqliteStore(Path(sys.argv[1]))
store.insert_many("a", "items", [{"_id": "start"}])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
stored = 0
try:
    while stored < 1000:
        store.insert_many("a", "items", [{"_id": f"{stored}-{n}", "text": "x" * 10_000} for n in range(3)])
        stored += 1
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert 0 < stored < 1000, stored
assert len(store.find("a", "items")) == 1 + 3 * stored
store.insert_many("a", "items", [{"_id": "end"}])
assert len(store.changed_since("a", "items").documents) == 2 + 3 * stored
store.close()
"""


def test_a_full_disk_loses_nothing_and_is_named(tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk; when there is room again, the same store goes on."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "a.sqlite3 c" in done.stdout and "disk" in done.stdout


def test_a_file_locked_for_too_long_is_unavailable_and_still_read(store: SqliteStore, tmp_path: Path) -> None:
    store.insert_many("a", "items", [{"_id": "1"}])
    with closing(sqlite3.connect(tmp_path / "store" / "a.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"a\.sqlite3 is locked"):
            store.upsert("a", "items", {"_id": "2"})
        assert len(store.find("a", "items")) == 1
        other.execute("ROLLBACK")
    store.upsert("a", "items", {"_id": "2"})


def test_fields_that_queries_name_are_searched_through_an_index(store: SqliteStore) -> None:
    store.insert_many("a", "items", [{"_id": f"{number:04}", "department": f"d{number % 9}", "sequence": number} for number in range(40)])
    connection = store._files["a"].connection
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    assert [row["sequence"] for row in store.find("a", "items", {"department": "d3"})] == [3, 12, 21, 30, 39]
    assert len(store.find("a", "items", {"sequence": {"$gt": 30}}, sort=[("sequence", 1)])) == 9
    assert len(store.find("a", "items", {"_id": {"$in": ["0001", "0002"]}})) == 2
    connection.set_trace_callback(None)
    queries = [statement for statement in statements if statement.startswith("SELECT *")]
    plans = [connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchone()[3].split(" (")[0] for query in queries]
    assert plans == [
        "SEARCH items USING INDEX items:department",
        "SEARCH items USING INDEX items:sequence",
        "SEARCH items USING INDEX sqlite_autoindex_items_1",
    ]


def test_an_interrupted_write_leaves_no_trace(store: SqliteStore) -> None:
    """A cancel comes as an exception that no `except Exception` sees, at any point."""
    store.insert_many("a", "items", [{"_id": "1"}])
    with pytest.raises(KeyboardInterrupt), store._writing("a", "items") as file:
        file.connection.execute("DELETE FROM items")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), store._writing("a", "later"):
        raise KeyboardInterrupt
    assert len(store.find("a", "items")) == 1
    assert store.find("a", "later") == []
    store.insert_many("a", "later", [{"_id": "1"}])


class Interruption:
    """Raises KeyboardInterrupt at the n-th step of the store's own code, as a signal may."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame: FrameType, event: str, _: object) -> Interruption:
        if event in ("call", "line") and frame.f_code.co_filename.endswith(OWN):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


@pytest.mark.parametrize("call", ["update", "insert_many", "delete", "find", "changed_since"])
def test_an_interruption_at_any_step_leaves_the_store_usable(store: SqliteStore, call: str) -> None:
    """No lock stays held, no transaction open: the loop saves its work after a cancel, and its heartbeat is another thread."""
    store.insert_many("a", "items", [{"_id": "1", "n": 0}])
    calls: dict[str, Callable[[int], object]] = {
        "update": lambda number: store.update("a", "items", "1", {"n": number}),
        "insert_many": lambda number: store.insert_many("a", "items", [{"_id": f"new {number}"}, {"_id": f"new too {number}"}]),
        "delete": lambda number: store.delete("a", "items", {"_id": f"new {number}"}),
        "find": lambda number: store.find("a", "items", {"n": number}, limit=2),
        "changed_since": lambda number: store.changed_since("a", "items"),
    }
    steps, outer = 0, sys.gettrace()
    with ThreadPoolExecutor(1) as other:
        while True:
            steps += 1
            interruption = Interruption(steps)
            try:
                sys.settrace(interruption)
                calls[call](steps)
            except KeyboardInterrupt:
                pass
            finally:
                sys.settrace(outer)
            found = other.submit(store.find, "a", "items", {"_id": {"$in": [f"new {steps}", f"new too {steps}"]}}).result(30)
            assert len(found) in (0, 2)
            assert other.submit(store.upsert, "a", "items", {"_id": "beat", "n": steps}).result(30)["n"] == steps
            if interruption.left > 0:
                break
    assert steps > 20


def test_processes_that_make_one_file_at_once_agree(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from gather_pipeline.adapters.documents.sqlite.store import SqliteStore\n"
        "store = SqliteStore(Path(sys.argv[1])); sys.stdin.readline()\n"
        "store.insert_many('a', 'items', [{'_id': sys.argv[2]}]); store.close()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    writers = [subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for number in range(4)]
    said = [writer.communicate(b"\n", timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, said
    store = SqliteStore(tmp_path)
    assert [row["_id"] for row in store.find("a", "items")] == ["0", "1", "2", "3"]
    store.close()


def test_a_taken_id_names_document_and_file(store: SqliteStore) -> None:
    store.insert_many("a", "items", [{"_id": "2"}])
    with pytest.raises(DuplicateKey, match=r"items '2' in .*a\.sqlite3 repeats the _id of another document"):
        store.insert_many("a", "items", [{"_id": "1"}, {"_id": "2"}])
    assert len(store.find("a", "items")) == 1


def test_changes_that_wait_beside_a_read_only_file_are_not_overlooked(store: SqliteStore) -> None:
    """They lie in the file `-wal`, which SQLite cannot read where it may make no other beside it."""
    store.upsert("a", "items", {"_id": "1"})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for end in ("", "-wal"):
            (folder / f"a.sqlite3{end}").write_bytes(store._files["a"].path.with_name(f"a.sqlite3{end}").read_bytes())
        folder.chmod(0o555)
        with as_an_ordinary_user(), pytest.raises(StoreError, match=r"a\.sqlite3 cannot be opened"):
            SqliteStore(folder).find("a", "items")
