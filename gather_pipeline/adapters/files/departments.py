"""Departments from a YAML or JSON file in the CMS's own fields, until a CMS is connected."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from gather_pipeline.domain.departments import Department, parse_departments
from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import InvalidInput


class DepartmentFile:
    """The body of `DepartmentSource` over one file, read anew at each call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def departments(self) -> list[Department]:
        """Every department of the file.

        Raises:
            InvalidInput: The file cannot be read, is neither YAML nor JSON, or one of its rows is wrong.
        """
        return parse_departments(self._rows(clean(self._text())), str(self._path))

    def _text(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise InvalidInput(f"GATHER_DEPARTMENTS file {self._path} is not UTF-8 text, expected YAML or JSON") from None
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            raise InvalidInput(f"GATHER_DEPARTMENTS is {str(self._path)!r}, expected a file that can be read ({reason})") from None

    def _rows(self, text: str) -> object:
        try:
            return json.loads(text) if self._path.suffix.lower() == ".json" else yaml.safe_load(text)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise InvalidInput(f"GATHER_DEPARTMENTS file {self._path} is not JSON: {error.msg} at {where}") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            problem = getattr(error, "problem", None) or "it cannot be parsed"
            raise InvalidInput(f"GATHER_DEPARTMENTS file {self._path} is not YAML: {problem}{where}") from None
