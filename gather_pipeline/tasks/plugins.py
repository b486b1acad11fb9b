"""What other packages add, found by entry points: one group for each kind of part (S000-EXT).

A part of this package wins over a plugin's of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from gather_pipeline.entry_points import registered
from gather_pipeline.errors import GatherError, InvalidInput, shorten

Group = Literal[
    "validations", "verifiers", "similarities", "quality_metrics", "providers", "context_sources", "prompt_packs", "tasks"
]  # docs/plugins.md says what each has to be


def plugin(group: Group, name: str) -> Any | None:
    """The object that a package has registered under that name; None where none has.

    Raises:
        InvalidInput: It cannot be imported; names the plugin and its package.
    """
    found = registered(group).get(name)
    return None if found is None else found.load()


def plugins(group: Group, tell: Callable[[str], None]) -> dict[str, Any]:
    """All objects that packages have registered in a group, by name; one that cannot be imported is left out, which `tell` hears of."""
    found = {}
    for name, one in registered(group).items():
        try:
            found[name] = one.load()
        except InvalidInput as error:
            tell(f"{error}, so it is left out")
    return found


@contextmanager
def naming(group: Group, name: str) -> Iterator[None]:
    """For a block or a function of a plugin's: errors in it that are none of ours become `InvalidInput` that names the plugin."""
    try:
        yield
    except GatherError:
        raise
    except Exception as error:
        raise InvalidInput(f"plugin {name} ({group}) failed: {shorten(f'{type(error).__name__}: {error}')}") from error


def plugin_names(group: Group) -> list[str]:
    """Names registered in a group, without importing what they stand for."""
    return sorted(registered(group))
