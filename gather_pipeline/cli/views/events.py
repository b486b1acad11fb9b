"""A progress event as a sentence, for plain lines and for lists of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sentence(event: Mapping[str, Any]) -> str | None:
    """What happened, None for events that are of no interest by themselves."""
    name = event.get("department")
    match event["type"]:
        case "department_started":
            return f"{name}: begins, threshold {event['threshold']:g}, model {event['model']}"
        case "iteration_complete":
            dropped = event.get("duplicates_dropped")
            kept = f"{event['items_created']} kept" + (f", {dropped} dropped" if dropped is not None else "")
            score = f"quality {score_of(event['quality_score'], event.get('judged', True))} of {event['threshold']:g}"
            return f"{name}: iteration {event['iteration']}, {score}, {kept}, {count_of(event.get('tokens'))} tokens"
        case "department_complete":
            return f"{name}: ends, {event.get('reason') or 'quality ' + score_of(event['quality_score'], event.get('judged', True))}"
        case "skipped_unchanged":
            return f"{name}: finished before and unchanged, quality {score_of(event['quality_score'], event.get('judged', True))}"
        case "skipped_budget":
            return f"{name}: stopped, {event['reason']}"
        case "max_iterations_reached":
            score = score_of(event["final_quality_score"], event.get("judged", True))
            return f"{name}: used its iterations, quality {score} of {event['threshold']:g}"
        case "stagnation_detected":
            return f"{name}: {event.get('reason') or 'no gain, next step ' + str(event['step'])}"
        case "model_fault":
            return f"{name}: a call to {event['model']} failed: {event['error']}"
        case "evaluation_triggered":
            return f"{name}: evaluated, quality {score_of(event['quality_score'], event.get('judged', True))}"
        case "automation_complete":
            return f"{event['items_created']} items in {event['total_iterations']} iterations"
        case "automation_cancelled":
            return f"cancelled, {event['items_created_so_far']} items are saved"
        case "automation_failed":
            return str(event["error"])
        case _:
            return None


def score_of(value: float | None, judged: bool = True) -> str:
    """A score with one decimal and a word where no judge had a part in it; unknown is a dash."""
    return "-" if value is None else f"{value:.1f}" if judged else f"{value:.1f} (unjudged)"


def count_of(value: int | None) -> str:
    """A count in groups of three digits; unknown is said so."""
    return "unknown" if value is None else f"{value:,}"


def duration(seconds: float) -> str:
    """Minutes and seconds, e.g. ``2:05``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"
