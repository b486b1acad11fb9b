"""Lines of an import wait on the disk until all are checked."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import pytest

from gather_pipeline.domain.item_lines import Line, to_fields
from gather_pipeline.errors import StoreError
from gather_pipeline.people.import_lines import CheckedLines, Order, check_lines
from gather_pipeline_tests.domain.test_item_lines import make_item


def test_a_temporary_folder_that_keeps_no_lines_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StoreError, match="gone cannot keep the lines that were read: No such file or directory; TMPDIR names another"):
        CheckedLines()


def test_lines_that_wait_for_their_turn_lie_on_the_disk() -> None:
    fields = to_fields(make_item(), 0)
    rows = (Line(number=number, fields=fields | {"id": f"{number:024x}", "summary": f"{number}" * 5_000}) for number in range(1, 401))
    order = Order(project_id=fields["project_id"], lines=rows, file="items.jsonl", by="ana")
    with CheckedLines() as lines:
        tracemalloc.start()
        try:
            assert check_lines(order, {fields["department"]}, "", lines) == ([], [])
            taken = [line.number for window in lines.windows(10, by_hand=False) for line in window]
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert taken == list(range(1, 401))
    assert most < 2_000_000
