"""What a materialization shows: read from the store, so that it is the same whether the UI, a backfill or the command line made it.

One function for each family of partitions: gather_items, embeddings, quality_scores, drafts. An asset attaches the metadata to its own
event; the jobs log the event themselves. Data versions are decided in `versions`.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg

from gather_pipeline.domain.departments import Department, to_row
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.items import Item, content_hash, version_of
from gather_pipeline.domain.iterations import Iteration, digest
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import is_judged
from gather_pipeline.ports import Document
from gather_pipeline.records.departments import department_of
from gather_pipeline.records.project import DRAFTS, EMBEDDINGS, SCORES, GatherRepository
from gather_pipeline.records.registry import Projects
from gather_pipeline.services import Services
from gather_pipeline.upkeep.stale import DepartmentState, states

NEWEST = 5  # items shown of a partition
DUPLICATES = 15  # drops shown of a run
CELL_LIMIT = 500  # characters of a table's cell
VERSION = "data version"

Metadata = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What is stored for one partition, read when it is first asked for.

    Attributes:
        task_id: The run whose own counts are shown beside the totals.
    """

    services: Services
    project_id: str
    slug: str
    task_id: str

    @cached_property
    def repository(self) -> GatherRepository:
        """The project's collections."""
        return GatherRepository(self.services.store, self.project_id)

    @cached_property
    def history(self) -> list[Iteration]:
        """Every committed iteration, oldest first."""
        return self.repository.iterations(self.slug)

    @cached_property
    def items(self) -> list[Item]:
        """Every committed item, oldest first."""
        return self.repository.items(self.slug)

    @cached_property
    def project(self) -> Project:
        """The project as it is now."""
        services = self.services
        return Projects(services.store, services.main_database, services.clock).get(self.project_id)

    @cached_property
    def state(self) -> DepartmentState:
        """What a change has left behind."""
        services = self.services
        (found,) = states(
            self.repository,
            self.project,
            [department_of(services, self.slug)],
            settings=services.settings,
            resolve_model=services.resolve_model,
            catalogue=services.catalogue,
        )
        return found

    @cached_property
    def is_embedded(self) -> bool:
        """True where every item has an embedding of its present text, and nothing else has one."""
        where = {"department": self.slug, "model": self.services.embedder.name}
        rows = self.repository.rows(EMBEDDINGS, where)
        return sorted((row["item_id"], row["content_hash"]) for row in rows) == sorted(
            (item.id, content_hash(item.content)) for item in self.items
        )

    @cached_property
    def version(self) -> str:
        """Version of the items."""
        return version_of(self.items)

    @cached_property
    def score(self) -> Document | None:
        """The evaluation, None before the first."""
        return next(iter(self.repository.rows(SCORES, {"_id": self.slug})), None)

    @cached_property
    def draft(self) -> Document | None:
        """The draft, None before the first."""
        return next(iter(self.repository.rows(DRAFTS, {"_id": self.slug})), None)


def gather_items(stored: Stored) -> Metadata:
    """Counts, score with reasons, duplicates with what they matched, tokens, cost, model, newest items and the curve of quality."""
    this_run = [iteration for iteration in stored.history if iteration.task_id == stored.task_id]
    numbers = {iteration.number for iteration in this_run}
    spent = sum((Usage(prompt_tokens=i.tokens, cost=i.cost) for i in this_run), Usage())
    last = stored.history[-1] if stored.history else None
    shown: Metadata = {
        "dagster/row_count": len(stored.items),
        "items added": sum(len(iteration.item_ids) for iteration in this_run),
        "iterations": len(this_run),
        "iterations in all": len(stored.history),
        "quality score": last.score if last else "not scored",
        "judged": judged_by(last.quality) if last else "not scored",
        "threshold": department_of(stored.services, stored.slug).threshold,
        "ended by": (last.ended_by if last else None) or "not ended",
        "duplicates dropped": sum(iteration.duplicates for iteration in this_run),
        "filtered out": sum(iteration.filtered for iteration in this_run),
        "tokens": known(spent.tokens),
        "cost (US dollars)": known(spent.cost),
        "model": ", ".join(dict.fromkeys(i.model for i in this_run)) or (last.model if last else "none yet"),
    }
    if last is not None:
        shown |= {
            "quality by iteration": ", ".join(f"{iteration.score:g}" for iteration in stored.history),
            "quality plot": curve(stored),
            "score parts": score_table(last.quality),
        }
    dropped = [row for row in stored.repository.dropped(stored.slug) if row["iteration"] in numbers]
    if dropped:
        shown["duplicates"] = duplicates(dropped)
    if stored.items:
        shown["newest items"] = newest(stored.items)
    return shown


def embeddings(stored: Stored) -> Metadata:
    """How many items have an embedding, and of which model."""
    model = stored.services.embedder.name
    return {
        "dagster/row_count": stored.repository.embedding_count(stored.items, model),
        "items": len(stored.items),
        "model": model,
    }


def quality_scores(stored: Stored) -> Metadata:
    """The evaluation with its parts, reasons and scorer; what is said where there is none."""
    row = stored.score
    if row is None:
        return {"quality score": "not evaluated"}
    threshold = department_of(stored.services, stored.slug).threshold
    return {
        "quality score": row["value"],
        "judged": judged_by(row),
        **{f"{name} score": "unknown" if part["value"] is None else part["value"] for name, part in row["parts"].items()},
        "score parts": score_table(row),
        "threshold": threshold,
        "threshold reached": row["value"] >= threshold,
        "least covered aspects": ", ".join(row.get("least_covered", ())[:3]) or "none",
        "scorer": f"{row['scorer']} {row['version']}",
    }


def drafts(stored: Stored) -> Metadata:
    """The summary that is proposed for review; what is said where none is."""
    row = stored.draft
    if row is None:
        return {"draft": "none yet" if stored.items else "none, for there are no notes"}
    return {
        "title": row["title"],
        "status": row["status"],
        "items": len(row["item_ids"]),
        "draft": dg.MetadataValue.md(row["text"] or "none, for there are no notes any more"),
    }


def departments_metadata(chosen: Sequence[Department]) -> Metadata:
    """A project's departments in their order, with what ends them."""
    rows = table(
        {
            "place": str(department.codeDepNumber) if department.codeDepNumber is not None else "last",
            "slug": department.slug,
            "name": department.name,
            "threshold": department.threshold,
            "most iterations": str(department.coordinationSettings.maxIterations or "its share"),
            "aspects": ", ".join(department.aspects),
        }
        for department in chosen
    )
    return {"dagster/row_count": len(chosen), "departments": rows, VERSION: digest([to_row(department) for department in chosen])}


def known(value: float | None) -> float | str:
    """A number, or the word unknown: a provider that does not say is not a provider that costs nothing."""
    return "unknown" if value is None else value


def judged_by(quality: Mapping[str, Any]) -> str:
    """Who gave a score."""
    return "by a judge" if is_judged(quality) else "unjudged, by text statistics"


def score_table(quality: Mapping[str, Any]) -> dg.TableMetadataValue:
    """Parts of a score with weights and reasons."""
    return table(
        {
            "part": name,
            "score": "unknown" if part["value"] is None else part["value"],
            "weight": part["weight"],
            "reasons": " ".join(part["reasons"]),
        }
        for name, part in quality["parts"].items()
    )


def duplicates(rows: Sequence[Document]) -> dg.TableMetadataValue:
    """Texts dropped, newest first, with what they matched and the rule that decided."""
    return table(
        {
            "dropped": row["content"],
            "matches": row["match_content"] or "nothing",
            "similarity": round(row["similarity"], 3),
            "rule": row["rule"],
        }
        for row in rows[::-1][:DUPLICATES]
    )


def newest(items: Sequence[Item]) -> dg.TableMetadataValue:
    """The newest items, newest first."""
    return table({"iteration": item.iteration, "aspect": item.aspect, "item": item.content} for item in items[::-1][:NEWEST])


def table(rows: Iterable[Mapping[str, str | float | int]]) -> dg.TableMetadataValue:
    """Rows as a table that the UI shows in place; long text is cut, the whole of it is in the store."""
    records = [dg.TableRecord({name: _cut(value) for name, value in row.items()}) for row in rows]
    return dg.MetadataValue.table(records, schema=None if records else dg.TableSchema(columns=[]))


def _cut(value: str | float | int) -> str | float | int:
    return value if not isinstance(value, str) or len(value) <= CELL_LIMIT else f"{value[:CELL_LIMIT]} ..."


def curve(stored: Stored) -> dg.MarkdownMetadataValue:
    """Quality by iteration as a picture, which the UI shows on a click."""
    import pandas as pd

    from gather_pipeline.report.plots import quality_plot

    threshold = department_of(stored.services, stored.slug).threshold
    rows = [(stored.slug, iteration.number, iteration.score, threshold) for iteration in stored.history]
    png = quality_plot(pd.DataFrame(rows, columns=["department", "iteration", "quality", "threshold"]), "png")
    return dg.MetadataValue.md(f"![Quality by iteration](data:image/png;base64,{base64.b64encode(png).decode()})")
