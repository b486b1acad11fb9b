"""Writes the items that a run holds in memory to a file that `gather import` reads, where the store's own file is gone."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections import Counter
from pathlib import Path

from gather_pipeline.domain.item_lines import to_fields
from gather_pipeline.errors import StoreGone
from gather_pipeline.gather.session import Session


def write_aside(session: Session, error: StoreGone) -> StoreGone:
    """Writes every active item that the run knows, stored or not, to a file under `GATHER_HOME`, else in the folder for temporary files.

    An import skips items that are stored already, so a file with too many does no harm.

    Returns:
        The error, with the file named and what brings it back.
    """
    items = [item for known in (*session.items.values(), *session.unsaved.values()) for item in known]
    if not items:
        return error
    places: Counter[tuple[str, int]] = Counter()
    lines = []
    for item in items:
        lines.append(json.dumps(to_fields(item, places[item.department, item.iteration]), ensure_ascii=False))
        places[item.department, item.iteration] += 1
    for folder in (session.services.settings.home, Path(tempfile.gettempdir())):
        path = folder.absolute() / f"rescued-{session.project.id}-{session.task_id}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        except OSError as refused:
            reason = refused.strerror
            continue
        command = f"gather import --project {session.project.id} {shlex.quote(str(path))}"
        return StoreGone(f"{error}; the {len(items)} items that the run had in memory are kept, to bring them back type: {command}")
    return StoreGone(f"{error}; the {len(items)} items that the run had in memory could not be kept: {path} cannot be written: {reason}")
