"""`tlm execute`: one task, with one input or a batch of them."""

from __future__ import annotations

import asyncio
import io
import sys
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import click

from gather_pipeline.cli.inputs import read_text, source_of
from gather_pipeline.cli.options import Amount, Whole, as_json, example
from gather_pipeline.cli.output import clean, print_json, print_line, say
from gather_pipeline.cli.services import opened
from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.errors import GatherError, InvalidInput, shorten
from gather_pipeline.services import Services
from gather_pipeline.tasks.definition import MAX_TOKENS
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.options import ExecutionOptions
from gather_pipeline.tasks.runner import TaskResult

LIMIT_BYTES = 200_000_000  # of all inputs of a batch
PROGRESS_STEPS = 10
RECENT = 50  # executions among which one that a person has judged is looked for
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Failed:
    """An execution that gave no output.

    Attributes:
        execution: Id of its record; None where nothing was recorded.
    """

    error: GatherError
    execution: str | None = None


@click.command(
    epilog=example(
        """tlm execute skill_decomposition --input '{"skill_name": "Sound editing"}'""",
        "tlm execute job_detail_extraction --input @posting.json --model scripted --fallback-model scripted:b --json",
        "tlm execute tagline --input - < briefs.jsonl > taglines.jsonl",
    )
)
@click.argument("name")
@click.option("--input", "given", metavar="JSON|@FILE|-", required=True, help="A JSON object, or JSON lines or a list for a batch.")
@click.option("--version", metavar="X.Y.Z", help="Version of the task; the newest if left out.")
@click.option("--model", metavar="ID", help="Model to ask first; GATHER_MODEL if left out.")
@click.option("--fallback-model", "fallback_models", metavar="ID", multiple=True, help="Model to ask if the first fails, and for checks.")
@click.option("--prompt-id", metavar="ID", help="Prompt to use, whatever the conditions.")
@click.option("--condition", "conditions", metavar="NAME", multiple=True, help="A condition that holds; chooses the prompt.")
@click.option("--temperature", type=float, help="0 to 1; the definition's if left out.")
@click.option("--max-tokens", type=Whole(1, MAX_TOKENS), help="Most tokens of one answer.")
@click.option("--seed", type=Whole(0), help="Sampling seed, for models that know one.")
@click.option("--draw", type=Whole(0), default=0, help="Another number asks anew; the same one gives the kept answer (default 0).")
@click.option("--max-cost", type=Amount(), help="Most US dollars of one execution, its checks and the tasks before it included.")
@as_json
def execute(
    name: str,
    given: str,
    version: str | None,
    model: str | None,
    fallback_models: tuple[str, ...],
    prompt_id: str | None,
    conditions: tuple[str, ...],
    temperature: float | None,
    max_tokens: int | None,
    seed: int | None,
    draw: int,
    max_cost: float | None,
    as_json: bool,
) -> None:
    """Run a task with an input, or with each line of a batch.

    An answer is kept as soon as it is there: the same task with the same input, model, parameters and draw does not ask again, so a batch
    that was interrupted goes on where it was. A batch prints one JSON object for each input, in order; the failed ones say why.
    """
    options = ExecutionOptions.read(
        {
            "model": model,
            "fallback_models": fallback_models or None,
            "prompt_id": prompt_id,
            "conditions": conditions,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "seed": seed,
            "draw": draw,
            "max_cost": max_cost,
        }
    )
    with opened() as services, TaskExecutor(name, version, services=services) as executor:
        one, batch = _inputs(given)
        say_stand_in(services, options.model or services.settings.model, *(options.fallback_models or ()))
        if one is not None:
            result = asyncio.run(_closing(services, _outcome(executor, one, options)))
            if isinstance(result, Failed):
                if as_json and result.execution is not None:
                    print_json(_row(result))
                raise result.error
            print_one(result, as_json)
            if not as_json and sys.stderr.isatty() and not any(one.feedback for one in services.executions.find(task=name, limit=RECENT)):
                say(f"Nobody has judged an output of {name} yet: tlm feedback {result.execution.id} --accept (or --reject)")
        else:
            failed = asyncio.run(_closing(services, _run_batch(executor, batch, options, services.settings.concurrency)))
            say(f"{len(batch) - failed} of {len(batch)} done" + (f", {failed} failed" if failed else ""))
            if failed:
                raise GatherError(f"{failed} of {len(batch)} inputs failed")


def say_stand_in(services: Services, *models: str | None) -> None:
    """Says which of the models wanted the embedded one answers for."""
    for wanted in models:
        if wanted not in (None, EMBEDDED) and services.resolve_model(wanted) == EMBEDDED:
            say(f"Model {wanted!r} needs a key or a base URL: the embedded model answers in its place.")


async def _closing(services: Services, work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return await work
    finally:
        await services.model.aclose()


async def _run_batch(executor: TaskExecutor, batch: Sequence[tuple[int, Any]], options: ExecutionOptions, concurrency: int) -> int:
    """Runs every input, so many at once, and prints what comes of each in their order; returns how many failed."""
    gate = asyncio.Semaphore(concurrency)

    async def run(given: Any) -> TaskResult | Failed:
        async with gate:
            return await _outcome(executor, given, options)

    failed = 0
    running = [asyncio.create_task(run(given)) for _, given in batch]
    try:
        for done, ((line, _), task) in enumerate(zip(batch, running, strict=True), 1):
            outcome = await task
            failed += isinstance(outcome, Failed)
            print_line({"line": line} | _row(outcome))
            if done % max(1, len(batch) // PROGRESS_STEPS) == 0:
                say(f"{done} of {len(batch)}")
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)  # each writes down that it was cancelled
    return failed


async def _outcome(executor: TaskExecutor, given: Any, options: ExecutionOptions) -> TaskResult | Failed:
    """What an input comes to; one that is an error already is not executed."""
    if isinstance(given, GatherError):
        return Failed(error=given)
    id = uuid.uuid4().hex
    try:
        return await executor.run_async(given, options, id)
    except GatherError as error:
        with suppress(GatherError):
            return Failed(error=error, execution=executor.services.executions.get(id).id)
        return Failed(error=error)


def print_one(result: TaskResult, as_json: bool) -> None:
    """An output, with what checks said of it; control characters in a text go to a file or a pipe, but to no terminal."""
    execution = result.execution
    if as_json:
        print_json(_row(result))
    elif isinstance(result.output, str):
        click.echo(clean(result.output) if sys.stdout.isatty() else result.output)
    else:
        print_json(result.output)
    for verdict in execution.verdicts:
        say(f"{verdict.method}: {verdict.ruling}" + "".join(f"; {reason}" for reason in verdict.reasons))
    if execution.fallback:
        say(f"No check accepted it; what you see is the fallback {execution.fallback}.")
    if execution.waiting:
        say(f"It waits for a person: review {execution.waiting}")


def _row(result: TaskResult | Failed) -> dict[str, Any]:
    if isinstance(result, Failed):
        return {"output": None, "error": str(result.error), "execution": result.execution}
    execution = result.execution
    return {
        "output": result.output,
        "error": None,
        "task": execution.task_id,
        "version": execution.task_version,
        "execution": execution.id,
        "model": execution.final_model,
        "prompt": execution.prompt_id,
        "verified": execution.verified,
        "verdicts": [asdict(verdict) for verdict in execution.verdicts],
        "fallback": execution.fallback,
        "waiting": execution.waiting,
        "cached": execution.cached,
        "calls": sum(not call.cached for call in execution.calls),
        "seconds": round(execution.execution_time_s, 3),
        **asdict(execution.usage),
    }


def _inputs(given: str) -> tuple[Mapping[str, Any] | None, list[tuple[int, Any]]]:
    """One input, or the lines of a batch with their numbers; a line that is none stands as the error to tell."""
    path = given[1:] if given.startswith("@") else given if given == "-" else None
    source = "--input" if path is None else source_of(path)
    text = given if path is None else read_text(path, "--input", LIMIT_BYTES)
    try:
        whole = load_json(text)
    except ValueError as error:
        # Not `splitlines`: a text in JSON may hold other characters that end a line, such as U+2028.
        lines = [(number, line) for number, line in enumerate(io.StringIO(text, newline=None), 1) if line.strip()]
        if not lines:
            raise InvalidInput(f"{source} is empty, expected a JSON object") from None
        batch = [(number, _line(f"line {number} of {source}", line)) for number, line in lines] if path is not None else []
        if len(batch) < 2 or all(isinstance(value, GatherError) for _, value in batch):
            raise InvalidInput.field("--input", text if path is None else path, f"a JSON object, @FILE or - ({error})") from None
        return None, batch
    if isinstance(whole, list):
        return None, [(number, _object(f"entry {number} of {source}", value)) for number, value in enumerate(whole, 1)]
    if not isinstance(whole, dict):
        raise InvalidInput.field("--input", whole, "a JSON object, or several")
    return whole, []


def all_inputs(given: str) -> list[Mapping[str, Any]]:
    """Every input that is given, one or many; raises what is wrong with the first that is none."""
    one, batch = _inputs(given)
    for _, value in batch:
        if isinstance(value, GatherError):
            raise value
    return [one] if one is not None else [value for _, value in batch]


def _line(place: str, line: str) -> Any:
    try:
        return _object(place, load_json(line))
    except ValueError as error:
        return InvalidInput(f"{place} is not JSON: {error}")


def _object(place: str, value: Any) -> Any:
    return value if isinstance(value, dict) else InvalidInput(f"{place} is {shorten(value)}, expected a JSON object")
