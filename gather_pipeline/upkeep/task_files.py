"""Definitions, rankings, executions and feedback as the files of seed S004, and back (S004-DIR, C13). The store stays the record."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from gather_pipeline.errors import InvalidInput, UnknownEntity, shorten
from gather_pipeline.records.rankings import ranking_document, ranking_of
from gather_pipeline.services import Services
from gather_pipeline.tasks.catalogue import Catalogue, parse_definition
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution

RANKINGS = "config/model_rankings.json"
DEFINITIONS, EXECUTIONS, FEEDBACK = "config/task_definitions", "data/task_executions", "data/model_feedback"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What was new in files; `known` was there already."""

    rankings: int
    executions: int
    feedback: int
    definitions: tuple[TaskDefinition, ...]
    known: int


def files(services: Services, since: str | None = None) -> Iterator[tuple[str, Any]]:
    """Path and JSON value of each file; executions from `since` on, a file for each task."""
    yield RANKINGS, [ranking_document(one) for one in services.rankings.all()]
    newest = {one.id: one.version for one in services.catalogue}
    for definition in services.catalogue:
        version = "" if newest[definition.id] == definition.version else f"-{definition.version}"
        yield f"{DEFINITIONS}/{definition.id}{version}.json", definition.to_document()
    by_task: dict[str, list[Execution]] = defaultdict(list)
    for one in reversed(services.executions.find(since=since)):
        by_task[one.task_id].append(one)
    for task, executions in sorted(by_task.items()):
        yield f"{EXECUTIONS}/{task}.json", [one.to_document() for one in executions]
        if rated := [one for one in executions if one.feedback]:
            yield f"{FEEDBACK}/{task}.json", [_feedback(one) for one in rated]


def text_of(value: Any) -> str:
    """The text of such a file."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def take(services: Services, given: Iterable[tuple[str, Any]], folder: Path, write: Callable[[Path, str], None]) -> Taken:
    """Takes up what such files have and the store has not; what is there already stays as it is.

    Everything is read and checked before anything is written: a definition that is new to `folder`, by `write`, which writes a text to a
    path as a whole, then the rest to the store.

    Raises:
        InvalidInput: A file is none of these, or the file of a definition is there and holds another; names the file, and the field.
    """
    rankings, executions, definitions = [], [], []
    for path, value in given:
        kind = path.rpartition("/")[0]
        if kind == DEFINITIONS:
            definition = parse_definition(value if isinstance(value, dict) else {}, path)
            try:
                there = services.catalogue.get(definition.id, definition.version)
            except UnknownEntity:
                definitions.append(definition)
                continue
            if there.hash != definition.hash:
                raise InvalidInput(
                    f"{path}: {definition.id} {definition.version} is another one here, expected the same or another version"
                )
            continue
        if path != RANKINGS and kind not in (EXECUTIONS, FEEDBACK):
            raise InvalidInput(f"{path} is no file that tlm export writes, expected {RANKINGS}, or files in {DEFINITIONS} or data")
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise InvalidInput(f"{path} is {shorten(value)}, expected a list of JSON objects")
        for number, row in enumerate(value, 1):
            try:
                if path == RANKINGS:
                    rankings.append(ranking_of(row))
                elif kind == EXECUTIONS:
                    executions.append(_timed(Execution.from_document(row)))
            except InvalidInput as error:
                raise InvalidInput(f"{path}: entry {number}: {error}") from None
    catalogue = Catalogue(definitions, under=services.catalogue, fitting=False)
    written = {folder / f"{one.id}-{one.version}.json": one for one in definitions}
    for place in written:
        if os.path.lexists(place):
            raise InvalidInput.field("file of the task", str(place), "one that is not there yet")
    for place, definition in written.items():
        folder.mkdir(parents=True, exist_ok=True)
        write(place, text_of(definition.to_document()))
    known = added = 0
    for ranking in rankings:
        last = services.rankings.get(ranking.task_id, ranking.department)
        if last is None or last.department != ranking.department or last.updated_at < ranking.updated_at:
            services.rankings.save(ranking)
            added += 1
        else:
            known += 1
    new, said = _executions(replace(services, load_catalogue=lambda: catalogue), executions)  # kept with what they were made by
    return Taken(rankings=added, executions=new, feedback=said, definitions=tuple(definitions), known=known + len(executions) - new)


def _timed(execution: Execution) -> Execution:
    """The execution with its times as our own records have them."""
    feedback = tuple(replace(one, at=_utc("feedback.at", one.at)) for one in execution.feedback)
    return replace(execution, timestamp=_utc("timestamp", execution.timestamp), feedback=feedback)


def _utc(field: str, moment: str) -> str:
    """A moment in UTC, as which one without a zone counts; raises `InvalidInput` where it is none."""
    try:
        at = datetime.fromisoformat(moment)
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        raise InvalidInput.field(field, moment, "a date and time such as 2026-01-01T12:00:00+00:00") from None


def _executions(services: Services, executions: Iterable[Execution]) -> tuple[int, int]:
    """Stores the executions that are not there, and feedback on the others; returns how many of each."""
    projects = [project.id for project in services.projects.all()]
    new = said = 0
    for one in executions:
        try:
            there = services.executions.get(one.id)
        except UnknownEntity:
            project = one.tags.get("project_id")
            services.executions.add(one, project_id=project if project in projects else None)
            new += 1
            continue
        for feedback in one.feedback:
            if feedback not in there.feedback:
                services.executions.feedback(one.id, feedback)
                said += 1
    return new, said


def _feedback(execution: Execution) -> Mapping[str, Any]:
    """What was said of one execution, with the model that it is about."""
    named = {
        "execution": execution.id,
        "task_id": execution.task_id,
        "task_version": execution.task_version,
        "model": execution.final_model,
    }
    return {**named, "accepted": execution.accepted, "rating": execution.rating, "entries": to_jsonable_python(execution.feedback)}
