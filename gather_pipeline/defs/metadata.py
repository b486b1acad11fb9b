"""What an event shows of stored values, with their version: the same whichever way a partition was brought up to date."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.items import RULES, Item, version_of
from gather_pipeline.domain.iterations import Iteration, digest
from gather_pipeline.domain.quality import WEIGHTS, Quality, Score
from gather_pipeline.records.view import ProjectView
from gather_pipeline.text.injection import item_injection

NEWEST = 5  # items shown of a partition
DUPLICATES = 15  # drops shown of a run, the newest first
CELL_LIMIT = 500  # characters of a table's cell
VERSION = "data version"

Metadata = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What an event says of a partition.

    Attributes:
        version: Of the content alone, whatever run made it.
        metadata: For the UI.
    """

    version: str
    metadata: Metadata

    @property
    def described(self) -> Metadata:
        return self.metadata | {VERSION: self.version}


def is_begun(view: ProjectView, slug: str) -> bool:
    """Whether anything was ever stored of a department; one that never began shows as missing, not as materialized and empty."""
    return bool(view.history(slug)) or any(item.department == slug for item in view.everything)


def gather_items(view: ProjectView, department: Department, task_id: str) -> Shown:
    """Counts, score with reasons, duplicates with what they matched, tokens, cost, model, newest items and the curve of quality.

    The counts of the run `task_id` stand beside the totals.
    """
    history, items = view.history(department.slug), view.items_of(department.slug)
    this_run = [iteration for iteration in history if iteration.task_id == task_id]
    numbers = {iteration.number for iteration in this_run}
    spent = sum((Usage(prompt_tokens=one.tokens, cost=one.cost) for one in this_run), Usage())
    last = history[-1] if history else None
    metadata: Metadata = {
        "dagster/row_count": len(items),
        "items added": sum(len(iteration.item_ids) for iteration in this_run),
        "iterations": len(this_run),
        "iterations in all": len(history),
        "quality score": last.score if last else "not scored",
        "judged": judged_by(last.quality) if last else "not scored",
        "threshold": department.threshold,
        "ended by": (last.ended_by if last else None) or "not ended",
        "duplicates dropped": sum(iteration.duplicates for iteration in this_run),
        "filtered out": sum(iteration.filtered for iteration in this_run),
        "tokens": known(spent.tokens),
        "cost (US dollars)": known(spent.cost),
        "model": ", ".join(dict.fromkeys(one.model for one in this_run)) or (last.model if last else "none yet"),
    }
    if last is not None:
        metadata |= {
            "quality by iteration": ", ".join(f"{iteration.score:g}" for iteration in history),
            "quality plot": curve(history, department),
            "score parts": score_table(last.quality),
        }
    dropped = [one for one in view.dropped if one.department == department.slug and one.iteration in numbers]
    if dropped:
        metadata["duplicates"] = table(
            {
                "dropped": one.text.content,
                "matches": f"{one.decision.match_content or 'nothing'} ({one.decision.rule}, {one.decision.similarity:.3f})",
            }
            for one in dropped[::-1][:DUPLICATES]
        )
    if flagged := {item.id: found for item in items if (found := item_injection(item))}:
        metadata |= {
            "flagged items": len(flagged),
            "words meant for a model": table({"item": id, "words": found} for id, found in flagged.items()),
        }
    if items:
        newest = items[::-1][:NEWEST]
        metadata["newest items"] = table({"aspect": f"{item.aspect}, iteration {item.iteration}", "item": item.content} for item in newest)
    return Shown(version=version_of(items), metadata=metadata)


def changed_items(view: ProjectView, slug: str) -> Shown | None:
    """Items that changed without a run; None where nothing was ever stored of the department."""
    if not is_begun(view, slug):
        return None
    everything = [item for item in view.everything if item.department == slug]
    changes = [(one.at, one.by, str(one.action)) for item in everything for one in item.revisions if one.by != RULES]
    changes += [(item.created_at, str(item.written_by), "added") for item in everything if item.is_persons and not item.revisions]
    metadata: Metadata = {
        "dagster/row_count": len(view.items_of(slug)),
        "items that people wrote or changed": sum(item.is_persons and item.is_active for item in everything),
        "items deleted": sum(item.state == "deleted" for item in everything),
    }
    if changes:
        metadata |= dict(zip(("changed at", "changed by", "last change"), max(changes), strict=True))
    return Shown(version=view.version(slug), metadata=metadata)


def embeddings(items: Sequence[Item], model: str) -> Shown:
    """How many items have an embedding, which is all of them, and of which model."""
    return Shown(version=digest([version_of(items), model]), metadata={"dagster/row_count": len(items), "model": model})


def quality_scores(score: Score, department: Department) -> Shown:
    """The evaluation with its parts, reasons and scorer, held against the department's present threshold."""
    quality, threshold = score.quality, department.threshold
    metadata: Metadata = {
        "quality score": score.value,
        "judged": judged_by(quality),
        **{f"{name} score": known(part.value) for name, part in quality.parts.items()},
        **weakest(quality),
        "score parts": score_table(quality),
        "threshold": threshold,
        "threshold reached": score.value >= threshold,
        "least covered aspects": ", ".join(quality.least_covered[:3]) or "none",
        "scorer": f"{quality.scorer} {quality.version}",
    }
    return Shown(version=digest([score.data_version, score.value, asdict(quality), threshold]), metadata=metadata)


def drafts(draft: Draft) -> Shown:
    """The summary that is proposed for review."""
    metadata = {
        "title": draft.title,
        "status": draft.status,
        "items": len(draft.item_ids),
        "draft": dg.MetadataValue.md(draft.text or "none, for there are no notes any more"),
    }
    return Shown(version=digest([draft.text, draft.draft_version]), metadata=metadata)


def department_row(department: Department, place: int, version: str) -> Shown:
    """A department with its place among those that run, and with what ends it."""
    metadata: Metadata = {
        "place": place + 1,
        "name": department.name,
        "description": department.description or "none",
        "threshold": department.threshold,
        "most iterations": str(department.coordinationSettings.maxIterations or "its share"),
        "aspects": ", ".join(department.aspects),
        "model": department.defaultModel or "the default",
    }
    return Shown(version=version, metadata=metadata)


def known(value: float | None) -> float | str:
    """A number, or the word unknown: a provider that does not say is not a provider that costs nothing."""
    return "unknown" if value is None else value


def judged_by(quality: Quality) -> str:
    """Who gave a score."""
    return "by a judge" if quality.judged else "unjudged, by text statistics"


def weakest(quality: Quality) -> Metadata:
    """The part with the lowest value, and its reasons; nothing where every part is unknown."""
    if quality.weakest is None:
        return {}
    part = quality.parts[quality.weakest]
    return {"weakest part": f"{quality.weakest}, {part.value:g}", "what it lacks": " ".join(part.reasons)}


def score_table(quality: Quality) -> dg.TableMetadataValue:
    """Parts of a score with weights and reasons, in the two columns that fit beside the others on a partition's page."""
    parts = {f"{name}: {known(part.value)}, weight {WEIGHTS[name]:g}": part for name, part in quality.parts.items()}
    return table({"part": head, "reasons": " ".join(part.reasons)} for head, part in parts.items())


def table(rows: Iterable[Mapping[str, str | float | int]]) -> dg.TableMetadataValue:
    """Rows as a table that the UI shows in place; long text is cut, the whole of it is in the store."""
    records = [dg.TableRecord({name: _cut(value) for name, value in row.items()}) for row in rows]
    return dg.MetadataValue.table(records, schema=None if records else dg.TableSchema(columns=[]))


def _cut(value: str | float | int) -> str | float | int:
    return value if not isinstance(value, str) or len(value) <= CELL_LIMIT else f"{value[:CELL_LIMIT]} ..."


def curve(history: Sequence[Iteration], department: Department) -> dg.MarkdownMetadataValue:
    """Quality by iteration as a picture, which the UI shows on a click."""
    from gather_pipeline.report.figures import Curve
    from gather_pipeline.report.plots import quality_plot

    numbers, qualities = [iteration.number for iteration in history], [iteration.score for iteration in history]
    svg = quality_plot(Curve(department=department.slug, iterations=numbers, qualities=qualities, threshold=department.threshold))
    return dg.MetadataValue.md(f"![Quality by iteration](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")
