"""What other packages add, found by entry points: one group for each kind of part (S000-EXT).

A part of this package wins over a plugin's of the same name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from gather_pipeline.errors import InvalidInput, shorten

Group = Literal[
    "validations", "verifiers", "similarities", "quality_metrics", "providers", "context_sources", "prompt_packs", "tasks"
]  # docs/plugins.md says what each has to be


def plugin(group: Group, name: str) -> Any | None:
    """The object that a package has registered under that name; None where none has.

    Raises:
        InvalidInput: It cannot be imported; names the plugin and its package.
    """
    found = _registered(group).get(name)
    return None if found is None else _loaded(group, found)


def plugins(group: Group, tell: Callable[[str], None]) -> dict[str, Any]:
    """All objects that packages have registered in a group, by name; one that cannot be imported is left out, which `tell` hears of."""
    found = {}
    for name, point in _registered(group).items():
        try:
            found[name] = _loaded(group, point)
        except InvalidInput as error:
            tell(f"{error}, so it is left out")
    return found


def named_errors(group: Group, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A plugin's function, whose errors become `InvalidInput` that names the plugin."""

    def called(*given: Any) -> Any:
        try:
            return call(*given)
        except Exception as error:
            raise InvalidInput(f"plugin {name} ({group}) failed: {shorten(f'{type(error).__name__}: {error}')}") from error

    return called


def plugin_names(group: Group) -> list[str]:
    """Names registered in a group, without importing what they stand for."""
    return sorted(_registered(group))


@cache  # reading the metadata of every installed package takes 0.1 s
def _registered(group: Group) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"gather_pipeline.{group}")}


def _loaded(group: Group, point: EntryPoint) -> Any:
    try:
        with redirect_stdout(sys.stderr):  # what a module prints as it is imported is no part of a command's document
            return point.load()
    except (Exception, SystemExit) as error:  # a module that is a script ends the process
        package = point.dist.name if point.dist else "unknown"
        told = shorten(f"{type(error).__name__}: {error}")
        raise InvalidInput(f"plugin {point.name} ({group}) of package {package} cannot be loaded from {point.value}: {told}") from error
