"""Departments in the CMS's own fields, and the order in which they run.

A whole list is checked before anything is filtered, so that one bad row is named instead of silently left out
(S001-PAY-04, S001-PAY-05).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gather_pipeline.domain.cms import in_one_language, listed_texts, name_of_related, plain_text
from gather_pipeline.domain.texts import clean, typed
from gather_pipeline.errors import InvalidInput, UnknownEntity, expected, listed, shorten

logger = logging.getLogger(__name__)

DEFAULT_THRESHOLD = 80.0  # S001-QUAL-09
SLUG = r"^[a-z0-9][a-z0-9_-]{0,62}$"
ENVELOPES = 5  # mappings around a list of rows; GraphQL has three
SLUG_EXPECTED = "1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit"


class Row(BaseModel):
    """A part of a CMS's row, as any database gives it: null and an empty text count as missing, numbers and truths may be texts.

    Names may be written in another way, such as ``code_dep_number``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, row: object) -> object:
        if not isinstance(row, Mapping):
            return row
        given = {**{re.sub(r"[\W_]", "", str(name)).lower(): value for name, value in row.items()}, **row}
        values = {name: in_one_language(given.get(name, given.get(name.lower()))) for name in cls.model_fields}
        texts = {name: clean(value) if typed(value) else None for name, value in values.items() if isinstance(value, str)}
        return {name: value for name, value in (values | texts).items() if value is not None}


class CoordinationSettings(Row):
    """How a department is judged and how long it may go on."""

    minQualityThreshold: Annotated[int | float, Field(ge=1, le=100)] = DEFAULT_THRESHOLD
    maxIterations: Annotated[int, Field(ge=1, le=10_000)] | None = None
    aspects: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], BeforeValidator(listed_texts)] = ()


class Department(Row):
    """One row of the CMS collection `departments` (S001-PAY-05)."""

    id: str | None = None
    slug: Annotated[str, StringConstraints(strip_whitespace=True, pattern=SLUG)]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, BeforeValidator(plain_text)] = ""
    codeDepNumber: Annotated[int, Field(ge=-(10**9), le=10**9)] | None = None
    gatherCheck: bool = True
    isActive: bool = True
    defaultModel: Annotated[str | None, BeforeValidator(name_of_related)] = None
    coordinationSettings: CoordinationSettings = CoordinationSettings()

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


def parse_departments(answer: object, source: str) -> list[Department]:
    """Checks a whole list of CMS rows: every department, active or not, in the order given.

    A draft that was never published and a row in the trash are not active; they may lack what a department needs, and are left out then.

    Args:
        answer: A list of mappings, or the CMS's answer with the list in it, see `_rows`.
        source: Where it comes from, for the message.

    Raises:
        InvalidInput: One row is wrong, or the list is not whole; names the row, the field and the value.
    """
    departments: list[Department] = []
    numbers: dict[str, int] = {}
    for number, row in enumerate(_rows(answer, source), 1):
        if not isinstance(row, Mapping):
            raise InvalidInput.field(f"{source}: row {number}", row, "a mapping with slug and name")
        id = in_one_language(row.get("id"))
        where = f"row {number}" + (f" (id {shorten(id, 40)})" if isinstance(id, int | str) and id != "" else "")
        unpublished = in_one_language(row.get("_status")) == "draft" or row.get("deletedAt")
        try:
            department = Department.model_validate({**row, "isActive": False} if unpublished else row)
        except ValidationError as error:
            if unpublished:
                continue
            raise InvalidInput(f"{source}: {where}, {_described(error)}") from None
        first = numbers.setdefault(department.slug, number)
        if first != number:
            told = f"field slug is {department.slug!r}, expected a slug of its own (row {first} has it already)"
            raise InvalidInput(f"{source}: {where}, {told}")
        departments.append(department)
    return departments


def _rows(answer: object, source: str) -> list[object]:
    """The rows of an answer: a list, one row, or the list under `docs` (REST), `departments` or `items`, also further in (GraphQL)."""
    for _ in range(ENVELOPES):
        if not isinstance(answer, Mapping):
            break
        if answer.get("errors"):
            raise InvalidInput(f"{source} holds a refusal of the CMS ({shorten(answer['errors'], 300)}), expected a list of departments")
        if "slug" in answer:
            return [answer]
        held = answer.get("docs", answer.get("departments", answer.get("items")))
        if held is None and len(answer) == 1:
            (held,) = answer.values()
        total = answer.get("totalDocs")
        more = answer.get("hasNextPage") or answer.get("hasPrevPage")
        if isinstance(held, list) and (more or (isinstance(total, int) and total > len(held))):
            page = f"one page of the CMS's list ({len(held)}{f' of {total}' if isinstance(total, int) else ''} departments)"
            raise InvalidInput(f"{source} holds {page}, expected all of it: ask the CMS with limit=0")
        if held is None:
            raise InvalidInput(f"{source} holds a mapping of {listed(map(str, answer), 5) or 'nothing'}, expected a list of departments")
        answer = held
    if not isinstance(answer, list):
        raise InvalidInput(f"{source} holds {'none' if answer is None else shorten(answer)}, expected a list of departments")
    return answer


def _described(error: ValidationError) -> str:
    """Turns pydantic's first complaint into ``field X is V, expected ...``; says a missing field is missing."""
    first = error.errors()[0]
    branches = ("int", "float", "str", "bool")
    field = ".".join(str(part) for part in first["loc"] if part not in branches and "constrained" not in str(part))
    if first["type"] == "missing":
        return f"field {field} is missing, expected {SLUG_EXPECTED if field == 'slug' else 'a value'}"
    told = SLUG_EXPECTED if field == "slug" else expected(first["msg"]).replace("a valid tuple", "a list")
    return str(InvalidInput.field(f"field {field}", first["input"], told))


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
        raise InvalidInput("no department is published and has both gatherCheck and isActive, expected at least one")
    return chosen


def select(departments: Sequence[Department], slugs: Sequence[str]) -> list[Department]:
    """Those departments whose slug is asked for; all where none is.

    Raises:
        UnknownEntity: A slug that no department has.
    """
    known = [department.slug for department in departments]
    for slug in slugs:
        if slug not in known:
            raise UnknownEntity.field("department", slug, f"one of {listed(known) or 'none: the list is empty'}")
    return [department for department in departments if not slugs or department.slug in slugs]


def department_of(departments: Sequence[Department], slug: str) -> Department:
    """The department with that slug, active or not.

    Raises:
        UnknownEntity: There is none.
    """
    return select(departments, [slug])[0]
