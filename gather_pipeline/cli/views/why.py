"""How an item came about, as a document for --json and as lines for a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gather_pipeline.cli.output import clean
from gather_pipeline.people.why import Why
from gather_pipeline.records.documents import ledger_document


def why_row(why: Why) -> dict[str, Any]:
    """What is known, as --json prints it; null stands for what is not."""
    execution, rebuilt, ledger = why.execution, why.rebuilt, why.ledger
    row = {name: getattr(why, name) for name in ("id", "project_id", "department", "iteration", "told")}
    return row | {
        "execution": execution and execution.id,
        "task": execution and execution.task_id,
        "task_version": execution and execution.task_version,
        "model": execution and (execution.model or execution.models_used[-1]),
        "parameters": execution and dict(execution.parameters),
        "prompt_id": execution and execution.prompt_id,
        "prompt_hash": execution and execution.prompt_hash,
        "prompt": rebuilt and [{"role": turn.role, "content": turn.content} for turn in rebuilt.messages],
        "prompt_rebuilt": rebuilt and rebuilt.identical,
        "ledger": ledger and ledger_document(ledger),
        "verdicts": [asdict(verdict) for verdict in why.verdicts],
        "calls": execution and execution.attempts,
        "tokens": execution and execution.usage.tokens,
        "cost": execution and execution.usage.cost,
        "seconds": execution and round(execution.execution_time_s, 3),
    }


def why_lines(why: Why) -> list[str]:
    """What is known, for a person."""
    lines = [f"{why.department}, {f'iteration {why.iteration}' if why.iteration else 'no iteration'}  [{why.id}]: {why.told}"]
    execution, rebuilt, ledger = why.execution, why.rebuilt, why.ledger
    if execution:
        usage = execution.usage
        cost = "unknown" if usage.cost is None else f"${usage.cost:.4f}"
        spent = f"calls {execution.attempts}, tokens {usage.tokens if usage.tokens is not None else 'unknown'}, cost {cost}"
        lines.append(f"Execution {execution.id}: prompt {execution.prompt_id}, {spent}, {execution.execution_time_s:.1f} s")
    if ledger:
        lines.append(f"Ledger: {ledger.included_tokens} of {ledger.budget} tokens went into the context of its prompt")
        lines += [f"  {one.state:9} {one.tokens:6} {one.kind} {one.id}: {one.reason}" for one in ledger.entries]
        if ledger.unlisted:
            lines.append(f"  and {ledger.unlisted} that ranked lower were dropped")
    if why.verdicts:
        lines.append("Verdicts:")
    for verdict in why.verdicts:
        lines.append(f"  {verdict.method}: {verdict.ruling}{''.join(f'; {reason}' for reason in verdict.reasons)}")
    if rebuilt:
        lines.append("Prompt, byte for byte:" if rebuilt.identical else "Prompt, NOT as it was sent (the hash differs):")
        for turn in rebuilt.messages:
            lines += [f"  [{turn.role}]", *(f"  {line}" for line in turn.content.splitlines())]
    return [clean(line) for line in lines]
