"""Items into a project: the lines of a file become items, and repeat nothing that is there.

All lines are checked, and put aside on the disk, before the first is written. What is written then goes in windows of the file, each of
them whole; a repeat of an import that was killed passes over what is there and completes it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gather_pipeline.domain.items import TEXTS, Item
from gather_pipeline.people.import_judge import ImportDecision, ImportJudge
from gather_pipeline.people.import_lines import CheckedLines, ImportedLine, Order, Refusal, check_lines
from gather_pipeline.records.lease import IMPORT, Lease, Owner, holding
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.services import Services

ImportProgress = Callable[[int, int], None]
"""Is given how many lines are done, of how many, whenever some are."""

WINDOW = 1000  # lines of an export decided and written together
WINDOW_BY_HAND = 32  # the embedder's best batch; each line is compared with those of its window pair by pair


@dataclass(kw_only=True)
class Imported:
    """What an import did.

    Attributes:
        imported: Items that are new in the project.
        already_there: Lines whose item was there before.
        dropped: Lines that repeat what the project has; listed with what was dropped.
        refused: Lines kept out, in order.
        ignored: Columns that no item has.
    """

    imported: int = 0
    already_there: int = 0
    dropped: int = 0
    refused: list[Refusal] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


class Importer:
    """Takes lines into projects."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def take(self, order: Order, progress: ImportProgress = lambda done, total: None) -> Imported:
        """Imports a file.

        Raises:
            InvalidInput: The file is of another program or of another project; nothing is written.
            UnknownEntity: There is no such project.
            ProjectBusy: A run or another import is at work on it.
        """
        services = self._services
        services.projects.get(order.project_id)
        records = services.project(order.project_id)
        with CheckedLines() as lines:
            refused, ignored = check_lines(order, self._departments(records), services.clock.now(), lines)
            report = Imported(refused=refused, ignored=ignored)
            if lines and order.dry_run:
                self._take(records, lines, report, progress, None)
            elif lines:
                owner = Owner.this_process(f"{IMPORT}{secrets.token_hex(8)}")
                lease = services.leases.lease(order.project_id, owner, services.settings.lease_s)
                with holding(lease):
                    records.settle(lease)
                    self._take(records, lines, report, progress, lease)
        report.refused.sort(key=lambda refusal: refusal.line)
        return report

    def _departments(self, records: ProjectRecords) -> set[str]:
        """Those that an item may belong to: of the project and of the trade."""
        view = records.view()
        found = {item.department for item in view.everything} | {stored.slug for stored in view.departments}
        return found | {department.slug for department in self._services.departments.departments()}

    def _take(self, records: ProjectRecords, lines: CheckedLines, report: Imported, progress: ImportProgress, lease: Lease | None) -> None:
        """Decides and stores, window after window: first lines of an export, then those made by hand; without a lease stores nothing."""
        view = records.view()  # anew: until the lease was taken, others may have written
        present = {item.id: item for item in view.everything}
        if lease is not None:
            records.free([id for id in lines.numbers if id not in present], lease)
        judge = ImportJudge(self._services, view, lines, dry_run=lease is None)
        new = sorted(slug for slug, ids in lines.ids.items() if not all(id in present for id in ids))

        def mark() -> None:
            for slug in new if lease is not None else ():
                self._services.marks.set(records.project_id, slug)

        done = 0
        mark()
        try:
            for by_hand, size in ((False, WINDOW), (True, WINDOW_BY_HAND)):
                for window in lines.windows(size, by_hand=by_hand):
                    fresh = []
                    for line in window:
                        if (item := present.get(line.item.id)) is None:
                            fresh.append(line)
                        elif reason := _why_refused(line, item):
                            report.refused.append(Refusal(line=line.number, reason=reason))
                        else:
                            report.already_there += 1
                    decision = judge.decide(fresh, by_hand=by_hand)
                    if lease is not None:
                        lease.confirm()
                        self._store(records, decision)
                    report.imported += len(decision.kept)
                    report.dropped += len(decision.dropped) + decision.dropped_before
                    done += len(window)
                    progress(done, len(lines))
        finally:  # also after the last new item, whatever ends the import
            mark()

    def _store(self, records: ProjectRecords, decision: ImportDecision) -> None:
        """Stores a window; the insert of the items comes last, and at once."""
        records.record_drops(decision.dropped)
        embedded = [line.item for line in decision.kept if line.item.id in decision.vectors]
        if embedded:
            vectors = np.stack([decision.vectors[item.id] for item in embedded])
            records.save_embeddings(embedded, vectors, self._services.embedder.name)
        records.add_items([line.item for line in decision.kept], [line.place for line in decision.kept])


def _why_refused(line: ImportedLine, present: Item) -> str | None:
    """Why a line is kept out whose item is there, for that is never overwritten; None where the line tells nothing new."""
    item, last = line.item, present.history()[-1]
    if line.by_hand and all(getattr(present.history()[0], name) == getattr(item, name) for name in TEXTS):
        return None
    where = f"item {item.id} is there in revision {present.revision} ({last.action} by {last.by} at {last.at})"
    if differing := [name for name in ("department", *TEXTS) if getattr(present, name) != getattr(item, name)]:
        return f"{where} with another {' and '.join(differing)}, which stays; to change it, type: gather item edit {item.id}"
    if present.revision < item.revision or (present.revision == item.revision and present.state != item.state):
        return f"{where}, and the line has revision {item.revision}, {item.state}; to change it, type: gather item --help"
    return None
