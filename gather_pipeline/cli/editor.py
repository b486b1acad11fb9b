"""A note in the person's own editor. What was typed is kept in a file until it is stored, so that nothing typed is ever lost."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from gather_pipeline.cli.output import say
from gather_pipeline.domain.texts import decoded, typed
from gather_pipeline.errors import InvalidInput, PermanentError

EDITS = "edits"
SCISSORS = "# ------------------------ >8 ------------------------"


@contextmanager
def edited(home: Path, name: str, before: str, about: Sequence[str]) -> Iterator[str | None]:
    """Opens an editor on a text: what `VISUAL` or `EDITOR` names, else a usual one.

    Gives the new text, None where it was left as it was or emptied. `about` is shown below a line where the text is cut off. The file,
    whose name begins with `name`, is kept and named to the person where the editor fails, or what is done with the text does.

    Raises:
        InvalidInput: There is no editor, or it left no UTF-8 text.
        PermanentError: The editor failed.
    """
    if not (os.environ.get("VISUAL") or os.environ.get("EDITOR") or (sys.stdin.isatty() and sys.stderr.isatty())):
        raise InvalidInput("no editor can be opened here (neither VISUAL nor EDITOR is set), expected the text by --content or --file")
    shown = "\n".join([before, "", SCISSORS, *(f"# {line}" for line in about), ""])
    file = _written(home, name, shown)
    try:
        try:
            click.edit(filename=str(file))
        except (click.ClickException, ValueError) as error:  # the second for a command line that is none
            reason = error.format_message() if isinstance(error, click.ClickException) else error
            raise PermanentError(f"the editor cannot be used, nothing was changed: {reason}") from None
        text = typed(decoded(file.read_bytes(), "the edited text").partition(SCISSORS)[0])
        yield text if text and text != typed(before) else None
    except BaseException:
        if file.read_bytes() == shown.encode():
            file.unlink()
        else:
            say(f"Your text is kept in {file}")
        raise
    file.unlink()


def keep(home: Path, name: str, text: str) -> None:
    """Keeps a text that could not be stored, and says where."""
    say(f"Your text is kept in {_written(home, name, text)}")


def _written(home: Path, name: str, text: str) -> Path:
    folder = home / EDITS
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=f"{name}-", suffix=".txt", dir=folder, delete=False) as file:
        file.write(text.encode())
    return Path(file.name)
