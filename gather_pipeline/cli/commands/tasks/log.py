"""`tlm analyze`, `feedback`, `update-rankings`, `export` and `import`: the log of executions, and what follows from it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from pydantic_core import to_jsonable_python

from gather_pipeline.bootstrap import write_whole
from gather_pipeline.cli.commands.tasks.define import own_folders
from gather_pipeline.cli.inputs import read_text
from gather_pipeline.cli.options import as_json, by_option, check_one, example
from gather_pipeline.cli.output import cell, print_json, print_table, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.domain.rankings import Ranking
from gather_pipeline.domain.texts import counted, typed
from gather_pipeline.errors import InvalidInput
from gather_pipeline.people.person import person
from gather_pipeline.services import Services

LIMIT_BYTES = 1_000_000_000  # of one file that is imported
UNITS = {"h": 1 / 24, "d": 1, "w": 7}  # in days
COLUMNS = ("executions", "success", "verified", "unverified", "accepted", "rejected", "p50_s", "p90_s", "p99_s", "tokens", "cost")


@click.command(epilog=example("tlm analyze judge_duplicate --period 7d", "tlm analyze job_detail_extraction --period 12h --json"))
@click.argument("name")
@click.option("--period", metavar="7d", default="7d", help="How far back: hours (h), days (d) or weeks (w), or all (default 7d).")
@as_json
def analyze(name: str, period: str, as_json: bool) -> None:
    """Show how a task has done: success, verdicts, time, tokens and cost.

    In all, and by model, prompt and version; what was refused for its input is not counted. Sums of tokens and cost are of what is known;
    --json says of how many executions they are unknown, and has each day's figures.
    """
    from gather_pipeline.tasks.analysis import analyze

    with opened() as services:
        services.catalogue.get(name)
        now = services.clock.now()
        since = _since(period, now)
        executions = services.executions.find(task=name, since=since, asked=True)
    since = since or (executions[-1].timestamp if executions else now)
    analysis = analyze(executions, since, now)
    if as_json:
        print_json({"task": name, "since": since, "until": now, **to_jsonable_python(analysis)})
        return
    if not executions:
        say(f"No execution of {name} in this time")
        return
    groups = {"": [analysis.total], "model ": analysis.models, "prompt ": analysis.prompts, "version ": analysis.versions}
    found = [(f"{kind}{one.name}", one) for kind, many in groups.items() for one in many] + [(one.name, one) for one in analysis.halves]
    rows = [[title, *(cell(getattr(one, column)) for column in COLUMNS[:-1]), f"{one.cost:.6f}"] for title, one in found]
    print_table(["", *COLUMNS], rows, right=COLUMNS)
    tokens, cost = analysis.total.unknown_tokens, analysis.total.unknown_cost
    if tokens or cost:
        say(f"Tokens of {tokens} and cost of {cost} executions are unknown and in no sum")


@click.command(
    epilog=example(
        "tlm feedback 5f0c... --accept",
        "tlm feedback 5f0c... --reject --rating 2 --note 'Two skills are one.'",
        "tlm feedback --task tagline",
    )
)
@click.argument("execution_id", required=False)
@click.option("--task", metavar="NAME", help="Go through the outputs of a task that nobody has judged, one after the other.")
@click.option("--accept/--reject", "accepted", default=None, help="Whether the output can be used.")
@click.option("--rating", type=float, help="1, of no use, to 5, as good as can be.")
@click.option("--note", default="", metavar="TEXT", help="What is good or wrong about it.")
@by_option
@as_json
def feedback(
    execution_id: str | None, task: str | None, accepted: bool | None, rating: float | None, note: str, by: str | None, as_json: bool
) -> None:
    """Say what an output was worth.

    Rankings of models count it before any check's verdict, and accepted outputs may serve as examples in prompts.
    """
    from gather_pipeline.tasks.execution import Feedback

    check_one({"the id of an execution": execution_id, "--task": task})
    if task is not None and (accepted is not None or rating is not None or note):
        raise InvalidInput("--task asks about one output after the other, expected no --accept, --reject, --rating or --note with it")
    with opened() as services:
        who = person(by, services.settings)
        if execution_id is None:
            judged = _judge(services, services.catalogue.get(str(task)).id, who)
            print_json({"task": task, "judged": judged}) if as_json else say(f"{judged} judged")
            return
        said = Feedback(by=who, at=services.clock.now(), accepted=accepted, rating=rating, note=typed(note))
        execution = services.executions.feedback(execution_id, said)
    if as_json:
        given = to_jsonable_python(execution.feedback)
        print_json({"execution": execution.id, "accepted": execution.accepted, "rating": execution.rating, "feedback": given})
    else:
        say(f"Noted for {execution.task_id} {execution.task_version}, execution {execution.id}")


def _judge(services: Services, task: str, who: str) -> int:
    """Asks a person about outputs that nobody has judged, those first that no check has accepted; returns how many were judged."""
    from gather_pipeline.tasks.execution import Feedback, digest

    open_ones = [one for one in services.executions.find(task=task, status="succeeded") if not one.feedback and one.waiting is None]
    each = {digest([one.input, one.output]): one for one in reversed(open_ones)}  # the same output of the same input is one question
    judged = 0
    for one in sorted(each.values(), key=lambda one: one.verified is True):
        for title, value in (("Input", one.input), ("Output", one.output)):
            say(f"{title}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)}")
        try:
            answer = click.prompt("accept, reject, skip or quit", type=click.Choice(["a", "r", "s", "q"]), err=True)
        except click.Abort:  # the end of its input
            break
        if answer == "q":
            break
        if answer != "s":
            services.executions.feedback(one.id, Feedback(by=who, at=services.clock.now(), accepted=answer == "a"))
            judged += 1
    return judged


@click.command("update-rankings", epilog=example("tlm update-rankings", "tlm update-rankings judge_duplicate --dry-run --json"))
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@as_json
def update_rankings(name: str | None, dry_run: bool, as_json: bool) -> None:
    """Rank the models of each task anew, by what its executions brought.

    Two models change places only where enough executions make it probable enough that one is better; each change is told, and each that
    was not made and why. tlm execute asks the first of the ranking where no model is named.
    """
    from gather_pipeline.upkeep.rankings import update_rankings

    with opened() as services:
        made = update_rankings(services, task=name, dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, "rankings": to_jsonable_python(made)})
        return
    for ranking in made:
        print_ranking(ranking)
    if not made:
        say("No task has an execution to learn from")
    elif dry_run:
        say("Nothing was changed")


def print_ranking(ranking: Ranking) -> None:
    """A ranking with the reasons of its order."""
    of = f" in {ranking.department}" if ranking.department else ""
    print_text(f"{ranking.task_id}{of}: {'changed' if ranking.changed else 'unchanged'}; quality is by {ranking.kind} outputs")
    for place, one in enumerate(ranking.models, 1):
        latency = one.latency_s
        time = "no time known" if latency is None else f"{latency.mean:.1f} s ({latency.low:.1f} to {latency.high:.1f})"
        cost = "cost unknown" if one.cost is None else f"${one.cost:.6f}"
        quality = f"quality {one.quality.mean:.2f} ({one.quality.low:.2f} to {one.quality.high:.2f})"
        print_text(f"  {place}. {one.model}: {quality}, {time}, {cost}, {one.samples:.1f} executions")
    for reason in ranking.reasons:
        print_text(f"  {reason}")


@click.command("export", epilog=example("tlm export backup", "tlm export backup --period 30d"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--period", metavar="30d", default="all", help="How far back executions go: hours, days or weeks, or all (default all).")
@as_json
def export(folder: Path, period: str, as_json: bool) -> None:
    """Write definitions, rankings, executions and feedback as JSON files.

    config/task_definitions, config/model_rankings.json, data/task_executions and data/model_feedback under FOLDER; tlm import takes them
    back.
    """
    from gather_pipeline.upkeep.task_files import files, text_of

    written = []
    with opened() as services:
        for path, value in files(services, _since(period, services.clock.now())):
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, text_of(value))
            written.append(path)
    if as_json:
        print_json({"folder": str(folder), "files": written})
    else:
        say(f"{counted(len(written), 'file')} written: {folder}")


@click.command("import", epilog=example("tlm import backup"))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@as_json
def import_(folder: Path, as_json: bool) -> None:
    """Take up the files that tlm export wrote.

    What is there already stays; a task that is not there is written to the folder of own tasks.
    """
    from gather_pipeline.upkeep.task_files import take

    paths = sorted(path for place in ("config", "config/task_definitions", "data/*") for path in folder.glob(f"{place}/[!.]*.json"))
    if not paths:
        raise InvalidInput.field("FOLDER", str(folder), "one that tlm export wrote")
    with opened() as services:
        own = own_folders(services.settings)[0]
        taken = take(services, ((path.relative_to(folder).as_posix(), _json(path)) for path in paths), own, write_whole)
    told = {**asdict(taken), "definitions": [f"{one.id} {one.version}" for one in taken.definitions]}
    if as_json:
        print_json(told)
    else:
        say("; ".join(f"{what}: {len(count) if isinstance(count, list) else count}" for what, count in told.items()))


def _since(period: str, now: str) -> str | None:
    """Start of a period that ends now; None for all."""
    if period == "all":
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})\s*([hdw])", period.lower())
    if found is None:
        raise InvalidInput.field("--period", period, "a number of hours, days or weeks, such as 12h, 7d or 4w, or all")
    return (datetime.fromisoformat(now) - timedelta(days=int(found[1]) * UNITS[found[2]])).isoformat(timespec="microseconds")


def _json(path: Path) -> Any:
    text = read_text(str(path), "FOLDER", LIMIT_BYTES)
    try:
        return load_json(text)
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from None
