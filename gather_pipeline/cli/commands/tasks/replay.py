"""`tlm replay`: recorded executions, done again in another way."""

from __future__ import annotations

from typing import Any

import click

from gather_pipeline.cli.commands.tasks.execute import say_stand_in
from gather_pipeline.cli.options import Amount, Whole, any_project, as_json, check_one, example, one_department
from gather_pipeline.cli.output import print_json, print_table, say
from gather_pipeline.cli.services import opened
from gather_pipeline.domain.verdicts import Budget
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.tasks.definition import MAX_TOKENS
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.replay import Changes


@click.command(
    epilog=example(
        "tlm replay 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --model scripted:b",
        "tlm replay --task gather_item --project salt --department story --temperature 0.2 --limit 5 --json",
    )
)
@click.argument("id", metavar="[EXECUTION_ID]", required=False)
@click.option("--task", metavar="NAME", help="All executions of this task, the newest first.")
@any_project
@one_department
@click.option("--model", metavar="ID", help="Model to ask instead.")
@click.option("--version", metavar="X.Y.Z", help="Version of the task to use instead.")
@click.option("--prompt-id", metavar="ID", help="Prompt to use instead.")
@click.option("--temperature", type=float, help="0 to 1, instead of what it was.")
@click.option("--max-tokens", type=Whole(1, MAX_TOKENS), help="Most tokens of one answer.")
@click.option("--max-cost", type=Amount(), help="Most US dollars of one replay, its checks included.")
@click.option("--limit", type=Whole(1, 1000), default=20, show_default=True, help="Most executions to replay.")
@as_json
def replay(
    id: str | None,
    task: str | None,
    project_id: str | None,
    department: str | None,
    model: str | None,
    version: str | None,
    prompt_id: str | None,
    temperature: float | None,
    max_tokens: int | None,
    max_cost: float | None,
    limit: int,
    as_json: bool,
) -> None:
    """Do recorded executions again in another way, side by side with what they were.

    Nothing that is stored changes. Replays are logged apart, and count in no ranking and no forecast.
    """
    check_one({"the id of an execution": id, "--task or --project": task or project_id})
    from gather_pipeline.upkeep.replaying import replay as again

    with opened() as services:
        if id is not None:
            originals = [services.executions.get(id)]
        else:
            originals = services.executions.find(task=task, project_id=project_id, department=department, asked=True, limit=limit)
        if not originals:
            raise UnknownEntity("no execution is recorded there, expected one or more to replay")
        definition = None
        if version is not None:
            if len({one.task_id for one in originals}) > 1:
                raise InvalidInput("--version is given for executions of several tasks, expected --task with it")
            definition = services.catalogue.get(originals[0].task_id, version)
        say_stand_in(services, model)
        changes = Changes(
            model=model,
            definition=definition,
            prompt_id=prompt_id,
            temperature=temperature,
            max_tokens=max_tokens,
            budget=Budget(cost=max_cost),
        )
        rows: list[dict[str, Any]] = [
            {"similarity": one.similarity, "original": _side(one.original), "replay": _side(one.again)}
            for one in again(services, originals, changes)
        ]
    if as_json:
        print_json(rows)
        return
    headings = ["execution", "model", "similarity", "verdict", "tokens", "cost", "seconds"]
    print_table(headings, [line for row in rows for line in _lines(row)], right=headings[4:])
    for row in rows:
        if (error := row["replay"]["error"]) is not None:
            say(f"{row['original']['execution']} gave no output again: {error}")
    known = [row["similarity"] for row in rows if row["similarity"] is not None]
    mean = f", similarity {sum(known) / len(known):.2f} on the average" if known else ""
    say(f"{len(rows)} replayed{mean}; what is stored is as it was.")


def _side(one: Execution) -> dict[str, Any]:
    return {
        "execution": one.id,
        "task": one.task_id,
        "version": one.task_version,
        "model": one.final_model,
        "prompt": one.prompt_id,
        "output": one.output,
        "error": one.error,
        "verified": one.verified,
        "verdict": one.verdicts[-1].ruling if one.verdicts else None,
        "calls": one.attempts,
        "tokens": one.price.tokens,
        "cost": one.price.cost,
        "seconds": round(sum(call.latency_s or 0.0 for call in one.calls), 3),
    }


def _lines(row: dict[str, Any]) -> list[list[Any]]:
    likeness = None if row["similarity"] is None else f"{row['similarity']:.2f}"
    spent = ("verdict", "tokens", "cost", "seconds")
    before, after = row["original"], row["replay"]
    return [
        [before["execution"], before["model"], None, *(before[name] for name in spent)],
        [f"  again {after['execution']}", after["model"], likeness, *(after[name] for name in spent)],
    ]
