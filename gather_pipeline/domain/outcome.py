"""The result of work that is only done where it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Outcome(Generic[Value]):
    """A value, and whether anything was done to get it.

    Attributes:
        value: What is there now.
        changed: False where it was up to date already and was left alone.
    """

    value: Value
    changed: bool
