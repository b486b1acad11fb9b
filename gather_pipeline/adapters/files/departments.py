"""Departments from a YAML or JSON file in the CMS's own fields, until a CMS is connected."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from gather_pipeline.adapters.files.given import opened
from gather_pipeline.adapters.files.yaml_texts import read_yaml
from gather_pipeline.domain.departments import Department, parse_departments
from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.domain.texts import decoded
from gather_pipeline.errors import InvalidInput

LIMIT = 5_000_000  # bytes; ten thousand departments have a third of it


class DepartmentFile:
    """The body of `DepartmentSource` over one file, read anew at each call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def departments(self) -> list[Department]:
        """Every department of the file.

        Raises:
            InvalidInput: The file cannot be read, is neither YAML nor JSON, or one of its rows is wrong.
        """
        with opened(self._path, "GATHER_DEPARTMENTS") as file:
            data = file.read(LIMIT + 1)
        source = f"GATHER_DEPARTMENTS file {self._path}"
        if len(data) > LIMIT:
            raise InvalidInput(f"{source} has more than {LIMIT} bytes, expected at most {LIMIT}")
        return parse_departments(self._rows(decoded(data, source), source), str(self._path))

    def _rows(self, text: str, source: str) -> object:
        suffix = self._path.suffix.lower()
        try:
            if suffix in (".jsonl", ".ndjson"):
                return [load_json(line) for line in text.split("\n") if line.strip()]
            return load_json(text) if suffix == ".json" else read_yaml(text)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"{source} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "it cannot be parsed"
            raise InvalidInput(f"{source} is not YAML: {problem}{where}") from None
        except ValueError as error:  # a number or a date that is none, or more than is read
            raise InvalidInput(f"{source} cannot be read: {error}") from None
