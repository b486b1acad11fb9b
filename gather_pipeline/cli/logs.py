"""Where log lines of a command go: all to a file under GATHER_HOME, warnings to standard error as well.

The file is made with its first line and only in a state folder that is there: a mistyped command in a strange folder leaves no trace.
A disk that refuses the file stops nothing.
"""

from __future__ import annotations

import logging
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from gather_pipeline.cli.output import say
from gather_pipeline.domain.events import TOLD_BY_EVENT

PACKAGE = "gather_pipeline"
FILE_BYTES, FILES_KEPT = 5_000_000, 3


class LogFile(RotatingFileHandler):
    """Makes its folder below the state folder with the first line and keeps quiet where it cannot be written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)
        self.failed = False
        self.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(exist_ok=True)
        return super()._open()

    def close(self) -> None:
        """Lets go of the file; what a full disk does not take is lost."""
        try:
            super().close()
        except OSError:
            self.failed = True

    def handleError(self, record: logging.LogRecord) -> None:
        """Remembers the failure."""
        self.failed = True


class Lines(logging.Handler):
    """Shows records on standard error, above a live display."""

    def __init__(self, verbose: bool) -> None:
        super().__init__(logging.DEBUG if verbose else logging.WARNING)
        self._verbose = verbose

    def filter(self, record: logging.LogRecord) -> bool:
        """Leaves out what a user is told in another way."""
        told = record.exc_info or hasattr(record, TOLD_BY_EVENT)
        return self._verbose or (record.levelno >= logging.WARNING and not told)

    def emit(self, record: logging.LogRecord) -> None:
        """Says it, with its traceback where there is one."""
        message = record.getMessage().removeprefix("[AutoGather] ")
        say(self.format(record) if self._verbose else message.partition("\n")[0])


def show(verbose: bool) -> None:
    """Begins the log of a command."""
    package = logging.getLogger(PACKAGE)
    package.addHandler(Lines(verbose))
    package.setLevel(logging.DEBUG if verbose else logging.INFO)


def write(home: Path) -> None:
    """Sends log lines to ``logs/gather.log`` under the state folder, too."""
    logging.getLogger(PACKAGE).addHandler(LogFile(home / "logs" / "gather.log"))


def take_in(library: str) -> None:
    """Has a library's log lines, tracebacks among them, go where the package's go."""
    logger = logging.getLogger(library)
    logger.handlers, logger.propagate = logging.getLogger(PACKAGE).handlers, False


def written_to() -> Path | None:
    """The log file, None where nothing could be written to one."""
    for handler in logging.getLogger(PACKAGE).handlers:
        if isinstance(handler, LogFile) and not handler.failed and Path(handler.baseFilename).exists():
            return Path(handler.baseFilename)
    return None


def end() -> None:
    """Lets go of the file and of standard error, for a process that does more than one command."""
    package = logging.getLogger(PACKAGE)
    for handler in [handler for handler in package.handlers if isinstance(handler, LogFile | Lines)]:
        package.removeHandler(handler)
        handler.close()
