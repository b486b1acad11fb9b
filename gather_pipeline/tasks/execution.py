"""The record of one execution of a task (S004-LOG): what went in, what came out, who answered and what it cost.

One record an execution, made at its end, for failed and cancelled ones too (S004-LOG-13, C38).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.verdicts import Verdict, model_behind
from gather_pipeline.errors import InvalidInput

UNKNOWN = Usage(prompt_tokens=None, completion_tokens=None, cost=None)
ANSWER_KEPT = 4000  # characters of a rejected answer: enough to see what went wrong


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to a model and what became of it.

    Attributes:
        answered_by: Model that answered, as the provider names it; None, like the four after it, where no answer came.
        latency_s: Seconds of the request that was answered.
        attempts: Requests made for it by the model's own retries.
        obtained: How the output was got from the answer; None where it was not.
        complaint: Why the answer was not accepted, or the error that came instead; None where it was accepted.
        answer: The answer that was not accepted, shortened to `ANSWER_KEPT`.
        purpose: ``answer`` of the task itself, or asked by a check: for another output, or for a review of one.
        cached: The answer was kept from an earlier call; its usage is what was not paid again.
        kept: Key under which the cache has the answer; None where it was not kept.
    """

    model: str
    answered_by: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    latency_s: float | None = None
    attempts: int | None = None
    obtained: str | None = None
    complaint: str | None = None
    answer: str | None = None
    purpose: Literal["answer", "comparison", "revision", "review"] = "answer"
    cached: bool = False
    kept: str | None = None


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What was said of an output after its execution had ended.

    Attributes:
        by: Name of the person, or of the check.
        at: When, in UTC, ISO 8601.
        source: A person at a command, a decision of the review queue, or a check that ran later.
        accepted: Whether the output is good enough to be used; None where only a rating or a note is given.
        rating: 1, of no use, to 5, as good as can be.
        corrected: What a person made of the output before they accepted it; None where they took it as it was, or did not.

    Raises:
        InvalidInput: The rating is out of range, or nothing is said.
    """

    by: str
    at: str
    source: Literal["person", "review", "check"] = "person"
    accepted: bool | None = None
    rating: float | None = None
    note: str = ""
    corrected: Any = None

    def __post_init__(self) -> None:
        if self.rating is not None and not 1 <= self.rating <= 5:
            raise InvalidInput.field("rating", self.rating, "a number from 1 to 5")
        if self.accepted is None and self.rating is None and not self.note.strip():
            raise InvalidInput("feedback says nothing, expected an acceptance, a rejection, a rating or a note")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution of a task.

    Attributes:
        id: 32 hexadecimal digits.
        definition_hash: SHA-256 of the definition, so that an edit without a new version shows.
        prompt_id: Prompt variant used; None where it did not come so far.
        prompt_hash: SHA-256 of the messages first sent; None likewise.
        input: The input in full, with the schema's defaults.
        error: Class and message of the error it ended with.
        parameters: temperature, max_tokens, timeout_s, seed, sampling, conditions.
        timestamp: Start in UTC, ISO 8601.
        tags: What the caller wants to find it by: project, department, iteration, automation task.
        model: Model that wrote the output which is checked; None where there is none.
        verdicts: What the checks said, in order.
        verified: Whether the checks accepted the output; None where the task asks for none.
        fallback: Strategy that gave the output after the checks had not accepted it.
        waiting: Id of the review that the output waits for.
        cached: The output was kept from an earlier execution, and nothing was asked.
        feedback: What people or checks said of it later, in order; added to the record, never by the runner.
    """

    id: str
    task_id: str
    task_version: str
    definition_hash: str
    input: Mapping[str, Any]
    status: Literal["succeeded", "failed", "cancelled"]
    execution_time_s: float
    timestamp: str
    prompt_id: str | None = None
    prompt_hash: str | None = None
    output: Any = None
    error: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    tags: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    verified: bool | None = None
    fallback: str | None = None
    waiting: str | None = None
    cached: bool = False
    feedback: tuple[Feedback, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether the output must not be used: it waits for a person, or waited for one who has rejected it."""
        return self.waiting is not None and not self.accepted and self.fallback != "use_highest_ranked_model"

    @property
    def decision(self) -> Feedback | None:
        """The newest decision of a person on whether the output is accepted; None where there is none."""
        said = [one for one in self.feedback if one.accepted is not None and one.source != "check"]
        return said[-1] if said else None

    @property
    def accepted(self) -> bool | None:
        """Whether people accept the output, as it is or corrected; None where none of them said."""
        return None if self.decision is None else self.decision.accepted

    @property
    def passed(self) -> bool | None:
        """Whether checks accept the output as its writer gave it; None where no check decided, such as while it waits for a person."""
        made = [verdict for verdict in self.verdicts if verdict.evidence.get("checks") != []]  # without an adaptive one that chose no check
        is_decided = not self.verdicts or any(verdict.ruling in ("accept", "reject") for verdict in made)
        return self.verified and all(verdict.replacement is None for verdict in made) if is_decided else None

    def accepted_output(self, until: str | None = None) -> Any:
        """The output as people accepted it: as it came, or as one of them corrected it until then, at any time where None."""
        made = [one.corrected for one in self.feedback if one.corrected is not None and (until is None or one.at <= until)]
        return made[-1] if made else self.output

    @property
    def rating(self) -> float | None:
        """Mean of all ratings; None where there is none."""
        given = [one.rating for one in self.feedback if one.rating is not None]
        return sum(given) / len(given) if given else None

    @property
    def models_used(self) -> tuple[str, ...]:
        """Models asked, each once, in order."""
        return tuple(dict.fromkeys(call.model for call in self.calls))

    @property
    def writer(self) -> str | None:
        """The model that wrote the output which is checked, else the last one asked; None where none was."""
        return self.model or (self.calls[-1].model if self.calls else None)

    @property
    def final_model(self) -> str | None:
        """The model whose output it is after the checks, which may have taken another one's for the writer's; else as `writer`."""
        return self.writer if self.fallback == "use_highest_ranked_model" else model_behind(self.verdicts, self.writer)

    @property
    def is_replaced(self) -> bool:
        """Whether the output is no longer the writer's but another model's, so that what people say of it is said of that one."""
        return self.final_model != self.writer

    @property
    def usage(self) -> Usage:
        """Tokens and cost of the calls that were answered, kept answers left out.

        Unknown where one of them does not say, or where calls were made and none was answered; zero where none was made.
        """
        return charged(self.calls)

    @property
    def price(self) -> Usage:
        """Tokens and cost of the same calls when they were paid: those of kept answers count."""
        return charged([replace(call, cached=False) for call in self.calls])

    @property
    def attempts(self) -> int:
        """Calls made, re-asks and fallback models included."""
        return len(self.calls)

    @property
    def reasks(self) -> int:
        """Calls that asked the same model again because its answer did not fit."""
        pairs = ((one, then) for one, then in pairwise(self.calls) if one.answered_by is not None and one.obtained is None)
        return sum((one.model, one.purpose) == (then.model, then.purpose) for one, then in pairs)

    @property
    def retries(self) -> int:
        """Requests that the model's own retries added to the calls answered."""
        return sum(call.attempts - 1 for call in self.calls if call.attempts is not None)

    def to_document(self) -> dict[str, Any]:
        """The document of collection `executions`, in the form of seed S004 with ours beside it."""
        row: dict[str, Any] = to_jsonable_python(self)
        performance = {"execution_time": row.pop("execution_time_s"), "tokens_used": self.usage.tokens, **asdict(self.usage)}
        verdicts = row.pop("verdicts")
        results = {
            "method_used": "+".join(verdict.method for verdict in self.verdicts) or "none",
            "passed": row.pop("verified"),
            "confidence": self.verdicts[-1].confidence if self.verdicts else None,
            "details": {"verdicts": verdicts} if verdicts else {},
        }
        # As JSON, for its keys may be any.
        entries = [one | {"corrected": None if one["corrected"] is None else json.dumps(one["corrected"])} for one in row["feedback"]]
        return row | {
            "_id": row.pop("id"),
            "models_used": list(self.models_used),
            "final_model": self.final_model,
            "verification_results": results,
            "performance": performance,
            "attempts": self.attempts,
            "reasks": self.reasks,
            "retries": self.retries,
            "calls": [call | (call.pop("usage") or asdict(UNKNOWN)) for call in row["calls"]],
            "accepted": self.accepted,
            "feedback": {"accepted": self.accepted, "rating": self.rating, "entries": entries} if self.feedback else None,
        }

    @classmethod
    def from_document(cls, row: Mapping[str, Any]) -> Execution:
        """The execution of a stored document, also of one from before there were checks.

        Raises:
            InvalidInput: It is none; names the field.
        """
        try:
            results, said = row.get("verification_results", {}), (row.get("feedback") or {}).get("entries", ())
            again = {
                "id": row["_id"],
                "execution_time_s": row["performance"]["execution_time"],
                "verdicts": results.get("details", {}).get("verdicts", ()),
                "verified": results.get("passed"),
                "calls": [call | {"usage": None if call["answered_by"] is None else call} for call in row["calls"]],
                "feedback": [one | {"corrected": json.loads(one.get("corrected") or "null")} for one in said],
            }
            return DOCUMENT.validate_python({**row, **again})
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            told = error.errors()[0]["loc"] if isinstance(error, ValidationError) else error.args if isinstance(error, KeyError) else ()
            place = ".".join(str(part) for part in told) or "a part of it"
            raise InvalidInput(f"record {row.get('_id')}: {place} is missing or wrong, expected the document of an execution") from None


DOCUMENT = TypeAdapter(Execution)


def charged(calls: Sequence[Call]) -> Usage:
    """What calls cost that were really made; see `Execution.usage`."""
    made = [call for call in calls if not call.cached]
    answered = [call.usage for call in made if call.usage is not None]
    return UNKNOWN if made and not answered else sum(answered, Usage())


def digest(value: object) -> str:
    """SHA-256, in hexadecimal, of a JSON value, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
