"""The command line `tlm`: tasks for language models, defined, checked, run and looked at (S004-CLI)."""

from __future__ import annotations

from gather_pipeline.cli.app import root, start
from gather_pipeline.cli.lazy import Place

PLACES = {
    "create-task": Place("tasks.define:create_task", "Write the file of a new task, valid as it is."),
    "validate-task": Place("tasks.define:validate_task", "Check a task's file, or all of them."),
    "execute": Place("tasks.execute:execute", "Run a task with an input, or with each line of a batch."),
    "review": Place("tasks.review:review", "List, show and decide what waits for a person."),
    "bootstrap": Place("tasks.bootstrap:bootstrap", "Try models at a task that nobody has used yet, and rank them."),
    "analyze": Place("tasks.log:analyze", "Show how a task has done: success, verdicts, time, tokens and cost."),
    "feedback": Place("tasks.log:feedback", "Say what an output was worth."),
    "update-rankings": Place("tasks.log:update_rankings", "Rank the models of each task anew, by what its executions brought."),
    "export": Place("tasks.log:export", "Write definitions, rankings, executions and feedback as JSON files."),
    "import": Place("tasks.log:import_", "Take up the files that tlm export wrote."),
    "list": Place("tasks.define:list_", "List the tasks that there are."),
    "forecast": Place("tasks.forecast:forecast", "Foretell calls, tokens, cost and time of a project's next run, or of a task."),
    "replay": Place("tasks.replay:replay", "Do recorded executions again in another way, side by side with what they were."),
    "suggest": Place("tasks.suggest:suggest", "Show what goes wrong at a task, and have a better prompt suggested."),
    "show": Place("tasks.define:show", "Show what a task takes, gives and asks."),
}

tlm = root(
    "tlm",
    PLACES,
    """Define, check and run tasks for language models, each of them one JSON file.

    Own tasks lie in the folders of GATHER_TASKS (default: tasks under GATHER_HOME). With --json a command prints JSON on standard
    output and everything else on standard error.
    """,
    "tlm create-task tagline",
    """tlm execute tagline --input '{"text": "A log book that nobody wants read."}'""",
)


def main() -> None:
    """Entry point of the script `tlm`."""
    start(tlm)


if __name__ == "__main__":
    main()
