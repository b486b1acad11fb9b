"""How an item came about: its model, prompt, ledger, verdicts and cost, from what is stored (N01, N08)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.ledger import Ledger
from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.errors import GatherError, UnknownEntity
from gather_pipeline.people.edit import People
from gather_pipeline.records.documents import ledger_document
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.services import Services
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.rebuilding import Rebuilt, rebuild

DUPLICATES = "duplicates"  # method of the verdict of the duplicate rules


@dataclass(frozen=True, kw_only=True)
class Why:
    """How an item, or a text that was dropped before it was one, came about.

    Attributes:
        told: One sentence: who wrote it, or why more is not known.
        execution: What was asked of the model; None where no model wrote it, or where its record is not in this store.
        rebuilt: The prompt made again from the record; None where it cannot be.
        ledger: What the context of its prompt included and left out; None where that is not known.
        verdicts: Of the task's checks and of the duplicate rules, in order.
    """

    id: str
    project_id: str
    department: str
    iteration: int
    told: str
    execution: Execution | None = None
    rebuilt: Rebuilt | None = None
    ledger: Ledger | None = None
    verdicts: tuple[Verdict, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """JSON-able form; null stands for what is not known."""
        execution, rebuilt, ledger = self.execution, self.rebuilt, self.ledger
        row = {name: getattr(self, name) for name in ("id", "project_id", "department", "iteration", "told")}
        return row | {
            "execution": execution and execution.id,
            "task": execution and execution.task_id,
            "task_version": execution and execution.task_version,
            "model": execution and execution.final_model,
            "parameters": execution and dict(execution.parameters),
            "prompt_id": execution and execution.prompt_id,
            "prompt_hash": execution and execution.prompt_hash,
            "prompt": rebuilt and [{"role": turn.role, "content": turn.content} for turn in rebuilt.messages],
            "prompt_rebuilt": rebuilt and rebuilt.identical,
            "ledger": ledger and ledger_document(ledger),
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "calls": execution and execution.attempts,
            "tokens": execution and execution.usage.tokens,
            "cost": execution and execution.usage.cost,
            "seconds": execution and round(execution.execution_time_s, 3),
        }


def why(services: Services, id: str, project_id: str | None = None) -> Why:
    """How an item or a dropped text came about, as `People.find_text` finds it."""
    found = People(services).find_text(id, project_id)
    project, made = (found.project_id, found) if isinstance(found, Item) else found
    text = made if isinstance(made, Item) else made.text
    records = services.project(project)
    verdicts = tuple(_verdict(one) for one in records.decisions(records.view(made.department).iterations, id))
    origin = _origin(made)
    known = Why(id=id, project_id=project, department=made.department, iteration=made.iteration, told=origin or "", verdicts=verdicts)
    if origin:
        return known
    try:
        execution = services.executions.get(str(text.provenance.get("execution_id")))
    except UnknownEntity:
        author = text.provenance.get("generated_by", "a model")
        return replace(known, told=f"{author} wrote it, and the record of that is not in this store")
    told = f"{execution.final_model} wrote it by task {execution.task_id} {execution.task_version}"
    if isinstance(made, Item) and made.revision > 1:
        last = made.history()[-1]
        told += f"; that was revision 1, and revision {last.revision} was {last.action} by {last.by}"
    rebuilt = None
    try:
        definition = services.executions.definition(execution) or services.catalogue.get(execution.task_id, execution.task_version)
        shown = execution.parameters.get("examples", ())
        rebuilt = rebuild(execution, definition, [services.executions.get(id) for id in shown])
    except GatherError as error:
        told += f"; its prompt cannot be made again: {error}"
    ledger, verdicts = _ledger(records, made), (*execution.verdicts, *verdicts)
    return replace(known, told=told, execution=execution, rebuilt=rebuilt, ledger=ledger, verdicts=verdicts)


def _origin(made: Item | DecidedText) -> str | None:
    """Who wrote what no run of this project did; None of what a run did."""
    if isinstance(made, DecidedText):
        return None if made.text.provenance.get("execution_id") else "it was dropped when it was imported"
    first = made.history()[0]
    match made.origin:
        case "person":
            return f"{first.by} wrote it, so that there is no prompt, model or cost"
        case "imported":
            file, line = made.provenance.get("file"), made.provenance.get("line")
            return f"it was imported{f' from {file}, line {line}' if file else ''}: no run of this store wrote it"
    return None


def _ledger(records: ProjectRecords, made: Item | DecidedText) -> Ledger | None:
    """The account of the prompt that asked for the aspect, or the one that all prompts of the iteration had."""
    aspect = made.history()[0].aspect if isinstance(made, Item) else made.text.aspect
    ledgers = records.ledgers(made.department, made.iteration)
    return next((one for one in ledgers if aspect in one.aspects), ledgers[0] if len(ledgers) == 1 else None)


def _verdict(decided: DecidedText) -> Verdict:
    """What the duplicate rules said of a text."""
    decision = decided.decision
    near = {"rule": decision.rule, "similarity": decision.similarity, "match_id": decision.match_id, "rules_version": decided.rules_version}
    return Verdict(
        ruling="reject" if decision.duplicate else "accept",
        method=DUPLICATES,
        reasons=(decision.reason,) if decision.reason else (),
        evidence=near,
    )
