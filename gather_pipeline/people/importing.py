"""Items into a project: the lines of a file become items, and repeat nothing that is there.

All lines are checked before the first is written. What is written then goes in windows of the file, each of them whole; a repeat of an
import that was killed passes over what is there and completes it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from gather_pipeline.domain.item_lines import TEXTS
from gather_pipeline.domain.items import Item
from gather_pipeline.people.import_judge import Judge
from gather_pipeline.people.import_lines import Candidate, Order, Refusal, check
from gather_pipeline.ports import Clock, DepartmentSource, DocumentStore, Embedder
from gather_pipeline.records.lease import IMPORT, Lease, Owner, holding
from gather_pipeline.records.marks import Touched
from gather_pipeline.records.project import DEPARTMENTS, GatherRepository
from gather_pipeline.records.registry import Projects
from gather_pipeline.similarity.thresholds import WRONG_DROP_COST

Progress = Callable[[int, int], None]
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
    """Takes lines into projects.

    Args:
        store: The document store.
        database: The shared database.
        clock: Time.
        source: Where departments come from.
        embedder: Opens the embedder; called where there is something to judge.
        wrong_drop_cost: What a wrong drop costs, in kept doubles.
        lease_s: Term of the lease that an import holds, so that no run gives an id again meanwhile.
    """

    def __init__(
        self,
        store: DocumentStore,
        database: str,
        clock: Clock,
        *,
        source: DepartmentSource,
        embedder: Callable[[], Embedder],
        wrong_drop_cost: float = WRONG_DROP_COST,
        lease_s: float,
    ) -> None:
        self._store, self._database, self._clock = store, database, clock
        self._source, self._embedder, self._lease_s = source, embedder, lease_s
        self._wrong_drop_cost = wrong_drop_cost

    def take(self, order: Order, progress: Progress = lambda done, total: None) -> Imported:
        """Imports a file.

        Raises:
            InvalidInput: The file is of another program or of another project; nothing is written.
            UnknownEntity: There is no such project.
            ProjectBusy: A run or another import is at work on it.
        """
        project = Projects(self._store, self._database, self._clock).get(order.project_id)
        repository = GatherRepository(self._store, project.id)
        known = {row["slug"] for row in repository.rows(DEPARTMENTS)} | {one.slug for one in self._source.departments()}
        checked = check(order, known | {item.department for item in repository.everything()}, self._clock.now())
        report = Imported(refused=checked.refused, ignored=checked.ignored)
        if checked.candidates:
            with ExitStack() as stack:
                if not order.dry_run:
                    owner = Owner.this_process(f"{IMPORT}{secrets.token_hex(8)}")
                    lease = Lease(self._store, self._database, project.id, owner, self._lease_s)
                    stack.enter_context(holding(lease, self._lease_s))
                    repository.clear_uncommitted()
                self._take(order, repository, checked.candidates, report, progress)
        report.refused.sort(key=lambda refusal: refusal.line)
        return report

    def _take(self, order: Order, repository: GatherRepository, candidates: list[Candidate], report: Imported, progress: Progress) -> None:
        """Decides and stores, window after window: first what an export decided among itself, then what a person made by hand."""
        everything = repository.everything()
        there = {item.id: item for item in everything}
        judge = Judge(repository, everything, candidates, self._embedder, keep=not order.dry_run, wrong_drop_cost=self._wrong_drop_cost)
        touched = Touched(self._store, self._database, self._clock)
        done, marked = 0, set[str]()
        with ExitStack() as marks:
            for by_hand, size in ((False, WINDOW), (True, WINDOW_BY_HAND)):
                chosen = [one for one in candidates if one.by_hand is by_hand]
                for start in range(0, len(chosen), size):
                    window = chosen[start : start + size]
                    verdict = judge.decide([one for one in window if not _is_there(one, there, report)], by_hand=by_hand)
                    report.imported += len(verdict.kept)
                    report.dropped += verdict.dropped
                    if not order.dry_run:
                        for slug in {one.item.department for one in verdict.kept} - marked:
                            marks.enter_context(touched.changing(repository.project_id, slug))
                            marked.add(slug)
                        judge.store(verdict)
                    done += len(window)
                    progress(done, len(candidates))


def _is_there(candidate: Candidate, there: Mapping[str, Item], report: Imported) -> bool:
    """True where the line is done with: its item is there, or another one of its id, which is never overwritten."""
    item, line = there.get(candidate.item.id), candidate.item
    if item is None:
        return False
    first, last = item.history()[0], item.history()[-1]
    by_hand = candidate.by_hand and all(getattr(first, name) == getattr(line, name) for name in TEXTS)
    others = [name for name in ("department", *TEXTS) if getattr(item, name) != getattr(line, name)]
    ahead = item.revision < line.revision or (item.revision == line.revision and item.state != line.state)
    if by_hand or not (others or ahead):
        report.already_there += 1
        return True
    present = f"item {item.id} is there in revision {item.revision} ({last.action} by {last.by} at {last.at})"
    if others:
        reason = f"{present} with another {' and '.join(others)}, which stays; to change it, type: gather item edit {item.id}"
    else:
        reason = f"{present}, and the line has revision {line.revision}, {line.state}; to change it, type: gather item --help"
    report.refused.append(Refusal(line=candidate.line, reason=reason))
    return True
