"""The three forms of output: text for people, names alone (``--quiet``), one JSON object a line (``--json``)."""

from __future__ import annotations

import functools
import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

from automl.errors import AutomlError, InputError

__all__ = [
    "Output",
    "complain",
    "console",
    "emit",
    "output",
    "result",
    "say",
    "print_rows",
    "show_warning",
    "with_forms",
]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise the error, as plain printing does; the entry point ends the program."""
        raise BrokenPipeError


console = _Console()

_JSON = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line, and nothing else.", show_default=False)
]
_QUIET = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print only names: run IDs, studies, files.", show_default=False),
]


class Output:
    """The form of the output of the running command; standard error has progress, warnings and errors."""

    form: Literal["text", "names", "json"] = "text"


output = Output()


def with_forms(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that also takes ``--json`` and ``--quiet``."""

    @functools.wraps(command)
    def run(*args: Any, as_json: bool, quiet: bool, **options: Any) -> Any:
        output.form = "json" if as_json else "names" if quiet else "text"
        return command(*args, **options)

    given = inspect.signature(command, eval_str=True)
    added = {"as_json": _JSON, "quiet": _QUIET}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in added.items()
    ]
    run.__signature__ = given.replace(parameters=[*given.parameters.values(), *parameters])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, **added}
    return run


def say(text: str, style: str | None = None) -> None:
    """Print a text for people, unchanged, so that paths and commands can be copied."""
    if output.form == "text":
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def result(text: str, name: object, **fields: Any) -> None:
    """Print a result: the text, the name alone, or the fields as an object."""
    if output.form == "json":
        emit(fields)
    elif output.form == "names":
        typer.echo(str(name))
    else:
        say(text)


def print_rows(table: RenderableType, rows: Iterable[Mapping[Any, Any]], name: str) -> None:
    """Print a table, or its rows as objects, or the field ``name`` of each."""
    if output.form == "text":
        console.print(table)
    for row in rows if output.form != "text" else ():
        if output.form == "json":
            emit(row)
        elif row[name] is not None:
            typer.echo(str(row[name]))


def emit(fields: Mapping[Any, Any]) -> None:
    """Print an object in one line, if the form is JSON; numbers that are not finite are null."""
    if output.form == "json":
        typer.echo(json.dumps(_plain(fields), default=str))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # a number of NumPy
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def complain(error: AutomlError, exit_code: int) -> None:
    """Print an error to standard error, and as an object if the form is JSON."""
    _warn("[bold red]error[/]", str(error))
    faults = [vars(fault) for fault in error.faults] if isinstance(error, InputError) else []
    emit({"event": "error", "exit_code": exit_code, "message": str(error), "faults": faults})


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print a warning; replaces ``warnings.showwarning``."""
    _warn("[yellow]warning[/]", str(message))


def _warn(title: str, text: str) -> None:
    Console(stderr=True).print(f"{title}: {escape(text)}", highlight=False, soft_wrap=True)
