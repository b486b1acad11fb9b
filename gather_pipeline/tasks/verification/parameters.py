"""The parameters of one method, read from those of a definition (S004-VER-06)."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from gather_pipeline.errors import InvalidInput, expected
from gather_pipeline.tasks.definition import Part, VerificationParameters

Form = TypeVar("Form", bound=Part)


def read_parameters(form: type[Form], given: VerificationParameters) -> Form:
    """The parameters in the form of a method; raises `ValueError` with the name of one that is wrong, or that the method does not have."""
    try:
        return form.model_validate(given.model_dump(exclude_unset=True))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        wanted = expected(first["msg"])
        if not first["loc"]:
            raise ValueError(wanted) from None
        name = f"parameter {'.'.join(str(part) for part in first['loc'])}"
        if first["type"] == "extra_forbidden":
            raise ValueError(f"{name} is not known, expected one of {', '.join(form.model_fields)}") from None
        if first["type"] == "missing":
            raise ValueError(f"{name} is missing") from None
        raise ValueError(str(InvalidInput.field(name, first["input"], wanted))) from None
