"""`tlm forecast`: what a run or a task will take."""

from __future__ import annotations

import click

from gather_pipeline.cli.options import Whole, any_project, as_json, check_one, example
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.forecast import show_forecast
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.tasks.forecast import forecast_task

EXECUTIONS = 200  # newest ones that a forecast rests on


@click.command(epilog=example("tlm forecast --project salt", "tlm forecast skill_decomposition --count 500 --json"))
@click.argument("name", metavar="[TASK]", required=False)
@any_project
@click.option("--count", type=Whole(1), default=1, show_default=True, help="Executions of the task, one after the other.")
@click.option("--model", metavar="ID", help="Model that the task will ask; what others took does not count then.")
@as_json
def forecast(name: str | None, project_id: str | None, count: int, model: str | None, as_json: bool) -> None:
    """Foretell calls, tokens, cost and time of a project's next run, or of a task.

    Four of five shall end between low and high. An unknown price is said to be unknown.
    """
    check_one({"the name of a task": name, "--project": project_id})
    with opened() as services:
        if project_id is not None:
            from gather_pipeline.gather.past_runs import forecast_run

            found = forecast_run(services, AutomationRequest(project_id=project_id))
        else:
            task = services.catalogue.get(str(name)).id
            found = forecast_task(services.executions.find(task=task, model=model, limit=EXECUTIONS), count=count)
    show_forecast(found, as_json)
