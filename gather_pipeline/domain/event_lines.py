"""A progress event as a sentence: what a terminal, a list of events and the log of a Dagster run say alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gather_pipeline.domain.events import Event


def sentence(event: Event) -> str | None:
    """What happened, None for events that are of no interest by themselves."""
    fields = event.fields
    name = fields.get("department")
    match event.type:
        case "department_started":
            return f"{name}: begins, threshold {fields['threshold']:g}, model {fields['model']}"
        case "iteration_complete":
            dropped = fields.get("duplicates_dropped")
            kept = f"{fields['items_created']} kept" + (f", {dropped} dropped" if dropped is not None else "")
            score = f"quality {_score(fields)} of {fields['threshold']:g}"
            return f"{name}: iteration {fields['iteration']}, {score}, {kept}, {count_of(fields.get('tokens'))} tokens"
        case "department_complete":
            return f"{name}: ends, {fields.get('reason') or 'quality ' + _score(fields)}"
        case "skipped_unchanged":
            return f"{name}: finished before and unchanged, quality {_score(fields)}"
        case "skipped_budget":
            return f"{name}: stopped, {fields['reason']}"
        case "max_iterations_reached":
            score = _score(fields, "final_quality_score")
            return f"{name}: used its iterations, quality {score} of {fields['threshold']:g}"
        case "stagnation_detected":
            return f"{name}: {fields.get('reason') or 'no gain, next step ' + str(fields['step'])}"
        case "model_fault":
            return f"{name}: a call to {fields['model']} failed: {fields['error']}"
        case "evaluation_triggered":
            return f"{name}: evaluated, quality {_score(fields)}"
        case "automation_complete":
            return f"{fields['items_created']} items in {fields['total_iterations']} iterations"
        case "automation_cancelled":
            return f"cancelled, {fields['items_created_so_far']} items are saved"
        case "automation_failed":
            return str(fields["error"])
        case "below_threshold":
            return f"{name}: {fields['error']}"
        case _:
            return None


def _score(fields: Mapping[str, Any], name: str = "quality_score") -> str:
    return score_of(fields[name], fields.get("judged", True))


def score_of(value: float | None, judged: bool = True) -> str:
    """A score with one decimal and a word where no judge had a part in it; unknown is a dash."""
    return "-" if value is None else f"{value:.1f}" if judged else f"{value:.1f} (unjudged)"


def count_of(value: int | None) -> str:
    """A count in groups of three digits; unknown is said so."""
    return "unknown" if value is None else f"{value:,}"
