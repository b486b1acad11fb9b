"""A click group that imports a command's module when the command is used, so that `gather --help` answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from gather_pipeline.cli import collector
from gather_pipeline.errors import InvalidInput


class OutputClosed(Exception):
    """Whoever read standard output has stopped reading, as `head` does."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command lies.

    Attributes:
        module: Module below `gather_pipeline.cli.commands`.
        name: The command's variable in it.
        help: The first line of the command's help, shown without importing it; empty for a command that is not shown.
    """

    module: str
    name: str
    help: str

    def load(self) -> click.Command:
        """Imports the command."""
        with collector.paused():
            command = getattr(import_module(f"gather_pipeline.cli.commands.{self.module}"), self.name)
        assert isinstance(command, click.Command)
        return command


class NamingGroup(click.Group):
    """A group that names its commands to whoever types another one."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the refusal in the words of this package."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            near = get_close_matches(args[0], known, n=1)
            raise InvalidInput.field("command", args[0], near[0] if near else f"one of {', '.join(known)}")
        return super().resolve_command(ctx, args)


class LazyGroup(NamingGroup):
    """Commands by name, in the order of the table."""

    def __init__(self, *args: Any, places: Mapping[str, Place], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a user meets them."""
        return [name for name, place in self.places.items() if place.help]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        place = self.places.get(cmd_name)
        return place.load() if place else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in self.places.items() if place.help])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; click itself would end a closed pipe with the exit code of an error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise OutputClosed from None
