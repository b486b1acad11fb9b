"""Departments in the CMS's own fields, and the order in which they run.

A whole list is checked before anything is filtered, so that one bad row is named instead of silently left out
(S001-PAY-04, S001-PAY-05).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError, field_validator

from gather_pipeline.errors import InvalidInput, UnknownEntity, shorten

logger = logging.getLogger(__name__)

DEFAULT_THRESHOLD = 80.0  # S001-QUAL-09
SLUG = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SLUG_EXPECTED = "1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit"


class CoordinationSettings(BaseModel):
    """How a department is judged and how long it may go on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    minQualityThreshold: Annotated[StrictInt | StrictFloat, Field(ge=1, le=100)] = DEFAULT_THRESHOLD
    maxIterations: Annotated[StrictInt, Field(ge=1, le=10_000)] | None = None
    aspects: tuple[Annotated[StrictStr, Field(min_length=1, max_length=200)], ...] = ()


class Department(BaseModel):
    """One row of the CMS collection `departments` (S001-PAY-05)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: StrictStr | None = None
    slug: Annotated[StrictStr, Field(pattern=SLUG)]
    name: Annotated[StrictStr, Field(min_length=1, max_length=200)]
    description: StrictStr = ""
    codeDepNumber: StrictInt | None = None
    gatherCheck: StrictBool = True
    isActive: StrictBool = True
    defaultModel: Annotated[StrictStr, Field(min_length=1)] | None = None
    coordinationSettings: CoordinationSettings = CoordinationSettings()

    @field_validator("coordinationSettings", mode="before")
    @classmethod
    def _none_is_default(cls, value: object) -> object:
        # A CMS sends null for a group that nobody filled in.
        return CoordinationSettings() if value is None else value

    @property
    def threshold(self) -> float:
        """Quality, 0 to 100, at which the department is good enough (C48)."""
        return float(self.coordinationSettings.minQualityThreshold)

    @property
    def aspects(self) -> tuple[str, ...]:
        """What the department's notes should cover: its own list, else the clauses of its description."""
        if self.coordinationSettings.aspects:
            return self.coordinationSettings.aspects
        clauses = [part.strip(" .") for part in re.split(r"[.;,\n]|\band\b", self.description)]
        return tuple(dict.fromkeys(clause for clause in clauses if len(clause) > 3)) or (self.name,)


@dataclass(frozen=True, kw_only=True)
class StoredDepartment:
    """A department as a project's last run found it.

    Attributes:
        place: Its place in the order in which departments run.
        retired: It has left the list of departments since; nothing of it is deleted (C20).
    """

    department: Department
    place: int
    retired: bool

    @property
    def slug(self) -> str:
        """The department's slug."""
        return self.department.slug


def parse_departments(rows: object, source: str) -> list[Department]:
    """Checks a whole list of CMS rows: every department, active or not, in the order given.

    Args:
        rows: A list of mappings, or a mapping with the list under ``docs`` (the CMS's own envelope) or ``departments``.
        source: Where the rows come from, for the message.

    Raises:
        InvalidInput: One row is wrong; names the row, the field and the value.
    """
    if isinstance(rows, Mapping):
        rows = rows.get("docs", rows.get("departments"))
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        raise InvalidInput(f"{source} holds {'none' if rows is None else shorten(rows)}, expected a list of departments")
    departments: list[Department] = []
    numbers: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise InvalidInput(f"{source}: row {number} is {row!r}, expected a mapping with slug and name")
        try:
            department = Department.model_validate(dict(row))
        except ValidationError as error:
            raise InvalidInput(f"{source}: row {number}, {_described(error)}") from None
        first = numbers.setdefault(department.slug, number)
        if first != number:
            expected = f"a slug of its own (row {first} has it already)"
            raise InvalidInput(f"{source}: row {number}, field slug is {department.slug!r}, expected {expected}")
        departments.append(department)
    return departments


def _described(error: ValidationError) -> str:
    """Turns pydantic's first complaint into ``field X is V, expected ...``; says a missing field is missing."""
    first = error.errors()[0]
    branches = ("int", "float", "str", "bool")
    field = ".".join(str(part) for part in first["loc"] if part not in branches and "constrained" not in str(part))
    if first["type"] == "missing":
        return f"field {field} is missing, expected {SLUG_EXPECTED if field == 'slug' else 'a value'}"
    expected = SLUG_EXPECTED if field == "slug" else first["msg"].removeprefix("Input should be ")
    return f"field {field} is {first['input']!r}, expected {expected}"


def in_order(departments: Sequence[Department]) -> list[Department]:
    """Departments to automate, in `codeDepNumber` order, those without a number last with a warning (S001-ORCH-08)."""
    chosen = [department for department in departments if department.gatherCheck and department.isActive]
    for department in chosen:
        if department.codeDepNumber is None:
            logger.warning("[AutoGather] Department %s has no codeDepNumber and runs last", department.slug)
    return sorted(chosen, key=lambda one: (one.codeDepNumber is None, one.codeDepNumber or 0, one.slug))


def to_automate(departments: Sequence[Department]) -> list[Department]:
    """Departments to automate, in their order.

    Raises:
        InvalidInput: None is left.
    """
    chosen = in_order(departments)
    if not chosen:
        raise InvalidInput("no department has both gatherCheck and isActive, expected at least one")
    return chosen


def select(departments: Sequence[Department], slugs: Sequence[str]) -> list[Department]:
    """Those departments whose slug is asked for; all where none is.

    Raises:
        UnknownEntity: A slug that no department has.
    """
    known = [department.slug for department in departments]
    for slug in slugs:
        if slug not in known:
            raise UnknownEntity(f"department is {slug!r}, expected one of {', '.join(known) or 'none: the list is empty'}")
    return [department for department in departments if not slugs or department.slug in slugs]


def department_of(departments: Sequence[Department], slug: str) -> Department:
    """The department with that slug, active or not.

    Raises:
        UnknownEntity: There is none.
    """
    return select(departments, [slug])[0]


def to_row(department: Department) -> dict[str, Any]:
    """The department in the CMS's own fields."""
    return department.model_dump(mode="json")
