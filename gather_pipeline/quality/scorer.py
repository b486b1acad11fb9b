"""How good a department is: coverage, depth, coherence and actionability, each 0 to 100 with reasons and evidence (S001-QUAL).

Without a judge a handful of counts speaks, and the score is unjudged. With one the judge's reading decides (`judge`). Every score
carries the scorer's name and version, so that two rules are never compared unawares (C32). docs/decisions/0006-quality.md has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gather_pipeline.domain.departments import Department, parse_departments
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.nodes import Coverage
from gather_pipeline.domain.quality import SCORER_VERSION, WEIGHTS, Analysis, Quality
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.quality.caps import FOREIGN, Ground, Worth, ceiling, worth_of
from gather_pipeline.quality.judge import QualityJudge, judged, readings
from gather_pipeline.quality.notes import Topic, contradictions, read_notes
from gather_pipeline.quality.parts import actionability, coherence, coverage, depth, soundness
from gather_pipeline.similarity.defaults import default_embedder

NAME = "text-statistics"
CONTRADICTION_COST = 5.0  # points of the whole, each, where rules found it; one that a judge names costs more (`judge`)


async def measure_with(
    judge: QualityJudge | None,
    department: Department,
    items: Sequence[Item],
    embedder: Embedder,
    *,
    brief: str,
    vectors: Vectors | None = None,
    analyses: Sequence[Analysis] | None = None,
    coverage: Coverage | None = None,
) -> Quality:
    """The score of a department, by a judge where one is given and can judge; else as `measure` gives it.

    Args:
        judge: Decides where it reads the notes. None, or a judge that fails, leaves the statistics, unjudged.
        department: Whose aspects are to be covered; near its threshold the judge is asked twice.
        items: Items of the project; those of other departments are left out, with their vectors (C31).
        embedder: Embeds notes, aspects and the brief's sentences; thresholds are set for all-MiniLM-L6-v2.
        brief: The project's brief.
        vectors: Embeddings of the items' contents, row by row, from the embedder; made here where None.
        analyses: What `analyse` gives of each item's content and the brief; made here where None.
        coverage: How far a Brain service sees the department covered, None where none does.

    Raises:
        InvalidInput: An item without content, or another number of vectors than of items.
    """
    quality, found = _measured(department, items, embedder, vectors, analyses, brief, None)
    own = [item for item in items if item.department == department.slug]
    if judge is not None and own:
        quality = judged(quality, found, await readings(judge, department, own, found))
    return quality if coverage is None or not own else _with_brain(quality, found, coverage)


def measure(
    department: Department | Mapping[str, object],
    items: Sequence[object],
    embedder: Embedder | None = None,
    *,
    brief: str = "",
    vectors: Vectors | None = None,
    analyses: Sequence[Analysis] | None = None,
    project_id: str | None = None,
) -> Quality:
    """The score without a judge.

    Args:
        department: A `Department`, or a row of the CMS.
        items: `Item` objects or mappings with `content`; those of other departments are left out (C31).
        embedder: The installed default where None.
        brief: The project's brief; what it says is no news, and notes against it lose points.
        vectors: Embeddings of the items' contents, row by row; made here where None.
        analyses: What `analyse` gives of each item's content and the brief; made here where None.
        project_id: The project wanted; None takes items of any.

    Raises:
        InvalidInput: An item without content, or another number of vectors than of items.
    """
    return _measured(_department(department), items, embedder or default_embedder(), vectors, analyses, brief, project_id)[0]


def analyze_department_quality(
    project_id: str, department: Department | Mapping[str, object], gather_items: Sequence[object], *, embedder: Embedder | None = None
) -> float:
    """Quality of a department, 0 to 100, from all items of the project (S001-QUAL-01); the rest as in `measure`.

    Raises:
        InvalidInput: The department is no department, an item has no content, or its content is not a string.
    """
    if not isinstance(project_id, str) or not project_id:
        raise InvalidInput.field("project_id", project_id, "the id of a project")
    return measure(department, gather_items, embedder, project_id=project_id).value


def calculate_coverage_score(
    department: Department | Mapping[str, object], items: Sequence[object], *, embedder: Embedder | None = None
) -> float:
    """How many aspects of the department its items cover, and how well, 0 to 100 (S001-QUAL-02)."""
    return measure(department, items, embedder).parts["coverage"].value or 0.0


def calculate_depth_score(items: Sequence[object], *, embedder: Embedder | None = None) -> float:
    """Level of detail of the items, 0 to 100 (S001-QUAL-03); the embedder finds items that say the same in other words."""
    return depth(_worth(items, embedder)).value or 0.0


def calculate_coherence_score(items: Sequence[object], *, embedder: Embedder | None = None) -> float:
    """Consistency and logical flow of the items, 0 to 100, as far as it can be counted (S001-QUAL-04)."""
    return soundness(_worth(items, embedder))


def calculate_actionability_score(items: Sequence[object], *, embedder: Embedder | None = None) -> float:
    """How usable the items are, 0 to 100 (S001-QUAL-08, C30)."""
    return actionability(_worth(items, embedder)).value or 0.0


def _worth(items: Sequence[object], embedder: Embedder | None) -> Worth:
    engine, topic = embedder or default_embedder(), Topic()
    return worth_of(read_notes(items, engine, topic), Ground.of(topic, engine))


def _department(department: Department | Mapping[str, object]) -> Department:
    return department if isinstance(department, Department) else parse_departments([department], "department")[0]


def _with_brain(quality: Quality, found: Worth, coverage: Coverage) -> Quality:
    """The score with the coverage that a Brain sees: the mean of the two; no note can talk it above what counts of the notes."""
    part, theirs = quality.parts["coverage"], min(coverage.score, ceiling(found))
    value = theirs if part.value is None else round((part.value + theirs) / 2, 2)
    least = f", least of all {', '.join(map(repr, coverage.least_covered[:2]))}" if coverage.least_covered else ""
    own = "" if part.value is None else f"; without it coverage is {part.value:.0f}, and the mean counts"
    said = f"The Brain sees {coverage.score:.0f} of 100 covered{least}{own}."
    return replace(
        quality,
        parts={**quality.parts, "coverage": replace(part, value=value, reasons=(said, *part.reasons))},
        scorer=quality.scorer.replace(NAME, f"{NAME}+brain"),
        unjudged=quality.value if quality.unjudged is None else quality.unjudged,
    )


def _measured(
    department: Department,
    items: Sequence[object],
    embedder: Embedder,
    vectors: Vectors | None,
    analyses: Sequence[Analysis] | None,
    brief: str,
    project_id: str | None,
) -> tuple[Quality, Worth]:
    for name, given in (("vectors", vectors), ("analyses", analyses)):
        if given is not None and len(given) != len(items):
            raise InvalidInput(f"{name} has {len(given)} rows, expected {len(items)}, one an item")
    topic = Topic.of(department, brief)
    notes = read_notes(items, embedder, topic, slug=department.slug, project_id=project_id, vectors=vectors, analyses=analyses)
    ground = Ground.of(topic, embedder)
    found = worth_of(notes, ground)
    part, least = coverage(found, ground)
    parts = {"coverage": part, "depth": depth(found), "coherence": coherence(found), "actionability": actionability(found)}
    clashes = contradictions([notes.analyses[place] for place in np.flatnonzero(found.faults[FOREIGN] < 1).tolist()])
    if clashes:
        named = (f"Contradiction: {one}" for one in clashes)
        parts["coherence"] = replace(parts["coherence"], reasons=(*named, *parts["coherence"].reasons))
    quality = Quality(
        parts={name: parts[name] for name in WEIGHTS},
        scorer=NAME,
        version=SCORER_VERSION,
        least_covered=least,
        contradictions=clashes,
        deduction=CONTRADICTION_COST * len(clashes),
    )
    return quality, found
