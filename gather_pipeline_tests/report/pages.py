"""A page to look at: of the measured sample, or as large as one of the bundled sample project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gather_pipeline
from gather_pipeline.domain.decisions import DecidedText, Decision
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item, NewItem
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import WEIGHTS, Part
from gather_pipeline.report.page import render_page
from gather_pipeline.report.tables import ReportTables
from gather_pipeline_tests.report.measured import ITERATION, measure, read
from gather_pipeline_tests.samples import a_quality

BRIEF = (Path(gather_pipeline.__file__).parent / "sample" / "brief.md").read_text(encoding="utf-8")
SLUGS = ("story", "character", "visual", "production", "sound", "music", "logistics")
NOTE = (
    "On payday, Mara Lindqvist sets fire to a scarlet saddle in front of the dye works, which gives the thief away: so much for the "
    "secret of the past. It smells of camphor and gun oil for 61 paces around. The score drops to a solo viola and leaves the last 13 "
    "bars unresolved."
)


def make_item(index: int, **changes: Any) -> Item:
    values: dict[str, Any] = {
        "id": f"item-{index}",
        "department": "story",
        "iteration": 1,
        "task_id": "t1",
        "project_id": "skerra",
        "content": f"Content {index}.",
        "summary": f"Summary {index}",
        "context": f"Context {index}",
        "aspect": "theme",
        "provenance": {"generated_by": "embedded"},
    }
    return Item(**(values | changes))


def make_drop(index: int, **changes: Any) -> DecidedText:
    decision = {
        "duplicate": True,
        "rule": "embedding",
        "similarity": 0.934,
        "match_id": "item-1",
        "match_content": f"Match {index}.",
        "reason": f"Reason {index}.",
    }
    own = {"department": "story", "content": f"Dropped {index}."} | {name: value for name, value in changes.items() if name not in decision}
    return DecidedText(
        key=f"d{index}",
        item_id=f"d{index}",
        department=own["department"],
        iteration=1,
        place=0,
        text=NewItem(content=own["content"], summary="", context=""),
        decision=Decision(**decision | {name: value for name, value in changes.items() if name in decision}),
        rules_version="r",
    )


def page(tables: ReportTables, **changes: Any) -> str:
    values: dict[str, Any] = {
        "project": Project(id="skerra", name="The Salt Ledger", brief="Skerra is an island."),
        "tables": tables,
        "qualities": {"story": a_quality(64.0)},
        "departments": [Department(slug="story", name="Story Department")],
        "items": [make_item(1)],
        "drops": [make_drop(1)],
        "threshold": "dropped from 67%",
        "generated_at": "2026-03-01T10:05:33.000000+00:00",
    }
    return render_page(**(values | changes))


def sample_page(folder: Path) -> str:
    """As large as the report of a run of the bundled sample project: seven departments of two iterations, ten notes each and four drops."""
    names = [f"{slug.capitalize()} Department" for slug in SLUGS]
    reasons = (
        "3 of 7 aspects are covered beyond their own words.",
        "Least covered, of 100: 'climax' (1), 'turning point' (11), 'ending' (26).",
    )
    off = "About another matter than the department's aspects: 6 of 14 notes, e.g. 'At the marble stairwell, Mara Lindqvist scrapes...'."
    for slug in SLUGS:
        measure(
            folder,
            *(
                ("iteration", {**ITERATION, "department": slug, "iteration": number, "quality": 30.0 + 20 * number, "judged": False})
                for number in (1, 2)
            ),
            ("call", {"department": slug, "model": "m", "prompt_tokens": 12_000, "completion_tokens": 2_000, "cost": 0.0}),
        )
    measure(folder, ("run", {"status": "completed", "started_at": "2026-03-01T12:00:00Z", "processing_time_ms": 45_000}))
    return page(
        read(folder),
        project=Project(id="skerra", name="The Salt Ledger", brief=BRIEF),
        qualities={slug: a_quality(parts={name: Part(value=50.0, reasons=(*reasons, off)) for name in WEIGHTS}) for slug in SLUGS},
        departments=[Department(slug=slug, name=name) for slug, name in zip(SLUGS, names, strict=True)],
        items=[make_item(n, department=slug, content=NOTE, context=NOTE[:80]) for slug in SLUGS for n in range(10)],
        drops=[make_drop(n, department=slug, content=NOTE, match_content=NOTE) for n, slug in enumerate(SLUGS[3:])],
    )
