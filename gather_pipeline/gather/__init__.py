"""The gather loop of seed S001: generate, remove duplicates, score, until a department is good enough.

Who uses the package as a library imports S001's functions from here; each is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gather_pipeline.quality.scorer import analyze_department_quality as analyze_department_quality
    from gather_pipeline.quality.scorer import calculate_actionability_score as calculate_actionability_score
    from gather_pipeline.quality.scorer import calculate_coherence_score as calculate_coherence_score
    from gather_pipeline.quality.scorer import calculate_coverage_score as calculate_coverage_score
    from gather_pipeline.quality.scorer import calculate_depth_score as calculate_depth_score
    from gather_pipeline.quality.scorer import measure as measure
    from gather_pipeline.similarity.deduplicate import batch_similarity_check as batch_similarity_check
    from gather_pipeline.similarity.deduplicate import check_semantic_similarity as check_semantic_similarity
    from gather_pipeline.similarity.deduplicate import deduplicate_items as deduplicate_items
    from gather_pipeline.similarity.defaults import default_embedder as default_embedder

SCORER = "gather_pipeline.quality.scorer"
DUPLICATES = "gather_pipeline.similarity.deduplicate"
MODULES = {
    "default_embedder": "gather_pipeline.similarity.defaults",
    "deduplicate_items": DUPLICATES,
    "check_semantic_similarity": DUPLICATES,
    "batch_similarity_check": DUPLICATES,
    "measure": SCORER,
    "analyze_department_quality": SCORER,
    "calculate_coverage_score": SCORER,
    "calculate_depth_score": SCORER,
    "calculate_coherence_score": SCORER,
    "calculate_actionability_score": SCORER,
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *MODULES])
