"""Writes a report whole or not at all: whoever opens the file meanwhile sees the one before it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Writes the text beside its place and renames it; `OSError` where the folder cannot be written, and then nothing is left behind."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.absolute().parent, prefix=".report-", delete=False) as file:
        fresh = Path(file.name)
        try:
            file.write(text)
            file.flush()
            fresh.chmod(0o666 & ~_umask())
            fresh.replace(path)
        except BaseException:
            fresh.unlink()
            raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
