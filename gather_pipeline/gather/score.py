"""How good a department is: coverage, depth, coherence and actionability, each 0 to 100 with reasons and evidence (S001-QUAL).

No model is asked but an embedder; a judge, where there is one, is blended in. Every score carries the scorer's name and
version, so that two rules are never compared unawares (C32). What was measured: docs/decisions/0006-quality.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.quality import WEIGHTS, Part, Quality
from gather_pipeline.errors import InvalidInput
from gather_pipeline.gather.score_actionability import actionability
from gather_pipeline.gather.score_coherence import coherence
from gather_pipeline.gather.score_coverage import Topic, coverage
from gather_pipeline.gather.score_depth import depth
from gather_pipeline.gather.score_memory import Memory
from gather_pipeline.gather.score_notes import Note, NoteMaker, read_department, read_items
from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.similarity.defaults import default_embedder

logger = logging.getLogger(__name__)

JudgeParts = Mapping[str, tuple[float, str]]  # part -> (0 to 100, reason)
QualityJudge = Callable[[Department, Sequence[Item]], Awaitable[JudgeParts | None]]  # None: could not judge, which is not zero

NAME = "text-statistics"
VERSION = "1"
JUDGE_SHARE = 0.5  # a judge sees contradictions, the statistics see repetition and copying: neither alone decides


class DepartmentScorer:
    """Scores the notes of a department.

    Args:
        embedder: Embeds notes, sentences and aspects; thresholds are set for all-MiniLM-L6-v2.
        judge: Asked once a score; its parts count half. None, or a judge that cannot judge, leaves the statistics alone.
        memory: What earlier scores of one department made of its notes, so that each score costs as much as is new; changes no score.
    """

    def __init__(self, embedder: Embedder, *, judge: QualityJudge | None = None, memory: Memory | None = None) -> None:
        self._embedder = embedder
        self._judge = judge
        self._memory = memory

    @property
    def name(self) -> str:
        """``text-statistics``, with ``+judge`` where a judge is asked."""
        return f"{NAME}+judge" if self._judge else NAME

    @property
    def version(self) -> str:
        """Version of the rules."""
        return VERSION

    async def score(self, department: Department, items: Sequence[Item], *, vectors: Vectors | None = None, brief: str = "") -> Quality:
        """Scores a department.

        Args:
            department: Whose aspects are to be covered.
            items: Items of the project; those of other departments are left out, with their vectors (C31).
            vectors: Embeddings of the items' contents, row by row, from the scorer's embedder; made here where None.
            brief: The project's brief; notes far from it count less, notes copied from it hardly.

        Returns:
            The four parts, the scorer that gave them (``text-statistics`` where the judge gave no answer), and the aspects from least
            to best covered.

        Raises:
            InvalidInput: An item without content, or another number of vectors than of items.
        """
        quality = measure(department, items, self._embedder, vectors=vectors, brief=brief, memory=self._memory)
        own = [item for item in items if item.department == department.slug]
        if self._judge is None or not own:
            return quality
        return blend(quality, await self._judge(department, own))


def measure(
    department: Department,
    items: Sequence[object],
    embedder: Embedder,
    *,
    vectors: Vectors | None = None,
    brief: str = "",
    project_id: str | None = None,
    memory: Memory | None = None,
) -> Quality:
    """The score without a judge; takes what `DepartmentScorer` and its `score` take, and items as mappings too."""
    if vectors is not None and len(vectors) != len(items):
        raise InvalidInput(f"vectors has {len(vectors)} rows, expected {len(items)}, one an item")
    topic = Topic.of(department, brief)
    raw = read_items(items, slug=department.slug, project_id=project_id)
    prepared = (memory or Memory()).prepare(raw, embedder, topic, vectors)
    notes = prepared.notes
    part, least = coverage(notes, topic, prepared.embedded, prepared.support)
    parts = {"coverage": part, "depth": depth(notes), "coherence": coherence(notes), "actionability": actionability(notes)}
    return Quality(parts={name: parts[name] for name in WEIGHTS}, scorer=NAME, version=VERSION, least_covered=least)


def blend(quality: Quality, judged: JudgeParts | None) -> Quality:
    """The score with a judge's parts at `JUDGE_SHARE`; unchanged where it gave none that can be used."""
    fair = {name: answer for name, answer in (judged or {}).items() if name in WEIGHTS and _on_scale(answer[0])}
    for name in set(judged or {}) - set(fair):
        logger.warning("[AutoGather] The judge's answer for %s is left out: not a part with a value from 0 to 100", name)
    if not fair:
        return quality
    parts = dict(quality.parts)
    for name, (value, reason) in fair.items():
        own = parts[name]
        said = f"The judge gave {value:.0f}, the text statistics {own.value:.0f}" + (f": {reason.strip()}" if reason.strip() else ".")
        mixed = JUDGE_SHARE * value + (1 - JUDGE_SHARE) * own.value
        parts[name] = replace(own, value=round(mixed, 2), reasons=(said, *own.reasons))
    return replace(quality, parts=parts, scorer=f"{NAME}+judge", unjudged=quality.value)


def analyze_department_quality(
    project_id: str,
    department: Mapping[str, object] | Department,
    gather_items: Sequence[object],
    *,
    embedder: Embedder | None = None,
) -> float:
    """Quality of a department, 0 to 100, from all items of the project (S001-QUAL-01).

    Args:
        project_id: The project; items that name another one are left out.
        department: A `Department`, or a row of the CMS.
        gather_items: `Item` objects or mappings with `content`; items of other departments are left out (C31).
        embedder: The installed default where None.

    Raises:
        InvalidInput: The department is no department, an item has no content, or its content is not a string.
    """
    if not isinstance(project_id, str) or not project_id:
        raise InvalidInput.field("project_id", project_id, "the id of a project")
    return measure(read_department(department), gather_items, embedder or default_embedder(), project_id=project_id).value


def calculate_coverage_score(
    department: Mapping[str, object] | Department, items: Sequence[object], *, embedder: Embedder | None = None
) -> float:
    """How many aspects of the department its items cover, and how well, 0 to 100 (S001-QUAL-02)."""
    checked = read_department(department)
    topic = Topic.of(checked)
    prepared = Memory().prepare(read_items(items, slug=checked.slug), embedder or default_embedder(), topic, None)
    return coverage(prepared.notes, topic, prepared.embedded, prepared.support)[0].value


def calculate_depth_score(items: Sequence[object], *, embedder: Embedder | None = None) -> float:
    """Level of detail of the items, 0 to 100 (S001-QUAL-03); the embedder finds items that say the same in other words."""
    return depth(_notes(items, embedder)).value


def calculate_coherence_score(items: Sequence[object], *, embedder: Embedder | None = None) -> float:
    """Consistency and logical flow of the items, 0 to 100 (S001-QUAL-04)."""
    return coherence(_notes(items, embedder)).value


def calculate_actionability_score(items: Sequence[object]) -> float:
    """How usable the items are, 0 to 100 (S001-QUAL-08, C30); needs no embedder."""
    raw = read_items(items)
    nothing, maker = np.zeros((len(raw), 1), dtype=np.float32), NoteMaker()
    return actionability([maker.add(one, nothing[: place + 1], nothing[:0]) for place, one in enumerate(raw)]).value


def _notes(items: Sequence[object], embedder: Embedder | None) -> Sequence[Note]:
    return Memory().prepare(read_items(items), embedder or default_embedder(), None, None).notes


def _on_scale(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 100


__all__ = [
    "DepartmentScorer",
    "JudgeParts",
    "Part",
    "QualityJudge",
    "analyze_department_quality",
    "blend",
    "calculate_actionability_score",
    "calculate_coherence_score",
    "calculate_coverage_score",
    "calculate_depth_score",
    "measure",
]
