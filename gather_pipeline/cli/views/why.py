"""How an item came about, as lines for a person."""

from __future__ import annotations

from gather_pipeline.people.why import Why


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
    return lines
