"""Data versions and what they were made of, so that Dagster tells stale from fresh by content and not by the clock.

Dagster compares the version that an upstream partition had at an event's pointer with its newest one. Each event logged here carries those
pointers for its own partition, as Dagster's own events do for the assets of a run. It is *due* where the store holds something that is up
to date with its inputs and the newest event does not say so; what is behind its inputs is never said to be fresh.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import dagster as dg

from gather_pipeline.defs import metadata as shown
from gather_pipeline.defs.metadata import VERSION, Metadata, Stored, departments_metadata
from gather_pipeline.defs.partitions import partition_key
from gather_pipeline.domain.iterations import digest
from gather_pipeline.domain.quality import SCORER_VERSION
from gather_pipeline.records.departments import department_of, query_departments_for_automation
from gather_pipeline.services import Services
from gather_pipeline.upkeep import draft
from gather_pipeline.upkeep.stale import score_is_current

DEPARTMENTS = "departments"
DATA_VERSION, CODE_VERSION = "dagster/data_version", "dagster/code_version"
INPUT_VERSION, INPUT_POINTER = "dagster/input_data_version/", "dagster/input_event_pointer/"
NO_VERSION, NO_POINTER = "INITIAL", "NULL"  # Dagster's own words for an input that nothing is known of
SCORE_SHOWN = ("data_version", "value", "parts", "threshold", "scorer", "version")  # what makes a score another one
ASKED = frozenset({"department", "model"})  # causes that a row of `departments` accounts for


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of partition.

    Attributes:
        version: Data version of what is stored; None where nothing is stored yet. Cheap, unlike the metadata.
        metadata: What a materialization shows.
        is_current: True where what is stored was made of the items that are there now, by the present rules.
        code_version: Of the asset; another one makes every partition stale.
        upstream: Assets that it depends on.
    """

    version: Callable[[Stored], str | None]
    metadata: Callable[[Stored], Metadata]
    is_current: Callable[[Stored], bool]
    upstream: tuple[str, ...]
    code_version: str = "1"


def _score_version(stored: Stored) -> str | None:
    row = stored.score
    return None if row is None else digest([row[name] for name in SCORE_SHOWN])


def _draft_version(stored: Stored) -> str | None:
    row = stored.draft
    return None if row is None else digest([row["text"], row["draft_version"]])


def _score_is_current(stored: Stored) -> bool:
    return score_is_current(stored.score, stored.version, department_of(stored.services, stored.slug), stored.project.brief)


FAMILIES: Mapping[str, Family] = {
    "gather_items": Family(
        version=lambda stored: stored.version,
        metadata=shown.gather_items,
        is_current=lambda stored: True,
        upstream=(DEPARTMENTS,),
    ),
    "embeddings": Family(
        version=lambda stored: digest([stored.version, stored.services.embedder.name]),
        metadata=shown.embeddings,
        is_current=lambda stored: stored.is_embedded,
        upstream=("gather_items",),
    ),
    "quality_scores": Family(
        version=_score_version,
        metadata=shown.quality_scores,
        is_current=_score_is_current,
        code_version=SCORER_VERSION,
        upstream=("gather_items", "embeddings"),
    ),
    "drafts": Family(
        version=_draft_version,
        metadata=shown.drafts,
        is_current=lambda stored: draft.draft_is_current(stored.draft, stored.version),
        code_version=draft.VERSION,
        upstream=("gather_items", "quality_scores"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Events:
    """The newest materializations of partitions, each asked for once until `logged` says that there is another.

    Attributes:
        known: What was asked for, by asset and partition.
    """

    instance: dg.DagsterInstance
    known: dict[tuple[str, str], dg.EventLogRecord | None] = field(default_factory=dict)

    def newest(self, asset: str, partition: str) -> dg.EventLogRecord | None:
        """The newest event of a partition, None where there is none."""
        if (asset, partition) not in self.known:
            self.known[asset, partition] = self._find(asset, partition)
        return self.known[asset, partition]

    def logged(self, asset: str, partition: str) -> None:
        """Takes note that the partition has another event now."""
        self.known.pop((asset, partition), None)

    def _find(self, asset: str, partition: str, *, before: int | None = None) -> dg.EventLogRecord | None:
        wanted = dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(asset), asset_partitions=[partition], before_storage_id=None if before is None else before + 1
        )
        return next(iter(self.instance.fetch_materializations(wanted, limit=1).records), None)

    def differs(self, asset: str, partition: str, pointer: str | None) -> bool:
        """True where a partition has another data version now than at the event that a pointer names, as Dagster decides it.

        A pointer to nothing differs from any event: Dagster takes it for fresh for ever, so whoever may log an event should.
        """
        newest = self.newest(asset, partition)
        if newest is None or pointer is None or pointer == NO_POINTER:
            return newest is not None
        if newest.storage_id <= int(pointer):
            return False
        return tags_of(self._find(asset, partition, before=int(pointer))).get(DATA_VERSION) != tags_of(newest).get(DATA_VERSION)


def tags_of(record: dg.EventLogRecord | None) -> Mapping[str, str]:
    """An event's tags; none where there is no event."""
    return (record.event_log_entry.tags or {}) if record is not None else {}


def shown_version(record: dg.EventLogRecord | None) -> object:
    """The data version among an event's metadata: the partition's own even where Dagster gave one version to many partitions."""
    materialized = record.asset_materialization if record is not None else None
    entry = materialized.metadata.get(VERSION) if materialized is not None else None
    return None if entry is None else entry.value


def due(family: str, stored: Stored, events: Events, *, again: bool = False, keep_code: bool = False) -> dict[str, str] | None:
    """Tags of the event that a partition lacks, None where its newest says what is true or nothing may be said.

    Args:
        family: Which of the partition's four assets.
        stored: What the store has.
        events: The instance's events.
        again: Due whatever the newest event says.
        keep_code: For a caller who has not run the asset's code: the version of the code that did stays with the event.
    """
    kind = FAMILIES[family]
    version = kind.version(stored)
    if version is None or not kind.is_current(stored):
        return None
    key = partition_key(stored.project_id, stored.slug)
    newest = tags_of(events.newest(family, key))
    code = newest.get(CODE_VERSION, kind.code_version) if keep_code else kind.code_version
    tags = {**version_tags(version), CODE_VERSION: code}
    is_due = again or (newest.get(DATA_VERSION), newest.get(CODE_VERSION)) != (version, code)
    for asset in kind.upstream:
        partition = stored.project_id if asset == DEPARTMENTS else key
        pointer = newest.get(INPUT_POINTER + asset)
        if asset == DEPARTMENTS and pointer is not None and stored.state.causes & ASKED:
            # Its prompts have not used the departments as they are now: it stays stale until a run has.
            tags |= {name: newest[name] for name in (INPUT_VERSION + asset, INPUT_POINTER + asset) if name in newest}
            continue
        is_due = is_due or events.differs(asset, partition, pointer)
        upstream = events.newest(asset, partition)
        tags[INPUT_VERSION + asset] = tags_of(upstream).get(DATA_VERSION, NO_VERSION)
        tags[INPUT_POINTER + asset] = str(upstream.storage_id) if upstream is not None else NO_POINTER
    return tags if is_due else None


def version_tags(version: str) -> dict[str, str]:
    """Tags by which Dagster knows an event's data version."""
    return {DATA_VERSION: version, "dagster/data_version_is_user_provided": "true"}


def described(family: str, stored: Stored) -> Metadata:
    """A family's metadata with its data version, the last of it."""
    return FAMILIES[family].metadata(stored) | {VERSION: FAMILIES[family].version(stored) or "none"}


def departments_materialization(services: Services, project_id: str) -> dg.AssetMaterialization:
    """The event of a project's partition of `departments`."""
    metadata = departments_metadata(query_departments_for_automation(services))
    tags = {**version_tags(str(metadata[VERSION])), CODE_VERSION: "1"}
    return dg.AssetMaterialization(asset_key=DEPARTMENTS, partition=project_id, metadata=metadata, tags=tags)
