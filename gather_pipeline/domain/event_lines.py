"""A progress event as a sentence: what a terminal, a list of events and the log of a Dagster run say alike."""

from __future__ import annotations

from gather_pipeline.domain.events import Event

SENTENCES = {
    "department_started": "{department}: begins, threshold {threshold:g}, model {model}",
    "iteration_complete": "{department}: iteration {iteration}, quality {score} of {threshold:g}, {kept}, {tokens} tokens",
    "department_complete": "{department}: ends, {reason}",
    "skipped_unchanged": "{department}: finished before and unchanged, quality {score}",
    "skipped_budget": "{department}: stopped, {reason}",
    "max_iterations_reached": "{department}: used its iterations, quality {score} of {threshold:g}",
    "stagnation_detected": "{department}: {reason}",
    "model_fault": "{department}: a call to {model} failed: {error}",
    "model_away": "{department}: no model server was met, the run waits for it: {error}",
    "model_back": "{department}: the model server answers again, asked {rounds} times in {waited_s:g} s",
    "evaluation_triggered": "{department}: evaluated, quality {score}",
    "automation_complete": "{items_created} items in {total_iterations} iterations",
    "automation_cancelled": "cancelled, {items_created_so_far} items are saved",
    "automation_failed": "{error}",
    "below_threshold": "{department}: {error}",
}


def sentence(event: Event) -> str | None:
    """What happened, None for events that are of no interest by themselves."""
    if event.type not in SENTENCES:
        return None
    fields = event.fields
    score = score_of(fields.get("quality_score", fields.get("final_quality_score")), fields.get("judged", True))
    dropped = fields.get("duplicates_dropped")
    told = {
        "score": score,
        "kept": f"{fields.get('items_created')} kept" + ("" if dropped is None else f", {dropped} dropped"),
        "tokens": count_of(fields.get("tokens")),
        "reason": fields.get("reason") or (f"no gain, next step {fields['step']}" if "step" in fields else f"quality {score}"),
    }
    return SENTENCES[event.type].format(**{**fields, **told})


def score_of(value: float | None, judged: bool = True) -> str:
    """A score with one decimal and a word where no judge had a part in it; unknown is a dash."""
    return "-" if value is None else f"{value:.1f}" if judged else f"{value:.1f} (unjudged)"


def count_of(value: int | None) -> str:
    """A count in groups of three digits; unknown is said so."""
    return "unknown" if value is None else f"{value:,}"
