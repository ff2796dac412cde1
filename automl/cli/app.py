"""The command line: entry point, errors and exit codes."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import warnings
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from automl import __version__
from automl.cli.analysis import compare, evaluate, report
from automl.cli.render import complain, show_warning
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
for command in (
    search,
    resume,
    sync,
    repair,
    replay,
    leaderboard,
    report,
    compare,
    evaluate,
    export,
    predict,
    ui,
):
    app.command()(command)
app.add_typer(spaces_app, name="spaces")

_INTERRUPTED = 130  # exit code after Ctrl-C, as in shells


def main() -> NoReturn:
    """Run the command line; a fault of the input is one message and exit code 2, without a traceback."""
    warnings.showwarning = show_warning
    sys.unraisablehook = _raise_again
    try:
        try:
            code = _run()
        finally:
            # Everything is written; a late Ctrl-C must not turn the end into a crash.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except (KeyboardInterrupt, typer.Abort):
        Console(stderr=True).print("stopped", style="yellow")
        sys.stdout.flush()
        # Exit at once, with running threads. After an interrupted import, `python -m` would change the exit code.
        os._exit(_INTERRUPTED)
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
        return app(standalone_mode=False) or 0
    except typer.Exit as stop:
        return stop.exit_code
    except AutomlError as error:
        complain(str(error))
        return 2 if isinstance(error, InputError) else 1
    except (KeyboardInterrupt, typer.Abort):
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
