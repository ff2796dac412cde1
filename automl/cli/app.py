"""The command line: entry point, errors and exit codes."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from automl import __version__
from automl.cli.analysis import compare, evaluate, report
from automl.cli.listing import runs, studies
from automl.cli.output import complain, output, show_warning, with_forms
from automl.cli.results import export, leaderboard, predict
from automl.cli.search import repair, replay, resume, search, sync
from automl.cli.spaces import app as spaces_app
from automl.cli.ui import ui
from automl.errors import AutomlError, InputError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Search for the best pipeline for a table, track every trial, and use the best model.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    *(search, resume, studies, leaderboard, report, compare, runs, ui),
    *(export, predict, evaluate, replay, sync, repair),
)
for command in _COMMANDS:
    app.command()(with_forms(command))
app.add_typer(spaces_app, name="spaces")

# Exit codes as in shells, after Ctrl-C and for a reader that is gone.
_INTERRUPTED, _CLOSED_PIPE = 130, 141
_REFIT = "automl-refit"  # the thread of an `EarlyRefit`; importing its name would take a second


def main() -> NoReturn:
    """Run the command line; a fault of the input is one message and exit code 2, without a traceback."""
    output.form = "text"
    warnings.showwarning = show_warning
    with suppress(OSError):  # a folder that was deleted
        if os.getcwd() not in sys.path:  # for own scorers and classes; installed packages are found first
            sys.path.append(os.getcwd())
    sys.unraisablehook = _raise_again
    try:
        try:
            code = _run()
            if code == _INTERRUPTED:  # typer makes an exit code of it
                raise KeyboardInterrupt
            sys.stdout.flush()
        finally:
            # Everything is written; a late Ctrl-C must not turn the end into a crash.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except (KeyboardInterrupt, typer.Abort):
        Console(stderr=True).print("stopped", style="yellow")
        sys.stdout.flush()
        # Exit at once, with running threads. After an interrupted import, `python -m` would change the exit code.
        os._exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader is gone, as in `automl leaderboard | head`; Python must not flush again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _CLOSED_PIPE
    if any(thread.name == _REFIT for thread in threading.enumerate()):
        # All is written; the refit of a trial that is no longer the best must not hold up the shell.
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _raise_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise a Ctrl-C again that came in a destructor, where Python cannot raise it."""
    if unraisable.exc_type is KeyboardInterrupt:
        # From another thread: in this one Python would ignore it again.
        if hasattr(signal, "pthread_kill"):
            main_thread = threading.main_thread().ident
            threading.Timer(0.05, signal.pthread_kill, (main_thread, signal.SIGINT)).start()
        else:  # Windows
            threading.Timer(0.05, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _run() -> int:
    """Run the command and return its exit code."""
    try:
        return app(prog_name="automl", standalone_mode=False) or 0
    except typer.Exit as stop:
        return stop.exit_code
    except AutomlError as error:
        code = 2 if isinstance(error, InputError) else 1
        complain(error, code)
        return code
    except (KeyboardInterrupt, typer.Abort):
        raise
    except SystemExit as stop:  # typer ends the program so when the reader of a pipe is gone
        if isinstance(stop.__context__, BrokenPipeError):
            raise BrokenPipeError from None
        raise
    except Exception as error:
        # Usage errors of typer and click can show themselves.
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            error.show()
            return int(error.exit_code)
        raise


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit
