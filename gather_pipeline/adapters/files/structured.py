"""A YAML or JSON file that a setting names, read as a value."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from gather_pipeline.adapters.files.given import opened
from gather_pipeline.adapters.files.yaml_texts import read_yaml
from gather_pipeline.domain.json_texts import from_mongo, load_several
from gather_pipeline.domain.texts import decoded
from gather_pipeline.errors import InvalidInput


def read_structured(path: Path, name: str, limit: int) -> object:
    """The value of a file that a setting names, of at most `limit` bytes; of JSON lines a list, also as mongoexport writes them.

    Raises:
        InvalidInput: It cannot be read, is too large, or is neither YAML nor JSON.
    """
    with opened(path, name) as file:
        data = file.read(limit + 1)
    source = f"{name} file {path}"
    if len(data) > limit:
        raise InvalidInput(f"{source} has more than {limit} bytes, expected at most {limit}")
    text, suffix = decoded(data, source), path.suffix.lower()
    try:
        if suffix not in (".json", ".jsonl", ".ndjson"):
            return read_yaml(text)
        values: list[object] = from_mongo(load_several(text))
        return values[0] if suffix == ".json" and len(values) == 1 else values
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{source} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise InvalidInput(f"{source} is not YAML: {problem}{where}") from None
    except ValueError as error:  # a number or a date that is none, or more than is read
        raise InvalidInput(f"{source} cannot be read: {error}") from None
