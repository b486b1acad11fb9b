"""`tlm bootstrap`: a task that has no history yet gets one."""

from __future__ import annotations

import click
from pydantic_core import to_jsonable_python

from gather_pipeline.cli.commands.tasks.execute import all_inputs, say_stand_in
from gather_pipeline.cli.commands.tasks.log import print_ranking
from gather_pipeline.cli.options import Whole, as_json, example
from gather_pipeline.cli.output import print_json, print_table, say
from gather_pipeline.cli.services import opened
from gather_pipeline.errors import GatherError


@click.command(
    epilog=example(
        "tlm bootstrap tagline --model openai/gpt-5-mini --model anthropic/claude-sonnet-4.5 --synthetic 8 --review",
        "tlm bootstrap job_detail_extraction --model scripted --model scripted:b --input @postings.jsonl --json",
    )
)
@click.argument("name", metavar="TASK")
@click.option("--model", "models", metavar="ID", multiple=True, required=True, help="A model to try; may be given several times.")
@click.option("--input", "given", metavar="JSON|@FILE|-", multiple=True, help="Inputs beside the task's own; may be given several times.")
@click.option("--synthetic", type=Whole(0, 50), default=0, help="Have the first model make up so many further inputs.")
@click.option("--review", is_flag=True, help="Ask people about every output that no check has accepted (tlm review).")
@as_json
def bootstrap(name: str, models: tuple[str, ...], given: tuple[str, ...], synthetic: int, review: bool, as_json: bool) -> None:
    """Try models at a task that nobody has used yet, and rank them.

    Each model does the task on its examples, on the inputs given and on made-up ones. The executions are logged like any other, so that
    rankings have something to go by from the first day; what people say of the outputs counts more than that they have the right form.
    """
    from gather_pipeline.upkeep.cold_start import bootstrap as bootstrapped

    with opened() as services:
        say_stand_in(services, *models)
        inputs = [one for some in given for one in all_inputs(some)]
        made = bootstrapped(services, name, models=models, given=inputs, synthetic=synthetic, review=review)
    rows = [
        {
            "model": one.model,
            "input": one.input,
            "execution": one.execution.id if one.execution else None,
            "output": one.execution.output if one.execution else None,
            "verified": one.execution.verified if one.execution else None,
            "review": one.review,
            "error": one.error,
        }
        for one in made.trials
    ]
    if as_json:
        print_json({"trials": rows, "left_out": list(made.left_out), "rankings": to_jsonable_python(made.rankings)})
    else:
        columns = ("model", "execution", "verified", "review", "error")
        print_table(columns, [[row[column] for column in columns] for row in rows])
        for ranking in made.rankings:
            print_ranking(ranking)
        for told in made.left_out:
            say(f"Left out: {told}")
        if review:
            say("To decide on the outputs: tlm review list")
    failed = sum(row["error"] is not None for row in rows)
    if failed == len(rows):
        raise GatherError(f"none of {failed} trials gave an output, the last one because: {rows[-1]['error']}")
