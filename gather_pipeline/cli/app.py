"""The root command, and the one place where errors become sentences and exit codes.

Whatever goes wrong, a user sees one sentence on standard error. A traceback goes to the log file, and to the terminal only with --verbose.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence

import click

from gather_pipeline import __version__
from gather_pipeline.cli import logs
from gather_pipeline.cli.lazy import LazyGroup, OutputClosed, Place
from gather_pipeline.cli.options import example
from gather_pipeline.cli.output import capitalized, mend_streams, say
from gather_pipeline.domain.texts import clean
from gather_pipeline.entry_points import unreadable
from gather_pipeline.errors import GatherError

logger = logging.getLogger(__name__)

SENTENCE = 1_000  # most characters that are shown of why a command ends: a path that is refused may have any length
EXIT_STORE = 5
EXIT_UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130
EXIT_OUTPUT_CLOSED = 141  # what a shell reports of a program that SIGPIPE ended
EXIT_CODES = {
    0: "done; a run ended completed",
    1: "a run or task failed, a service did not answer, `gather doctor` found a fault, or an import refused a line",
    2: "wrong input: an option, a file or a setting",
    3: "no such project, department, task or item",
    4: "another run holds the project, or somebody else changed the item first",
    EXIT_STORE: "the store or the disk refuses or does not answer",
    6: "a file is missing that `gather setup` fetches",
    EXIT_UNEXPECTED: "an unexpected error; the log file has the traceback",
    EXIT_INTERRUPTED: "cancelled or interrupted; work is saved",
    EXIT_OUTPUT_CLOSED: "the reader of standard output went away",
}


PLACES = {
    "setup": Place("setup:setup", "Fetch the embedded model's weights, once for all projects."),
    "doctor": Place("doctor:doctor", "Check that every setting and service works, and say what to do where one does not."),
    "migrate": Place("migrate:migrate", "Copy everything that is stored to MongoDB, or back to the files under GATHER_HOME."),
    "brain": Place("brain:brain", "Offer the local index to other machines as a Brain service."),
    "project": Place("project:project", "Create, change, show and list projects."),
    "departments": Place("project:departments", "List the departments, and how far a project's have come."),
    "run": Place("run:run", "Fill a project's departments, each until it is good enough."),
    "status": Place("status:status", "Show how a run is going, or what is stale in a project."),
    "cancel": Place("status:cancel", "Ask a run to save its work and end."),
    "items": Place("items:items", "Show a project's gather items, or what was dropped and why."),
    "item": Place("item:item", "Add, edit, delete, restore, compare or show one gather item."),
    "why": Place("why:why", "Show how an item came about: model, prompt, ledger, verdicts and cost."),
    "export": Place("transfer:export", "Write a project's items to a file, with everything that is kept of them."),
    "import": Place("transfer:import_", "Take the items of a file into a project."),
    "events": Place("events:events", "Show a project's progress events, as they come with --follow."),
    "report": Place("report:report", "Show a project's figures, or write them as a page with plots."),
    "serve": Place("serve:serve", "Serve the API, its live events and a page for a browser."),
    "token": Place("token:token", "Make, list and revoke tokens of the API."),
    "sql": Place("report:sql", "Ask the metrics database a question, read-only."),
}


def root(name: str, places: Mapping[str, Place], help: str, *examples: str) -> click.Group:
    """A command line whose commands are imported when they are used."""
    codes = "\n".join(["\b", "Exit codes:", *(f"  {code:<5}{meaning}" for code, meaning in EXIT_CODES.items())])
    group = LazyGroup(
        name,
        places=places,
        help=help,
        epilog=f"{codes}\n\n{example(*examples)}",
        params=[click.Option(["-v", "--verbose"], is_flag=True, help="Show log lines, and tracebacks of unexpected errors.")],
        callback=logs.show,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return click.version_option(__version__, "-V", "--version", prog_name=name, message="%(prog)s %(version)s")(group)


gather = root(
    "gather",
    PLACES,
    """Grow a creative project from its brief: departments of scored, duplicate-free production notes.

    Everything lies under GATHER_HOME (default .gather). With --json a command prints one JSON document on standard output and
    everything else on standard error.
    """,
    'gather project create --name "Salt Ledger" --brief brief.md --id salt',
    "gather run --project salt",
)


def main() -> None:
    """Entry point of the script `gather`."""
    start(gather)


def start(command: click.Group) -> None:
    """Runs this process's command line and ends the process with its exit code."""
    # For plugins of its own pydantic reads what every installed package registers, so that one broken file would end every command.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    mend_streams()
    gc.set_threshold(50_000, 20, 20)  # Dagster loads much that stays; Python would look through it again and again, for over a second
    code = invoke(sys.argv[1:], command)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what it holds would fail again, with a traceback, when Python ends
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        os._exit(code)  # a run that was cancelled leaves the embedder loading, which Python would wait for and cannot interrupt
    gc.freeze()  # else Python looks once more through all that Dagster loaded, for half a second
    sys.exit(code)


def invoke(args: Sequence[str], command: click.Group = gather) -> int:
    """Runs one command line and returns its exit code; raises nothing."""
    # Bytes that are not UTF-8 are replaced in a text, but may be part of a file's name.
    given = [arg if os.path.lexists(arg) else clean(arg) for arg in args]
    try:
        code = command.main(args=given, prog_name=command.name, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (OutputClosed, BrokenPipeError):
        return EXIT_OUTPUT_CLOSED
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        _say_error(capitalized(error.format_message()))
        say(f"Type: {context.command_path if context else command.name} --help")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("Stopped.")
        return EXIT_INTERRUPTED
    except GatherError as error:
        return _refused(unreadable(error) or error)
    except OSError as error:
        logger.info("[AutoGather] The command ends: %s", error, exc_info=True)
        place = "standard output or a file" if error.filename is None else os.fsdecode(error.filename)
        _say_error(f"{error.strerror or error}: cannot read or write {place}")
        return EXIT_STORE
    except Exception as error:
        wrong = unreadable(error)
        return _unexpected(error) if wrong is None else _refused(wrong)
    finally:
        logs.end()


def _say_error(sentence: str) -> None:
    say(f"Error: {sentence if len(sentence) <= SENTENCE else f'{sentence[:SENTENCE]}...'}")


def _refused(error: GatherError) -> int:
    logger.info("[AutoGather] The command ends: %s", error, exc_info=True)
    _say_error(str(error).partition("\n")[0])  # an engine's reason may go on for lines; the log has them
    return error.exit_code


def _unexpected(error: Exception) -> int:
    logger.error("[AutoGather] Unexpected: %s", error, exc_info=True)
    where = logs.written_to()
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    hint = f"the traceback is in {where}" if where else "--verbose shows the traceback"
    say(f"Error: something unexpected went wrong, {text} ({hint})")
    return EXIT_UNEXPECTED
