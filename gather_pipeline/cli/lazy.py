"""Click groups: one that imports a command's module when the command is used, so that `gather --help` answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pkgutil import resolve_name
from typing import Any

import click

from gather_pipeline.errors import InvalidInput


class OutputClosed(Exception):
    """The reader of standard output has stopped reading, as `head` does."""


@dataclass(frozen=True)
class Place:
    """Where a command lies.

    Attributes:
        target: Its module below `gather_pipeline.cli.commands`, a colon, its variable there.
        help: The first line of its help, shown without importing it.
    """

    target: str
    help: str

    def load(self) -> click.Command:
        """Imports the command."""
        command = resolve_name(f"gather_pipeline.cli.commands.{self.target}")
        assert isinstance(command, click.Command)
        return command


class NamingGroup(click.Group):
    """A group that refuses an unknown command in the words of this package, and names those that there are."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            near = get_close_matches(args[0], known, n=1)
            raise InvalidInput.field("command", args[0], near[0] if near else f"one of {', '.join(known)}")
        return super().resolve_command(ctx, args)


class LazyGroup(NamingGroup):
    """Commands by name, in the order of the table."""

    def __init__(self, *args: Any, places: Mapping[str, Place], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._places[cmd_name].load() if cmd_name in self._places else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in self._places.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; click itself would end a closed pipe with the exit code of an error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise OutputClosed from None
