"""What goes wrong at a task, by prompt and model: kinds of complaints with their share and how sure it is (S004-LRN-02, 05)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gather_pipeline.tasks.execution import Execution

LEVEL = 0.9  # of the intervals
SHOWN = 3  # complaints that a pattern shows as they were said
OWN_WORDS = re.compile(r"'[^']*'|\"[^\"]*\"|\d+(?:\.\d+)?|\b[0-9a-f]{16,}\b")
KINDS = (
    ("cut", "was cut at the token limit"),
    ("empty", "the answer is empty"),
    ("no JSON", "expected JSON"),
    ("wrong form", "does not fit"),
    ("refused", "ModelRefused"),
    ("refused", "content filter"),
    ("not had", "ModelUnavailable"),
    ("not had", "RateLimited"),
    ("not had", "ModelTimeout"),
    ("not had", "ModelUnreachable"),
)


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One kind of complaint about what one prompt got from one model.

    Attributes:
        kind: What went wrong; for what checks and people said also who said it.
        count: Executions that it was said of.
        of: Executions of that prompt by that model.
        low: Lower end of the share's interval at `LEVEL`.
        high: Its upper end.
        examples: What was said, at most `SHOWN`.
        executions: Their ids, the newest first.
    """

    version: str
    prompt: str
    model: str
    kind: str
    count: int
    of: int
    low: float
    high: float
    examples: tuple[str, ...]
    executions: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the executions, 0 to 1."""
        return self.count / self.of


def patterns(executions: Sequence[Execution]) -> list[Pattern]:
    """What goes wrong, that which surely goes wrong most often first; nothing of cancelled executions.

    Args:
        executions: Of one task, the newest first.
    """
    from scipy.stats import binomtest

    total: Counter[tuple[str, str, str]] = Counter()
    found: dict[tuple[str, str, str, str], list[tuple[str, str]]] = {}
    for execution in executions:
        if execution.prompt_id is None or execution.status == "cancelled":
            continue
        prompt = execution.task_version, execution.prompt_id
        asked = {
            execution.writer or "none",
            execution.final_model or "none",
            *(call.model for call in execution.calls if call.purpose == "answer"),
        }
        total.update((*prompt, model) for model in asked)
        for place, said in {(model, kind): said for model, kind, said in complaints(execution)}.items():
            found.setdefault((*prompt, *place), []).append((execution.id, said))

    def pattern(version: str, prompt: str, model: str, kind: str, told: Sequence[tuple[str, str]]) -> Pattern:
        of = total[version, prompt, model]
        interval = binomtest(len(told), of).proportion_ci(LEVEL, method="wilson")
        return Pattern(
            version=version,
            prompt=prompt,
            model=model,
            kind=kind,
            count=len(told),
            of=of,
            low=float(interval.low),
            high=float(interval.high),
            examples=tuple(dict.fromkeys(said for _, said in told))[:SHOWN],
            executions=tuple(id for id, _ in told),
        )

    return sorted((pattern(*place, told) for place, told in found.items()), key=lambda one: (-one.low, -one.count, one.kind, one.model))


def complaints(execution: Execution) -> Iterator[tuple[str, str, str]]:
    """What was complained of: the model, the kind of complaint, and what was said."""
    for call in execution.calls:
        if call.complaint is not None and call.purpose == "answer":
            yield call.model, kind_of(call.complaint), call.complaint
    writer = execution.writer or "none"
    for verdict in execution.verdicts:
        if verdict.ruling == "reject":
            yield writer, f"rejected by {verdict.method}", "; ".join(verdict.reasons) or "no reason was given"
    for one in execution.feedback:
        if one.accepted is False or one.corrected is not None or (one.rating is not None and one.rating <= 2):
            what = "rejected" if one.corrected is None else "corrected"
            yield execution.final_model or "none", f"{what} by a {one.source}", one.note or "no reason was given"


def kind_of(complaint: str) -> str:
    """The kind of a complaint: by its sign, else the sentence without its own words and numbers."""
    kind = next((kind for kind, sign in KINDS if sign in complaint), None)
    if kind == "wrong form":
        told = OWN_WORDS.sub("_", complaint.partition("does not fit:")[2])
        return f"{kind}: {' '.join(told.split())[:80]}"
    return kind or " ".join(OWN_WORDS.sub("_", complaint).split())[:80]
