"""The record of one execution of a task (S004-LOG): what went in, what came out, who answered and what it cost.

One record an execution, made at its end, for failed and cancelled ones too (S004-LOG-13, C38).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gather_pipeline.domain.executions import Usage

Status = Literal["succeeded", "failed", "cancelled"]
ANSWER_KEPT = 4000  # characters of a rejected answer: enough to see what went wrong


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to a model and what became of it.

    Attributes:
        model: Model asked.
        answered_by: Model that answered, as the provider names it; None where none did.
        finish_reason: Why the answer ended; None where none came.
        usage: Tokens and cost; None where no answer came.
        latency_s: Seconds of the request that was answered; None where none was.
        attempts: Requests made for it by the model's own retries; None where no answer tells.
        obtained: How the output was got from the answer; None where it was not.
        complaint: Why the answer was not accepted, or the error that came instead; None where it was accepted.
        answer: The answer that was not accepted, shortened to 4000 characters.
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

    def to_document(self) -> dict[str, Any]:
        """JSON-able form."""
        usage = self.usage or Usage(prompt_tokens=None, completion_tokens=None, cost=None)
        return {
            "model": self.model,
            "answered_by": self.answered_by,
            "finish_reason": self.finish_reason,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost": usage.cost,
            "latency_s": self.latency_s,
            "attempts": self.attempts,
            "obtained": self.obtained,
            "complaint": self.complaint,
            "answer": self.answer,
        }


@dataclass(frozen=True, kw_only=True)
class VerificationResult:
    """What verification said; None where it was not asked."""

    method_used: str = "none"
    passed: bool | None = None
    confidence: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution of a task.

    Attributes:
        id: 32 hexadecimal digits.
        task_id: Task executed.
        task_version: Its exact version.
        definition_hash: SHA-256 of the definition, so that an edit without a new version shows.
        prompt_id: Prompt variant used; None where it did not come so far.
        prompt_hash: SHA-256 of the messages first sent; None likewise.
        input: The input in full, with the schema's defaults.
        output: The output returned; None where there was none.
        status: How it ended.
        error: Class and message of the error it ended with.
        models_used: Models asked, in order.
        parameters: temperature, max_tokens, timeout_s, seed, sampling, conditions.
        calls: Every request, in order.
        verification: What verification said.
        execution_time_s: Seconds from start to end.
        timestamp: Start in UTC, ISO 8601.
        tags: What the caller wants to find it by: project, department, iteration, automation task.
        feedback: What a person or the system said later.
    """

    id: str
    task_id: str
    task_version: str
    definition_hash: str
    input: Mapping[str, Any]
    status: Status
    execution_time_s: float
    timestamp: str
    prompt_id: str | None = None
    prompt_hash: str | None = None
    output: Any = None
    error: str | None = None
    models_used: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()
    verification: VerificationResult = VerificationResult()
    tags: Mapping[str, Any] = field(default_factory=dict)
    feedback: Mapping[str, Any] | None = None

    @property
    def usage(self) -> Usage:
        """Tokens and cost of the calls that were answered.

        Unknown where one of them does not say, or where calls were made and none was answered; zero where none was made.
        """
        answered = [call.usage for call in self.calls if call.usage is not None]
        if self.calls and not answered:
            return Usage(prompt_tokens=None, completion_tokens=None, cost=None)
        total = Usage()
        for usage in answered:
            total = total + usage
        return total

    @property
    def attempts(self) -> int:
        """Calls made, re-asks and fallback models included."""
        return len(self.calls)

    @property
    def reasks(self) -> int:
        """Calls that asked the same model again because its answer did not fit."""
        pairs = zip(self.calls, self.calls[1:], strict=False)
        return sum(before.model == after.model and before.answered_by is not None for before, after in pairs)

    @property
    def retries(self) -> int:
        """Requests that the model's own retries added to the calls answered."""
        return sum(call.attempts - 1 for call in self.calls if call.attempts is not None)

    def to_document(self) -> dict[str, Any]:
        """The document of collection `task_executions`, in the form of seed S004 with ours beside it."""
        return {
            "_id": self.id,
            "task_id": self.task_id,
            "task_version": self.task_version,
            "definition_hash": self.definition_hash,
            "prompt_id": self.prompt_id,
            "prompt_hash": self.prompt_hash,
            "input": dict(self.input),
            "output": self.output,
            "status": self.status,
            "error": self.error,
            "models_used": list(self.models_used),
            "verification_results": {
                "method_used": self.verification.method_used,
                "passed": self.verification.passed,
                "confidence": self.verification.confidence,
                "details": dict(self.verification.details),
            },
            "performance": {
                "execution_time": self.execution_time_s,
                "tokens_used": self.usage.tokens,
                "prompt_tokens": self.usage.prompt_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "cost": self.usage.cost,
            },
            "parameters": dict(self.parameters),
            "attempts": self.attempts,
            "reasks": self.reasks,
            "retries": self.retries,
            "calls": [call.to_document() for call in self.calls],
            "timestamp": self.timestamp,
            "feedback": dict(self.feedback) if self.feedback is not None else None,
            "tags": dict(self.tags),
        }


def digest(value: object) -> str:
    """SHA-256, in hexadecimal, of a JSON value, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
