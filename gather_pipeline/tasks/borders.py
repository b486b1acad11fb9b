"""Whether what one task gives fits what the next takes, told from their schemas when they are loaded (S004-WF-06)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks import schemas
from gather_pipeline.tasks.definition import OUTPUT, Dependency, TaskDefinition

Schema = Mapping[str, Any]


def check_borders(definition: TaskDefinition, get: Callable[[str, str | None], TaskDefinition]) -> None:
    """Raises `ValueError` with the key where a dependency is not there, leads back to the task, or does not fit it."""
    for index, dependency in enumerate(definition.dependencies):
        try:
            needed = get(dependency.task, dependency.version)
            _check_circle(definition, needed, get)
            _check_border(definition, dependency, needed)
        except (ValueError, InvalidInput) as error:
            raise ValueError(f"key dependencies.{index}: {error}") from None


def _check_circle(
    definition: TaskDefinition, needed: TaskDefinition, get: Callable[[str, str | None], TaskDefinition], before: tuple[str, ...] = ()
) -> None:
    way = (*before, needed.id)
    if needed.id == definition.id:
        raise ValueError(f"{definition.id} needs itself by way of {' and '.join(way)}, expected no circle")
    if needed.id in before:
        return  # a circle of other tasks, whose own check tells it
    for further in needed.dependencies:
        _check_circle(definition, get(further.task, further.version), get, way)


def _check_border(definition: TaskDefinition, dependency: Dependency, needed: TaskDefinition) -> None:
    schema: Schema = definition.input.json_schema
    taken: Schema = needed.input.json_schema
    own, other = _properties(schema), _properties(taken)
    for target, source in dependency.inputs.items():
        if source not in own:
            raise ValueError(f"inputs.{target} is {source!r}, expected a property of the input of {definition.id}")
        if target not in other:
            raise ValueError(f"inputs names {target!r}, expected a property of the input of {needed.id}")
        _check_fit(f"inputs.{target}", own[source], other[target])
    lacking = [name for name in taken.get("required", ()) if name not in dependency.inputs]
    if lacking:
        raise ValueError(f"inputs lacks {', '.join(lacking)}, which {needed.id} requires")
    if unknown := dependency.fallback.keys() - dependency.outputs.keys():
        raise ValueError(f"fallback names {', '.join(sorted(unknown))}, expected properties that outputs names")
    for target, source in dependency.outputs.items():
        if target not in own:
            raise ValueError(f"outputs names {target!r}, expected a property of the input of {definition.id}")
        part, is_always_there = _part_of_output(needed, source)
        _check_fit(f"outputs.{target}", part, own[target])
        is_needed = target in schema.get("required", ()) and "default" not in own[target]
        if is_needed and not is_always_there:
            raise ValueError(f"outputs.{target} is {source!r}, which {needed.id} may leave out, and {definition.id} requires it")
        if is_needed and dependency.on_error == "skip":
            raise ValueError(f"on_error is 'skip', expected 'stop' or 'fallback', for {definition.id} requires {target}")
        if dependency.on_error == "fallback" and target in dependency.fallback:
            if wrong := schemas.complaint(own[target], dependency.fallback[target]):
                raise ValueError(f"fallback.{target} does not fit the input of {definition.id}: {wrong}")
        elif dependency.on_error == "fallback" and is_needed:
            raise ValueError(f"fallback lacks {target}, which {definition.id} requires")


def _part_of_output(needed: TaskDefinition, source: str) -> tuple[Schema, bool]:
    """Schema of a place in a task's output, such as ``output.job_title``, and whether it is always there."""
    first, *path = source.split(".")
    if first != OUTPUT:
        raise ValueError(f"{source!r} is no place in the output of {needed.id}, expected one that begins with 'output'")
    part: Schema = needed.output.json_schema
    is_always_there = True
    for name in path:
        if name not in _properties(part):
            raise ValueError(f"{source!r} is not in the output of {needed.id}, expected 'output' or 'output.' and a property of its schema")
        is_always_there = is_always_there and name in part.get("required", ())
        part = _properties(part)[name]
    return part, is_always_there


def _properties(schema: Schema) -> dict[str, Schema]:
    """Schemas of an object's properties; one that is just true or false says nothing, and is an empty one here."""
    return {name: part if isinstance(part, Mapping) else {} for name, part in schema.get("properties", {}).items()}


def _check_fit(key: str, given: Schema, taken: Schema) -> None:
    if wrong := misfit(given, taken):
        raise ValueError(f"{key} does not fit: {wrong}")


def misfit(given: Any, taken: Any) -> str | None:
    """Why values of one schema cannot be values of another, as far as types, choices, items and properties tell; None where they can.

    It never refuses what might fit: limits such as `minLength`, references and combined schemas are left to the check of the value itself.
    """
    if not isinstance(given, Mapping) or not isinstance(taken, Mapping):
        return None
    kinds, wanted = _types(given), _types(taken)
    if kinds and wanted and not (kinds & wanted or ("integer" in kinds and "number" in wanted)):
        return f"it gives {' or '.join(sorted(kinds))}, expected {' or '.join(sorted(wanted))}"
    if "enum" in given and "enum" in taken and not any(value in taken["enum"] for value in given["enum"]):
        return f"it gives one of {given['enum']}, expected one of {taken['enum']}"
    if wrong := misfit(given.get("items"), taken.get("items")):
        return f"of its items: {wrong}"
    own, other = given.get("properties", {}), taken.get("properties", {})
    for name in taken.get("required", ()):
        if own and name not in own:
            return f"it lacks {name}"
    return next((f"of {name}: {wrong}" for name in own if name in other and (wrong := misfit(own[name], other[name]))), None)


def _types(schema: Schema) -> set[str]:
    kind = schema.get("type", [])
    return {kind} if isinstance(kind, str) else set(kind)
