"""Options that commands share, and types whose refusals repeat the value and say what was expected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import click

from gather_pipeline.domain.projects import check_project_id
from gather_pipeline.errors import InvalidInput


class Whole(click.ParamType[int]):
    """A whole number within limits."""

    name = "n"

    def __init__(self, low: int, high: int | None = None) -> None:
        self._low, self._high = low, high

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = self._low - 1
        if number < self._low or (self._high is not None and number > self._high):
            limit = f"from {self._low} to {self._high}" if self._high is not None else f"from {self._low} up"
            raise InvalidInput.field(_name(param), value, f"a whole number {limit}")
        return number


class Amount(click.ParamType[float]):
    """An amount of money above nothing."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            amount = float(value)
        except ValueError:
            amount = math.nan
        if not 0 < amount < math.inf:
            raise InvalidInput.field(_name(param), value, "an amount of US dollars above 0, like 1.50")
        return amount


class ProjectId(click.ParamType[str]):
    """The id of a project, in a form that a database or file may have in its name."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return check_project_id(str(value), _name(param))


def _name(param: click.Parameter | None) -> str:
    return param.opts[-1] if param is not None else "value"


def check_one(given: Mapping[str, object], *, needed: bool = True) -> None:
    """Raises `InvalidInput` where more than one of these, by the names that a user knows, is given, or none though one is needed."""
    there = [name for name, value in given.items() if value is not None and value is not False]
    if len(there) > 1:
        raise InvalidInput(f"{' and '.join(there)} are both given, expected one of them")
    if needed and not there:
        raise InvalidInput(f"neither {' nor '.join(given)} is given, expected one of them")


def example(*lines: str) -> str:
    """The last part of a command's help; click leaves lines after a backspace character as they are."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
project_option = click.option("--project", "project_id", type=ProjectId(), required=True, help="Id of the project.")
any_project = click.option("--project", "project_id", type=ProjectId(), help="Id of its project; looked for in all where left out.")
one_department = click.option("--department", metavar="SLUG", help="Only this department.")
by_option = click.option("--by", metavar="NAME", help="Who does it; GATHER_USER or else your login name where left out.")
