"""Task definitions read from files, found by id and version.

Every fault of a file is one sentence that names the file and the key, for the author of a definition has nothing else to go by.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, get_args

from pydantic import BaseModel, ValidationError

from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.domain.texts import decoded
from gather_pipeline.errors import InvalidInput, UnknownEntity, expected, listed, shorten
from gather_pipeline.tasks.borders import check_borders
from gather_pipeline.tasks.definition import NAME, SEMVER, TASK_ID, TaskDefinition, version_key
from gather_pipeline.tasks.plugins import naming, plugins

PACKAGED = Path(str(files("gather_pipeline.tasks") / "definitions"))

logger = logging.getLogger(__name__)

FORMS = {
    SEMVER: "a semantic version such as 1.0.0",
    TASK_ID: "small letters, digits and '_', a letter first, at most 64",
    NAME: "letters, digits, '_' and '-', a letter or '_' first, at most 64",
}
LIMIT = 100_000  # bytes; the longest packaged definition has 12,000


class Catalogue:
    """The definitions that a runner knows.

    Args:
        definitions: Each with an id and version of its own.
        paths: Where those that were read from a file lie.
        under: Definitions that are known too, unless one of the same id and version stands over them.
        fitting: Whether dependencies are checked.

    Attributes:
        faults: What is wrong with files that hold no valid definition: they stop nothing but the tasks that they are of.

    Raises:
        InvalidInput: A version is there twice, or a dependency is not there or does not fit.
    """

    def __init__(
        self,
        definitions: Iterable[TaskDefinition],
        paths: Mapping[tuple[str, str], Path] = MappingProxyType({}),
        under: Catalogue | None = None,
        *,
        fitting: bool = True,
    ) -> None:
        found: dict[tuple[str, str], TaskDefinition] = {}
        for definition in definitions:
            key = definition.id, definition.version
            if key in found:
                raise InvalidInput(f"task {definition.id} has version {definition.version} twice, expected versions of their own")
            found[key] = definition
        self.paths: dict[tuple[str, str], Path] = {**(under.paths if under else {}), **paths}
        self.faults: dict[Path, str] = {**(under.faults if under else {})}
        self._refused: dict[str, Path] = {**(under._refused if under else {})}
        known = {**(under._known if under else {}), **found}
        self._known: dict[tuple[str, str], TaskDefinition] = {
            key: known[key] for key in sorted(known, key=lambda key: (key[0], version_key(key[1])))
        }
        for definition in found.values() if fitting else ():
            try:
                check_borders(definition, self.get)
            except ValueError as error:
                raise InvalidInput(f"{definition.id}: {error}") from None

    @classmethod
    @cache  # checking them takes 0.2 s, and every services of a process asks
    def packaged(cls) -> Self:
        """The definitions that come with the package."""
        return cls.from_folder(PACKAGED)

    @classmethod
    def load(cls, folders: Sequence[Path]) -> Catalogue:
        """The packaged definitions, over them those of plugins, over them those of a user's folders, with the prompts of plugins.

        A plugin that is wrong stops nothing: a warning is logged.

        Raises:
            InvalidInput: A folder is wrong.
        """
        known: Catalogue = cls.packaged()
        for folder in definition_folders(folders)[1:]:
            known = cls.from_folder(folder, under=known)
        for name, pack in plugins("prompt_packs", _warn).items():
            try:
                with naming("prompt_packs", name):
                    known = cls((_with_prompts(known, task, prompts, name) for task, prompts in pack.items()), under=known, fitting=False)
            except InvalidInput as error:
                logger.warning("[AutoGather] The prompts of plugin %s are left out: %s", name, error)
        return known

    @classmethod
    def from_folder(cls, folder: Path, under: Catalogue | None = None) -> Self:
        """Every `*.json` of a folder; `faults` has those that are wrong. Hidden files, which macOS puts beside others, are not looked at.

        Raises:
            InvalidInput: The folder is wrong.
        """
        found: dict[tuple[str, str], TaskDefinition] = {}
        paths: dict[tuple[str, str], Path] = {}
        faults: dict[Path, str] = {}
        for path in definition_files(folder):
            try:
                one = load_definition(path)
                if (key := (one.id, one.version)) in found:
                    told = f"one of its own, for {paths[key].name} has it too"
                    raise InvalidInput(f"{path.name}: {InvalidInput.field('key version', one.version, told)}")
                found[key], paths[key] = one, path
            except InvalidInput as error:
                faults[path] = str(error)
        made = cls(found.values(), paths, under, fitting=False)
        for path, fault in faults.items():
            made.refuse(path, fault)
        for key, one in found.items():
            try:
                check_borders(one, made.get)
            except ValueError as error:
                made.refuse(paths[key], f"{paths[key].name}: {error}")
        return made

    def refuse(self, path: Path, fault: str) -> None:
        """Takes a file out as not valid: from now on `get` raises the fault where its task is asked for."""
        self.faults[path] = fault
        self._refused |= dict.fromkeys(names_of(path), path)
        for key in [key for key, place in self.paths.items() if place == path]:
            del self.paths[key], self._known[key]

    def __iter__(self) -> Iterator[TaskDefinition]:
        """All versions of the tasks that `get` gives where no version is named."""
        return (one for one in self._known.values() if one.id not in self._refused)

    def get(self, task_id: str, version: str | None = None) -> TaskDefinition:
        """The definition of that id, in its newest version where none is named.

        Raises:
            UnknownEntity: No such task or version; names those there are.
            InvalidInput: A file of the task is wrong, and it cannot be told whether that version is meant.
        """
        versions = {version: one for (task, version), one in self._known.items() if task == task_id}
        if task_id in self._refused and version not in versions:
            raise InvalidInput(self.faults[self._refused[task_id]])
        if not versions:
            tasks = dict.fromkeys(task for task, _ in self._known)
            raise UnknownEntity.field("task", task_id, f"one of {listed(tasks) or 'none: there are none'}")
        if version is None:
            return list(versions.values())[-1]
        if version not in versions:
            raise UnknownEntity.field(f"version of task {task_id}", version, f"one of {listed(versions)}")
        return versions[version]


def _with_prompts(known: Catalogue, task: str, prompts: Sequence[Mapping[str, Any]], source: str) -> TaskDefinition:
    """The newest definition of a task with further prompts."""
    document = known.get(task).to_document()
    return parse_definition(document | {"prompts": [*document["prompts"], *prompts]}, f"plugin {source} (prompt_packs), task {task}")


def names_of(path: Path) -> set[str]:
    """What a file may be asked for by: its own name, without a version too, and, as far as it can be read, the id of its task."""
    names = {path.stem, path.stem.partition("-")[0]}
    with suppress(InvalidInput, ValueError, AttributeError):
        names.add(str(load_json(_text(path)).get("id")))
    return names


def definition_folders(own: Sequence[Path]) -> list[Path]:
    """The packaged folder, those of plugins, and a user's own, each over those before it; a plugin's that is none is left out."""
    found = [PACKAGED]
    for name, place in plugins("tasks", _warn).items():
        if isinstance(place, str | Path) and Path(place).is_dir():
            found.append(Path(place))
        else:
            told = InvalidInput.field(f"plugin {name} (tasks)", str(place), "the path of a folder of definitions")
            _warn(f"{told}, so it is left out")
    return [*found, *own]


def _warn(told: str) -> None:
    logger.warning("[AutoGather] %s", told)


def definition_files(folder: Path) -> list[Path]:
    """The files of a folder that hold definitions, hidden ones left out; raises `InvalidInput` where it is none."""
    if not folder.is_dir():
        raise InvalidInput.field("folder of task definitions", str(folder), "a folder that is there (GATHER_TASKS)")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".json" and not path.name.startswith("."))


def load_definition(path: Path) -> TaskDefinition:
    """Reads one definition file.

    Raises:
        InvalidInput: The file cannot be read, is not JSON, or is no definition; names file and key.
    """
    text = _text(path)
    try:
        document = load_json(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise InvalidInput(f"{path.name}: is not JSON: {error}") from None
    definition = parse_definition(document, path.name)
    for told in definition.warnings:
        logger.info("[AutoGather] %s: %s", path.name, told)
    return definition


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise InvalidInput(f"{path.name}: is no file")
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        raise InvalidInput(f"{path.name}: cannot be read: {error.strerror}") from None
    if len(data) > LIMIT:
        raise InvalidInput(f"{path.name}: has more than {LIMIT} bytes, expected at most {LIMIT}")
    return decoded(data, path.name)


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
            return f"{place}: {expected(first['msg'])}"
        case "string_pattern_mismatch":
            return f"{place} is {shorten(first['input'])}, expected {FORMS[first['ctx']['pattern']]}"
        case _:
            return f"{place} is {shorten(first['input'])}, expected {expected(first['msg'])}"


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
