"""Named values read in a form: the parameters of one method from those of a definition (S004-VER-06), and options of an execution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gather_pipeline.errors import InvalidInput, expected
from gather_pipeline.tasks.definition import VerificationParameters

Form = TypeVar("Form", bound=BaseModel)


def read_parameters(form: type[Form], given: VerificationParameters) -> Form:
    """The parameters in the form of a method; raises as `read_form`."""
    return read_form(form, given.model_dump(exclude_unset=True), "parameter")


def read_form(form: type[Form], given: Mapping[str, Any], kind: str) -> Form:
    """The values in a form; raises `ValueError` that names one which is wrong or not known, as a parameter, an option or the like."""
    try:
        return form.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        wanted = expected(first["msg"])
        if not first["loc"]:
            raise ValueError(wanted) from None
        name = f"{kind} {'.'.join(str(part) for part in first['loc'])}"
        if first["type"] == "extra_forbidden":
            raise ValueError(f"{name} is not known, expected one of {', '.join(form.model_fields)}") from None
        if first["type"] == "missing":
            raise ValueError(f"{name} is missing") from None
        raise ValueError(str(InvalidInput.field(name, first["input"], wanted))) from None
