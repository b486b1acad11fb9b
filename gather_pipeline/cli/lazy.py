"""Click groups: one that imports a command's module when the command is used, so that `gather --help` answers at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
    """A group that refuses, in the words of this package, an unknown command, and an option of its own or of a command given twice."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the group's own options."""
        _check_once(self, ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            near = get_close_matches(args[0], known, n=1)
            raise InvalidInput.field("command", args[0], near[0] if near else f"one of {', '.join(known)}")
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not isinstance(command, NamingGroup):
            own = click.Context(command, ctx, name, resilient_parsing=ctx.resilient_parsing, **command.context_settings)
            _check_once(command, own, rest)
        return name, command, rest


def _check_once(command: click.Command, ctx: click.Context, args: Sequence[str]) -> None:
    """Raises `InvalidInput` where an option is given again that takes one value: click would drop all but the last without a word."""
    if ctx.resilient_parsing:  # a shell asks how a line may go on
        return
    _, _, given = command.make_parser(ctx).parse_args(list(args))
    options = [option for option in given if isinstance(option, click.Option) and not (option.multiple or option.count)]
    for option, times in Counter(options).items():
        if times > 1 and not any(one.is_eager for one in given):  # such as --help
            raise InvalidInput(f"{option.opts[-1]} is given {times} times, expected once")


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
