"""Task definitions read from files, found by id and version.

Every fault of a file is told in one sentence that names the file and the key: whoever writes a definition has nothing else to go by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import BaseModel, ValidationError

from gather_pipeline.domain.texts import decoded
from gather_pipeline.errors import InvalidInput, UnknownEntity, listed, shorten
from gather_pipeline.tasks.definition import TaskDefinition, version_key


class Catalogue:
    """The definitions that a runner knows."""

    def __init__(self, definitions: Iterable[TaskDefinition]) -> None:
        self._by_id: dict[str, dict[str, TaskDefinition]] = {}
        for definition in sorted(definitions, key=lambda one: (one.id, version_key(one.version))):
            versions = self._by_id.setdefault(definition.id, {})
            if definition.version in versions:
                raise InvalidInput(f"task {definition.id} has version {definition.version} twice, expected versions of their own")
            versions[definition.version] = definition

    @classmethod
    @cache  # checking the five takes 0.2 s, and every services of a process asks
    def packaged(cls) -> Self:
        """The definitions that come with the package."""
        return cls.from_folder(Path(str(files("gather_pipeline.tasks") / "definitions")))

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Every `*.json` of a folder, all of them right or none. Hidden files, which macOS puts beside others, are not looked at.

        Raises:
            InvalidInput: The folder or a file of it is wrong.
        """
        if not folder.is_dir():
            raise InvalidInput.field("task definitions", str(folder), "a folder")
        return cls(load_definition(path) for path in sorted(folder.glob("[!.]*.json")))

    def __iter__(self) -> Iterator[TaskDefinition]:
        for versions in self._by_id.values():
            yield from versions.values()

    def get(self, task_id: str, version: str | None = None) -> TaskDefinition:
        """The definition of that id, in its newest version where none is named.

        Raises:
            UnknownEntity: No such task or version; names those there are.
        """
        versions = self._by_id.get(task_id)
        if versions is None:
            raise UnknownEntity.field("task", task_id, f"one of {listed(self._by_id) or 'none: there are none'}")
        if version is None:
            return list(versions.values())[-1]
        if version not in versions:
            raise UnknownEntity.field(f"version of task {task_id}", version, f"one of {listed(versions)}")
        return versions[version]


def load_definition(path: Path) -> TaskDefinition:
    """Reads one definition file.

    Raises:
        InvalidInput: The file cannot be read, is not JSON, or is no definition; names file and key.
    """
    try:
        document = json.loads(decoded(path.read_bytes(), path.name), object_pairs_hook=_unique)
    except OSError as error:
        raise InvalidInput(f"{path.name}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path.name}: is not JSON: {error}") from None
    return parse_definition(document, path.name)


def parse_definition(document: Mapping[str, Any], source: str) -> TaskDefinition:
    """Checks a definition in the form of its file; raises `InvalidInput` that names the source and the key where it is none."""
    try:
        return TaskDefinition.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        raise InvalidInput(f"{source}: {_sentence(error)}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)} stands twice in one object")
    return document


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    place = f"key {key}" if key else "the definition"
    match first["type"]:
        case "extra_forbidden":
            return f"{place} is not known, expected one of {', '.join(_keys(first['loc'][:-1]))}"
        case "missing":
            return f"{place} is missing, expected one of each of {', '.join(_keys(first['loc'][:-1], required=True))}"
        case "json_invalid":
            return f"is not JSON: {first['ctx']['error']}"
        case "value_error":
            return f"{place}: {first['msg'].removeprefix('Value error, ')}"
        case _:
            expected = first["msg"].removeprefix("Input should be ").removeprefix("String should ")
            return f"{place} is {shorten(first['input'])}, expected {expected}"


def _keys(place: Sequence[int | str], *, required: bool = False) -> list[str]:
    """Keys of the part of a definition at that place: all, or those that must be there."""
    model: type[BaseModel] = TaskDefinition
    for part in place:
        if isinstance(part, str):
            field = next(field for name, field in model.model_fields.items() if part == (field.alias or name))
            model = next(_models(field.annotation))
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required() or not required]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
