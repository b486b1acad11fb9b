"""Departments from a YAML or JSON file in the CMS's own fields, until a CMS is connected."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from gather_pipeline.domain.departments import Department, parse_departments
from gather_pipeline.domain.texts import decoded
from gather_pipeline.errors import InvalidInput

LIMIT = 20_000_000  # bytes; ten thousand departments have a tenth of it


class DepartmentFile:
    """The body of `DepartmentSource` over one file, read anew at each call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def departments(self) -> list[Department]:
        """Every department of the file.

        Raises:
            InvalidInput: The file cannot be read, is neither YAML nor JSON, or one of its rows is wrong.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(LIMIT + 1)
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            raise InvalidInput.field("GATHER_DEPARTMENTS", str(self._path), f"a file that can be read ({reason})") from None
        source = f"GATHER_DEPARTMENTS file {self._path}"
        if len(data) > LIMIT:
            raise InvalidInput(f"{source} has more than {LIMIT} bytes, expected a list of departments")
        return parse_departments(self._rows(decoded(data, source), source), str(self._path))

    def _rows(self, text: str, source: str) -> object:
        suffix = self._path.suffix.lower()
        try:
            if suffix in (".jsonl", ".ndjson"):
                return [json.loads(line) for line in text.split("\n") if line.strip()]
            return json.loads(text) if suffix == ".json" else yaml.safe_load(text)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"{source} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "it cannot be parsed"
            raise InvalidInput(f"{source} is not YAML: {problem}{where}") from None
        except (ValueError, RecursionError) as error:  # a number or a date that is none, or nesting without end
            raise InvalidInput(f"{source} cannot be read: {error}") from None
