"""A note in the person's own editor. What was typed is kept in a file until it is stored, so that nothing typed is ever lost."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gather_pipeline.cli.output import say
from gather_pipeline.cli.person import decoded
from gather_pipeline.errors import InvalidInput, PermanentError

EDITS = "edits"
SCISSORS = "# ------------------------ >8 ------------------------"
USUAL = ("nano", "vim", "vi")  # asked in this order where neither variable names one
OUTPUT = 2  # standard output is the command's result, so the editor of somebody who keeps that talks to the other one


@contextmanager
def edited(home: Path, name: str, before: str, about: Sequence[str]) -> Iterator[str | None]:
    """Opens an editor on a text.

    The file is kept, and named to the person, where the editor fails or what is done with the text does.

    Args:
        home: The state folder.
        name: Beginning of the file's name.
        before: The text as it is.
        about: What the person should know, shown below a line where the text is cut off.

    Yields:
        The new text; None where it was left as it was or emptied.

    Raises:
        InvalidInput: There is no editor, or it left no UTF-8 text.
        PermanentError: The editor failed.
    """
    program = _program()
    tail = "\n".join([SCISSORS, *(f"# {line}" for line in about)])
    shown = before.encode("utf-8", "replace").decode()
    folder = home / EDITS
    folder.mkdir(parents=True, exist_ok=True)
    handle, found = tempfile.mkstemp(prefix=f"{name}-", suffix=".txt", dir=folder)
    file = Path(found)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as opened:
        opened.write(f"{shown}\n\n{tail}\n")
    try:
        _run(program, file)
        text = _text(file)
        yield text if text and text != shown.strip() else None
    except BaseException:
        if _differs(file, shown):
            say(f"Your text is kept in {file}")
        else:
            file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)


def _program() -> list[str]:
    for variable in ("VISUAL", "EDITOR"):
        value = os.environ.get(variable, "").strip()
        if value:
            try:
                return shlex.split(value)
            except ValueError as error:
                raise InvalidInput.field(variable, value, f"a command line ({error})") from None
    if sys.stdin.isatty() and sys.stderr.isatty():
        found = next((program for program in USUAL if shutil.which(program)), None)
        if found is not None:
            return [found]
    raise InvalidInput("no editor can be opened here (neither VISUAL nor EDITOR is set), expected the text by --content or --file")


def _run(program: Sequence[str], file: Path) -> None:
    # Ctrl-C in an editor is for the editor; a handler, unlike SIG_IGN, is not handed down to it.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.run([*program, str(file)], stdout=None if sys.stdout.isatty() else OUTPUT, check=False).returncode
    except OSError as error:
        raise InvalidInput.field("the editor", program[0], f"a program that can be started ({error.strerror})") from None
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise PermanentError(f"the editor {program[0]} ended with {code}, nothing was changed")


def _text(file: Path) -> str:
    text = "\n" + decoded(file.read_bytes(), "the edited text")
    return (text.rpartition(f"\n{SCISSORS}")[0] if f"\n{SCISSORS}" in text else text).strip()


def _differs(file: Path, shown: str) -> bool:
    try:
        return _text(file) not in ("", shown.strip())
    except InvalidInput:
        return True
    except OSError:
        return False


def keep(home: Path, name: str, text: str) -> None:
    """Keeps a text that could not be stored, and says where."""
    folder = home / EDITS
    folder.mkdir(parents=True, exist_ok=True)
    handle, found = tempfile.mkstemp(prefix=f"{name}-", suffix=".txt", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as opened:
        opened.write(text)
    say(f"Your text is kept in {found}")
