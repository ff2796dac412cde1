"""Output of the command line: tables, lines, errors and warnings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl.errors import Fault, SettingError

if TYPE_CHECKING:
    import pandas as pd

    from automl.records import SearchRecord

__all__ = [
    "check_output",
    "complain",
    "console",
    "leaderboard_table",
    "row_progress",
    "sample_line",
    "say",
    "show_warning",
]

_LINE_SECONDS = 10.0  # between two lines of progress
_WHOLE = ("complete", "ensemble")  # states of rows that are not dimmed

console = Console()


def say(text: str) -> None:
    """Print a line unchanged, so that paths and commands can be copied."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """Print an error."""
    Console(stderr=True).print(f"[bold red]error[/]: {_escaped(text)}", highlight=False, soft_wrap=True)


def show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Print a warning; replaces ``warnings.showwarning``."""
    Console(stderr=True).print(
        f"[yellow]warning[/]: {_escaped(str(message))}", highlight=False, soft_wrap=True
    )


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def corrected_line(corrected: Mapping[str, float]) -> str:
    """Return a line about the corrected score of the best trial."""
    low, high = (_score(corrected[name]) for name in ("low", "high"))
    return (
        f"expected on new rows: {_score(corrected['score'])} ({low} to {high}), corrected for the selection; "
        f"baseline {_score(corrected['baseline'])}"
    )


def leaderboard_table(table: pd.DataFrame, top: int, title: str, *, brief: bool = False) -> Table:
    """Return the head of a leaderboard for the terminal, with the parameters that were searched."""
    positive = table.attrs.get("positive_class")
    of = "" if positive is None else f", positive class: {positive}"
    shown = Table(
        title=Text(f"{title}: {(table.state != 'ensemble').sum()} trials{of}", style="table.title"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        expand=brief,
    )
    # In a narrow terminal parameters are cut first, then the family, never a number.
    # The first objective is the score.
    measured = _between(table, "score", "score_std")
    for name in ("rank", "trial", "state", "family", "score", *measured, "seconds"):
        words = name in ("state", "family")
        shown.add_column(name, justify="left" if words else "right", no_wrap=name != "family")
    if brief:
        shown.add_column("parameters", no_wrap=True, ratio=1)
    else:
        shown.add_column("parameters", overflow="fold")
    for rank, row in table.head(top).iterrows():
        own = _searched(table, f"model.{row.family}.")
        params = " ".join(f"{name}={_short(row[path])}" for path, name in own.items() if _given(row[path]))
        trial = row.trial
        if row.state == "ensemble":
            params, trial = f"{row.members}", "-"
        place = f"{rank} *" if row.get("front") else rank
        values = (_measured(name, row[name]) for name in measured)
        cells = (
            *(place, trial, row.state, row.family, _score(row.score), *values),
            *(f"{row.seconds:.2f}" if _given(row.seconds) else "-", params),
        )
        # As Text: in a string rich reads [...] as markup.
        shown.add_row(*(Text(str(cell)) for cell in cells), style=None if row.state in _WHOLE else "dim")
    if "front" in table:
        shown.caption = Text(
            "* on the Pareto front: no other trial is better in one thing and as good in all others"
        )
        shown.caption_justify = "left"
    return shown


def _between(table: pd.DataFrame, first: str, last: str) -> list[str]:
    """Return the columns between two, without one that says the same as the first."""
    names = list(table.columns)
    between = names[names.index(first) + 1 : names.index(last)]
    return [name for name in between if not table[name].equals(table[first])]


def _measured(name: str, value: float) -> str:
    if not _given(value):
        return "-"
    if name == "excess":
        return f"{value:+.0%}" if value else ""
    return f"{value:,.0f}" if name.endswith("_bytes") else f"{value:.3g}"


def _searched(table: pd.DataFrame, prefix: str) -> dict[str, str]:
    """Return the parameters under a prefix that have more than one value, with their short names."""
    paths = [name for name in table.columns if name.startswith(prefix)]
    varied = [path for path in paths if table[path].dropna().astype(str).nunique() > 1]
    return {path: path.removeprefix(prefix) for path in varied if ".preprocess." not in path}


def _given(value: Any) -> bool:
    return value is not None and value == value


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace(" ", "")


def _score(value: float) -> str:
    return f"{value:.5g}" if _given(value) else "-"


def sample_line(facts: SearchRecord) -> str:
    """Return a line about the rows that the scores of a search in a sample are of; empty without a sample."""
    if not facts.sample_rows:
        return ""
    return f"scores are of a sample: {facts.n_rows:,} of {facts.table_rows:,} rows were searched"


@contextmanager
def row_progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many rows of all are done: a bar in a terminal, else a line now and then."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    errors = Console(stderr=True)
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task, last = bar.add_task(doing), time.monotonic()

        def show(done: int, total: int) -> None:
            nonlocal last
            bar.update(task, completed=done, total=total)
            if not errors.is_terminal and time.monotonic() - last >= _LINE_SECONDS:
                errors.print(f"{doing}: {done:,} of {total:,} rows", highlight=False)
                last = time.monotonic()

        yield show


def check_output(output: Path | None) -> None:
    """Raise SettingError if the file could not be written in the end."""
    if output is None:
        return
    if output.is_dir():
        raise SettingError(Fault("--output", "must be a file", f"{output}, a folder", "Name a file in it."))
    if not output.parent.is_dir():
        remedy = f"Make {output.parent} first, or name another."
        raise SettingError(Fault("--output", "must be in a folder that exists", str(output), remedy))
