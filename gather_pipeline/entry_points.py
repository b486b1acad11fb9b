"""What installed packages register by entry points, read as far as it can be: one broken file or line stops nothing but its own part."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from traceback import walk_tb
from typing import Any

from gather_pipeline.errors import InvalidInput, shorten

OURS = "gather_pipeline."  # what every group of ours begins with


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One line of a package's ``entry_points.txt``.

    Attributes:
        value: Module and object, as ``module:object``.
    """

    group: str
    name: str
    value: str
    package: str

    def load(self) -> Any:
        """The object; raises `InvalidInput` that names the package and the line where it cannot be had."""
        label = f"plugin {self.name} ({self.group}) of package {self.package}"
        if EntryPoint.pattern.match(self.value) is None:
            raise InvalidInput.field(f"{label}: line in its entry_points.txt", self.value, f"one such as {self.name} = module:object")
        try:
            with redirect_stdout(sys.stderr):  # what a module prints as it is imported is no part of a command's document
                return EntryPoint(self.name, self.value, self.group).load()
        except (Exception, SystemExit) as error:  # a module that is a script ends the process
            told = shorten(f"{type(error).__name__}: {error}")
            raise InvalidInput(f"{label} cannot be loaded from {self.value}: {told}, expected an object that can be imported") from error


def registered(group: str) -> dict[str, Registered]:
    """What is registered in a group of ours, by name."""
    return {one.name: one for one in _all() if one.group == group}


def unreadable(error: BaseException) -> InvalidInput | None:
    """The package whose ``entry_points.txt`` an error comes from, which an engine met as it looked for its own plugins; else None."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    codes = (frame.f_code for one in causes for frame, _ in walk_tb(one.__traceback__))
    if (importlib.metadata.__file__, "entry_points") not in ((code.co_filename, code.co_name) for code in codes):
        return None
    for distribution in distributions():
        try:
            list(distribution.entry_points)
        except Exception as wrong:
            told = shorten(f"{type(wrong).__name__}: {wrong}")
            return InvalidInput(
                f"entry_points.txt of package {_name(distribution)} cannot be read: {told}, expected UTF-8 text with lines such as "
                "name = module:object below [group]; install that package anew, or take it away"
            )
    return None


@cache  # reading the metadata of every installed package takes 0.1 s
def _all() -> tuple[Registered, ...]:
    found: dict[str, list[Registered]] = {}
    for distribution in distributions():
        text = _text(distribution)
        if OURS in text:
            package = _name(distribution)
            found.setdefault(package, _lines(package, text))  # of two the one that stands first on the path is imported
    return tuple(one for lines in found.values() for one in lines)


def _name(distribution: Distribution) -> str:
    try:
        return re.sub("[-_.]+", "-", distribution.name).lower()
    except Exception:  # its METADATA is gone or broken
        return f"at {distribution.locate_file('')}"


def _text(distribution: Distribution) -> str:
    try:
        return distribution.read_text("entry_points.txt") or ""
    except UnicodeDecodeError as error:
        return error.object.decode(errors="replace")
    except OSError:
        return ""


def _lines(package: str, text: str) -> list[Registered]:
    found, group = [], ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            group = line.strip("[] ")
        elif line and line[0] not in "#;" and group.startswith(OURS):
            name, equals, value = line.partition("=")
            named = name.strip() if equals else line.split()[0]
            found.append(Registered(group=group.removeprefix(OURS), name=named, value=value.strip() if equals else line, package=package))
    return found
