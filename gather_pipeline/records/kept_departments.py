"""The last good list of departments, for when their source does not answer."""

from __future__ import annotations

import logging
from typing import ClassVar

from gather_pipeline.domain.departments import Department
from gather_pipeline.errors import CmsUnavailable
from gather_pipeline.ports import Clock, DepartmentSource, DocumentStore

KEPT = "department_lists"
PAUSE_S = 30.0  # in which a source that did not answer is not asked again; a run asks several times

logger = logging.getLogger(__name__)


class KeptDepartments:
    """The body of `DepartmentSource` over another one, whose last good list it keeps in the shared database, by its place."""

    _outages: ClassVar[dict[str, float]] = {}  # by place, when to ask again; of the process, for a command opens services more than once

    def __init__(self, source: DepartmentSource, store: DocumentStore, database: str, clock: Clock) -> None:
        self._source, self._store, self._database, self._clock = source, store, database, clock
        self.place = source.place

    def look_again(self) -> None:
        """Has the source asked at once: it was seen to answer."""
        self._outages.pop(self.place, None)

    def departments(self) -> list[Department]:
        """The source's list; where it does not answer the last good one, with one warning an outage.

        Raises:
            CmsUnavailable: The source does not answer, and no list of it is kept.
            InvalidInput: The source refuses, or its list is wrong.
        """
        kept = self._store.get(self._database, KEPT, self.place)
        asks_again = self._outages.get(self.place)
        if kept is not None and asks_again is not None and self._clock.monotonic() < asks_again:
            return _departments(kept["departments"])
        try:
            found = self._source.departments()
        except CmsUnavailable as error:
            if kept is None:
                raise
            if asks_again is None:
                held = f"its last good list is used ({len(kept['departments'])} departments, kept since {kept['at']})"
                logger.warning("[AutoGather] %s; %s", error, held)
            self._outages[self.place] = self._clock.monotonic() + PAUSE_S
            return _departments(kept["departments"])
        self._outages.pop(self.place, None)
        rows = [department.model_dump(mode="json") for department in found]
        if kept is None or kept["departments"] != rows:
            self._store.upsert(self._database, KEPT, {"_id": self.place, "departments": rows, "at": self._clock.now()})
        return found


def _departments(rows: list[dict[str, object]]) -> list[Department]:
    return [Department.model_validate(row) for row in rows]
