"""Departments from a YAML or JSON file in the CMS's own fields, until a CMS is connected."""

from __future__ import annotations

from pathlib import Path

from gather_pipeline.adapters.files.structured import read_structured
from gather_pipeline.domain.departments import Department, parse_departments

LIMIT = 5_000_000  # bytes; ten thousand departments have a third of it


class DepartmentFile:
    """The body of `DepartmentSource` over one file, read anew at each call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def departments(self) -> list[Department]:
        """Every department of the file.

        Raises:
            InvalidInput: The file cannot be read, is neither YAML nor JSON, or one of its rows is wrong.
        """
        return parse_departments(read_structured(self._path, "GATHER_DEPARTMENTS", LIMIT), str(self._path))
