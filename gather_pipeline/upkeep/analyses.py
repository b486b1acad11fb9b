"""What is counted of a project's notes by themselves, kept in the store, so that it is counted once and not by every process that scores.

A note costs about two milliseconds to read, and a department's score needs all of its notes.
"""

from __future__ import annotations

from collections.abc import Sequence

from gather_pipeline.domain.items import Item
from gather_pipeline.domain.quality import Analysis
from gather_pipeline.quality.analysis import analyse, key_of
from gather_pipeline.records.project import ProjectRecords


class Analyses:
    """The analyses of one project's notes under one brief; a department's are read when it is first asked for."""

    def __init__(self, records: ProjectRecords, brief: str) -> None:
        self._records, self._brief = records, brief
        self._stored: dict[str, dict[str, tuple[str, Analysis]]] = {}
        self._of_text: dict[tuple[str, str], Analysis] = {}  # by id and content: a run asks for the same ones again with each iteration

    def of(self, slug: str, items: Sequence[Item]) -> list[Analysis]:
        """Those of items of a department, row by row; what is missing, or of another text, brief or scorer, is made now and stored."""
        new = [(item, key_of(item.content, self._brief)) for item in items if (item.id, item.content) not in self._of_text]
        if new and slug not in self._stored:
            self._stored[slug] = self._records.analyses(slug)
        stored = self._stored.get(slug, {})
        made = [(item, key, analyse(item.content, self._brief)) for item, key in new if item.id not in stored or stored[item.id][0] != key]
        if made:
            self._records.save_analyses(made, stored.keys())
            stored |= {item.id: (key, analysis) for item, key, analysis in made}
        self._of_text |= {(item.id, item.content): stored[item.id][1] for item, _ in new}
        return [self._of_text[item.id, item.content] for item in items]
